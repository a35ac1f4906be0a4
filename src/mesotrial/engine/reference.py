"""The reference twin: the same face as the Numba backend, slow and plain, to compare with.

It shares only the equations with the fast backend: no hoisting, no common sub-expressions, no generated source, and
SciPy's integrator (DOP853, Hairer, Norsett and Wanner 1993) at tighter tolerances than asked.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy

from mesotrial.engine.backend import Run, tolerances
from mesotrial.engine.elimination import dead_states, input_exponents
from mesotrial.engine.model import TIME, Model, symbol
from mesotrial.engine.state import Floats, ResultCode, State

_TIGHTER = 1e-3  # of the asked tolerances
_FINEST = 1e-12  # the relative tolerance below which DOP853 only meets rounding


class ReferenceBackend:
    """Integrates each patient by itself, from dose to dose. A patient that fails stays at the last dose or advance."""

    from_cache = False

    def __init__(
        self,
        model: Model,
        observables: Sequence[str],
        inputs: Sequence[str],
        dosed: Sequence[str],
        rtol: float,
        atol: float | Mapping[str, float],
    ) -> None:
        """See `compile_model`."""
        reduced = model.reduced(observables, dosed, inputs)
        self.model_states = frozenset(model.states)
        self.states = tuple(reduced.states)
        self.dead = dead_states(model, dosed, inputs)
        self.exponents = input_exponents(model, inputs) if self.dead else ()
        self._rtol = max(_TIGHTER * rtol, _FINEST)
        self._atol = _TIGHTER * tolerances(atol, self.states)
        self._inputs = tuple(inputs)
        self._constants = dict(reduced.constants)
        self._derived = [(name, _function([expression])) for name, expression in reduced.derived.items()]
        self._initial = _function([e.initial for e in reduced.states.values()])
        self._algebra = [(name, _function([expression])) for name, expression in reduced.algebra.items()]
        self._rates = _function([e.rate for e in reduced.states.values()])
        self._observables = tuple(observables)

    def start(self, parameters: Floats) -> tuple[Floats, Floats]:
        """Return `derived` (empty: the twin computes it where it is used) and the initial values."""
        values = [self._initial(self._fixed(row)) for row in parameters]
        return np.empty((len(parameters), 0)), np.array(values).reshape(len(parameters), len(self.states))

    def advance(self, run: Run) -> None:
        """Move the patients of `run` one by one, in place."""
        offsets = run.doses.offsets(len(run.time))
        for p in np.flatnonzero(run.code == ResultCode.OK):
            with np.errstate(all="ignore"):
                self._advance_one(run, int(p), slice(offsets[p], offsets[p + 1]))

    def observe(self, time: Floats, values: Floats, state: State, samples: int) -> Floats:
        """Return every observable (n_observables, len(time))."""
        out = np.empty((len(self._observables), len(time)))
        with np.errstate(all="ignore"):
            for j in range(len(time)):
                known = self._fixed(state.parameters[j // samples])
                self._add_fluid(known, time[j], values[j])
                out[:, j] = [known[name] for name in self._observables]
        return out

    def _advance_one(self, run: Run, p: int, rows: slice) -> None:
        start, stop = run.doses.start[rows], run.doses.stop[rows]
        column, amount = run.doses.state[rows], run.doses.amount[rows]
        fixed = self._fixed(run.parameters[p])
        t, y, goal = run.time[p], run.values[p].copy(), run.until[p]
        bolus = start == stop
        edges = np.unique([e for e in (*start, *stop, goal) if t < e <= goal])
        np.add.at(y, column[bolus & (start <= t)], amount[bolus & (start <= t)])
        for edge in edges:
            rate = np.zeros(len(self.states))
            running = ~bolus & (start <= t) & (t < stop)
            np.add.at(rate, column[running], amount[running] / (stop - start)[running])
            inside = (run.save_at[p] > t) & (run.save_at[p] < edge)
            result = self._solve(fixed, rate, t, edge, y, run.save_at[p][inside])
            run.steps[p] += result.nfev
            if result.status != 0 or not np.isfinite(result.y).all():
                finite = np.isfinite(result.y).all()
                run.code[p] = ResultCode.STEP_TOO_SMALL if finite else ResultCode.NOT_FINITE
                break
            run.saved[p, inside] = result.y.T[:-1]
            t, y = edge, result.y[:, -1]
            np.add.at(y, column[bolus & (start == t)], amount[bolus & (start == t)])
            run.saved[p, run.save_at[p] == t] = y
        run.time[p], run.values[p] = t, y

    def _solve(self, fixed: dict[str, float], rate: Floats, t: float, edge: float, y: Floats, saves: Floats) -> Any:
        from scipy.integrate import solve_ivp

        def slope(time: float, values: Floats) -> Floats:
            known = dict(fixed)
            self._add_fluid(known, time, values)
            return self._rates(known) + rate

        return solve_ivp(
            slope, (t, edge), y, method="DOP853", rtol=self._rtol, atol=self._atol, t_eval=np.append(saves, edge)
        )

    def _fixed(self, parameters: Floats) -> dict[str, float]:
        """Constants, inputs and derived of one patient."""
        known = dict(self._constants) | dict(zip(self._inputs, parameters, strict=True))
        for name, function in self._derived:
            known[name] = function(known)[0]
        return known

    def _add_fluid(self, known: dict[str, float], time: float, values: Floats) -> None:
        """Add time, states and algebra to `known`."""
        known[TIME.name] = time
        known.update(zip(self.states, values, strict=True))
        for name, function in self._algebra:
            known[name] = function(known)[0]


def _function(expressions: Sequence[sympy.Expr]) -> Callable[[Mapping[str, float]], Floats]:
    """Return a function from names and values to the values of `expressions`."""
    names = sorted({s.name for e in expressions for s in e.free_symbols})
    compiled = sympy.lambdify([symbol(name) for name in names], list(expressions), modules="numpy")

    def evaluate(known: Mapping[str, float]) -> Floats:
        return np.array(compiled(*(np.float64(known[name]) for name in names)), dtype=np.float64)

    return evaluate
