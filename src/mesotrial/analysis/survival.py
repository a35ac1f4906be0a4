"""Kaplan-Meier curves, medians, landmark rates and risk tables of one group of patients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "CurveDistance",
    "IntervalKind",
    "KaplanMeier",
    "RiskTable",
    "crossing",
    "curve_distance",
    "kaplan_meier",
    "risk_table",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

IntervalKind = Literal["log-log", "log", "plain", "logit", "arcsin"]
_SAME = 1.5e-8  # two survival values closer than this are one


@dataclass(frozen=True)
class KaplanMeier:
    """A Kaplan-Meier curve with a pointwise interval. Arrays have one entry per distinct time, sorted.

    `survival[i]` holds from `times[i]` until the next time. Bounds are NaN once survival has reached 0.
    """

    times: FloatArray
    survival: FloatArray
    lower: FloatArray
    upper: FloatArray
    at_risk: IntArray
    events: IntArray
    censored: IntArray

    def at(self, time: float) -> tuple[float, float, float]:
        """Return survival at `time` and its interval: 1 before the first event, NaN beyond the last patient unless
        all died.
        """
        if self.times.size == 0:
            return (float("nan"),) * 3
        place = int(np.searchsorted(self.times, time, side="right")) - 1
        if place < 0:
            return (1.0, 1.0, 1.0)
        if time > self.times[-1] and self.survival[-1] > 0:
            return (float("nan"),) * 3
        return float(self.survival[place]), float(self.lower[place]), float(self.upper[place])

    def median(self) -> tuple[float, float, float]:
        """Return the median time and its interval (Brookmeyer R, Crowley J. Biometrics 1982;38:29-41, on the log-log
        scale).

        NaN where a curve does not reach one half.
        """
        value, lower, upper = (crossing(self.times, curve) for curve in (self.survival, self.lower, self.upper))
        return value, lower, upper

    def steps(self) -> tuple[FloatArray, FloatArray]:
        """Return times and survival as a step line that starts at (0, 1), to be drawn with `where="post"`."""
        return np.concatenate(([0.0], self.times)), np.concatenate(([1.0], self.survival))


@dataclass(frozen=True)
class CurveDistance:
    """How far one Kaplan-Meier curve lies from another: over `months`, the mean distance and the mean signed difference (first less second), and
    `by_chance`, the mean distance of a curve of the second's size from its own truth (Greenwood's error, normal).
    """

    months: float
    distance: float
    difference: float
    by_chance: float


@dataclass(frozen=True)
class RiskTable:
    """Counts at given times: at risk just before, and events and censored patients earlier than, each time.

    The three add up to the size of the group at every time.
    """

    times: FloatArray
    at_risk: IntArray
    events: IntArray
    censored: IntArray


def kaplan_meier(
    time: npt.ArrayLike, event: npt.ArrayLike, *, level: float = 0.95, interval: IntervalKind = "log-log"
) -> KaplanMeier:
    """Return the Kaplan-Meier curve of patients with `time` (any unit) and `event` (True or False), arrays of the
    same length.

    Kaplan EL, Meier P. J Am Stat Assoc 1958;53:457-481; Greenwood's variance; the interval is symmetric on the scale
    named by `interval`. Patients censored at the time of an event count as at risk for it.
    """
    from scipy.special import ndtri

    all_times, happened = np.asarray(time, float), np.asarray(event, bool)
    times, place = np.unique(all_times, return_inverse=True)
    leaving = np.bincount(place, minlength=times.size)
    events = np.bincount(place[happened], minlength=times.size)
    at_risk = leaving[::-1].cumsum()[::-1]
    survival = np.cumprod(1 - events / np.maximum(at_risk, 1))
    alive = at_risk > events
    greenwood = np.cumsum(np.where(alive, events / np.where(alive, at_risk * (at_risk - events), 1), np.inf))
    with np.errstate(divide="ignore", invalid="ignore"):
        bounds = _bounds(survival, float(ndtri((1 + level) / 2)) * np.sqrt(greenwood), interval)
    lower, upper = (np.where(survival >= 1, 1.0, np.where(survival > 0, bound, np.nan)) for bound in bounds)
    return KaplanMeier(times, survival, lower, upper, at_risk, events, leaving - events)


def _bounds(s: FloatArray, half: FloatArray, interval: IntervalKind) -> tuple[FloatArray, FloatArray]:
    """Return the interval of survival `s`; `half` is half its width on the scale of log survival."""
    match interval:
        case "plain":
            return np.maximum(s - half * s, 0.0), np.minimum(s + half * s, 1.0)
        case "log":
            return np.exp(np.log(s) - half), np.minimum(np.exp(np.log(s) + half), 1.0)
        case "log-log":
            centre, width = np.log(-np.log(s)), half / np.abs(np.log(s))
            return np.exp(-np.exp(centre + width)), np.exp(-np.exp(centre - width))
        case "logit":
            centre, width = np.log(s / (1 - s)), half / (1 - s)
            return 1 / (1 + np.exp(width - centre)), 1 / (1 + np.exp(-centre - width))
        case "arcsin":
            centre, width = np.arcsin(np.sqrt(s)), half / 2 * np.sqrt(s / (1 - s))
            return np.sin(np.maximum(centre - width, 0.0)) ** 2, np.sin(np.minimum(centre + width, np.pi / 2)) ** 2
    raise ValueError(f"no interval is called {interval!r}; known: log-log, log, plain, logit, arcsin")


def curve_distance(first: KaplanMeier, second: KaplanMeier) -> CurveDistance:
    """Integrate the distance of two curves over the time, in months, in which both are followed, divided by that time.

    The simulated curve is `first`, of many patients; the published one is `second`. Raises `ValueError` where nobody is followed in either.
    """
    end = min(float(curve.times[-1]) if curve.times.size else 0.0 for curve in (first, second))
    if end <= 0:
        raise ValueError("a curve that follows nobody has no distance")
    times = np.unique(np.concatenate(([0.0], first.times[first.times < end], second.times[second.times < end], [end])))
    share = np.diff(times) / end
    ours, theirs = (np.array([curve.at(float(time))[0] for time in times[:-1]]) for curve in (first, second))
    alive = second.at_risk > second.events
    terms = np.where(alive, second.events / np.where(alive, second.at_risk * (second.at_risk - second.events), 1), 0.0)
    error = np.concatenate(([0.0], second.survival * np.sqrt(np.cumsum(terms))))  # Greenwood's
    chance = math.sqrt(2.0 / math.pi) * float(share @ error[np.searchsorted(second.times, times[:-1], side="right")])
    difference = ours - theirs
    return CurveDistance(end, float(share @ np.abs(difference)), float(share @ difference), chance)


def risk_table(time: npt.ArrayLike, event: npt.ArrayLike, at: npt.ArrayLike) -> RiskTable:
    """Count the patients at risk, and the events and censored patients so far, at the times `at`."""
    times, happened, marks = np.asarray(time, float), np.asarray(event, bool), np.asarray(at, float)
    ended, censored = np.sort(times[happened]), np.sort(times[~happened])
    events, lost = np.searchsorted(ended, marks), np.searchsorted(censored, marks)
    return RiskTable(marks, times.size - events - lost, events, lost)


def crossing(times: FloatArray, curve: FloatArray, height: float = 0.5) -> float:
    """Return where a falling step curve crosses `height`: the middle of the step where it lies exactly on it, NaN if
    it stays above.
    """
    below = np.flatnonzero(curve <= height + _SAME)
    if below.size == 0:
        return float("nan")
    first = below[0]
    under = np.flatnonzero(curve < height - _SAME)
    on_it = abs(curve[first] - height) <= _SAME
    if not on_it:
        return float(times[first])
    end = under[0] if under.size else times.size - 1
    return float((times[first] + times[end]) / 2)
