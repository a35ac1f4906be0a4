"""The reference twin: the same face as the Numba backend, slow and plain, to compare with.

It shares only the equations with the fast backend: no hoisting, no common sub-expressions, no generated source, and
SciPy's integrators (DOP853, Hairer, Norsett and Wanner 1993; LSODA where that gets stuck) at tighter tolerances than
asked. It also runs events and delays, which the fast backend does not.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mesotrial.engine.backend import Run, tolerances
from mesotrial.engine.elimination import dead_states, input_exponents
from mesotrial.engine.equations import Equations
from mesotrial.engine.hybrid import LEAST_STEPS, EventLoop, Memory, Patient
from mesotrial.engine.model import Model
from mesotrial.engine.smooth import StepFailure
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
        self._tolerances = max(_TIGHTER * rtol, _FINEST), _TIGHTER * tolerances(atol, self.states)
        self._inputs = tuple(inputs)
        self._equations = Equations(reduced)
        self._observables = tuple(observables)

    def start(self, parameters: Floats) -> tuple[Floats, Floats]:
        """Return `derived` (empty: the twin computes it where it is used) and the initial values."""
        with np.errstate(all="ignore"):
            values = [self._equations.initial(self._fixed(row)) for row in parameters]
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
                p = j // samples
                patient = self._patient(state.parameters[p], state.memory.get(p), state.time_days[p], state.values[p])
                known = patient.known(time[j], values[j])
                out[:, j] = [known[name] for name in self._observables]
        return out

    def _patient(self, parameters: Floats, memory: Memory | None, time: float, values: Floats) -> Patient:
        return Patient(self._equations, self._fixed(parameters), memory, time, values, self._tolerances)

    def _advance_one(self, run: Run, p: int, rows: slice) -> None:
        start, stop = run.doses.start[rows], run.doses.stop[rows]
        column, amount = run.doses.state[rows], run.doses.amount[rows]
        memory = run.memory[p].copy() if p in run.memory else None
        patient = self._patient(run.parameters[p], memory, float(run.time[p]), run.values[p].copy())
        goal, saves, saved = float(run.until[p]), run.save_at[p], run.saved[p]
        longest = (goal - patient.time) / LEAST_STEPS if self._equations.events else np.inf
        bolus = start == stop

        def sample(began: float, end: float, interpolation: Callable[[float], Floats]) -> None:
            for i in np.flatnonzero(((saves > began) & (saves <= end)) | (saves == end)):
                saved[i] = interpolation(saves[i])

        def dose(now: npt.NDArray[np.bool_]) -> None:
            np.add.at(patient.values, column[now], amount[now])
            patient.settle()
            saved[saves == patient.time] = patient.values

        try:
            dose(bolus & (start <= patient.time))
            for edge in np.unique([e for e in (*start, *stop, goal) if patient.time < e <= goal]).tolist():
                rate = np.zeros(len(self.states))
                running = ~bolus & (start <= patient.time) & (patient.time < stop)
                np.add.at(rate, column[running], amount[running] / (stop - start)[running])
                patient.until(edge, rate, longest, sample)
                dose(bolus & (start == edge))
        except StepFailure as failure:
            run.code[p] = ResultCode.STEP_TOO_SMALL if failure.finite else ResultCode.NOT_FINITE
        except EventLoop:
            run.code[p] = ResultCode.MAX_STEPS
        run.steps[p] += patient.steps
        run.time[p], run.values[p] = patient.time, patient.values
        run.memory[p] = patient.memory

    def _fixed(self, parameters: Floats) -> dict[str, float]:
        return self._equations.fixed(self._inputs, parameters)
