"""Integration between two sudden changes, for the reference twin."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mesotrial.engine.state import Floats

_PATIENCE = 2_000  # steps of the explicit method in one stretch; then the problem counts as stiff
_MOST_STEPS = 100_000
Piece = tuple[float, float, Callable[[], Callable[[float], Floats]]]
"""start and end of one step, and what makes its interpolation (at a cost, and before the next step)"""


class StepFailure(Exception):  # noqa: N818 (a failure of the problem, not of the program)
    """The integration cannot go on; says whether the numbers were finite."""

    def __init__(self, *, finite: bool) -> None:
        """Remember the reason."""
        super().__init__()
        self.finite = finite


class Stretch:
    """Steps of SciPy's DOP853 from `time` to `edge`, and of its LSODA when they become too many."""

    def __init__(
        self,
        slope: Callable[[float, Floats], Floats],
        time: float,
        values: Floats,
        edge: float,
        rtol: float,
        atol: Floats,
    ) -> None:
        """Prepare; nothing is evaluated before the first step."""
        from scipy.integrate import DOP853

        self.time, self.values, self.steps = time, values, 0
        self._slope, self._edge, self._rtol, self._atol = slope, edge, rtol, atol
        self._solver: Any = DOP853(slope, time, values, edge, rtol=rtol, atol=atol) if len(values) else None

    def step(self, longest: float = np.inf) -> Piece:
        """Take one step, no longer than `longest`.

        Raises:
            StepFailure: the step size fell too far, or a number became infinite or undefined.
        """
        began = self.time
        if self._solver is None:
            self.time = min(self._edge, began + longest)
            nothing = self.values
            return began, self.time, lambda: lambda _: nothing
        self.steps += 1
        if self.steps == _PATIENCE:
            from scipy.integrate import LSODA

            self._solver = LSODA(self._slope, began, self.values, self._edge, rtol=self._rtol, atol=self._atol)
        self._solver.max_step = longest
        self._solver.step()
        self.values = self._solver.y
        finite = bool(np.isfinite(self.values).all())
        if self._solver.status == "failed" or not finite or self.steps > _MOST_STEPS:
            raise StepFailure(finite=finite)
        self.time = self._solver.t
        return began, self.time, self._solver.dense_output
