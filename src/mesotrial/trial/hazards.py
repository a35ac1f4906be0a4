"""Hazards of what a clinic sees between scans: death, symptomatic progression, new lesions.

A relative risk of the tumour drives all three: ``s(V) exp(b g)``, with a b of their own for new lesions. Size saturates,
``s = V (V50 + 200) / (200 (V + V50))``, 1 at 200 mL: a tumour that is gone does not kill, and a large one kills little more than one half its size. g is the
relative growth over 90 days, smoothed over 30 (size and growth rate drive survival in Claret 2018, 10.1158/1078-0432.CCR-17-3662, and Chan 2021,
10.1002/psp4.12686). Death adds the person's covariates, treatment after progression and the background mortality of age and sex.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["background_per_day", "crossing_day", "entry_selection", "person_risk", "tumour_risk"]

_REFERENCE_VOLUME_ML = 200.0
_GROWTH_WINDOW_DAYS = 90.0
_GROWTH_LIMIT = 2.0


def tumour_risk(
    volume_ml: NDArray[np.float64],
    growth_per_day: NDArray[np.float64],
    hazard: Mapping[str, NDArray[np.float64]],
    growth_log: str = "growth_log",
) -> NDArray[np.float64]:
    """Return the tumour's relative risk, shape (n_patients, n_times); `hazard` has one value a patient, that of growth at `growth_log`.

    Growth over 90 days is bounded at +-2 on the log scale, where data end.
    """
    growth = np.clip(_GROWTH_WINDOW_DAYS * growth_per_day, -_GROWTH_LIMIT, _GROWTH_LIMIT)
    half = hazard["size_half_ml"][:, None]
    size = volume_ml / (volume_ml + half) * (_REFERENCE_VOLUME_ML + half) / _REFERENCE_VOLUME_ML
    risk: NDArray[np.float64] = size * np.exp(hazard[growth_log][:, None] * growth)
    return risk


def person_risk(
    covariates: Mapping[str, NDArray[np.float64]], hazard: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return the person's relative risk of death: ECOG, albumin, LDH, histology and line, shape (n_patients,)."""
    log_risk = (
        hazard["ecog_log"] * (covariates["ecog_ge1"] - 0.6)
        + hazard["albumin_log_per_5g"] * (40.0 - covariates["albumin_g_per_l"]) / 5.0
        + hazard["ldh_log"] * np.log(covariates["ldh_u_per_l"] / 217.0)
        + hazard["non_epithelioid_log"] * (1.0 - covariates["epithelioid"])
        + hazard["relapsed_log"] * (1.0 - covariates["first_line"])
    )
    risk: NDArray[np.float64] = np.exp(log_risk)
    return risk


def entry_selection(day: NDArray[np.float64], hazard: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return what is left of the hazard of death on each `day` (n_times,) after randomisation, shape (n_patients, n_times).

    Trials admit those expected to live for months, so that few die early: ``1 - s exp(-t / tau)``. In the digitised curves of MAPS 89 % are alive after
    six months, where the hazard of the months that follow would leave 72 %.
    """
    left: NDArray[np.float64] = 1.0 - hazard["entry_selection"][:, None] * np.exp(
        -day / hazard["entry_selection_days"][:, None]
    )
    return left


def background_per_day(age_years: NDArray[np.float64], female: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mortality from other causes, per day.

    Gompertz with 2 % a year for a man of 70, doubling every 8 years, and 0.65 times that for a woman: the order of European life tables (recalled).
    """
    hazard: NDArray[np.float64] = 0.02 / 365.25 * 2.0 ** ((age_years - 70.0) / 8.0) * np.where(female > 0, 0.65, 1.0)
    return hazard


def crossing_day(
    day: NDArray[np.float64],
    hazard_per_day: NDArray[np.float64],
    spent: NDArray[np.float64],
    threshold: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find when a cumulative hazard reaches each patient's threshold, an exponential draw.

    `day` has shape (n_times,), `hazard_per_day` (n_patients, n_times), `spent` the cumulative hazard at ``day[0]``. Returns the day of crossing (NaN: not in
    this interval), linear in the cumulative hazard between times, and the cumulative hazard at the end.
    """
    steps = np.diff(day)[None, :] * 0.5 * (hazard_per_day[:, 1:] + hazard_per_day[:, :-1])
    cumulative = np.concatenate([spent[:, None], spent[:, None] + np.cumsum(steps, axis=1)], axis=1)
    after = np.argmax(cumulative >= threshold[:, None], axis=1)
    crossed = cumulative[:, -1] >= threshold
    after = np.where(crossed, np.maximum(after, 1), 1)
    row = np.arange(len(spent))
    low, high = cumulative[row, after - 1], cumulative[row, after]
    share = (threshold - low) / np.where(high > low, high - low, 1.0)
    found = day[after - 1] + np.clip(share, 0.0, 1.0) * (day[after] - day[after - 1])
    return np.where(crossed, found, np.nan), cumulative[:, -1]
