"""Rates of a yes-or-no outcome, with exact intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Proportion", "RateDifference", "clopper_pearson", "newcombe", "proportion", "wilson"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Proportion:
    """A rate as a fraction, with its Clopper-Pearson interval; NaN where there is nobody."""

    events: int
    n: int
    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class RateDifference:
    """One rate minus another, as fractions, with its interval; NaN where a group is empty."""

    value: float
    lower: float
    upper: float


def clopper_pearson(events: npt.ArrayLike, n: npt.ArrayLike, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Return the exact interval of `events` out of `n`, as fractions, element by element; NaN where n is 0.

    Clopper CJ, Pearson ES. Biometrika 1934;26:404-413, by the quantiles of the beta distribution.
    """
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    k, total = np.broadcast_arrays(np.asarray(events, float), np.asarray(n, float))
    inside = (k > 0) & (k < total)
    a, b = np.where(inside, k, 1.0), np.where(inside, total - k, 1.0)
    lower = np.where(inside, betaincinv(a, b + 1, tail), np.where(k > 0, tail ** (1 / np.maximum(total, 1)), 0.0))
    upper = np.where(
        inside, betaincinv(a + 1, b, 1 - tail), np.where(k > 0, 1.0, 1 - tail ** (1 / np.maximum(total, 1)))
    )
    nobody = total == 0
    return np.where(nobody, np.nan, lower), np.where(nobody, np.nan, upper)


def wilson(events: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the score interval of `events` out of `n`. Wilson EB. J Am Stat Assoc 1927;22:209-212."""
    from scipy.special import ndtri

    if n == 0:
        return float("nan"), float("nan")
    z = float(ndtri((1 + level) / 2))
    centre, half = events + z * z / 2, z * float(np.sqrt(events * (n - events) / n + z * z / 4))
    return max((centre - half) / (n + z * z), 0.0), min((centre + half) / (n + z * z), 1.0)


def newcombe(first: tuple[int, int], second: tuple[int, int], level: float = 0.95) -> RateDifference:
    """Return the difference of two rates, each given as (events, n).

    Newcombe RG. Stat Med 1998;17:873-890, method 10: from the two Wilson intervals.
    """
    if first[1] == 0 or second[1] == 0:
        return RateDifference(*(float("nan"),) * 3)
    p, q = first[0] / first[1], second[0] / second[1]
    (low_p, high_p), (low_q, high_q) = wilson(*first, level), wilson(*second, level)
    lower = p - q - float(np.hypot(p - low_p, high_q - q))
    upper = p - q + float(np.hypot(high_p - p, q - low_q))
    return RateDifference(p - q, lower, upper)


def proportion(outcome: npt.NDArray[np.bool_], level: float = 0.95) -> Proportion:
    """Return the share of True in `outcome` (one entry per patient)."""
    events, n = int(outcome.sum()), int(outcome.size)
    lower, upper = clopper_pearson(events, n, level)
    return Proportion(events, n, events / n if n else float("nan"), float(lower), float(upper))
