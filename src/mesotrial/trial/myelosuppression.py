"""Neutrophils under chemotherapy: dividing cells, three stages of maturation, and the count in blood that calls for more when it is low.

Friberg LE, Henningsson A, Maas H, Nguyen L, Karlsson MO. J Clin Oncol 2002;20:4713-4721: ``dP/dt = k P ((C0/C)^gamma - 1)``, ``dT1/dt = k (P - T1)``, ...,
``dC/dt = k (T3 - C)`` with k = 4 / (mean transit time). The cytotoxics here leave plasma within hours, against five days of transit, so a dose acts at once:
it leaves exp(-log kill x exposure / reference exposure) of the dividing cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Drug
    from mesotrial.population import Cohort

__all__ = ["FIT_FOR_A_DOSE", "Marrow", "relative_exposure"]

TRANSIT_DAYS = 5.3  # 127 h; 90 to 135 h over six drugs (Friberg 2002; recalled)
FEEDBACK = 0.17  # 0.13 to 0.21 over six drugs (Friberg 2002; recalled)
BASELINE, BASELINE_CV = (
    5.0,
    0.30,
)  # 10^9/L, as before chemotherapy in patients with solid tumours (Friberg 2002; recalled)
SENSITIVITY_SD = 0.45  # of the log, between patients [guess]: the slope's variability in Friberg 2002 is 30 to 50 %
GRADES = (
    1.5,
    1.0,
    0.5,
)  # 10^9/L: counts below are of grade 2, 3, 4 (CTCAE 5); grade 1 is not reported as an event here
FIT_FOR_A_DOSE = 1.5  # 10^9/L: below, the next cycle waits (product labels of pemetrexed and carboplatin; recalled)
_STEP_DAYS = 0.5  # RK4 is then within 0.1 % of a step of 0.05
_AT_REST = 0.005  # nearer than this to their steady state, cells are left as they are


class Marrow:
    """The neutrophils of a group of patients; `count` is the present one, 10^9/L, shape (n_patients,)."""

    def __init__(self, cohort: Cohort) -> None:
        """Start everybody at his or her own steady state."""
        z = cohort.normals("marrow", 2)
        self.baseline = BASELINE * np.exp(np.sqrt(np.log1p(BASELINE_CV**2)) * z[:, 0])
        self.sensitivity = np.exp(SENSITIVITY_SD * z[:, 1] - SENSITIVITY_SD**2 / 2)
        self._cells = np.repeat(self.baseline[:, None], 5, axis=1)
        self._onset = np.full(len(z), np.nan)
        self._lowest = np.full(len(z), np.inf)

    @property
    def count(self) -> NDArray[np.float64]:
        """The neutrophil count now, 10^9/L."""
        found: NDArray[np.float64] = self._cells[:, 4]
        return found

    def count_days_anew(self) -> None:
        """Make this day 0, from which an episode under way counts too, with its lowest count from now on."""
        self._lowest = np.where(np.isnan(self._onset), np.inf, self.count)
        self._onset = np.where(np.isnan(self._onset), np.nan, 0.0)

    def dose(self, rows: NDArray[np.int64], log_kill: NDArray[np.float64]) -> None:
        """Give a dose that takes exp(-log_kill) of the dividing cells of a patient of average sensitivity."""
        self._cells[rows, 0] *= np.exp(-log_kill * self.sensitivity[rows])

    def advance(
        self, rows: NDArray[np.int64], start: float, end: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Go on from `start` to `end` and return the episodes that ended: patient, grade, first and last day."""
        from mesotrial.trial.marrow_course import course

        rows = rows[np.abs(self._cells[rows] / self.baseline[rows, None] - 1.0).max(axis=1) > _AT_REST]
        steps = max(1, int(np.ceil((end - start) / _STEP_DAYS)))
        cells, onset, lowest = self._cells[rows], self._onset[rows], self._lowest[rows]
        who, worst, first, last = course(
            cells, self.baseline[rows], onset, lowest, start, (end - start) / steps, steps, 4.0 / TRANSIT_DAYS, FEEDBACK, GRADES[0]
        )  # fmt: skip
        self._cells[rows], self._onset[rows], self._lowest[rows] = cells, onset, lowest
        grade = 1 + np.sum(worst[:, None] < np.array(GRADES), axis=1)
        return rows[who], grade, first, last


def relative_exposure(drug: Drug, cohort: Cohort, dose_mg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each patient's exposure to a dose relative to the reference of the drug's cytotoxic effect: dose / clearance, or dose per m2."""
    (effect,) = (one for one in drug.effects if one.on == "cytotoxic")
    if effect.reference_dose_mg_per_m2 is not None:
        found: NDArray[np.float64] = dose_mg / cohort.covariates["bsa_m2"] / effect.reference_dose_mg_per_m2
        return found
    assert effect.reference_auc_mg_day_per_l is not None
    relative: NDArray[np.float64] = dose_mg / _clearance(drug, cohort.covariates, cohort.inputs)
    return relative / effect.reference_auc_mg_day_per_l


def _clearance(
    drug: Drug, covariates: Mapping[str, NDArray[np.float64]], inputs: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return each patient's clearance, L/day, as the pharmacokinetic model has it (covariates of the form power only)."""
    assert drug.pk is not None
    found = np.full(len(covariates["bsa_m2"]), drug.pk.parameters["CL"].value)
    for one in drug.pk.covariates:
        if one.on == "CL" and one.form == "power" and one.reference is not None:
            found = found * (covariates[one.covariate] / one.reference) ** one.value
    eta = inputs.get(f"{drug.name}_CL_eta")
    return found if eta is None else found * np.exp(eta)
