"""Hazard ratio of two groups (Cox, Efron's ties), also stratified; and for many resampled trials at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mesotrial.analysis.two_groups import RiskCounts, strata_counts

__all__ = ["HazardRatio", "efron_log_hazard_ratios", "hazard_ratio"]

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
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    treated: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> HazardRatio:
    """Return the hazard ratio of the treated over the others; arrays of one entry per patient.

    With `strata` (one label per patient) each stratum has a baseline hazard of its own. Method as in
    `efron_log_hazard_ratios`.
    """
    from scipy.special import ndtri

    centre, se = _stratified_log_ratio(list(strata_counts(time, event, treated, strata)))
    half = float(ndtri((1 + level) / 2)) * se
    value, lower, upper = (float(np.exp(centre + shift)) for shift in (0.0, -half, half))
    return HazardRatio(value, lower, upper, centre, se)


def _stratified_log_ratio(strata: list[RiskCounts]) -> tuple[float, float]:
    """Return the log hazard ratio and its standard error, NaN where there is no finite one."""
    with_treatment, without, observed = [], [], 0.0
    for counts in strata:
        deaths = (counts.treated_events + counts.other_events).astype(np.int64)
        row = np.repeat(np.arange(deaths.size), deaths)
        share = (np.arange(row.size) - (deaths.cumsum() - deaths)[row]) / deaths[row]  # Efron: 0, 1/d, 2/d, ...
        with_treatment.append(counts.treated_at_risk[row] - share * counts.treated_events[row])
        without.append(counts.others_at_risk[row] - share * counts.other_events[row])
        observed += float(counts.treated_events.sum())
    if not with_treatment:
        return float("nan"), float("nan")
    exposed, others = np.concatenate(with_treatment), np.concatenate(without)
    log_ratio, information = 0.0, 0.0
    for _ in range(_MAX_STEPS):
        weight = np.exp(log_ratio) * exposed
        p = weight / (weight + others)
        information = float((p * (1 - p)).sum())
        step = (observed - float(p.sum())) / max(information, 1e-12)
        log_ratio = float(np.clip(log_ratio + np.clip(step, -2, 2), -_RUNAWAY, _RUNAWAY))
        if abs(step) < 1e-10 or abs(log_ratio) >= _RUNAWAY:
            break
    if abs(log_ratio) >= _RUNAWAY or information <= 1e-9:
        return float("nan"), float("nan")
    return log_ratio, 1 / float(np.sqrt(information))
