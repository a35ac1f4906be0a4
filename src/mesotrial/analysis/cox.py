"""Hazard ratio of two groups (Cox, Efron's ties) and the log-rank test; the first for many resampled trials at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["HazardRatio", "LogRank", "efron_log_hazard_ratios", "hazard_ratio", "log_rank"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]

_MAX_STEPS = 30
_RUNAWAY = 12.0  # a log hazard ratio this far from 0 has no finite estimate


@dataclass(frozen=True)
class HazardRatio:
    """Hazard of the treated over the others with its Wald interval; NaN where it cannot be estimated."""

    value: float
    lower: float
    upper: float
    log_value: float
    se: float


@dataclass(frozen=True)
class LogRank:
    """Log-rank test of two groups: chi-squared with one degree of freedom and its p value; NaN without events."""

    chi_squared: float
    p: float


def efron_log_hazard_ratios(rank: IntArray, event: BoolArray, treated: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return the log hazard ratio and its standard error of each row of `(trials, patients)` arrays.

    `rank` is the time or any whole number in its order; each row is sorted by it, events before censored patients at
    a tie. NaN where no finite estimate exists (no events in one group, for instance). Cox DR. J R Stat Soc B
    1972;34:187-220, one binary covariate; ties by Efron B. J Am Stat Assoc 1977;72:557-565; Newton's method.
    """
    trials, n = rank.shape
    place = np.arange(n)
    starts = np.ones((trials, n), bool)
    starts[:, 1:] = rank[:, 1:] != rank[:, :-1]
    start = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    ends = np.ones((trials, n), bool)
    ends[:, :-1] = starts[:, 1:]
    end = np.minimum.accumulate(np.where(ends, place, n)[:, ::-1], axis=1)[:, ::-1]

    def before(flags: BoolArray) -> npt.NDArray[np.int32]:
        """Count the flags in earlier places; one column more than `flags`."""
        counts = np.zeros((trials, n + 1), np.int32)
        np.cumsum(flags, axis=1, out=counts[:, 1:])
        return counts

    rows, columns = np.nonzero(event)  # from here on one entry per event, not per patient
    first, last = start[rows, columns], end[rows, columns] + 1
    all_events, treated_events, all_treated = before(event), before(event & treated), before(treated)
    tied = all_events[rows, last] - all_events[rows, first]
    share = (columns - first) / tied
    treated_at_risk = all_treated[rows, n] - all_treated[rows, first]
    treated_tied = treated_events[rows, last] - treated_events[rows, first]
    with_treatment = treated_at_risk - share * treated_tied
    without = (n - first - treated_at_risk) - share * (tied - treated_tied)
    observed = treated_events[:, n].astype(float)

    log_ratio = np.zeros(trials)
    information = np.ones(trials)
    for _ in range(_MAX_STEPS):
        weight = np.exp(log_ratio)[rows] * with_treatment
        p = weight / (weight + without)
        expected = _per_trial(rows, p, trials)
        information = _per_trial(rows, p * (1 - p), trials)
        step = (observed - expected) / np.maximum(information, 1e-12)
        log_ratio = np.clip(log_ratio + np.clip(step, -2, 2), -_RUNAWAY, _RUNAWAY)
        if np.all((np.abs(step) < 1e-10) | (np.abs(log_ratio) >= _RUNAWAY)):
            break
    estimable = (np.abs(log_ratio) < _RUNAWAY) & (information > 1e-9)
    se = 1 / np.sqrt(np.where(estimable, information, 1.0))
    return np.where(estimable, log_ratio, np.nan), np.where(estimable, se, np.nan)


def _per_trial(rows: IntArray, values: FloatArray, trials: int) -> FloatArray:
    return np.bincount(rows, values, trials).astype(np.float64, copy=False)


def hazard_ratio(
    time: npt.ArrayLike, event: npt.ArrayLike, treated: npt.ArrayLike, *, level: float = 0.95
) -> HazardRatio:
    """Return the hazard ratio of the treated over the others; arrays of one entry per patient."""
    from scipy.special import ndtri

    times, happened, group = np.asarray(time, float), np.asarray(event, bool), np.asarray(treated, bool)
    order = np.lexsort((~happened, times))
    rank = np.unique(times, return_inverse=True)[1].reshape(-1)
    logs, ses = efron_log_hazard_ratios(rank[order][None], happened[order][None], group[order][None])
    centre, se = float(logs[0]), float(ses[0])
    half = float(ndtri((1 + level) / 2)) * se
    value, lower, upper = (float(np.exp(centre + shift)) for shift in (0.0, -half, half))
    return HazardRatio(value, lower, upper, centre, se)


def log_rank(time: npt.ArrayLike, event: npt.ArrayLike, treated: npt.ArrayLike) -> LogRank:
    """Test whether two groups share one hazard. Mantel N. Cancer Chemother Rep 1966;50:163-170, hypergeometric
    variance.
    """
    from scipy.special import chdtrc

    times, happened, group = np.asarray(time, float), np.asarray(event, bool), np.asarray(treated, bool)
    distinct, place = np.unique(times, return_inverse=True)
    k = distinct.size

    def count(flags: BoolArray) -> npt.NDArray[np.int64]:
        return np.bincount(place[flags], minlength=k)

    at_risk = count(np.ones_like(group))[::-1].cumsum()[::-1]
    treated_at_risk = count(group)[::-1].cumsum()[::-1]
    events, treated_events = count(happened), count(happened & group)
    share = treated_at_risk / np.maximum(at_risk, 1)
    variance = events * share * (1 - share) * (at_risk - events) / np.maximum(at_risk - 1, 1)
    if not variance.sum() > 0:
        return LogRank(float("nan"), float("nan"))
    chi_squared = float((treated_events - events * share).sum() ** 2 / variance.sum())
    return LogRank(chi_squared, float(chdtrc(1, chi_squared)))
