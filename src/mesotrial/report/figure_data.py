"""The numbers behind the figures of a page: computed once, for the drawings and for the CSV files beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mesotrial.analysis import Outcomes, Predictor
from mesotrial.report.counts import AdverseEvents, adverse_event_rows
from mesotrial.report.forest_figure import Forest, forests
from mesotrial.report.incidence_figure import KINDS, Incidence, arm_incidence
from mesotrial.report.response_figures import ArmScans, arm_scans
from mesotrial.report.survival_figure import SurvivalCurves, survival_curves
from mesotrial.report.swimmer_figure import Lanes, arm_lanes

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.catalogue import Design

__all__ = ["FigureData", "figure_data"]

_CURVES = ("OS", "PFS", "DOR")

Tables = Mapping[str, "pl.DataFrame"]


@dataclass(frozen=True)
class FigureData:
    """What the figures show. `scans` and `lanes` have one entry an arm, in the order of the design."""

    curves: Mapping[str, SurvivalCurves]
    scans: tuple[ArmScans, ...]
    lanes: tuple[Lanes, ...]
    forests: tuple[Forest, ...]
    incidence: tuple[Incidence, ...]
    adverse: AdverseEvents
    courses: pl.DataFrame


def figure_data(design: Design, tables: Tables, bank: Tables, summary: Mapping[str, Any]) -> FigureData:
    """Compute the numbers of every figure: of the trial in `tables`, with bands from the `bank`."""
    rows = summary["endpoints"]
    trial, whole = Outcomes(tables), Outcomes(bank)
    predictor = Predictor(whole, summary["seed"], {arm.name: arm.n for arm in design.arms})
    arms = [arm.name for arm in design.arms]
    return FigureData(
        {name: survival_curves(name, design, trial, predictor, rows) for name in _CURVES},
        tuple(arm_scans(tables, arm) for arm in arms),
        tuple(arm_lanes(tables, arm) for arm in arms),
        forests(design, trial, whole, rows),
        tuple(arm_incidence(tables, design, grade, title) for grade, title in KINDS),
        adverse_event_rows(tables, arms),
        tables["adpc"],
    )
