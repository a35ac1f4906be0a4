"""Numbers and endpoints in words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mesotrial.analysis import codes
from mesotrial.trial.tables import DAYS_PER_MONTH

__all__ = ["endpoint_name", "interval", "listed", "months", "percent", "subgroup_name", "value"]

DASH = "–"
NOT_REACHED = "not reached"
NOT_KNOWN = "not known"
NO_BREAK = "\N{NO-BREAK SPACE}"

_NAMES: Mapping[str, str] = {
    "ORR": "Objective response: tumours that shrank",
    "DCR": "Disease control: shrank or stayed stable",
    "PD_BEST": "Grew from the start: progression as best response",
    "PFS_MEDIAN": "Progression-free survival, median",
    "TTP_MEDIAN": "Time to progression, median",
    "OS_MEDIAN": "Overall survival, median",
    "DOR_MEDIAN": "Duration of response, median",
    "TTR_MEDIAN": "Time to response, median",
    "OS_HR": "Hazard ratio of death",
    "PFS_HR": "Hazard ratio of progression or death",
    "TRAE_ANY": "Treatment-related side effect, any grade",
    "TRAE_G34": "Treatment-related side effect, grade 3 or worse",
    "DISC_TOX": "Treatment stopped for a side effect",
    "DEATH_TOX": "Death from a side effect",
}
_AT: Mapping[str, str] = {
    "OS_RATE": "Alive after {}",
    "PFS_RATE": "Alive without progression after {}",
    "DOR_RATE": "Still in response {} after it began",
    "DCR_AT": "Disease control after {}",
}
_SUBGROUPS: Mapping[str, str] = {
    "all": "",
    "epithelioid": "epithelioid",
    "non_epithelioid": "non-epithelioid",
    "pdl1_ge1": f"PD-L1 1{NO_BREAK}% or more",
    "pdl1_lt1": f"PD-L1 under 1{NO_BREAK}%",
    "ecog_0": "ECOG 0",
    "ecog_ge1": "ECOG 1 or more",
    "female": "women",
    "male": "men",
}


def endpoint_name(row: Mapping[str, Any]) -> str:
    """Name the endpoint of a row of summary.json."""
    code, time = row["code"], row["time_months"]
    if code in _NAMES:
        return _NAMES[code]
    if code in _AT and time is not None:
        return _AT[code].format(_duration(time))
    if code.startswith("AE_"):
        term, _, degree = code.removeprefix("AE_").rpartition("_")
        return f"{term.replace('_', ' ').capitalize()}, {'grade 3 or worse' if degree == 'G34' else 'any grade'}"
    return str(row["label"] or code)


def subgroup_name(code: str) -> str:
    """Name a subgroup; empty for everybody."""
    return _SUBGROUPS.get(code, code.replace("_", " "))


def percent(fraction: float | None, *, rounded: bool = False) -> str:
    """Write a fraction as a percentage with at most one decimal, or (rounded) with none from 10 % up; a dash where unknown."""
    if fraction is None:
        return DASH
    shown = 100 * fraction
    digits = 0 if rounded and shown >= 9.95 else 1
    return f"{shown:.{digits}f}".removesuffix(".0") + f"{NO_BREAK}%"


def months(value: float | None) -> str:
    """Write a time in months with one decimal."""
    return DASH if value is None else f"{value:.1f}{NO_BREAK}months"


def value(code: str, number: float | None, *, rounded: bool = False) -> str:
    """Write the value of an endpoint in its unit; `rounded` for rates that are not known to a decimal."""
    if number is None:
        return DASH
    if codes.is_median(code):
        return months(number)
    return f"{number:.2f}" if codes.is_hazard_ratio(code) else percent(number, rounded=rounded)


def interval(code: str, lower: float | None, upper: float | None, *, rounded: bool = False) -> str:
    """Write an interval without its unit; a missing upper end with a lower one was not reached. Empty where unknown."""
    if lower is None:
        return ""
    low, high = (value(code, end, rounded=rounded).partition(NO_BREAK)[0] for end in (lower, upper))
    return f"{low} to {NOT_REACHED if upper is None else high}"


def listed(items: Sequence[str], last: str = "and") -> str:
    """Join items as `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""


def _duration(time_months: float) -> str:
    weeks = time_months * DAYS_PER_MONTH / 7
    if abs(time_months - round(time_months)) > 0.05 and abs(weeks - round(weeks)) < 0.05:
        return f"{round(weeks)}{NO_BREAK}weeks"
    return f"{time_months:g}{NO_BREAK}months"
