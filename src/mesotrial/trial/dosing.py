"""From a regimen to the doses of each patient, in mg.

Weight, body surface area (Mosteller, N Engl J Med 1987;317:1098) or Calvert's formula for an AUC target (J Clin Oncol 1989;7:1748, GFR capped at 125 mL/min).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Regimen

__all__ = ["body_surface_m2", "dose_mg"]

_GFR_CAP_ML_PER_MIN = 125.0


def body_surface_m2(weight_kg: NDArray[np.float64], height_cm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return body surface area, m2 (Mosteller)."""
    area: NDArray[np.float64] = np.sqrt(weight_kg * height_cm / 3600.0)
    return area


def dose_mg(regimen: Regimen, covariates: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the dose of one occasion for each patient, mg, shape (n_patients,)."""
    match regimen.unit:
        case "mg/kg":
            return regimen.amount * covariates["weight_kg"]
        case "mg/m2":
            return regimen.amount * covariates["bsa_m2"]
        case "AUC":
            return regimen.amount * (np.minimum(covariates["egfr_ml_per_min"], _GFR_CAP_ML_PER_MIN) + 25.0)
        case _:
            return np.full(len(covariates["weight_kg"]), regimen.amount)
