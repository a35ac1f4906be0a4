"""Cumulative incidence of an event that a competing one can forestall (Aalen-Johansen)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["CENSORED", "COMPETING", "EVENT", "CumulativeIncidence", "cumulative_incidence"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CENSORED, EVENT, COMPETING = 0, 1, 2


@dataclass(frozen=True)
class CumulativeIncidence:
    """The share of patients who had the event, and the share kept from it by the competing one. Arrays have one entry
    per distinct time, sorted; a value holds from its time until the next.
    """

    times: FloatArray
    incidence: FloatArray
    competing: FloatArray
    at_risk: IntArray
    _groups: _Groups = field(repr=False)

    def at(self, time: float, *, level: float = 0.95) -> tuple[float, float, float]:
        """Return the incidence at `time` and its interval on the log(-log) scale: 0 before the first event, NaN for
        nobody and beyond the last patient while someone is still free of both.
        """
        if self.times.size == 0:
            return (float("nan"),) * 3
        free = 1 - self.incidence[-1] - self.competing[-1]
        if time > self.times[-1] and free > 1e-12:
            return (float("nan"),) * 3
        place = int(np.searchsorted(self.times, time, side="right")) - 1
        if place < 0:
            return (0.0, 0.0, 0.0)
        value, lower, upper = (float(bound[0]) for bound in self.interval(np.array([place]), level=level))
        return value, lower, upper

    def interval(self, places: IntArray, *, level: float = 0.95) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return (incidence, lower, upper) at the `places` among `times`; NaN bounds where it is 0 or 1."""
        from scipy.special import ndtri

        value, se = self.incidence[places], self.standard_error(places)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(value)
            half = float(ndtri((1 + level) / 2)) * se / np.abs(value * logs)
            lower, upper = -np.exp(np.log(-logs) + half), -np.exp(np.log(-logs) - half)
        inside = (value > 0) & (value < 1)
        lower, upper = (np.where(inside, np.exp(bound), np.nan) for bound in (lower, upper))
        return value, lower, upper

    def standard_error(self, places: IntArray) -> FloatArray:
        """Return the standard error at the `places` among `times`: the infinitesimal jackknife, that is the root of the
        sum over patients of (change of the estimate per unit of the patient's weight) squared.
        """
        return self._groups.standard_error(self.incidence, places)


@dataclass(frozen=True)
class _Groups:
    """Patients who left at the same time for the same cause are one group: `place`, `cause`, `size`; the rest is one
    entry per distinct time.
    """

    place: IntArray
    cause: IntArray
    size: IntArray
    own: FloatArray  # what an event adds to its own patient's influence
    since: FloatArray  # what having been at risk for all events so far takes away
    lifted: FloatArray  # relative rise of the share free of both, per unit of weight, for having stayed at risk
    lifted_sum: FloatArray  # the same, weighted by each step of the incidence
    dropped: FloatArray  # relative fall of that share for leaving with an event of either kind

    def standard_error(self, incidence: FloatArray, places: IntArray) -> FloatArray:
        mine = self.place[:, None]
        left = mine <= places
        until = np.minimum(mine, places)
        later = np.where(left, incidence[places] - incidence[mine], 0.0)
        gone = np.where(self.cause == CENSORED, 0.0, self.dropped[self.place])[:, None]
        influence = self.lifted_sum[until] - self.since[until] + later * (self.lifted[mine] - gone)
        influence += np.where(left & (self.cause == EVENT)[:, None], self.own[mine], 0.0)
        found: FloatArray = np.sqrt(np.sum(self.size[:, None] * influence**2, axis=0))
        return found


def cumulative_incidence(time: npt.ArrayLike, cause: npt.ArrayLike) -> CumulativeIncidence:
    """Return the cumulative incidence of patients who left at `time` (any unit) for `cause`: 0 censored, 1 the event, 2
    the competing event; arrays of the same length.

    Aalen OO, Johansen S. Scand J Stat 1978;5:141-150. Patients censored at the time of an event count as at risk for
    it.
    """
    all_times, causes = np.asarray(time, float), np.asarray(cause, np.int64)
    times, place = np.unique(all_times, return_inverse=True)
    counts = np.bincount(3 * place + causes, minlength=3 * times.size).reshape(-1, 3)
    at_risk = counts.sum(axis=1)[::-1].cumsum()[::-1]
    events, others = counts[:, EVENT], counts[:, COMPETING]
    staying = at_risk - events - others
    free = np.cumprod(staying / np.maximum(at_risk, 1))
    before = np.concatenate(([1.0], free[:-1])) if times.size else free
    step = before * events / np.maximum(at_risk, 1)
    incidence = np.cumsum(step)
    lifted = np.cumsum(np.where(staying > 0, (events + others) / (at_risk * np.maximum(staying, 1)), 0.0))
    group = np.flatnonzero(counts.ravel())
    return CumulativeIncidence(
        times,
        incidence,
        np.cumsum(before * others / np.maximum(at_risk, 1)),
        at_risk,
        _Groups(
            place=group // 3,
            cause=group % 3,
            size=counts.ravel()[group],
            own=before / np.maximum(at_risk, 1),
            since=np.cumsum(step / np.maximum(at_risk, 1)),
            lifted=lifted,
            lifted_sum=np.cumsum(step * np.concatenate(([0.0], lifted[:-1]))) if times.size else lifted,
            dropped=np.where(staying > 0, 1 / np.maximum(staying, 1), 0.0),
        ),
    )
