"""The facts of the page: what numbers rest on, what was tested, for whom the model was made."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from statistics import NormalDist
from typing import Any
from xml.etree import ElementTree

from mesotrial.analysis import SHAPE_QUANTILES, SHAPES, codes
from mesotrial.population.parameters import Distribution, LatentClass

__all__ = [
    "applicability",
    "calibration_table",
    "comparisons",
    "drug_statuses",
    "every_row",
    "parameter_statuses",
    "tests_by_room",
    "tumour_shapes",
    "worst_rows",
]


def parameter_statuses() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Return how many population parameters are fitted, guessed or read somewhere, and the guesses with their sources."""
    from mesotrial.population import load_parameters

    fitted = load_parameters()
    named: dict[str, Distribution | LatentClass] = {**fitted.distributions, **fitted.classes}
    statuses = {name: one.status for name, one in named.items()} | dict(fitted.readout_status)
    guesses = [
        (name, named[name].source if name in named else "read-out of the clinic")
        for name, status in statuses.items()
        if status == "guess"
    ]
    return dict(Counter(statuses.values())), guesses


def drug_statuses() -> list[tuple[str, ...]]:
    """Return a row a drug: its name, whether exploratory, and how many of its numbers have which status."""
    from mesotrial.catalogue import entries, load_drug

    rows = []
    for entry in entries("drug"):
        if not entry.runnable:
            continue
        drug = load_drug(entry.key)
        counts = Counter(one.status for one in (drug.pk.parameters.values() if drug.pk else ()))
        counts.update(one.status for one in drug.effects)
        rows.append(
            (
                drug.name,
                "exploratory" if drug.exploratory else "",
                *(str(counts.get(status, 0)) for status in ("verified", "recalled", "derived", "guess")),
            )
        )
    return rows


def applicability() -> list[tuple[str, ...]]:
    """Return a row a trial: line, age, share of epithelioid tumours, of ECOG 1 or more and of PD-L1 1 % or more."""
    from mesotrial.catalogue import entries, load_design

    rows = []
    for entry in entries("trial"):
        if not entry.runnable:
            continue
        design = load_design(entry.key)
        people, age = design.population, design.population.age_years
        shares = (people.epithelioid, people.ecog_ge1, people.pdl1_ge1)
        rows.append(
            (
                design.name,
                design.line,
                f"{age.median:g} ({age.low:g} to {age.high:g})",
                *(f"{100 * share:.0f} %" for share in shares),
            )
        )
    return rows


def calibration_table(name: str) -> list[dict[str, str]]:
    """Return the rows of a table that the shipped calibration left (``informed.csv``, ``sensitivity.csv``, ``known_truth.csv``); empty without one."""
    file = files("mesotrial.calibration") / "data" / name
    if not file.is_file():
        return []
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def tests_by_room(junit: Path) -> list[tuple[str, ...]]:
    """Return a row a folder of tests from a JUnit file (``pytest --junit-xml``): passed, failed, skipped.

    Raises `ValueError` for a file that is no such report.
    """
    try:
        root = ElementTree.parse(junit).getroot()  # a file that the user made, not one from the network
    except (ElementTree.ParseError, OSError) as error:
        raise ValueError(f"{junit} is no JUnit report: {error}") from None
    counts: dict[str, Counter[str]] = {}
    for case in root.iter("testcase"):
        room = ".".join(case.get("classname", "").split(".")[:2])
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        counts.setdefault(room, Counter())[outcome] += 1
    return [
        (room, *(str(one[kind]) for kind in ("passed", "failed", "skipped"))) for room, one in sorted(counts.items())
    ]


def comparisons(rows: Sequence[Mapping[str, Any]], trials: Sequence[str] = ()) -> list[tuple[str, ...]]:
    """Return the hazard ratios of whole arms: trial, arms, code, predicted, 90 %, published, and the probability of a ratio below 1.

    The probability is that of a new trial of the published size, from its prediction interval (normal on the log scale).
    """
    found: list[tuple[str, ...]] = []
    for row in rows:
        whole = codes.is_hazard_ratio(row["code"]) and row["subgroup"] == "all" and row["simulated"] is not None
        if not whole or row["lo90"] is None or row["hi90"] is None or (trials and row["trial"] not in trials):
            continue
        middle, sd = math.log(row["simulated"]), math.log(row["hi90"] / row["lo90"]) / (2 * codes.COVERED)
        below = NormalDist(middle, sd).cdf(0.0)
        published = _value(row["code"], row["published"])
        found.append(
            (row["trial"], _arm(row), row["code"], _value(row["code"], row["simulated"]), _interval(row), published)
            + (f"{100 * below:.0f} %",)
        )
    return found


def tumour_shapes(board: Mapping[str, Any], designs: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return quantiles of tumour courses: those of the arms `designs` (design -> arm) of a scoreboard, under those of a trial in another cancer."""
    text = (files("mesotrial.credibility") / "data" / "tumour_shape.csv").read_text(encoding="utf-8")
    lines = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    places = [f"q{100 * share:.0f}" for share in SHAPE_QUANTILES]
    found = [(f"OAK, {one['arm']}", one["name"], *(one[place] for place in places)) for one in lines]
    for about in board["trials"]:
        arm = designs.get(about["design"])
        for name in SHAPES:
            values = about.get("shape", {}).get(arm, {}).get(name)
            if values:
                found.append((f"{about['trial']}, {arm}, simulated", name, *(f"{value:.3g}" for value in values)))
    return sorted(found, key=lambda row: SHAPES.index(row[1]))


def worst_rows(rows: Sequence[Mapping[str, Any]], role: str, count: int = 8) -> list[tuple[str, ...]]:
    """Return the rows of a role with the largest misses: trial, arm, code, predicted, published, z."""
    return [row[:6] for row in every_row(rows, role)[:count]]


def every_row(rows: Sequence[Mapping[str, Any]], role: str) -> list[tuple[str, ...]]:
    """Return the rows of a role, the largest miss first: trial, arm, code, predicted, published, z, interval, whether inside."""
    judged = sorted(
        (row for row in rows if row["role"] == role and row["z"] is not None), key=lambda row: -abs(row["z"])
    )
    return [
        (
            row["trial"],
            _arm(row),
            row["code"] + ("" if row["time_months"] is None else f" at {row['time_months']:g} months"),
            _value(row["code"], row["simulated"]),
            _value(row["code"], row["published"]),
            f"{row['z']:+.2f}",
            _interval(row),
            {True: "yes", False: "no", None: ""}[row["inside90"]],
        )
        for row in judged
    ]


def _arm(row: Mapping[str, Any]) -> str:
    arm = f"{row['arm']} v {row['comparator']}" if row["comparator"] else str(row["arm"])
    return arm if row["subgroup"] == "all" else f"{arm}, {row['subgroup']}"


def _interval(row: Mapping[str, Any]) -> str:
    if row["lo90"] is None:
        return ""
    high = "not reached" if row["hi90"] is None else _value(row["code"], row["hi90"])
    return f"{_value(row['code'], row['lo90'])} to {high}"


def _value(code: str, value: float) -> str:
    return (
        f"{100 * value:.0f} %" if codes.is_rate(code) else f"{value:.1f}" if codes.is_median(code) else f"{value:.2f}"
    )
