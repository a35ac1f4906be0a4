"""What the engine knows of a batch of patients at a moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from mesotrial.engine.doses import DoseTable

Floats = npt.NDArray[np.float64]


class ResultCode(IntEnum):
    """How the integration of one patient went."""

    OK = 0
    MAX_STEPS = 1
    STEP_TOO_SMALL = 2
    NOT_FINITE = 3

    @property
    def sentence(self) -> str:
        """The code in words."""
        return _SENTENCES[self]


_SENTENCES = {
    ResultCode.OK: "The integration reached the asked time.",
    ResultCode.MAX_STEPS: "The integration needed more steps than allowed.",
    ResultCode.STEP_TOO_SMALL: "The step size fell to the resolution of time: the solution changes too abruptly.",
    ResultCode.NOT_FINITE: "A state or rate became infinite or undefined.",
}


@dataclass(frozen=True)
class State:
    """A batch of patients, each at its own time. Immutable by convention: the simulator returns a new one.

    A patient with a `code` other than `ResultCode.OK` stays at its last good time and values.
    """

    time_days: Floats
    """(n,) days"""
    values: Floats
    """(n, n_states), in the order of `Simulator.states`"""
    parameters: Floats
    """(n, n_inputs), in the order of `Simulator.inputs`"""
    derived: Floats
    """(n, n_derived): what depends on parameters alone, computed once"""
    step_days: Floats
    """(n,) the step size to try next; 0 before the first step, negative where `auto` is to try it as a stiff one"""
    code: npt.NDArray[np.int8]
    """(n,) of ResultCode"""
    steps: npt.NDArray[np.int64]
    """(n,) steps tried so far"""
    pending: DoseTable
    """doses given but not yet, or not yet wholly, absorbed into the states"""
    memory: Mapping[int, Any] = field(default_factory=dict)
    """by patient: what the reference twin remembers of events and delays"""
    saved_times: Floats | None = None
    """(n, n_times) the `save_at` of the last advance, NaN where not reached"""
    saved_values: Floats | None = None
    """(n, n_times, n_states) the states at those times, NaN where not reached"""

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.time_days)

    def take(self, rows: npt.NDArray[Any]) -> "State":
        """Return the patients of `rows` (indices, repeats allowed, or a mask), without saved samples."""
        rows = np.arange(len(self))[np.asarray(rows)]
        return State(
            time_days=self.time_days[rows],
            values=self.values[rows],
            parameters=self.parameters[rows],
            derived=self.derived[rows],
            step_days=self.step_days[rows],
            code=self.code[rows],
            steps=self.steps[rows],
            pending=self.pending.take(rows, len(self)),
            memory={i: self.memory[row] for i, row in enumerate(rows.tolist()) if row in self.memory},
        )
