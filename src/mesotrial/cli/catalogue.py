"""``list`` and ``show``: what the catalogue holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mesotrial.cli.options import JsonFlag, QuietFlag, complete_name

if TYPE_CHECKING:
    from mesotrial.catalogue import Entry
    from mesotrial.catalogue.names import Kind

__all__ = ["register"]


class Listed(StrEnum):
    """What can be listed."""

    TRIALS = "trials"
    THERAPIES = "therapies"
    DRUGS = "drugs"
    STATEMENTS = "statements"


_KINDS: Mapping[Listed, tuple[Kind, ...]] = {
    Listed.TRIALS: ("trial",),
    Listed.THERAPIES: ("therapy", "class"),
    Listed.DRUGS: ("drug",),
    Listed.STATEMENTS: ("statement",),
}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("list")(list_entries)
    app.command("show")(show)


def list_entries(
    what: Annotated[Listed, typer.Argument(help="What to list.", show_default=False)],
    where: Annotated[
        str,
        typer.Option(
            metavar="A,B", help="Only entries that all these words hold for, such as active,specific or runnable."
        ),
    ] = "",
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """List trials, therapies, drugs or the patient page's statements.

    Examples:

    - `mesotrial list trials --where runnable`
    - `mesotrial list therapies --where active,specific`
    - `mesotrial list statements --where prognosis,supported`
    """
    from mesotrial.catalogue import entries
    from mesotrial.cli.output import console, print_json

    found = [(entry, _words(entry)) for kind in _KINDS[what] for entry in entries(kind)]
    chosen = _chosen(found, where)
    if as_json:
        print_json({"kind": what.value, "entries": [{**_as_dict(entry), "words": words} for entry, words in chosen]})
    elif quiet:
        for entry, _ in chosen:
            print(entry.key or entry.name)
    else:
        console().print(_LISTS[what]([entry for entry, _ in chosen]))


def show(
    name: Annotated[
        str,
        typer.Argument(
            help="A trial, drug, therapy, statement or word, by any of its names.",
            autocompletion=complete_name,
            show_default=False,
        ),
    ],
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Show one entry whole, with its sources; for a trial, its published results.

    Other names, brands and known misspellings are found.

    Examples:

    - `mesotrial show maps2`
    - `mesotrial show Opdivo`
    - `mesotrial show s14`  (a statement of the patient page)
    """
    from mesotrial.catalogue import find
    from mesotrial.cli import entry as pages
    from mesotrial.cli.output import print_json

    found = find(name)
    if as_json:
        print_json({"entry": _as_dict(found), **pages.details(found)})
    elif quiet:
        print(found.key or found.name)
    else:
        pages.show(found)


def _as_dict(entry: Entry) -> dict[str, Any]:
    from mesotrial.cli.output import plain

    made: dict[str, Any] = plain(entry)
    return made


def _words(entry: Entry) -> tuple[str, ...]:
    """Return the words that ``--where`` finds an entry by."""
    from mesotrial.catalogue import load_drug, published_results, statements

    words = [*entry.immunity, *(["runnable"] if entry.runnable else [])]
    if entry.kind in ("drug", "therapy", "class") and not entry.immunity:
        words.append("no immunotherapy")
    if entry.kind == "trial":
        rows = published_results(entry.name)
        lines = {
            "first" if row.line.startswith("1L") else "relapsed" if row.line[:1] in "23" and row.line else ""
            for row in rows
        }
        words += sorted(filter(None, lines)) + sorted({row.role for row in rows} - {"none", "exclude"})
    elif entry.kind == "drug" and entry.runnable:
        drug = load_drug(entry.key)
        words += [drug.drug_class, *(["exploratory"] if drug.exploratory else [])]
    elif entry.kind in ("therapy", "class"):
        words += [entry.kind, *(["exploratory"] if _is_exploratory(entry) else [])]
    elif entry.kind == "statement":
        item = next(one for one in statements() if one.id == entry.key)
        words += [item.topic, item.verdict]
    return tuple(words)


