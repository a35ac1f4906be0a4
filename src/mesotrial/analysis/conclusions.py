"""What each test of a comparison would conclude from one trial: with hazards that are not proportional they do not agree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mesotrial.analysis.cox import hazard_ratio
from mesotrial.analysis.endpoints import Outcomes
from mesotrial.analysis.restricted import milestone_difference, restricted_mean_difference
from mesotrial.analysis.two_groups import log_rank, max_combo
from mesotrial.catalogue import AnalysisPlan, Design, TestSpec, read_test

if TYPE_CHECKING:
    import polars as pl

__all__ = ["conclusions"]

_COLUMNS = {"histology": "HISTBL", "sex": "SEX", "ecog": "ECOGBL", "pdl1": "PDL1BL"}
_MARK_MONTHS = 24.0


def conclusions(design: Design, tables: Mapping[str, pl.DataFrame]) -> list[dict[str, Any]]:
    """Return a row for each test of each arm against the comparator, for OS and PFS where the design has them.

    The tests are those of the design's `analysis`, or the usual ones; `p_better` is one-sided, that the arm fares better, and `concludes` says whether it is at
    most alpha (divided by the number of arms compared). `estimate` is a hazard ratio, or a difference in months (RMST) or of a share (milestone), with its 95 %
    interval; None where a test cannot be done or has no estimate. Empty for a design of one arm.
    """
    if len(design.arms) < 2:
        return []
    plan = design.analysis or AnalysisPlan(comparator=design.arms[-1].name)
    outcomes = Outcomes(tables)
    alpha = plan.alpha_of_each(len(design.arms))
    found = []
    for endpoint in ("OS", "PFS"):
        if endpoint not in design.endpoints:
            continue
        for arm in (arm.name for arm in design.arms if arm.name != plan.comparator):
            data = _compared(tables, outcomes, design, endpoint, arm, plan.comparator)
            for test in _tests(design):
                row = _row(test, *data)
                p = row["p_better"]
                found.append(
                    {
                        "endpoint": endpoint,
                        "arm": arm,
                        "comparator": plan.comparator,
                        "test": test.text,
                        **row,
                        "alpha": alpha,
                    }
                    | {"concludes": None if p is None else p <= alpha}
                )
    return found


def _tests(design: Design) -> list[TestSpec]:
    if design.analysis is not None:
        return [read_test(text) for text in dict.fromkeys((design.analysis.test, *design.analysis.also))]
    months = min(_MARK_MONTHS, math.floor(design.follow_up_months))
    first = ("stratified logrank",) if design.randomisation.strata else ()
    return [
        read_test(text)
        for text in (*first, "logrank", "fh(0,1)", "maxcombo", f"rmst {months:g}", f"milestone {months:g}")
    ]


Columns = tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.str_]]


def _compared(
    tables: Mapping[str, pl.DataFrame], outcomes: Outcomes, design: Design, endpoint: str, arm: str, comparator: str
) -> Columns:
    """Return months, events, whether treated, and the stratum of the patients of two arms."""
    adsl = tables["adsl"]
    label = np.full(adsl.height, "", dtype="<U80")
    for name in design.randomisation.strata:
        label = np.char.add(label, np.array([f"/{one}" for one in adsl[_COLUMNS[name]]], dtype="<U40"))
    parts = [(outcomes.survival(endpoint, name), outcomes.members(name)) for name in (arm, comparator)]
    months = np.concatenate([one.months for one, _ in parts])
    event = np.concatenate([one.event for one, _ in parts])
    treated = np.arange(months.size) < parts[0][0].months.size
    return months, event, treated, np.concatenate([label[members] for _, members in parts])


def _row(
    test: TestSpec,
    months: npt.NDArray[np.float64],
    event: npt.NDArray[np.bool_],
    treated: npt.NDArray[np.bool_],
    strata: npt.NDArray[np.str_],
) -> dict[str, Any]:
    """Return what one test gives: `measure` of the estimate, the estimate with its interval, and the one-sided p value."""
    if months.size == 0:
        return dict.fromkeys(("measure", "estimate", "lower", "upper", "p_better"))
    by = strata if test.stratified else None
    if test.kind in ("rmst", "milestone"):
        made = restricted_mean_difference if test.kind == "rmst" else milestone_difference
        difference = made(months, event, treated, test.numbers[0])
        measure = "difference_months" if test.kind == "rmst" else "difference_share"
        values = difference.value, difference.lower, difference.upper, difference.p_better
    elif test.kind == "maxcombo":
        measure, values = None, (math.nan, math.nan, math.nan, max_combo(months, event, treated, strata=by).p_better)
    else:
        rho, gamma = test.numbers
        better = log_rank(months, event, treated, strata=by, rho=rho, gamma=gamma).p_better
        ratio = hazard_ratio(months, event, treated, strata=by) if (rho, gamma) == (0, 0) else None
        measure = None if ratio is None else "hazard_ratio"
        values = (
            (math.nan, math.nan, math.nan, better) if ratio is None else (ratio.value, ratio.lower, ratio.upper, better)
        )
    names = ("estimate", "lower", "upper", "p_better")
    return {"measure": measure} | {
        name: value if math.isfinite(value) else None for name, value in zip(names, values, strict=True)
    }
