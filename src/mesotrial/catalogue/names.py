"""Names: canonical names, brands, other names, the patient page's words and misspellings, found whatever their case and punctuation."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from mesotrial.catalogue._sources import own_folder, packaged_names
from mesotrial.catalogue.errors import CatalogueError, UnknownNameError
from mesotrial.catalogue.evidence import published_results, read_table, statements, terms

__all__ = ["Entry", "Kind", "canonical", "entries", "find", "names", "trial_entry"]

Kind = Literal["trial", "drug", "therapy", "statement", "class", "mechanism", "concept", "side effect"]

_KINDS: tuple[Kind, ...] = get_args(Kind)
_SILENT = frozenset({"and", "plus", "with", "the", "a", "of"})
_TRIAL_ROLES = ("calibration", "validation", "context")


@dataclass(frozen=True)
class Entry:
    """One thing the catalogue knows by name.

    ``key`` opens it (a design's or drug's name for `load_design` and `load_drug`, a statement's id), empty where there is nothing to open.
    ``runnable`` says whether it can be simulated today; ``drugs`` are those a therapy is made of.
    ``immunity`` is the page's division: active or passive, specific or nonspecific. ``not_simulated`` says why it never will be, where that is known.
    ``founded`` says how well founded the benefit of a therapy or class in mesothelioma is; a drug's own file says it for the drug.
    """

    name: str
    kind: Kind
    key: str = ""
    runnable: bool = False
    note: str = ""
    other_names: tuple[str, ...] = ()
    immunity: tuple[str, ...] = ()
    drugs: tuple[str, ...] = ()
    not_simulated: str = ""
    founded: str = ""


def find(name: str) -> Entry:
    """Find an entry by any of its names: ``maps-2``, ``Opdivo``, ``Cemioimab``, ``NCT02899299``, ``s14``.

    Raises:
        UnknownNameError: no entry has this name; the message has the nearest ones.
    """
    found = _index().get(_key(name))
    if found is None:
        raise UnknownNameError(name, "entry of the catalogue", _every_name())
    return found


def names(kind: Kind) -> tuple[str, ...]:
    """Give the canonical names of one kind, those that can be simulated first."""
    return tuple(entry.name for entry in entries(kind))


def entries(kind: Kind) -> tuple[Entry, ...]:
    """Give the entries of one kind, those that can be simulated first, else in the order of the tables.

    Raises:
        CatalogueError: no such kind.
    """
    if kind not in _KINDS:
        raise CatalogueError(f"no kind of entry is called {kind!r}; known: {', '.join(_KINDS)}")
    return tuple(sorted((entry for entry in _entries() if entry.kind == kind), key=lambda entry: not entry.runnable))


def canonical(name: str, kind: Kind) -> str | None:
    """Give the canonical name for any name of a drug, trial, ..., or None."""
    entry = _index().get(_key(name))
    return entry.name if entry is not None and entry.kind == kind else None


def trial_entry(name: str) -> Entry:
    """Find a trial by any of its names; raises `UnknownNameError` as `find` does."""
    entry = _index().get(_key(name))
    if entry is None or entry.kind != "trial":
        raise UnknownNameError(name, "trial", names("trial"))
    return entry


def _key(name: str) -> str:
    """Reduce a name to its letters and digits, without case, accents and small words."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    words = "".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c)).split()
    return "".join(word for word in words if word not in _SILENT)


def _index() -> dict[str, Entry]:
    return _index_of(own_folder())


def _entries() -> tuple[Entry, ...]:
    return _entries_of(own_folder())


@cache
def _index_of(own: Path | None) -> dict[str, Entry]:
    index: dict[str, Entry] = {}
    for entry in _entries():
        for name in (entry.name, entry.key, *entry.other_names):
            if name:
                index.setdefault(_key(name), entry)
    return index


def _every_name() -> tuple[str, ...]:
    return tuple(name for entry in _entries() if entry.kind != "statement" for name in (entry.name, *entry.other_names))


@cache
def _entries_of(own: Path | None) -> tuple[Entry, ...]:
    """Put the tables together: each thing once, with all names it goes by."""
    collected: dict[str, Entry] = {}
    for entry in (*_listed(), *_unlisted(), *_terms(), *_trials(), *_statements()):
        old = collected.get(entry.name)
        if old is None:
            collected[entry.name] = entry
        else:
            collected[entry.name] = replace(
                old, other_names=_merged(old.other_names, entry.other_names), note=old.note or entry.note
            )
    for row in read_table("aliases.csv"):
        entry = collected[row["canonical_name"]]
        collected[entry.name] = replace(entry, other_names=_merged(entry.other_names, (row["name"],)))
    return tuple(replace(entry, other_names=_without(entry.other_names, entry.name)) for entry in collected.values())


def _merged(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(other for other in names if other.casefold() != name.casefold())


def _listed() -> Iterator[Entry]:
    """The drugs, therapies and runnable trials that entries.csv describes."""
    drugs, designs = packaged_names("drugs"), packaged_names("designs")
    for row in read_table("entries.csv"):
        name, kind = row["name"], _kind(row["kind"])
        parts = tuple(row["drugs"].split(";")) if row["drugs"] else ()
        key, runnable = "", False
        if kind == "drug":
            key, runnable = (name, True) if name in drugs else ("", False)
        elif kind == "trial":
            key, runnable = (row["key"], True) if row["key"] in designs else ("", False)
        elif kind in ("therapy", "class"):
            runnable = bool(parts) and all(part in drugs for part in parts)
        immunity = tuple(row["immunity"].split(";")) if row["immunity"] else ()
        yield Entry(name, kind, key, runnable, row["note"], (), immunity, parts, row["not_simulated"], row["founded"])


def _unlisted() -> Iterator[Entry]:
    """Drug and design files that entries.csv does not describe (yet)."""
    listed = {row["key"] or row["name"] for row in read_table("entries.csv")}
    yield from (Entry(stem, "trial", stem, True) for stem in packaged_names("designs") if stem not in listed)
    yield from (Entry(stem, "drug", stem, True) for stem in packaged_names("drugs") if stem not in listed)


def _trials() -> Iterator[Entry]:
    for row in published_results(roles=_TRIAL_ROLES):
        short, _, inside = row.trial.partition(" (")
        others = (row.nct, short if inside else "", inside.rstrip(")"))
        note = f"line of treatment: {row.line}" if row.line else ""
        yield Entry(row.trial, "trial", note=note, other_names=tuple(name for name in others if name))


def _terms() -> Iterator[Entry]:
    """The words of the patient page; a word that is the canonical name itself comes first, for its note says most."""
    for term in sorted(terms(), key=lambda term: _key(term.term) != _key(term.canonical_name)):
        yield Entry(term.canonical_name, _kind(term.kind), note=term.note, other_names=(term.term,))


def _statements() -> Iterator[Entry]:
    for item in statements():
        yield Entry(item.id, "statement", item.id, note=f"{item.statement} Verdict: {item.verdict}.")


def _kind(text: str) -> Kind:
    for kind in _KINDS:
        if text == kind:
            return kind
    assert text == "treatment", text
    return "therapy"
