"""From a regimen to the doses of each patient, in the model's unit: mg; millions of cells, virus, bacteria or international units; Gy; a log share.

Weight, body surface area (Mosteller, N Engl J Med 1987;317:1098) or Calvert's formula for an AUC target (J Clin Oncol 1989;7:1748, GFR capped at 125 mL/min).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Regimen

__all__ = ["body_surface_m2", "dose_amount", "written"]

_GFR_CAP_ML_PER_MIN = 125.0


def body_surface_m2(weight_kg: NDArray[np.float64], height_cm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return body surface area, m2 (Mosteller)."""
    area: NDArray[np.float64] = np.sqrt(weight_kg * height_cm / 3600.0)
    return area


def dose_amount(regimen: Regimen, covariates: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the dose of one occasion for each patient in the model's unit, shape (n_patients,)."""
    from mesotrial.catalogue import COUNTS

    base, _, per = regimen.unit.partition("/")
    amount = regimen.amount * COUNTS[base][1]
    if base == "%":  # surgery: what is left is exp(-dose)
        amount = -float(np.log1p(-amount / 100.0))
    if base == "AUC":
        return amount * (np.minimum(covariates["egfr_ml_per_min"], _GFR_CAP_ML_PER_MIN) + 25.0)
    if per:
        return amount * covariates[{"kg": "weight_kg", "m2": "bsa_m2"}[per]]
    return np.full(len(covariates["weight_kg"]), amount)


def written(regimen: Regimen, amount: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    """Return doses as a record has them, from `dose_amount`, with their unit: mg, cells, PFU, VP, CFU, IU, Gy or %."""
    from mesotrial.catalogue import COUNTS

    counted = COUNTS[regimen.unit.partition("/")[0]][0]
    if counted == "%":
        return -100.0 * np.expm1(-amount), counted
    return amount * (1.0 if counted in ("mg", "Gy") else 1e6), counted
