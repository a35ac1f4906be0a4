"""Rates of a yes-or-no outcome, with exact intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Proportion", "clopper_pearson", "proportion"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Proportion:
    """A rate as a fraction, with its Clopper-Pearson interval; NaN where there is nobody."""

    events: int
    n: int
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


def proportion(outcome: npt.NDArray[np.bool_], level: float = 0.95) -> Proportion:
    """Return the share of True in `outcome` (one entry per patient)."""
    events, n = int(outcome.sum()), int(outcome.size)
    lower, upper = clopper_pearson(events, n, level)
    return Proportion(events, n, events / n if n else float("nan"), float(lower), float(upper))
