"""The numbers behind the figures as CSV files in a folder beside the page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mesotrial.report.response_figures import ArmScans, evenly

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.catalogue import Design
    from mesotrial.report.figure_data import FigureData
    from mesotrial.report.incidence_figure import Incidence
    from mesotrial.report.survival_figure import SurvivalCurves

__all__ = ["FILES", "FOLDER", "write_figure_files"]

FOLDER = "figures"
FILES: Mapping[str, str] = {
    "os_curve, pfs_curve, dor_curve": "Kaplan-Meier curves with 95 % intervals and counts",
    "os_band, pfs_band, dor_band": "90 % bands of simulated trials",
    "os_published, pfs_published, dor_published": "published rates and medians on those figures",
    "waterfall, spider, swimmer": "one line or more for each patient",
    "subgroups": "the forest of subgroups",
    "side_effects, side_effect_incidence": "counts by term, and cumulative incidence",
    "courses": "tumour and drugs of a few patients",
}

_MOST_PATIENTS = 2000  # of an arm, evenly spread, in files with lines for each patient; all are in the run's tables
_MOST_TIMES = 500  # of a cumulative incidence, evenly spread: its intervals cost patients times times

Table = Mapping[str, Any]


def write_figure_files(folder: Path, design: Design, data: FigureData) -> list[str]:
    """Write the CSV files into `folder` (made if need be), each whole or not at all, and return their names.

    Times are in months from randomisation (of responses: from the response) unless a column says days; shares are
    fractions; empty is unknown.
    """
    folder.mkdir(exist_ok=True)
    names = []
    for name, frame in _frames([arm.name for arm in design.arms], data):
        target = folder / f"{name}.csv"
        draft = folder / f".{target.name}.{os.getpid()}.tmp"
        try:
            frame.write_csv(draft)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        names.append(target.name)
    return names


def _frames(arms: Sequence[str], data: FigureData) -> Iterator[tuple[str, pl.DataFrame]]:
    import polars as pl

    for name, curves in data.curves.items():
        yield f"{name.lower()}_curve", _joined(_curve(curves))
        yield f"{name.lower()}_band", _joined(_band(curves))
        yield f"{name.lower()}_published", _published(curves)
    scans = list(zip(arms, data.scans, strict=True))
    yield "waterfall", _joined(_bars(arm, one) for arm, one in scans)
    yield "spider", _joined(_lines(arm, one) for arm, one in scans)
    lanes = [
        one.table[evenly(one.table.height, _MOST_PATIENTS)].select(pl.lit(arm).alias("arm"), pl.all())
        for arm, one in zip(arms, data.lanes, strict=True)
    ]
    yield "swimmer", pl.concat(lanes).rename(_SWIMMER)
    yield "subgroups", _subgroups(data)
    yield "side_effects", _side_effects(arms, data)
    yield "side_effect_incidence", _joined(part for one in data.incidence for part in _incidence(one))
    yield (
        "courses",
        data.courses.select(arm="TRT01P", patient="USUBJID", what="PARAMCD", day="ADY", value="AVAL", unit="AVALU"),
    )


_SWIMMER = {
    "USUBJID": "patient",
    "treated": "last_dose",
    "ended": "last_known",
    "responded": "response",
    "response": "best_response",
    "response_ended": "response_end",
    "progressed": "progression",
}


def _joined(parts: Iterable[Table]) -> pl.DataFrame:
    """Put tables of equal columns under one another; NaN becomes empty."""
    import polars as pl

    frames = [pl.DataFrame(dict(part)) for part in parts]
    filled = [frame for frame in frames if frame.height] or frames[:1]
    return pl.concat(filled).fill_nan(None) if filled else pl.DataFrame()


def _curve(curves: SurvivalCurves) -> Iterator[Table]:
    for arm in curves.arms:
        one = arm.curve
        yield {
            "arm": [arm.name] * one.times.size,
            "months": one.times,
            "survival": one.survival,
            "lower95": one.lower,
            "upper95": one.upper,
            "at_risk": one.at_risk,
            "events": one.events,
            "censored": one.censored,
        }


def _band(curves: SurvivalCurves) -> Iterator[Table]:
    for arm in curves.arms:
        yield {
            "arm": [arm.name] * curves.grid.size,
            "months": curves.grid,
            "lower90": arm.lower,
            "upper90": arm.upper,
        }


def _published(curves: SurvivalCurves) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(
        [
            (mark.arm, mark.months, mark.survival, "months" if mark.across else "survival", mark.lower, mark.upper)
            for mark in curves.marks
        ],
        schema={
            "arm": pl.String,
            "months": pl.Float64,
            "survival": pl.Float64,
            "interval_of": pl.String,
            "lower": pl.Float64,
            "upper": pl.Float64,
        },
        orient="row",
    )


def _bars(arm: str, scans: ArmScans) -> Table:
    some = evenly(scans.best.size, _MOST_PATIENTS)
    return {
        "arm": [arm] * some.size,
        "patient": [scans.subjects[i] for i in some],
        "best_change_percent": scans.best[some],
        "best_response": [scans.response[i] for i in some],
        "new_lesion": scans.new_lesion[some],
    }


def _lines(arm: str, scans: ArmScans) -> Table:
    some = evenly(scans.best.size, _MOST_PATIENTS)
    sizes = [scans.days[i].size for i in some]
    nothing = [np.zeros(0)]
    return {
        "arm": [arm] * sum(sizes),
        "patient": [scans.subjects[i] for i, size in zip(some, sizes, strict=True) for _ in range(size)],
        "day": np.concatenate([scans.days[i] for i in some] or nothing),
        "change_percent": np.concatenate([scans.changes[i] for i in some] or nothing),
    }


def _subgroups(data: FigureData) -> pl.DataFrame:
    import polars as pl

    rows = [
        {
            "endpoint": forest.code,
            "subgroup": line.subgroup,
            "arm": line.arm,
            "comparator": line.comparator,
            "n": line.n,
            "value": line.value,
            "lower95": line.lower,
            "upper95": line.upper,
            "in_bank": line.bank,
            "published": line.published,
            "published_lower": line.published_lo,
            "published_upper": line.published_hi,
        }
        for forest in data.forests
        for line in forest.lines
    ]
    return pl.DataFrame(rows, infer_schema_length=None).fill_nan(None)


def _side_effects(arms: Sequence[str], data: FigureData) -> pl.DataFrame:
    import polars as pl

    rows = [
        (row.name, arm, some, severe, size)
        for row in (*data.adverse.overall, *data.adverse.common, *data.adverse.rare)
        for arm, (some, severe, size) in zip(arms, row.counts, strict=True)
    ]
    columns = ("any_grade", "grade_3_or_worse", "treated")
    schema = {"event": pl.String, "arm": pl.String} | dict.fromkeys(columns, pl.Int64)
    return pl.DataFrame(rows, schema=schema, orient="row")


def _incidence(incidence: Incidence) -> Iterator[Table]:
    for arm in incidence.arms:
        some = evenly(arm.curve.times.size, _MOST_TIMES)
        value, lower, upper = arm.curve.interval(some)
        yield {
            "at_least_grade": [incidence.grade] * some.size,
            "arm": [arm.name] * some.size,
            "months": arm.curve.times[some],
            "at_risk": arm.curve.at_risk[some],
            "incidence": value,
            "lower95": lower,
            "upper95": upper,
            "died_before": arm.curve.competing[some],
        }
