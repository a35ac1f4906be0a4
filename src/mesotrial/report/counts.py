"""Tables of the people in a trial: baseline, adverse events, how treatment and follow-up ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mesotrial.report.words import DASH, NO_BREAK

if TYPE_CHECKING:
    import polars as pl

__all__ = ["adverse_event_rows", "baseline_rows", "ending_rows"]

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


def adverse_event_rows(
    tables: Mapping[str, pl.DataFrame], arms: Sequence[str]
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return (term, one pair of cells per arm: any grade, grade 3 or worse) of the commonest treatment-emergent events."""
    import polars as pl

    treated = tables["adsl"].filter(pl.col("SAFFL") == "Y")
    sizes = {arm: int((treated["TRT01P"] == arm).sum()) for arm in arms}
    patients = (
        tables["adae"]
        .filter(pl.col("TRTEMFL") == "Y")
        .group_by("AEDECOD", "TRT01P", "USUBJID")
        .agg(pl.col("AETOXGR").max())
        .group_by("AEDECOD", "TRT01P")
        .agg(pl.len().alias("any"), (pl.col("AETOXGR") >= 3).sum().alias("severe"))
    )
    found = {(term, arm): (some, severe) for term, arm, some, severe in patients.iter_rows()}
    totals: dict[str, int] = {}
    for (term, _), (some, _) in found.items():
        totals[term] = totals.get(term, 0) + some
    commonest = sorted(totals, key=lambda term: (-totals[term], term))[:_MOST_EVENTS]
    rows = []
    for term in commonest:
        counts = [(found.get((term, arm), (0, 0)), sizes[arm]) for arm in arms]
        rows.append(
            (
                term[:1].upper() + term[1:],
                [(_share(some, size), _share(severe, size)) for (some, severe), size in counts],
            )
        )
    return rows


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
