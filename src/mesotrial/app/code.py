"""Show the code: what a page did, as Python, as a command line and as YAML."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

__all__ = ["Snippet", "command_line", "comparison_code", "list_code", "python_call", "run_code"]


@dataclass(frozen=True)
class Snippet:
    """One text to copy: its title, what it is written in, and the text."""

    title: str
    language: str
    text: str


def run_code(
    design: str, yaml: str, *, patients_per_arm: int | None, seed: int, population: str = "fitted", own: bool = False
) -> list[Snippet]:
    """Return what runs a trial as a page did; `own` for a design that is a file and not in the catalogue."""
    name = f"{design}.yaml" if own else design
    options = {
        "patients_per_arm": patients_per_arm,
        "seed": seed if seed != 1 else None,
        "population": population if population != "fitted" else None,
    }
    given = {key: value for key, value in options.items() if value is not None}
    python = f'from mesotrial import run_trial\n\nrun = {python_call("run_trial", name, **given)}\nrun.summary["endpoints"]  # simulated beside published\n'
    flags = [part for key, value in given.items() for part in (f"--{key.replace('_', '-')}", str(value))]
    return [
        Snippet("Command line", "shell", command_line("run", name, *flags)),
        Snippet("Python", "python", python),
        Snippet(f"The design ({design}.yaml)", "yaml", yaml),
    ]


def comparison_code(therapies: list[str], patient: str, people: int, seed: int) -> list[Snippet]:
    """Return what compares treatments as the page did."""
    python = (
        "from mesotrial import compare\n\n"
        + f"found = {python_call('compare', *therapies, patient=patient, people=people, seed=seed)}\nfound.to_dict()\n"
    )
    command = command_line(
        "compare", *therapies, "--patient", patient, "--people", str(people), "--seed", str(seed), "--json"
    )
    return [Snippet("Command line", "shell", command), Snippet("Python", "python", python)]


def list_code(what: str, call: str) -> list[Snippet]:
    """Return what lists a part of the catalogue; `call` is that of Python."""
    python = f"from mesotrial import {call.partition('(')[0]}\n\nfor one in {call}:\n    print(one)\n"
    return [Snippet("Command line", "shell", command_line("list", what, "--json")), Snippet("Python", "python", python)]


def python_call(name: str, *arguments: Any, **options: Any) -> str:
    """Write a call in Python, one argument a line where it gets long."""
    parts = [_literal(one) for one in arguments] + [f"{key}={_literal(value)}" for key, value in options.items()]
    line = f"{name}({', '.join(parts)})"
    return line if len(line) <= 88 else f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + ")"


def command_line(*words: str) -> str:
    """Write a command for a shell."""
    return shlex.join(["mesotrial", *words])


def _literal(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
