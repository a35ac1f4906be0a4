"""The compiled part of `myelosuppression`: every patient's neutrophils over an interval, by the classical Runge-Kutta method of fourth order.

Numba keeps the compiled code; where it cannot, or what it kept is damaged, it is compiled anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["course"]

_MOST_EPISODES = 8  # of one patient in one interval, which is far shorter than as many


@njit(error_model="numpy")
def _slope(now: NDArray[np.float64], base: float, rate: float, feedback: float, change: NDArray[np.float64]) -> None:
    change[0] = rate * now[0] * ((base / max(now[4], 1e-6)) ** feedback - 1.0)
    for stage in range(1, 5):
        change[stage] = rate * (now[stage - 1] - now[stage])


def _course(
    cells: NDArray[np.float64],
    base: NDArray[np.float64],
    onset: NDArray[np.float64],
    lowest: NDArray[np.float64],
    start: float,
    long: float,
    steps: int,
    rate: float,
    feedback: float,
    low_count: float,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Move `cells`, shape (n, 5), on by `steps` of `long` days, in place, with `onset` and `lowest` of the episode under way, shape (n,).

    Return the episodes below `low_count` that ended: patient, lowest count, first and last day.
    """
    n = len(base)
    who = np.empty(n * _MOST_EPISODES, np.int64)
    worst, first, last = np.empty(len(who)), np.empty(len(who)), np.empty(len(who))
    k1, k2, k3, k4, moved = np.empty(5), np.empty(5), np.empty(5), np.empty(5), np.empty(5)
    found = 0
    for i in range(n):
        now, most = cells[i], found + _MOST_EPISODES
        for step in range(steps):
            _slope(now, base[i], rate, feedback, k1)
            moved[:] = now + 0.5 * long * k1
            _slope(moved, base[i], rate, feedback, k2)
            moved[:] = now + 0.5 * long * k2
            _slope(moved, base[i], rate, feedback, k3)
            moved[:] = now + long * k3
            _slope(moved, base[i], rate, feedback, k4)
            for stage in range(5):
                now[stage] = max(
                    now[stage] + long / 6.0 * (k1[stage] + 2.0 * k2[stage] + 2.0 * k3[stage] + k4[stage]), 1e-9
                )
            day = start + (step + 1) * long
            if now[4] < low_count:
                if np.isnan(onset[i]):
                    onset[i] = day
                lowest[i] = min(lowest[i], now[4])
            elif not np.isnan(onset[i]):
                if found < most:
                    who[found], worst[found], first[found], last[found] = i, lowest[i], onset[i], day
                    found += 1
                onset[i], lowest[i] = np.nan, np.inf
    return who[:found], worst[:found], first[:found], last[:found]


def _compiled() -> Callable[..., tuple[NDArray[Any], ...]]:
    nobody, nothing = np.zeros((0, 5)), np.zeros(0)
    for keep in (True, False):
        try:
            made: Callable[..., tuple[NDArray[Any], ...]] = njit(cache=keep, error_model="numpy")(_course)
            made(nobody, nothing, nothing, nothing, 0.0, 0.5, 1, 1.0, 0.1, 1.0)
        except Exception:  # whatever a damaged file or a folder that nobody may write raises
            if not keep:
                raise
        else:
            break
    return made


course = _compiled()
