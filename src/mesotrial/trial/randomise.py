"""Assignment of patients to arms: permuted blocks within strata, each arm filled to its size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.population.randomness import uniforms

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NOT_RANDOMISED", "randomise"]

NOT_RANDOMISED = -1

_SMALLEST_BATCH, _LARGEST_BATCH = 256, 4096


def randomise(
    strata: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    sizes: Sequence[int],
    ratio: Sequence[int],
    block: int,
    seed: int,
    replicate: int,
) -> list[NDArray[np.int64]]:
    """Return the patients' numbers of each arm, shape (size,), ascending.

    Patients present themselves without end, in the order of their numbers; `strata` gives the stratum of each, negative for who is left out.
    A block holds about `block` patients, a whole number of times the ratio. Who would go to an arm that is full is not taken into the trial. So an arm's
    patients are the first of an endless list that depends on no size: a larger trial has the patients of a smaller one, in the same arms, and more.
    """
    places = np.repeat(np.arange(len(sizes)), max(1, block // sum(ratio)) * np.asarray(ratio))
    queues: dict[int, list[int]] = {}
    arms: list[list[int]] = [[] for _ in sizes]
    missing, number, drawn = sum(sizes), 0, 0
    while missing:
        numbers = np.arange(number, number + min(max(missing, _SMALLEST_BATCH), _LARGEST_BATCH))
        for patient, stratum in zip(numbers.tolist(), strata(numbers).tolist(), strict=True):
            if stratum < 0:
                continue
            queue = queues.setdefault(stratum, [])
            if not queue:
                order = np.argsort(uniforms(seed, "randomisation", replicate, np.array([drawn]), len(places))[0])
                queue.extend(places[order].tolist())
                drawn += 1
            arm = queue.pop()
            if len(arms[arm]) < sizes[arm]:
                arms[arm].append(patient)
                missing -= 1
        number += len(numbers)
    return [np.array(arm, dtype=np.int64) for arm in arms]
