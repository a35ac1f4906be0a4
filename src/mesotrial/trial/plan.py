"""What an arm prescribes: which patient gets which regimen, on which days, and when the clinic sees people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.trial.dosing import dose_mg

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Arm, Regimen
    from mesotrial.population import Cohort

__all__ = ["ArmPlan", "plan_arm"]

_LONGEST_GAP_DAYS = 28.0


@dataclass(frozen=True)
class ArmPlan:
    """The treatment of the patients of one arm.

    Attributes
    ----------
    regimens
        Every regimen that somebody of the arm gets.
    given
        Whether a patient gets a regimen, shape (n_patients, n_regimens).
    dose_mg
        The dose of one occasion, shape (n_patients, n_regimens).
    due
        Per regimen, the days of its doses.
    visit_day
        Days on which the clinic sees patients, from 0 to the horizon: every day of a dose, and no gap longer than four weeks.
    last_due_day
        The last planned dose of each patient, shape (n_patients,).

    """

    arm: Arm
    regimens: tuple[Regimen, ...]
    given: NDArray[np.bool_]
    dose_mg: NDArray[np.float64]
    due: tuple[frozenset[float], ...]
    visit_day: NDArray[np.float64]
    last_due_day: NDArray[np.float64]


def plan_arm(arm: Arm, cohort: Cohort, horizon_days: float) -> ArmPlan:
    """Plan the treatment of `cohort` in `arm` up to `horizon_days`; where the arm offers a choice, shares are drawn by patient."""
    n = len(cohort)
    regimens = list(arm.regimens)
    given = [np.ones(n, dtype=bool) for _ in regimens]
    if arm.one_of:
        edges = np.cumsum([choice.share for choice in arm.one_of])
        chosen = np.minimum(
            np.searchsorted(edges, cohort.uniforms("choice of regimen", 1)[:, 0], side="right"), len(edges) - 1
        )
        for place, choice in enumerate(arm.one_of):
            regimens += choice.regimens
            given += [chosen == place] * len(choice.regimens)
    until = horizon_days if arm.max_treatment_days is None else min(horizon_days, arm.max_treatment_days)
    due = tuple(frozenset(regimen.dose_days(until)) for regimen in regimens)
    mask = np.array(given).T.reshape(n, len(regimens))
    last = np.array([max(days, default=0.0) for days in due])
    return ArmPlan(
        arm,
        tuple(regimens),
        mask,
        np.stack([dose_mg(regimen, cohort.covariates) for regimen in regimens], axis=1),
        due,
        _visit_days(sorted(set().union(*due)), horizon_days),
        np.where(mask, last, 0.0).max(axis=1),
    )


def _visit_days(dose_days: list[float], horizon_days: float) -> NDArray[np.float64]:
    """Return the dose days with 0 and the horizon, and with longer gaps divided evenly."""
    fixed = np.unique([0.0, *dose_days, horizon_days])
    days = [fixed[:1]]
    for start, end in zip(fixed[:-1], fixed[1:], strict=True):
        parts = int(np.ceil((end - start) / _LONGEST_GAP_DAYS))
        days.append(np.linspace(start, end, parts + 1)[1:])
    return np.concatenate(days)
