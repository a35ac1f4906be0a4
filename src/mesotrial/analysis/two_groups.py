"""Tests of two groups of patients on time to an event: log-rank, stratified, weighted (Fleming-Harrington), MaxCombo.

A positive `z` favours the treated: fewer events than if both groups shared one hazard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["MAX_COMBO", "LogRank", "MaxCombo", "RiskCounts", "log_rank", "max_combo", "risk_counts", "strata_counts"]

FloatArray = npt.NDArray[np.float64]

MAX_COMBO: tuple[tuple[float, float], ...] = ((0, 0), (0, 1), (1, 0), (1, 1))
_NOTHING = float("nan")


@dataclass(frozen=True)
class LogRank:
    """A log-rank test: chi-squared with one degree of freedom and its two-sided p value; `z` and the one-sided
    `p_better` that the treated fare better; observed and expected events of the treated and the variance of their
    difference (weighted where the test is). NaN without information.
    """

    chi_squared: float
    p: float
    z: float
    p_better: float
    observed: float
    expected: float
    variance: float


@dataclass(frozen=True)
class MaxCombo:
    """The largest of several weighted log-rank statistics, judged by their joint normal distribution.

    `z[i]` belongs to `weights[i]` = (rho, gamma); `p_better` is the one-sided p value that the treated fare better,
    `p` the two-sided one. NaN without information.
    """

    weights: tuple[tuple[float, float], ...]
    z: tuple[float, ...]
    correlation: FloatArray
    p_better: float
    p: float


@dataclass(frozen=True)
class RiskCounts:
    """Two groups at each distinct time of an event, sorted: patients at risk and events, and the survival of both
    together just before (Kaplan-Meier).
    """

    times: FloatArray
    treated_at_risk: FloatArray
    others_at_risk: FloatArray
    treated_events: FloatArray
    other_events: FloatArray
    survival_before: FloatArray


def risk_counts(time: npt.ArrayLike, event: npt.ArrayLike, treated: npt.ArrayLike) -> RiskCounts:
    """Count two groups; arrays of one entry per patient. A patient censored at the time of an event is at risk."""
    times, happened, group = np.asarray(time, float), np.asarray(event, bool), np.asarray(treated, bool)
    if not times.shape == happened.shape == group.shape:
        raise ValueError("time, event and treated must have one entry per patient")
    distinct, place = np.unique(times, return_inverse=True)
    k = distinct.size

    def count(flags: npt.NDArray[np.bool_]) -> FloatArray:
        return np.bincount(place[flags], minlength=k).astype(float)

    def leaving(flags: npt.NDArray[np.bool_]) -> FloatArray:
        return count(flags)[::-1].cumsum()[::-1]

    at_risk, events = (leaving(group), leaving(~group)), (count(happened & group), count(happened & ~group))
    both, total = events[0] + events[1], at_risk[0] + at_risk[1]
    survival = np.cumprod(1 - both / np.maximum(total, 1))
    before = np.concatenate((np.ones(1), survival))[:k]
    kept = both > 0
    columns: tuple[FloatArray, ...] = (distinct, *at_risk, *events, before)
    return RiskCounts(*(one[kept] for one in columns))


def log_rank(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    treated: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
    rho: float = 0.0,
    gamma: float = 0.0,
) -> LogRank:
    """Test whether two groups share one hazard (in every stratum, where `strata` gives one label per patient).

    Mantel N. Cancer Chemother Rep 1966;50:163-170, hypergeometric variance. `rho` and `gamma` weigh each event by
    S^rho (1 - S)^gamma, S the survival of both groups (of the stratum) just before: `gamma=1` sees late differences.
    Fleming TR, Harrington DP. Counting Processes and Survival Analysis, Wiley 1991, section 7.2.
    """
    from scipy.special import ndtr

    observed, expected, covariance = _weighted(time, event, treated, ((rho, gamma),), strata)
    variance = float(covariance[0, 0])
    if not variance > 0:
        return LogRank(_NOTHING, _NOTHING, _NOTHING, _NOTHING, float(observed[0]), float(expected[0]), 0.0)
    z = float((expected[0] - observed[0]) / np.sqrt(variance))
    better = float(ndtr(-z))
    return LogRank(z * z, 2 * float(ndtr(-abs(z))), z, better, float(observed[0]), float(expected[0]), variance)


def max_combo(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    treated: npt.ArrayLike,
    *,
    weights: Sequence[tuple[float, float]] = MAX_COMBO,
    strata: npt.ArrayLike | None = None,
) -> MaxCombo:
    """Test two groups by the largest of several weighted log-rank statistics.

    Lin RS et al. Stat Biopharm Res 2020;12:187-198; covariance of two weighted statistics as in Karrison TG. Stata J
    2016;16:678-690.
    """
    from mesotrial.analysis.normal import normal_below

    pairs = tuple((float(rho), float(gamma)) for rho, gamma in weights)
    observed, expected, covariance = _weighted(time, event, treated, pairs, strata)
    variances = np.diag(covariance)
    nothing = (_NOTHING,) * len(pairs)
    if not np.all(variances > 0):
        return MaxCombo(pairs, nothing, np.full_like(covariance, np.nan), _NOTHING, _NOTHING)
    root = np.sqrt(variances)
    z, correlation = (expected - observed) / root, covariance / np.outer(root, root)
    better = 1 - normal_below(np.full(z.size, z.max()), correlation)
    extreme = np.abs(z).max()
    either = 1 - normal_below(np.full(z.size, extreme), correlation, np.full(z.size, -extreme))
    return MaxCombo(pairs, tuple(float(one) for one in z), correlation, better, either)


def _weighted(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    treated: npt.ArrayLike,
    weights: Sequence[tuple[float, float]],
    strata: npt.ArrayLike | None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return observed and expected weighted events of the treated (weights,), and the covariance (weights, weights)."""
    k = len(weights)
    observed, expected, covariance = np.zeros(k), np.zeros(k), np.zeros((k, k))
    for counts in strata_counts(time, event, treated, strata):
        n1, n0, d1 = counts.treated_at_risk, counts.others_at_risk, counts.treated_events
        total, deaths = n1 + n0, d1 + counts.other_events
        share = n1 / total
        spread = deaths * share * (1 - share) * (total - deaths) / np.maximum(total - 1, 1)
        s = counts.survival_before
        weight = np.stack([s**rho * (1 - s) ** gamma for rho, gamma in weights])
        observed += weight @ d1
        expected += weight @ (deaths * share)
        covariance += (weight * spread) @ weight.T
    return observed, expected, covariance


def strata_counts(
    time: npt.ArrayLike, event: npt.ArrayLike, treated: npt.ArrayLike, strata: npt.ArrayLike | None
) -> Iterator[RiskCounts]:
    """Count each stratum by itself; all patients as one where `strata` is None."""
    times, happened, group = np.asarray(time, float), np.asarray(event, bool), np.asarray(treated, bool)
    label = np.zeros(times.shape, np.int64) if strata is None else np.unique(strata, return_inverse=True)[1].reshape(-1)
    if label.shape != times.shape:
        raise ValueError("strata must have one label per patient")
    for one in range(label.max() + 1 if label.size else 0):
        inside = label == one
        yield risk_counts(times[inside], happened[inside], group[inside])
