"""The trials of the catalogue as the pages list them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesotrial.catalogue import Design, Entry, PublishedResult

__all__ = ["ListedTrial", "listed_trials", "registry_link", "slug", "trial_named", "trials_with"]

_REGISTRIES = (
    ("NCT", "https://clinicaltrials.gov/study/{}"),
    ("ISRCTN", "https://www.isrctn.com/{}"),
    ("ACTRN", "https://www.anzctr.org.au/TrialSearch.aspx#&&searchTxt={}"),
)


@dataclass(frozen=True)
class ListedTrial:
    """A trial: what is known of it, and its design where it can be simulated."""

    slug: str
    entry: Entry
    rows: tuple[PublishedResult, ...]
    design: Design | None

    @property
    def registry(self) -> str:
        """The registry number, empty where none is known."""
        return next((row.nct for row in self.rows if row.nct), self.design.registry if self.design else "")

    @property
    def link(self) -> str:
        """The address of the registry's own page, empty where none is known."""
        return registry_link(self.registry)

    @property
    def year(self) -> int | None:
        """Year of the latest results."""
        return max((row.year for row in self.rows if row.year), default=None)

    @property
    def phase(self) -> str:
        """The phase, in the catalogue's words."""
        return next((row.phase for row in self.rows if row.phase), "")

    @property
    def line(self) -> str:
        """The line of treatment, in the catalogue's words."""
        return next((row.line for row in self.rows if row.line), "")

    @property
    def setting(self) -> str:
        """`first`, `relapsed` or `other`."""
        if self.design is not None:
            return self.design.line
        return (
            "first"
            if self.line.startswith("1L")
            else "relapsed"
            if re.match("[23]L|previously", self.line)
            else "other"
        )

    @property
    def as_of(self) -> int:
        """The year of the catalogue's latest result: what it knows of any trial is known as of then."""
        return _latest()

    @property
    def status(self) -> str:
        """What the catalogue knows of the trial's state."""
        return f"results published, the latest in {self.year}" if self.year else "no dated results in this catalogue"

    @property
    def treatments(self) -> tuple[str, ...]:
        """What was given, one line an arm."""
        if self.design is not None:
            return tuple(arm.label for arm in self.design.arms)
        return tuple(
            dict.fromkeys(
                row.drugs_dose_schedule for row in self.rows if row.drugs_dose_schedule and not row.comparator
            )
        )

    @property
    def words(self) -> str:
        """Everything a search may find it by, in lower case."""
        parts = (self.entry.name, *self.entry.other_names, self.registry, self.line, self.phase, *self.treatments)
        return " ".join(parts).lower()


@cache
def _latest() -> int:
    return max(row.year for trial in listed_trials() for row in trial.rows if row.year)


@cache
def listed_trials() -> tuple[ListedTrial, ...]:
    """Return every trial, those that can be simulated first."""
    from mesotrial.catalogue import entries, load_design, published_results

    found = []
    for entry in entries("trial"):
        design = load_design(entry.key) if entry.runnable else None
        rows = tuple(row for row in published_results(entry.name) if row.role not in ("none", "exclude"))
        found.append(ListedTrial(entry.key or slug(entry.name), entry, rows, design))
    return tuple(found)


def trial_named(name: str) -> ListedTrial | None:
    """Return the trial with this slug."""
    return next((trial for trial in listed_trials() if trial.slug == name), None)


def trials_with(drugs: Sequence[str]) -> tuple[ListedTrial, ...]:
    """Return the trials in which some arm got all of these drugs."""
    wanted = set(drugs)
    if not wanted:
        return ()
    found = []
    for trial in listed_trials():
        if trial.design is not None:
            given = any(wanted <= set(arm.drugs) for arm in trial.design.arms)
        else:
            given = any(
                all(drug.lower() in text.lower() for drug in wanted) for text in (*trial.treatments, trial.entry.name)
            )
        if given:
            found.append(trial)
    return tuple(found)


def registry_link(number: str) -> str:
    """Return the address of a registry's page for a number."""
    return next((address.format(number) for start, address in _REGISTRIES if number.startswith(start)), "")


def slug(name: str) -> str:
    """Return a name as a part of an address."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
