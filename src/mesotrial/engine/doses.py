"""Doses as flat columns, and the sorted table that the integrators read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Doses:
    """Doses of a batch, one row each, in any order.

    A dose at time t acts before an observation at t; doses at equal times act in the given order.
    """

    patient: Ints
    """row of the patient in the batch"""
    time_days: Floats
    """start, in the model's time"""
    names: tuple[str, ...]
    """the states that receive doses"""
    which: Ints
    """of `names`, the state of each row"""
    amount: Floats
    """in the unit of that state"""
    duration_days: Floats
    """of a constant-rate infusion; 0 is a bolus"""

    def __init__(
        self,
        patient: npt.ArrayLike,
        time_days: npt.ArrayLike,
        state: str | Sequence[str] | npt.NDArray[Any],
        amount: npt.ArrayLike,
        duration_days: npt.ArrayLike = 0.0,
    ) -> None:
        """Take the columns; a scalar stands for every row of `patient`.

        Raises:
            ValueError: columns of different length, a number that is not finite, or a negative duration.
        """
        self.patient = np.atleast_1d(np.asarray(patient, dtype=np.int64))
        n = len(self.patient)
        self.time_days = _column("time_days", time_days, n)
        self.amount = _column("amount", amount, n)
        self.duration_days = _column("duration_days", duration_days, n)
        place: dict[str, int] = {}
        states = [state] * n if isinstance(state, str) else np.asarray(state, dtype=str).tolist()
        if len(states) != n:
            raise ValueError(f"Doses: state has {len(states)} rows, patient has {n}")
        self.which = np.array([place.setdefault(name, len(place)) for name in states], dtype=np.int64)
        self.names = tuple(place)
        if (self.duration_days < 0).any():
            row = int(np.argmax(self.duration_days < 0))
            raise ValueError(f"Doses: duration_days is negative in row {row}: {self.duration_days[row]}")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.patient)

    @property
    def state(self) -> list[str]:
        """Name of the state that receives the dose, of each row."""
        return [self.names[i] for i in self.which]


def _column(name: str, values: npt.ArrayLike, n: int) -> Floats:
    column = np.asarray(values, dtype=np.float64)
    if column.ndim == 0:
        column = np.full(n, column)
    if column.shape != (n,):
        raise ValueError(f"Doses: {name} has shape {column.shape}, patient has {n} rows")
    if not np.isfinite(column).all():
        row = int(np.argmin(np.isfinite(column)))
        raise ValueError(f"Doses: {name} is not a finite number in row {row}: {column[row]}")
    return column


@dataclass(frozen=True)
class DoseTable:
    """Doses sorted by patient and start. A bolus has `stop` == `start`."""

    patient: Ints
    start: Floats
    stop: Floats
    state: Ints
    """column of the state in `State.values`"""
    amount: Floats

    @staticmethod
    def empty() -> "DoseTable":
        """Return a table without doses."""
        nothing, no_index = np.empty(0), np.empty(0, dtype=np.int64)
        return DoseTable(no_index, nothing, nothing, no_index, nothing)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.patient)

    def offsets(self, n_patients: int) -> Ints:
        """Return (n_patients + 1,): the rows of patient p are offsets[p] to offsets[p + 1]."""
        return np.searchsorted(self.patient, np.arange(n_patients + 1)).astype(np.int64)

    def rows(self, which: npt.NDArray[Any]) -> "DoseTable":
        """Return the rows that the index or mask `which` selects."""
        return DoseTable(
            self.patient[which], self.start[which], self.stop[which], self.state[which], self.amount[which]
        )

    def take(self, patients: Ints, n_patients: int) -> "DoseTable":
        """Return the doses of `patients`, renumbered by position in that list (repeats allowed)."""
        if not len(self):
            return self
        offsets = self.offsets(n_patients)
        first, counts = offsets[patients], np.diff(offsets)[patients]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        chosen = self.rows(np.repeat(first, counts) + within)
        renumbered = np.repeat(np.arange(len(patients)), counts)
        return DoseTable(renumbered, chosen.start, chosen.stop, chosen.state, chosen.amount)

    def merged(self, other: "DoseTable") -> "DoseTable":
        """Return both tables in one, sorted; at equal times this table's doses come first."""
        joined = other
        if len(self):
            joined = DoseTable(
                np.concatenate([self.patient, other.patient]),
                np.concatenate([self.start, other.start]),
                np.concatenate([self.stop, other.stop]),
                np.concatenate([self.state, other.state]),
                np.concatenate([self.amount, other.amount]),
            )
        return joined.rows(np.lexsort((joined.start, joined.patient)))
