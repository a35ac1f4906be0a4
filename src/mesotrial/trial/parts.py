"""The unit of work of a trial: a part, some patients of one arm, pure and repeatable.

A part's tables depend on its patients' numbers alone, not on what was simulated before or beside it. So parts can be kept, taken up again and joined with new
ones, and the whole is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

__all__ = ["CHUNK", "NoStore", "Part", "Store", "parts_of"]

CHUNK = 1000

Tables = Mapping[str, "pl.DataFrame"]


@dataclass(frozen=True)
class Part:
    """Patients of one arm that are simulated together.

    Attributes
    ----------
    replicate
        0 the trial, 1 the bank.
    arm
        The arm's place in the design.
    first
        Place in the arm of the first patient.
    numbers
        The patients' numbers, shape (n_patients,).

    """

    replicate: int
    arm: int
    first: int
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.numbers)


class Store(Protocol):
    """Where finished parts are kept."""

    def stretches(self, replicate: int, arm: int) -> Sequence[tuple[int, int]]:
        """Return (first, last + 1) for each part of an arm that seems to be there."""

    def load(self, part: Part) -> Tables | None:
        """Return a part's tables, None where they are not there, not whole, or not of these patients."""

    def save(self, part: Part, tables: Tables) -> None:
        """Keep a part, whole or not at all."""


class NoStore:
    """Keeps nothing."""

    def stretches(self, replicate: int, arm: int) -> Sequence[tuple[int, int]]:
        """Return nothing."""
        return ()

    def load(self, part: Part) -> Tables | None:
        """Return nothing."""
        return None

    def save(self, part: Part, tables: Tables) -> None:
        """Do nothing."""


def parts_of(
    replicate: int, arm: int, numbers: NDArray[np.int64], store: Store, most: int
) -> Iterator[tuple[Part, Tables | None]]:
    """Yield the parts that make up an arm, in order, each with its tables where the store has them.

    `numbers` are the arm's patients. Longer parts that are kept go before shorter ones; a new part has at most `most` patients and ends where a kept one
    begins.
    """
    there = sorted(store.stretches(replicate, arm), reverse=True)
    first = 0
    while first < len(numbers):
        for begin, last in there:
            if begin == first and last <= len(numbers):
                part = Part(replicate, arm, first, numbers[first:last])
                tables = store.load(part)
                if tables is not None:
                    break
        else:
            last = min([first + most, len(numbers), *(begin for begin, _ in there if begin > first)])
            part, tables = Part(replicate, arm, first, numbers[first:last]), None
        yield part, tables
        first = last
