"""Tables of the people in a trial: baseline, adverse events, how treatment and follow-up ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesotrial.report.words import DASH, NO_BREAK

if TYPE_CHECKING:
    import polars as pl

__all__ = ["AdverseEvents", "EventRow", "adverse_event_rows", "baseline_rows", "ending_rows"]

Cells = list[str]

_NUMBERS = (
    ("AGE", "Age, years", 0),
    ("WEIGHTBL", "Weight, kg", 0),
    ("ALBBL", "Albumin, g/L", 0),
    ("LDHBL", "Lactate dehydrogenase, U/L", 0),
    ("EGFRBL", "Estimated glomerular filtration rate, mL/min", 0),
    ("TUMVOLBL", "Tumour volume, mL", 0),
    ("SUMDIABL", "Sum of measurements, mm", 0),
)
_SHARES = (
    ("SEX", "F", "Women"),
    ("HISTBL", "EPITHELIOID", "Epithelioid"),
    ("ECOGBL", 1, "ECOG performance status 1"),
    ("PDL1BL", ">=1%", f"PD-L1 1{NO_BREAK}% or more"),
)
_MOST_EVENTS = 15
_FATAL = 5


@dataclass(frozen=True)
class EventRow:
    """One line of the table of side effects: (any grade, grade 3 or worse, treated) patients of each arm."""

    name: str
    counts: tuple[tuple[int, int, int], ...]

    @property
    def title(self) -> str:
        """The name with a capital."""
        return self.name[:1].upper() + self.name[1:]

    @property
    def cells(self) -> list[tuple[str, str]]:
        """Each arm's counts with percentages."""
        return [(_share(some, size), _share(severe, size)) for some, severe, size in self.counts]


@dataclass(frozen=True)
class AdverseEvents:
    """The table of side effects: lines over all terms, the commonest terms, and the rarer ones."""

    overall: tuple[EventRow, ...]
    common: tuple[EventRow, ...]
    rare: tuple[EventRow, ...]


def baseline_rows(adsl: pl.DataFrame, arms: Sequence[str]) -> list[tuple[str, Cells]]:
    """Return (name, one cell per arm): medians with quartiles, and counts with percentages."""
    groups = _groups(adsl, arms)
    rows = [(name, [_median(group[column], digits) for group in groups]) for column, name, digits in _NUMBERS]
    shares = [
        (name, [_share(int((group[column] == value).sum()), group.height) for group in groups])
        for column, value, name in _SHARES
    ]
    return [rows[0], *shares, *rows[1:]]


def ending_rows(adsl: pl.DataFrame, arms: Sequence[str]) -> list[tuple[str, list[tuple[str, Cells]]]]:
    """Return (heading, rows of (name, one cell per arm)) for the end of treatment, the end of follow-up and the simulation itself."""
    groups = _groups(adsl, arms)
    sections = []
    for column, heading in (
        ("DCTREAS", "Why treatment ended"),
        ("EOSSTT", "At the end of follow-up"),
        ("RCODE", "Simulation of the patient"),
    ):
        names = (
            adsl[column]
            .drop_nulls()
            .value_counts(sort=True)
            .sort(["count", column], descending=[True, False])[column]
            .to_list()
        )
        rows = [
            (_sentence(name), [_share(int((group[column] == name).sum()), group.height) for group in groups])
            for name in names
        ]
        sections.append((heading, rows))
    return sections


def adverse_event_rows(tables: Mapping[str, pl.DataFrame], arms: Sequence[str]) -> AdverseEvents:
    """Count the treated patients of each arm with treatment-emergent events: of any kind, and term by term."""
    import polars as pl

    treated = tables["adsl"].filter(pl.col("SAFFL") == "Y")
    sizes = {arm: int((treated["TRT01P"] == arm).sum()) for arm in arms}
    events = tables["adae"].filter(pl.col("TRTEMFL") == "Y")
    overall = (
        ("Any side effect", pl.lit(True)),
        ("Any related to treatment", pl.col("AEREL") == "Y"),
        ("Any that ended treatment", pl.col("AEACN") == "DRUG WITHDRAWN"),
        ("Any that led to death", pl.col("AETOXGR") == _FATAL),
    )
    found = [events.filter(rule).with_columns(name=pl.lit(name)) for name, rule in overall]
    found.append(events.with_columns(name=pl.col("AEDECOD")))
    patients = (
        pl.concat(found)
        .group_by("name", "TRT01P", "USUBJID")
        .agg(pl.col("AETOXGR").max())
        .group_by("name", "TRT01P")
        .agg(pl.len().alias("any"), (pl.col("AETOXGR") >= 3).sum().alias("severe"))
    )
    counts = {(name, arm): (some, severe) for name, arm, some, severe in patients.iter_rows()}
    totals: dict[str, int] = {}
    for term, arm in counts:
        totals[term] = totals.get(term, 0) + counts[term, arm][0]
    names = [name for name, _ in overall]
    terms = sorted(totals.keys() - set(names), key=lambda term: (-totals[term], term))

    def rows(chosen: Sequence[str]) -> tuple[EventRow, ...]:
        return tuple(
            EventRow(name, tuple((*counts.get((name, arm), (0, 0)), sizes[arm]) for arm in arms)) for name in chosen
        )

    return AdverseEvents(rows(names) if terms else (), rows(terms[:_MOST_EVENTS]), rows(terms[_MOST_EVENTS:]))


def _groups(adsl: pl.DataFrame, arms: Sequence[str]) -> list[pl.DataFrame]:
    return [adsl.filter(adsl["TRT01P"] == arm) for arm in arms]


def _median(values: pl.Series, digits: int) -> str:
    known = values.drop_nulls()
    if known.is_empty():
        return DASH
    middle, low, high = (known.quantile(q, "linear") for q in (0.5, 0.25, 0.75))
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _share(count: int, total: int) -> str:
    return f"{count} ({100 * count / total:.0f}{NO_BREAK}%)" if total else DASH


def _sentence(code: str) -> str:
    """Write a code such as MAX_STEPS or NOT TREATED in lower case with a capital; OK stays."""
    return code if code == "OK" else code.replace("_", " ").capitalize()
