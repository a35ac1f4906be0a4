"""Overall survival had the control arm not changed to the other treatment: RPSFT and IPCW, two estimates of the hypothetical estimand.

The treatment-policy estimand needs neither: compare the arms as they were randomised (`hazard_ratio`). Both methods here lean on assumptions that no data
prove, and belong beside it, not in its place. ICH E9(R1) 2019; Latimer NR et al. Med Decis Making 2014;34:387-402.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mesotrial.analysis.cox import HazardRatio, hazard_ratio
from mesotrial.analysis.two_groups import log_rank

__all__ = ["StructuralFailureTime", "ipcw_hazard_ratio", "rpsft", "untreated_times"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_REACH = 2.5  # largest |psi| looked at: treatment multiplies survival by 1/12 to 12
_GRID = 201
_MIN_WEIGHT_SHARE = 1e-3


@dataclass(frozen=True)
class StructuralFailureTime:
    """Treatment multiplies survival time by exp(-psi); the interval holds the psi that the log-rank test does not reject. NaN where none is found.

    `hazard_ratio` compares the treated with the control arm's untreated times; its interval takes psi as known and is too narrow.
    """

    psi: float
    lower: float
    upper: float
    factor: float
    hazard_ratio: HazardRatio


def untreated_times(
    time: FloatArray, event: BoolArray, on_treatment: FloatArray, limit: FloatArray, psi: float
) -> tuple[FloatArray, BoolArray]:
    """Return the times (and events) had nobody been treated: time off treatment plus exp(psi) times that on it.

    Censored again at `limit` * min(1, exp(psi)), since otherwise who is censored would depend on the treatment. White IR et al. Stat Med 1999;18:2617-2634.
    """
    untreated = time - on_treatment + np.exp(psi) * on_treatment
    again = limit * min(1.0, float(np.exp(psi)))
    return np.minimum(untreated, again), event & (untreated <= again)


def rpsft(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    treated: npt.ArrayLike,
    switch: npt.ArrayLike,
    *,
    censoring: npt.ArrayLike,
    level: float = 0.95,
) -> StructuralFailureTime:
    """Estimate the effect of treatment where patients of the control arm changed to it at time `switch` (NaN or infinite: never).

    Robins JM, Tsiatis AA. Commun Stat Theory Methods 1991;20:2609-2631: the psi at which the arms' untreated times are alike by the log-rank test.
    `censoring` is when each patient would have been censored had he or she lived: needed for everybody. Treatment is taken to go on once it has begun,
    and to act as strongly after progression as from the start.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtri

    times, happened, group = np.asarray(time, float), np.asarray(event, bool), np.asarray(treated, bool)
    changed, limit = np.asarray(switch, float), np.asarray(censoring, float)
    if np.any(limit < times - 1e-9):
        raise ValueError("a patient was followed beyond the time of censoring")
    on = np.where(
        group, times, np.where(np.isfinite(changed), np.maximum(times - np.nan_to_num(changed, posinf=0.0), 0.0), 0.0)
    )

    def z(psi: float, shift: float = 0.0) -> float:
        return log_rank(*untreated_times(times, happened, on, limit, psi), group).z - shift

    grid = np.linspace(-_REACH, _REACH, _GRID)
    values = np.array([z(one) for one in grid])

    def root(shift: float) -> float:
        crossed = np.flatnonzero((values[:-1] - shift) * (values[1:] - shift) <= 0)
        if crossed.size == 0 or not np.isfinite(values).any():
            return float("nan")
        middle = crossed[np.argmin(np.abs(grid[crossed]))] if shift == 0 else crossed[0 if shift < 0 else -1]
        return float(brentq(z, grid[middle], grid[middle + 1], args=(shift,), xtol=1e-6))

    half = float(ndtri((1 + level) / 2))
    psi, ends = root(0.0), sorted((root(-half), root(half)))
    nothing = HazardRatio(*(float("nan"),) * 5)
    if np.isnan(psi):
        return StructuralFailureTime(psi, ends[0], ends[1], float("nan"), nothing)
    control_on = np.where(group, 0.0, on)
    shifted, events = untreated_times(times, happened, control_on, limit, psi)
    ratio = hazard_ratio(np.where(group, times, shifted), np.where(group, happened, events), group, level=level)
    return StructuralFailureTime(psi, ends[0], ends[1], float(np.exp(-psi)), ratio)


