"""Many trials at once, drawn from a bank of simulated patients: survival curves, medians and hazard ratios of each.

Patients of the bank are drawn with replacement. A trial is a sorted row of places in the bank ordered by time (events
before censored patients at a tie), so that a Kaplan-Meier curve is one running product along the row: leaving one by
one at a tie gives the same curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mesotrial.analysis.cox import efron_log_hazard_ratios

__all__ = ["Curves", "resampled_curves", "resampled_hazard_ratios"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_SAME = 1e-9  # two survival values closer than this are one


@dataclass(frozen=True)
class Curves:
    """Kaplan-Meier curves of resampled trials: `places` and `survival` are (trials, patients), `times` the bank's,
    sorted.
    """

    times: FloatArray
    places: npt.NDArray[np.int32]
    survival: FloatArray

    def on(self, grid: npt.ArrayLike) -> FloatArray:
        """Return survival at the times `grid` (g,), as (trials, g); NaN past a trial's last patient unless all of
        them died.
        """
        marks = np.asarray(grid, float)
        trials, n = self.places.shape
        size = self.times.size
        keys = self.places + np.arange(trials, dtype=np.int64)[:, None] * size
        wanted = np.searchsorted(self.times, marks, side="right") + np.arange(trials)[:, None] * size
        passed = (
            np.searchsorted(keys.ravel(), wanted.ravel()).reshape(trials, marks.size) - np.arange(trials)[:, None] * n
        )
        padded = np.concatenate((np.ones((trials, 1)), self.survival), axis=1)
        found = np.take_along_axis(padded, passed, axis=1)
        over = (passed == n) & (found > _SAME) & (marks > self.times[self.places[:, -1]][:, None])
        return np.where(over, np.nan, found)

    def medians(self) -> FloatArray:
        """Return each trial's median time (trials,): the middle of a step at exactly one half, infinite where it is
        not reached.
        """
        reached, under = self.survival <= 0.5 + _SAME, self.survival < 0.5 - _SAME
        rows = np.arange(self.places.shape[0])
        first = reached.argmax(axis=1)
        after = np.where(under.any(axis=1), under.argmax(axis=1), self.places.shape[1] - 1)
        start, end = (self.times[self.places[rows, column]] for column in (first, after))
        exact = ~under[rows, first]
        return np.where(reached.any(axis=1), np.where(exact, (start + end) / 2, start), np.inf)


def _in_order(time: npt.ArrayLike, event: npt.ArrayLike) -> tuple[FloatArray, BoolArray, npt.NDArray[np.intp]]:
    times, happened = np.asarray(time, float), np.asarray(event, bool)
    order = np.lexsort((~happened, times))
    return times[order], happened[order], order


def resampled_curves(
    time: npt.ArrayLike, event: npt.ArrayLike, n: int, trials: int, rng: np.random.Generator
) -> Curves:
    """Return the Kaplan-Meier curves of `trials` trials of `n` patients, drawn from a bank with `time` and `event`
    (one entry per patient).
    """
    times, happened, _ = _in_order(time, event)
    places = np.sort(rng.integers(0, times.size, (trials, n), dtype=np.int32), axis=1)
    staying = 1 - happened[places] / (n - np.arange(n))
    return Curves(times, places, np.cumprod(staying, axis=1, dtype=np.float64))


def resampled_hazard_ratios(
    treated: tuple[npt.ArrayLike, npt.ArrayLike],
    others: tuple[npt.ArrayLike, npt.ArrayLike],
    sizes: tuple[int, int],
    trials: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the log hazard ratio, treated over others, of `trials` trials (trials,); NaN where a trial has no finite
    one.

    `treated` and `others` are the banks' (time, event); `sizes` the patients drawn from each.
    """
    counts = np.size(treated[0]), np.size(others[0])
    times, happened, order = _in_order(np.concatenate([treated[0], others[0]]), np.concatenate([treated[1], others[1]]))
    place_of = np.empty(order.size, np.int32)
    place_of[order] = np.arange(order.size, dtype=np.int32)
    drawn = [rng.integers(0, count, (trials, size), dtype=np.int32) for count, size in zip(counts, sizes, strict=True)]
    places = np.sort(np.concatenate([place_of[: counts[0]][drawn[0]], place_of[counts[0] :][drawn[1]]], axis=1), axis=1)
    rank = np.unique(times, return_inverse=True)[1].reshape(-1).astype(np.int32)
    return efron_log_hazard_ratios(rank[places], happened[places], (order < counts[0])[places])[0]
