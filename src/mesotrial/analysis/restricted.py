"""What can be said of survival when hazards are not proportional: restricted mean survival time, survival at a
milestone, and their differences between two groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mesotrial.analysis.survival import KaplanMeier, kaplan_meier

__all__ = ["Difference", "RestrictedMean", "milestone_difference", "restricted_mean", "restricted_mean_difference"]

_NOTHING = float("nan")


@dataclass(frozen=True)
class RestrictedMean:
    """The mean survival time up to a horizon, with its standard error and interval; NaN where unknown."""

    value: float
    se: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Difference:
    """Treated minus others, with interval; `z` (positive favours the treated) with two-sided and one-sided p values."""

    value: float
    se: float
    lower: float
    upper: float
    z: float
    p: float
    p_better: float


def restricted_mean(
    time: npt.ArrayLike, event: npt.ArrayLike, horizon: float, *, level: float = 0.95
) -> RestrictedMean:
    """Return the area under the Kaplan-Meier curve up to `horizon` (the unit of `time`).

    Irwin JO. J Hyg 1949;47:188-189; Greenwood's variance without a small-sample factor. Unknown (NaN) where the last
    patient is censored before the horizon, since the curve is not known up to there.
    """
    from scipy.special import ndtri

    value, variance = _area(kaplan_meier(time, event), horizon)
    half = float(ndtri((1 + level) / 2)) * float(np.sqrt(variance))
    return RestrictedMean(value, float(np.sqrt(variance)), value - half, value + half)


def restricted_mean_difference(
    time: npt.ArrayLike, event: npt.ArrayLike, treated: npt.ArrayLike, horizon: float, *, level: float = 0.95
) -> Difference:
    """Return the difference of restricted means up to `horizon`. Royston P, Parmar MK. Stat Med 2011;30:2409-2421."""
    treated_curve, other_curve = _two_curves(time, event, treated)
    return _difference(_area(treated_curve, horizon), _area(other_curve, horizon), level)


def milestone_difference(
    time: npt.ArrayLike, event: npt.ArrayLike, treated: npt.ArrayLike, at: float, *, level: float = 0.95
) -> Difference:
    """Return the difference of survival at time `at`, Greenwood's variance. Klein JP et al. Stat Med
    2007;26:4505-4519.
    """
    treated_curve, other_curve = _two_curves(time, event, treated)
    return _difference(_milestone(treated_curve, at), _milestone(other_curve, at), level)


def _two_curves(time: npt.ArrayLike, event: npt.ArrayLike, treated: npt.ArrayLike) -> tuple[KaplanMeier, KaplanMeier]:
    times, happened, group = np.asarray(time, float), np.asarray(event, bool), np.asarray(treated, bool)
    return kaplan_meier(times[group], happened[group]), kaplan_meier(times[~group], happened[~group])


def _area(curve: KaplanMeier, horizon: float) -> tuple[float, float]:
    """Return the area under the curve up to `horizon` and its variance."""
    if curve.times.size == 0 or np.isnan(curve.at(horizon)[0]):
        return _NOTHING, _NOTHING
    inside = curve.times <= horizon
    edges = np.concatenate(([0.0], curve.times[inside], [horizon]))
    pieces = np.diff(edges) * np.concatenate(([1.0], curve.survival[inside]))
    after = pieces[::-1].cumsum()[::-1][1:]  # area from each time on
    n, d = curve.at_risk[inside], curve.events[inside]
    variance = np.where(n > d, after**2 * d / np.maximum(n * (n - d), 1), 0.0).sum()
    return float(pieces.sum()), float(variance)


def _milestone(curve: KaplanMeier, at: float) -> tuple[float, float]:
    """Return survival at a time and its variance."""
    value = curve.at(at)[0]
    inside = curve.times <= at
    n, d = curve.at_risk[inside], curve.events[inside]
    return value, 0.0 if np.any(n <= d) else float(value**2 * (d / (n * (n - d))).sum())


def _difference(treated: tuple[float, float], others: tuple[float, float], level: float) -> Difference:
    from scipy.special import ndtr, ndtri

    value, variance = treated[0] - others[0], treated[1] + others[1]
    if not variance > 0:
        return Difference(value, *(_NOTHING,) * 6)
    se = float(np.sqrt(variance))
    half, z = float(ndtri((1 + level) / 2)) * se, value / se
    return Difference(value, se, value - half, value + half, z, 2 * float(ndtr(-abs(z))), float(ndtr(-z)))
