"""What is written down as the trial goes: rows in batches, columns by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Journal"]


class Journal:
    """A growing table of numeric columns; every batch brings all columns, in equal length."""

    def __init__(self, *columns: str) -> None:
        """Name the columns."""
        self._batches: dict[str, list[NDArray[Any]]] = {name: [] for name in columns}

    def add(self, **batch: NDArray[Any]) -> None:
        """Append one batch of rows."""
        for name, batches in self._batches.items():
            batches.append(batch[name])

    def __getitem__(self, column: str) -> NDArray[Any]:
        """Return a whole column, shape (n_rows,)."""
        batches = self._batches[column]
        return np.concatenate(batches) if batches else np.empty(0, dtype=np.int64)