def _is_exploratory(entry: Entry) -> bool:
    """Say whether any drug of an entry is exploratory, or the entry says so of its combination."""
    from mesotrial.catalogue import find, load_drug

    drugs = [find(name) for name in entry.drugs] or ([entry] if entry.kind == "drug" else [])
    exploring = any(one.runnable and load_drug(one.key).exploratory for one in drugs)
    return entry.founded.startswith("exploratory") or (exploring and entry.kind != "class")


def _founded(entry: Entry) -> str:
    """Say how well founded an entry's benefit in mesothelioma is."""
    from mesotrial.catalogue import load_drug

    if entry.kind == "drug" and entry.runnable:
        drug = load_drug(entry.key)
        return ("exploratory: " if drug.exploratory else "") + drug.founded
    return entry.founded


def _chosen(found: Sequence[tuple[Entry, tuple[str, ...]]], where: str) -> list[tuple[Entry, tuple[str, ...]]]:
    wanted = [word for part in where.split(",") if (word := part.strip().lower())]
    known = sorted({word.lower(): word for _, words in found for word in words}.values(), key=str.lower)
    for word in wanted:
        if word not in (one.lower() for one in known):
            from mesotrial.run import RequestError

            raise RequestError(f"--where: {word!r} holds for no entry here; words that do: {', '.join(known)}")
    return [(entry, words) for entry, words in found if set(wanted) <= {word.lower() for word in words}]


def _trials(entries: Sequence[Entry]) -> Any:
    from mesotrial.catalogue import load_design, published_results
    from mesotrial.cli.output import table

    made = table("Trials", "Run with", "Trial", "Arms", "Registry", "Results", right=("Results",))
    for entry in entries:
        rows = published_results(entry.name)
        arms = "not simulated" if entry.not_simulated else "no design yet"
        if entry.runnable:
            arms = ", ".join(f"{arm.label} ({arm.n})" for arm in load_design(entry.key).arms)
        registry = next((row.nct for row in rows if row.nct), "")
        made.add_row(entry.key or "–", entry.name, arms, registry, str(len(rows)))
    return made


def _therapies(entries: Sequence[Entry]) -> Any:
    from mesotrial.cli.output import table

    made = table(
        "Therapies and classes of them", "Therapy", "Immunotherapy", "Drugs", "Can be run", "How well founded", "Note"
    )
    for entry in entries:
        made.add_row(
            entry.name,
            ", ".join(entry.immunity) or "no",
            ", ".join(entry.drugs),
            _yes(entry.runnable),
            _founded(entry),
            entry.note,
        )
    return made


def _drugs(entries: Sequence[Entry]) -> Any:
    from mesotrial.catalogue import load_drug
    from mesotrial.cli.output import table

    made = table("Drugs", "Drug", "Class", "Immunotherapy", "Can be run", "How well founded", "Other names")
    for entry in entries:
        kind = load_drug(entry.key).drug_class if entry.runnable else ""
        immunity = ", ".join(entry.immunity) or "no"
        made.add_row(entry.name, kind, immunity, _yes(entry.runnable), _founded(entry), ", ".join(entry.other_names))
    return made


def _statements(entries: Sequence[Entry]) -> Any:
    from mesotrial.catalogue import PATIENT_PAGE, statements
    from mesotrial.cli.output import table

    known = {item.id: item for item in statements()}
    made = table(f"Statements of {PATIENT_PAGE}, in our words", "Id", "Topic", "Verdict", "Statement")
    for entry in entries:
        item = known[entry.key]
        made.add_row(item.id, item.topic, item.verdict, item.statement)
    return made


def _yes(value: bool) -> str:
    return "yes" if value else "not yet"


_LISTS: Mapping[Listed, Any] = {
    Listed.TRIALS: _trials,
    Listed.THERAPIES: _therapies,
    Listed.DRUGS: _drugs,
    Listed.STATEMENTS: _statements,
}
