"""What a backend must do, and the arrays it works on."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from mesotrial.engine.doses import DoseTable
from mesotrial.engine.state import Floats, State

LANES = 16
"""patients side by side in the compiled backend: two AVX-512 registers, so that one waits for no long chain of the other"""


class Run:
    """The arrays of one advance, copied from the state so that a backend may write into them."""

    def __init__(self, state: State, until: Floats, doses: DoseTable, save_at: Floats) -> None:
        """Copy what changes; `save_at` (n, n_times) is sorted along each row, NaN last."""
        self.parameters, self.derived = state.parameters, state.derived
        self.time = state.time_days.copy()
        self.values = state.values.copy()
        self.step = state.step_days.copy()
        self.code = state.code.copy()
        self.steps = state.steps.copy()
        self.memory = dict(state.memory)
        self.until, self.doses, self.save_at = until, doses, save_at
        self.saved = np.full((*save_at.shape, state.values.shape[1]), np.nan)


class Backend(Protocol):
    """What computes: Numba, or the reference twin. All arrays are C-contiguous."""

    model_states: frozenset[str]
    """all states of the model"""
    states: tuple[str, ...]
    """left after elimination"""
    dead: frozenset[str]
    """states that elimination found to stay zero"""
    exponents: tuple[str, ...]
    """inputs that must be positive"""
    from_cache: bool

    def start(self, parameters: Floats) -> tuple[Floats, Floats]:
        """Return `derived` (n, n_derived) and the initial `values` (n, n_states)."""

    def advance(self, run: Run) -> None:
        """Move every patient of `run` that is OK to its `until`, in place."""

    def observe(self, time: Floats, values: Floats, state: State, samples: int) -> Floats:
        """Return (n_observables, len(time)); sample j belongs to patient j // samples."""


def tolerances(atol: float | Mapping[str, float], states: tuple[str, ...]) -> Floats:
    """Return the absolute tolerance of each state; never zero, so that an error of 0 is always accepted."""
    each = [atol.get(name, 1e-9) for name in states] if isinstance(atol, Mapping) else [atol] * len(states)
    return np.maximum(np.array(each, dtype=np.float64), 1e-300)
