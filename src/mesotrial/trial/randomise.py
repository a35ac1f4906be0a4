"""Assignment of patients to arms: permuted blocks within strata, with each arm's size exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.population.randomness import uniforms

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["randomise"]


def randomise(
    strata: NDArray[np.int64], sizes: Sequence[int], ratio: Sequence[int], block: int, seed: int, replicate: int
) -> NDArray[np.int64]:
    """Return the arm of each patient, shape (n_patients,), in order of enrolment.

    `strata` numbers each patient's stratum. A block holds about `block` patients, a whole number of times the ratio. An arm that is full is passed over, so
    that the sizes come out as asked; only the last patients are affected.
    """
    places = np.repeat(np.arange(len(sizes)), max(1, block // sum(ratio)) * np.asarray(ratio))
    left = np.asarray(sizes).copy()
    queues: dict[int, list[int]] = {}
    arms = np.empty(len(strata), dtype=np.int64)
    drawn = 0
    for patient, stratum in enumerate(strata.tolist()):
        queue = queues.setdefault(stratum, [])
        while True:
            if not queue:
                order = np.argsort(uniforms(seed, "randomisation", replicate, np.array([drawn]), len(places))[0])
                queue.extend(places[order].tolist())
                drawn += 1
            arm = queue.pop()
            if left[arm]:
                break
        arms[patient] = arm
        left[arm] -= 1
    return arms
