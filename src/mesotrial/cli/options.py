"""Options and arguments that several commands share, and what the shell offers for them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["DesignName", "JsonFlag", "OutFile", "QuietFlag", "complete_name", "complete_trial", "names_in"]


def names_in(option: str, text: str) -> tuple[str, ...]:
    """Return the names between the commas of an option; RequestError where there is none."""
    from mesotrial.run import RequestError

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise RequestError(f"{option} names no trial; give names with commas between them, or leave it out")
    return names


def complete_trial(incomplete: str) -> list[str]:
    """Return the names of the trials that can be run."""
    from mesotrial.catalogue import entries

    return [entry.key for entry in entries("trial") if entry.runnable and entry.key.startswith(incomplete.lower())]


def complete_name(incomplete: str) -> list[str]:
    """Return the names of trials, drugs, therapies and statements."""
    from mesotrial.catalogue import entries

    known = [entry.key or entry.name for kind in ("trial", "drug", "therapy", "statement") for entry in entries(kind)]
    return [name for name in known if name.lower().startswith(incomplete.lower())]


DesignName = Annotated[
    str,
    typer.Argument(
        metavar="DESIGN",
        help="A trial of the catalogue (any of its names), or a design file (.yaml).",
        autocompletion=complete_trial,
        show_default=False,
    ),
]
JsonFlag = Annotated[
    bool, typer.Option("--json", help="One JSON object on standard output; progress goes to standard error.")
]
QuietFlag = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what was asked for.")]
OutFile = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write to this file instead of standard output.")
]
