"""Integration between two sudden changes, for the reference twin."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mesotrial.engine.state import Floats

_PATIENCE = 2_000  # steps of the explicit method in one stretch; then the problem counts as stiff
_MOST_STEPS = 100_000
_LONG = 1e12  # for fast reactions to come to rest
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


def equilibrium(rates: Callable[[Floats], Floats], count: int, size: float) -> Floats:
    """Return where `count` reactions that turn at `rates` of their own turns come to rest, from 0 turns each.

    size: about how many turns are many.

    Raises:
        StepFailure: they do not, within a very long time.
    """
    from scipy.integrate import LSODA

    turns, first = np.zeros(count), rates(np.zeros(count))
    if not np.isfinite(first).all():
        raise StepFailure(finite=False)
    if not first.any():
        return turns
    step = _newton(rates, turns, size)
    if step is not None and np.abs(step).max() <= 1e-9 * size:  # they were at rest
        return step
    goal, look = np.abs(first).max(), 1e-6
    solver: Any = LSODA(lambda _, x: rates(x), 0.0, turns, _LONG, rtol=1e-10, atol=1e-12 * size)
    for _ in range(_MOST_STEPS):
        solver.step()
        left = np.abs(rates(solver.y)).max() / goal
        if left <= look:
            look = left / 100
            near = _closer(rates, solver.y.copy(), size)
            if np.abs(near - solver.y).max() <= 1e-3 * size and np.abs(rates(near)).max() <= 1e-12 * goal:
                return near
        if solver.status == "finished" and left <= 1e-9:
            return np.array(solver.y)
        if solver.status != "running":
            break
    raise StepFailure(finite=bool(np.isfinite(solver.y).all()))


def _closer(rates: Callable[[Floats], Floats], turns: Floats, size: float) -> Floats:
    """Improve a root of `rates` by Newton's method, as long as that helps."""
    worst = np.abs(rates(turns)).max()
    for _ in range(5):
        step = _newton(rates, turns, size)
        if step is None or not (error := np.abs(rates(turns + step)).max()) < worst:
            break
        turns, worst = turns + step, error
    return turns


def _newton(rates: Callable[[Floats], Floats], turns: Floats, size: float) -> Floats | None:
    """Return the step of Newton's method to a root of `rates`, if there is one."""
    away = 1e-6 * size * np.eye(len(turns))
    slopes = np.array([(rates(turns + d) - rates(turns - d)) / (2e-6 * size) for d in away]).T
    try:
        return -np.linalg.solve(slopes, rates(turns))
    except np.linalg.LinAlgError:
        return None