def ipcw_hazard_ratio(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    treated: npt.ArrayLike,
    progression: npt.ArrayLike,
    switch: npt.ArrayLike,
    *,
    group: npt.ArrayLike | None = None,
    level: float = 0.95,
    copies: int = 200,
    seed: int = 1,
) -> HazardRatio:
    """Return the hazard ratio with the control arm's patients censored when they change treatment, the others weighted to stand for them.

    Robins JM, Finkelstein DM. Biometrics 2000;56:779-788. The chance not to have changed yet is a Kaplan-Meier estimate over the time since `progression`,
    in each `group` of patients (one label each): right where within a group the change has nothing to do with prognosis. Weighted Cox model with Breslow's
    ties; the interval and the standard error come from `copies` bootstrap samples of the patients. NaN where no estimate exists.
    """
    from scipy.special import ndtri

    from mesotrial.population.randomness import uniforms

    times, happened, arm = np.asarray(time, float), np.asarray(event, bool), np.asarray(treated, bool)
    progressed, changed = np.asarray(progression, float), np.asarray(switch, float)
    labels = np.zeros(times.size, np.int64) if group is None else np.unique(group, return_inverse=True)[1].reshape(-1)
    centre = _ipcw(times, happened, arm, progressed, changed, labels)
    n, logs = times.size, []
    for copy in range(copies if np.isfinite(centre) else 0):
        rows = (uniforms(seed, "ipcw", copy, np.arange(n), 1)[:, 0] * n).astype(np.int64)
        logs.append(_ipcw(times[rows], happened[rows], arm[rows], progressed[rows], changed[rows], labels[rows]))
    known = np.array([one for one in logs if np.isfinite(one)])
    se = float(known.std(ddof=1)) if known.size > 1 else float("nan")
    half = float(ndtri((1 + level) / 2)) * se
    value, lower, upper = (float(np.exp(centre + one)) for one in (0.0, -half, half))
    return HazardRatio(value, lower, upper, centre, se)


def _ipcw(
    time: FloatArray,
    event: BoolArray,
    treated: BoolArray,
    progression: FloatArray,
    switch: FloatArray,
    labels: npt.NDArray[np.int64],
) -> float:
    """Return the weighted log hazard ratio."""
    changed = ~treated & np.isfinite(switch) & (switch < time)
    until, happened = np.where(changed, switch, time), event & ~changed
    moments = np.unique(until[happened])
    weights = np.ones((moments.size, time.size))
    for label in np.unique(labels):
        rows = np.flatnonzero(~treated & (labels == label) & np.isfinite(progression))
        if rows.size:
            left, went = np.maximum(until[rows] - progression[rows], 0.0), changed[rows]
            weights[:, rows] = 1 / _stays_before(left, went, moments[:, None] - progression[rows])
    at_risk = until >= moments[:, None]
    dies = (until == moments[:, None]) & happened
    mine, other = (weights * at_risk * one for one in (treated, ~treated))
    exposed, others = mine.sum(axis=1), other.sum(axis=1)
    deaths, observed = (weights * dies).sum(axis=1), float((weights * dies * treated).sum())
    value = 0.0
    for _ in range(30):
        p = np.exp(value) * exposed / np.maximum(np.exp(value) * exposed + others, 1e-300)
        information = float((deaths * p * (1 - p)).sum())
        if not information > 1e-9:
            return float("nan")
        step = (observed - float((deaths * p).sum())) / information
        value += float(np.clip(step, -2, 2))
        if abs(step) < 1e-10 or abs(value) > 12:
            break
    return value if abs(value) <= 12 else float("nan")


def _stays_before(left: FloatArray, went: BoolArray, at: FloatArray) -> FloatArray:
    """Return the Kaplan-Meier chance not to have changed before the times `at` (any shape)."""
    times = np.unique(left[went])
    if times.size == 0:
        return np.ones_like(at)
    at_risk = (left[None, :] >= times[:, None]).sum(axis=1)
    goes = ((left[None, :] == times[:, None]) & went).sum(axis=1)
    stays = np.maximum(np.cumprod(1 - goes / at_risk), _MIN_WEIGHT_SHARE)
    return np.concatenate(([1.0], stays))[np.searchsorted(times, at, side="left")]
