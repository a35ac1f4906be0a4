"""The simulator: start, advance and observe a batch of patients."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from mesotrial.engine.backend import Backend, Run
from mesotrial.engine.doses import Doses, DoseTable
from mesotrial.engine.errors import ModelError, unknown_name
from mesotrial.engine.state import Floats, ResultCode, State

if TYPE_CHECKING:
    from mesotrial.engine.model import Model


def compile_model(
    model: "Model | str | Path",
    *,
    observables: Sequence[str],
    inputs: Sequence[str] = (),
    dosed: Sequence[str] = (),
    rtol: float = 1e-6,
    atol: float | Mapping[str, float] = 1e-9,
    max_steps: int = 100_000,
    backend: Literal["numba", "cuda", "reference"] = "numba",
    threads: int | None = None,
    method: Literal["tsit5", "rosenbrock", "auto"] = "tsit5",
) -> "Simulator":
    """Compile `model` for a batch of patients.

    model: from `load_model`, or what `load_model` takes; given as text it need not even be read when its kernel is on
    the disk, which saves a second.
    inputs: constants that differ between patients; every other constant is fixed at its value. dosed: states that may
    receive doses. atol: one number, or one per state by name (states not named: 1e-9). max_steps: per patient and
    advance. threads: how many to use, by default all that the process may use; results do not depend on it. method: of
    the compiled backend: Tsit5 (explicit, of order 5), Rodas4P (Rosenbrock, of order 4, for stiff models), or Tsit5 that
    goes over to Rodas4P while a patient's problem is stiff. backend: compiled for the processor, for an NVIDIA GPU, or the
    slow and readable twin.

    Raises:
        ModelError: a name that the model does not have, a constant without a value, or `cuda` without a GPU.
    """
    began = time.perf_counter()
    observables, inputs, dosed = tuple(observables), tuple(inputs), tuple(dosed)
    if not rtol > 0 or (threads is not None and threads < 1):
        raise ValueError(f"rtol must be positive and threads at least 1, not {rtol} and {threads}")
    if method not in ("tsit5", "rosenbrock", "auto"):
        raise ValueError(f"method must be tsit5, rosenbrock or auto, not {method}")
    if backend not in ("numba", "cuda", "reference"):
        raise ValueError(f"backend must be numba, cuda or reference, not {backend}")
    built: Backend
    if isinstance(model, Path) or (isinstance(model, str) and ("\n" not in model or backend == "reference")):
        from mesotrial.engine.sbml import load_model

        model = load_model(model)
    if backend == "reference" and not isinstance(model, str):
        from mesotrial.engine.reference import ReferenceBackend

        built = ReferenceBackend(model, observables, inputs, dosed, rtol, atol)
    elif backend == "cuda":
        from mesotrial.engine.cuda_backend import CudaBackend

        built = CudaBackend(model, observables, inputs, dosed, rtol, atol, max_steps, threads, method)
    else:
        from mesotrial.engine.numba_backend import NumbaBackend

        built = NumbaBackend(model, observables, inputs, dosed, rtol, atol, max_steps, threads, method)
    return Simulator(built, observables, inputs, dosed, time.perf_counter() - began)


class Simulator:
    """A compiled model. Make one with `compile_model`."""

    def __init__(
        self,
        backend: Backend,
        observables: tuple[str, ...],
        inputs: tuple[str, ...],
        dosed: tuple[str, ...],
        compile_seconds: float,
    ) -> None:
        """Give the backend its face."""
        self.inputs = inputs
        """names of the columns of `parameters`"""
        self.observables = observables
        """what `observe` can return"""
        self.states = backend.states
        """names of the columns of `State.values`: the states left after elimination"""
        self.compile_seconds = compile_seconds
        """seconds that `compile_model` took"""
        self.from_cache = backend.from_cache
        """whether the machine code came from the disk"""
        self._dosed = frozenset(dosed)
        self._column = {name: i for i, name in enumerate(self.states)}
        self._row = {name: i for i, name in enumerate(observables)}
        self._backend = backend

    def start(
        self,
        parameters: npt.ArrayLike,
        *,
        time_days: float = 0.0,
        initial: Mapping[str, npt.ArrayLike] | None = None,
    ) -> State:
        """Return the batch at its start.

        parameters: (n_patients, n_inputs) in the order of `inputs`. initial: values (n_patients,) or one number that
        replace the model's initial values, by state.

        Raises:
            ValueError: a wrong shape, an unknown state, an exponent that is not positive, or an initial value for a
                state that was removed because it stays zero.
        """
        parameters = np.ascontiguousarray(parameters, dtype=np.float64)
        if parameters.ndim != 2 or parameters.shape[1] != len(self.inputs):
            raise ValueError(f"parameters has shape {parameters.shape}, expected (n_patients, {len(self.inputs)})")
        for name in self._backend.exponents:
            column = parameters[:, self.inputs.index(name)]
            if (column <= 0).any():
                patient = int(np.argmax(column <= 0))
                raise ModelError(f"{name} is an exponent and must be positive: patient {patient} has {column[patient]}")
        derived, values = self._backend.start(parameters)
        for name, value in (initial or {}).items():
            self._set_initial(values, name, np.asarray(value, dtype=np.float64))
        n = len(parameters)
        finite = np.isfinite(values).all(axis=1)
        return State(
            time_days=np.full(n, float(time_days)),
            values=values,
            parameters=parameters,
            derived=derived,
            step_days=np.zeros(n),
            code=np.where(finite, ResultCode.OK, ResultCode.NOT_FINITE).astype(np.int8),
            steps=np.zeros(n, dtype=np.int64),
            pending=DoseTable.empty(),
        )

    def advance(
        self,
        state: State,
        *,
        until: float | npt.ArrayLike,
        doses: Doses | None = None,
        save_at: npt.ArrayLike | None = None,
    ) -> State:
        """Return the batch at `until` (days, one number or (n_patients,)).

        doses: any time from each patient's present on; those after `until`, and infusions that outlast it, stay
        pending in the returned state. save_at: (n_times,) or (n_patients, n_times); the states there are kept for
        `observe_saved`. A patient that fails gets its code and stays at its last good state.

        Raises:
            ValueError: `until` or a dose lies in the past of its patient, or a dose goes to a state that is not dosed.
        """
        n = len(state)
        goal = np.array(np.broadcast_to(np.asarray(until, dtype=np.float64), (n,)))
        fine = state.code == ResultCode.OK
        late = fine & ~((goal >= state.time_days) & (goal < np.inf))
        if late.any():
            patient = int(np.argmax(late))
            raise ValueError(
                f"until is {goal[patient]} days for patient {patient}, who is already at {state.time_days[patient]}"
            )
        table = state.pending if doses is None else state.pending.merged(self._table(doses, state))
        times = _save_times(save_at, n)
        order = None
        if times.shape[1] > 1 and not (np.diff(times, axis=1) >= 0).all():
            order = np.argsort(times, axis=1, kind="stable")  # NaN goes last
        run = Run(state, goal, table, times if order is None else np.take_along_axis(times, order, axis=1))
        self._backend.advance(run)
        if order is not None:
            saved = np.empty_like(run.saved)
            np.put_along_axis(saved, order[:, :, None], run.saved, axis=1)
            run.saved = saved
        return State(
            time_days=run.time,
            values=run.values,
            parameters=state.parameters,
            derived=state.derived,
            step_days=run.step,
            code=run.code,
            steps=run.steps,
            pending=_still_pending(table, goal, run.code),
            memory=run.memory,
            saved_times=None if save_at is None else _reached_times(times, state.time_days, run.time),
            saved_values=None if save_at is None else run.saved,
        )

    def observe(self, state: State, names: Sequence[str]) -> dict[str, Floats]:
        """Return each named observable (n_patients,) at each patient's present time."""
        rows = self._rows(names)
        seen = self._backend.observe(state.time_days, state.values, state, 1)
        return {name: seen[row] for name, row in rows.items()}

    def observe_saved(self, state: State, names: Sequence[str]) -> dict[str, Floats]:
        """Return each named observable (n_patients, n_times) at `save_at` of the last advance.

        NaN where that time is NaN, not in (start, until] of the patient, or was not reached.

        Raises:
            ValueError: the last advance had no `save_at`.
        """
        if state.saved_times is None or state.saved_values is None:
            raise ValueError("There are no saved samples: give save_at to advance")
        rows = self._rows(names)
        n, samples = state.saved_times.shape
        values = np.ascontiguousarray(state.saved_values.reshape(n * samples, len(self.states)))
        seen = self._backend.observe(state.saved_times.reshape(-1), values, state, samples)
        missing = np.isnan(state.saved_times)
        return {name: np.where(missing, np.nan, seen[row].reshape(n, samples)) for name, row in rows.items()}

    def _set_initial(self, values: Floats, name: str, value: Floats) -> None:
        if name not in self._backend.model_states:
            raise ValueError(unknown_name("state", name, self._backend.model_states))
        if name in self._column:
            values[:, self._column[name]] = value
        elif name in self._backend.dead and (value != 0).any():
            raise ValueError(f"{name} was removed because it stays zero; name it in dosed to start it elsewhere")

    def _rows(self, names: Sequence[str]) -> dict[str, int]:
        for name in names:
            if name not in self._row:
                raise ValueError(unknown_name("observable", name, self._row))
        return {name: self._row[name] for name in names}

    def _table(self, doses: Doses, state: State) -> DoseTable:
        """Check doses and translate the names of states; doses to removed states and failed patients are dropped."""
        for name in doses.names:
            if name not in self._dosed:
                kind = "dosed state" if name not in self._backend.model_states else "state named in dosed"
                raise ValueError(f"Doses: {unknown_name(kind, name, self._dosed)}")
        outside = (doses.patient < 0) | (doses.patient >= len(state))
        if outside.any():
            row = int(np.argmax(outside))
            raise ValueError(f"Doses: row {row} is for patient {doses.patient[row]}, the batch has {len(state)}")
        fine = state.code[doses.patient] == ResultCode.OK
        past = fine & (doses.time_days < state.time_days[doses.patient])
        if past.any():
            row = int(np.argmax(past))
            patient = doses.patient[row]
            raise ValueError(
                f"Doses: patient {patient} is at day {state.time_days[patient]}, the dose of {doses.names[doses.which[row]]} at day "
                f"{doses.time_days[row]} lies in the past"
            )
        column = np.array([self._column.get(name, -1) for name in doses.names], dtype=np.int64)[doses.which]
        table = DoseTable(doses.patient, doses.time_days, doses.time_days + doses.duration_days, column, doses.amount)
        acting = fine & (column >= 0)
        return table if acting.all() else table.rows(acting)


def _save_times(save_at: npt.ArrayLike | None, n: int) -> Floats:
    if save_at is None:
        return np.empty((n, 0))
    times = np.atleast_1d(np.asarray(save_at, dtype=np.float64))
    if times.ndim == 2 and len(times) != n:
        raise ValueError(f"save_at has {len(times)} rows for {n} patients")
    return np.array(np.broadcast_to(times, (n, times.shape[-1])), order="C")


def _reached_times(times: Floats, start: Floats, stop: Floats) -> Floats:
    return np.where((times > start[:, None]) & (times <= stop[:, None]), times, np.nan)


def _still_pending(table: DoseTable, until: Floats, code: npt.NDArray[np.int8]) -> DoseTable:
    """What has not wholly acted by `until`; a patient that failed needs nothing more."""
    if not len(table):
        return table
    reached = until[table.patient]
    unfinished = (table.start > reached) | (table.stop > reached)
    return table.rows(unfinished & (code[table.patient] == ResultCode.OK))
