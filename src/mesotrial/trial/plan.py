"""What an arm prescribes: which patient gets which regimen, on which days, and when the clinic sees people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.trial.dosing import dose_amount

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Alternative, Arm, Regimen
    from mesotrial.population import Cohort

__all__ = ["DAYS_PER_WEEK", "ArmPlan", "plan_arm"]

_LONGEST_GAP_DAYS = 28.0
DAYS_PER_WEEK = 7.0


@dataclass(frozen=True)
class ArmPlan:
    """The treatment of the patients of one arm.

    Attributes
    ----------
    regimens
        Every regimen that somebody of the arm gets.
    given
        Whether a patient gets a regimen, shape (n_patients, n_regimens).
    dose
        The dose of one occasion in the model's unit (mg; millions; Gy), shape (n_patients, n_regimens).
    due
        Per regimen, the days of its doses: from randomisation, or from the start of the second line.
    second
        Whether a regimen belongs to the second line, shape (n_regimens,).
    offered
        Who goes on to a second line on progression, shape (n_patients,).
    visit_day
        Days on which the clinic sees patients, from 0 to the horizon: every day of a dose,
        and no gap longer than four weeks; every week where there is a second line.

    """

    arm: Arm
    regimens: tuple[Regimen, ...]
    given: NDArray[np.bool_]
    dose: NDArray[np.float64]
    due: tuple[frozenset[float], ...]
    second: NDArray[np.bool_]
    offered: NDArray[np.bool_]
    visit_day: NDArray[np.float64]

    def in_line(self, second: bool) -> NDArray[np.bool_]:
        """Return `given` with the regimens of the first or of the second line alone."""
        mask: NDArray[np.bool_] = self.given & (self.second == second)
        return mask


def plan_arm(arm: Arm, cohort: Cohort, horizon_days: float) -> ArmPlan:
    """Plan the treatment of `cohort` in `arm` up to `horizon_days`; where the arm offers a choice, shares are drawn by patient."""
    n, line = len(cohort), arm.second_line
    regimens, given = _chosen(arm.regimens, arm.one_of, cohort, "choice of regimen")
    until = horizon_days if arm.max_treatment_days is None else min(horizon_days, arm.max_treatment_days)
    due = [frozenset(regimen.dose_days(until)) for regimen in regimens]
    second, offered, weekly = [False] * len(regimens), np.zeros(n, dtype=bool), []
    if line is not None:
        offered = cohort.uniforms("second line", 1)[:, 0] < line.share
        later, mask = _chosen(line.regimens, line.one_of, cohort, "choice of second line")
        regimens += later
        given += [one & offered for one in mask]
        due += [frozenset(regimen.dose_days(horizon_days)) for regimen in later]
        second += [True] * len(later)
        weekly = np.arange(0.0, horizon_days, DAYS_PER_WEEK).tolist()
    first_due = set().union(*(days for days, later in zip(due, second, strict=True) if not later))
    return ArmPlan(
        arm,
        tuple(regimens),
        np.array(given).T.reshape(n, len(regimens)),
        np.stack([dose_amount(regimen, cohort.covariates) for regimen in regimens], axis=1),
        tuple(due),
        np.array(second),
        offered,
        _visit_days(sorted(first_due.union(weekly)), horizon_days),
    )


def _chosen(
    common: Sequence[Regimen], one_of: Sequence[Alternative], cohort: Cohort, purpose: str
) -> tuple[list[Regimen], list[NDArray[np.bool_]]]:
    """Return regimens and who gets each; of alternatives every patient draws one."""
    n, regimens = len(cohort), list(common)
    given = [np.ones(n, dtype=bool) for _ in regimens]
    if one_of:
        edges = np.cumsum([choice.share for choice in one_of])
        chosen = np.minimum(np.searchsorted(edges, cohort.uniforms(purpose, 1)[:, 0], side="right"), len(edges) - 1)
        for place, choice in enumerate(one_of):
            regimens += choice.regimens
            given += [chosen == place] * len(choice.regimens)
    return regimens, given


def _visit_days(dose_days: list[float], horizon_days: float) -> NDArray[np.float64]:
    """Return the dose days with 0 and the horizon, and with longer gaps divided evenly."""
    fixed = np.unique([0.0, *dose_days, horizon_days])
    days = [fixed[:1]]
    for start, end in zip(fixed[:-1], fixed[1:], strict=True):
        parts = int(np.ceil((end - start) / _LONGEST_GAP_DAYS))
        days.append(np.linspace(start, end, parts + 1)[1:])
    return np.concatenate(days)
