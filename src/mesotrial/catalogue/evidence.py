"""What was published: trial results, approvals, the patient page's statements and words, each row with its source."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from mesotrial.catalogue._sources import DATA, own_folder
from mesotrial.catalogue.drug import Status, Translation
from mesotrial.catalogue.errors import CatalogueError

__all__ = [
    "PATIENT_PAGE", "Approval", "PageFigure", "PublishedResult", "Statement", "Term",
    "approvals", "page_figures", "published_results", "statements", "terms", "translations", "trials_of_statement",
]  # fmt: skip

_STATUS: Mapping[str, Status] = {"verified": "verified", "recalled": "recalled", "derived": "derived", "guess": "guess"}
PATIENT_PAGE = "a patient-information page on mesothelioma immunotherapy (Mesothelioma Justice Network)"


@dataclass(frozen=True)
class PublishedResult:
    """One published endpoint. Rates are in percent, times in months, as published; ``row`` counts the table's header as 1.

    ``value`` is None where the table has words instead of a number (``value_text`` keeps them). ``se`` is on the scoring scale: logit for rates,
    log for medians and hazard ratios. ``role`` decides use: calibration may be fitted, validation never; only ``scored`` rows are fitted or scored.
    """

    row: int
    trial: str
    nct: str
    year: int | None
    phase: str
    line: str
    role: str
    histology_mix: str
    ecog: str
    pdl1_mix: str
    median_age: float | None
    n_trial: int | None
    arm: str
    drugs_dose_schedule: str
    scan_schedule: str
    subgroup: str
    endpoint: str
    value: float | None
    value_text: str
    unit: str
    ci_low: float | None
    ci_high: float | None
    ci_level: float | None
    ci_verified: bool | None
    n: int | None
    source: str
    doi: str
    confidence: str
    seen_in: str
    notes: str
    code: str
    time_months: float | None
    comparator: str
    subgroup_code: str
    assessor: str
    se: float | None
    se_basis: str
    n_used: int | None
    scored: bool
    why_not: str
    superseded_by: str
    scan_weeks: str
    scan_status: str

    @property
    def is_rate(self) -> bool:
        """Whether the value is a percentage of patients."""
        return self.unit == "%"


@dataclass(frozen=True)
class Statement:
    """A statement of the patient page, paraphrased, with the verdict on it and what is known."""

    id: str
    topic: str
    statement: str
    value: str
    unit: str
    verdict: str
    what_is_known: str
    source: str
    confidence: str
    how_the_product_shows_it: str


@dataclass(frozen=True)
class Approval:
    """A licence (or its absence) for a drug or combination; ``date`` is ISO, as precise as known, or empty."""

    drug_or_combination: str
    agency: str
    date: str
    indication: str
    status: str
    source: str
    confidence: str
    as_of: str


@dataclass(frozen=True)
class Term:
    """A word of the patient page (or a name people use), and the catalogue's name for it."""

    term: str
    canonical_name: str
    kind: str
    expected: str
    note: str


@dataclass(frozen=True)
class PageFigure:
    """A figure given on the patient page, in its unit (% or months), and the id of the statement that quotes it."""

    value: float
    unit: str
    statement: str


def published_results(trial: str | None = None, *, roles: Iterable[str] | None = None) -> tuple[PublishedResult, ...]:
    """Give the published endpoints, of one trial (any of its names) or of all, and with one of the ``roles`` if given.

    Raises:
        UnknownNameError: no trial of the table has this name.
    """
    rows = _published()
    if trial is not None:
        name = _trial_name(trial)
        rows = tuple(row for row in rows if row.trial == name)
    if roles is not None:
        wanted = frozenset(roles)
        rows = tuple(row for row in rows if row.role in wanted)
    return rows


@cache
def statements() -> tuple[Statement, ...]:
    """Give the patient page's statements in order."""
    return tuple(Statement(**row) for row in read_table("statements.csv"))


@cache
def approvals() -> tuple[Approval, ...]:
    """Give what is approved where."""
    return tuple(Approval(**row) for row in read_table("approvals.csv"))


@cache
def terms() -> tuple[Term, ...]:
    """Give the words of the patient page with the catalogue's names."""
    return tuple(Term(**row) for row in read_table("terms.csv"))


def translations() -> Mapping[str, Translation]:
    """Give the human-translation factors by name, the user's own among them."""
    own = own_folder()
    rows = read_table("translation.csv")
    if own is not None and (own / "translation.csv").is_file():
        with (own / "translation.csv").open(encoding="utf-8", newline="") as file:
            rows += list(csv.DictReader(file))
    return {row["name"]: _translation(row) for row in rows}


def _translation(row: Mapping[str, str]) -> Translation:
    try:
        low, middle, high = (float(row[name]) for name in ("low", "middle", "high"))
        if not 0 <= low <= middle <= high or not re.fullmatch(r"[a-z][a-z0-9_]*", row["name"]):
            raise ValueError
        return Translation(row["name"], low, middle, high, row["meaning"], row["source"], _STATUS[row["status"]])
    except (KeyError, TypeError, ValueError):
        raise CatalogueError(
            f"translation.csv: cannot read the row {dict(row)}; expected name (small letters), low <= middle <= high, meaning, source, status"
        ) from None


def trials_of_statement(statement: str) -> tuple[str, ...]:
    """Give the trials whose figures the patient page's `statement` (its id) gives; empty where it gives none."""
    rows = (row["trial"] for row in read_table("page_figures.csv") if row["statement"] == statement)
    return tuple(dict.fromkeys(rows))


def page_figures(trial: str) -> Mapping[tuple[str, str, float | None], PageFigure]:
    """Give the patient page's figures for a trial by (arm, code, time in months or None); empty where the page gives none.

    Raises:
        UnknownNameError: no trial has this name.
    """
    name = _trial_name(trial)
    return MappingProxyType(
        {
            (row["arm"], row["code"], _number(row["time_months"])): PageFigure(
                float(row["value"]), row["unit"], row["statement"]
            )
            for row in read_table("page_figures.csv")
            if row["trial"] == name
        }
    )


def read_table(name: str) -> list[dict[str, str]]:
    """Read one of the catalogue's own CSV tables."""
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def _published() -> tuple[PublishedResult, ...]:
    return tuple(
        _published_result(number, row) for number, row in enumerate(read_table("published_results.csv"), start=2)
    )


def _published_result(number: int, row: Mapping[str, str]) -> PublishedResult:
    cells: dict[str, Any] = {**row, "row": number, "value_text": row["value"], "scored": row["scored"] == "yes"}
    cells["ci_verified"] = {"yes": True, "no": False}.get(row["ci_verified"])
    for name in ("value", "median_age", "ci_low", "ci_high", "ci_level", "time_months", "se"):
        cells[name] = _number(row[name])
    for name in ("year", "n_trial", "n", "n_used"):
        cells[name] = _whole(row[name])
    return PublishedResult(**cells)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _whole(text: str) -> int | None:
    return int(text) if text else None


def _trial_name(name: str) -> str:
    """Give the name used in the table for any name of a trial."""
    if any(row.trial == name for row in _published()):
        return name
    from mesotrial.catalogue.names import trial_entry

    return trial_entry(name).name
