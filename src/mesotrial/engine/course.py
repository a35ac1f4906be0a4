"""The course of a batch of patients under an event table: doses, resets and steady states."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mesotrial.engine.doses import Doses, DoseTable
from mesotrial.engine.nonmem import EventTable, Restart, SteadyDose
from mesotrial.engine.simulator import Simulator
from mesotrial.engine.state import Floats, ResultCode, State

_MOST_INTERVALS = 2_000  # after which a state that still changes is said to have no steady state
_STEADY = 1e-7  # relative distance from the steady state


class SteadyStateError(ValueError):
    """A patient has no steady state under a dose with SS; the message names the state that does not settle."""


@dataclass(frozen=True)
class Course:
    """What happened: `values` name to (n_patients, n_times), NaN after a failure, and the final `state`."""

    values: Mapping[str, Floats]
    state: State


def run_events(
    simulator: Simulator,
    parameters: npt.ArrayLike,
    events: EventTable,
    *,
    save_at: npt.ArrayLike,
    initial: Mapping[str, npt.ArrayLike] | None = None,
    time_days: float = 0.0,
) -> Course:
    """Simulate the patients of `events` and return every observable at the days `save_at` (n_times,), ascending.

    parameters: (n_patients, n_inputs), patients in the order of `events`. initial: as in `Simulator.start`; a reset returns
    to it. The simulation ends at the last of `save_at`. The simulator must have the `dosed` states of the events.

    Raises:
        SteadyStateError: a state keeps changing under a dose with SS. ValueError: an event before `time_days`, or `save_at` empty, not
            ascending or before it.
    """
    times = np.atleast_1d(np.asarray(save_at, dtype=np.float64))
    if times.ndim != 1 or not times.size or not (times >= time_days).all() or not (np.diff(times) >= 0).all():
        raise ValueError(f"save_at must be days in ascending order from the start at day {time_days:g}, at least one")
    early = [r.time_days for each in events.restarts for r in each if r.time_days < time_days]
    if early:
        raise ValueError(f"A reset at day {early[0]:g} lies before the start at day {time_days:g}")
    goal = float(times[-1])
    state = simulator.start(parameters, time_days=time_days, initial=initial)
    first, n = state, len(state)
    values = {name: np.full((n, len(times)), np.nan) for name in simulator.observables}
    most = max(len(each) for each in events.restarts)
    for part in range(most + 1):
        if part:
            here = [each[part - 1] if len(each) >= part else None for each in events.restarts]
            chosen = [r if r is not None and r.time_days <= goal else None for r in here]
            state = _restart(simulator, state, first, chosen)
        ends = [each[part].time_days if len(each) > part else goal for each in events.restarts]
        until = np.maximum(np.minimum(ends, goal), state.time_days)
        # Doses of this very moment act before the first sample.
        state = simulator.advance(state, until=state.time_days, doses=events.doses(part))
        _store(values, simulator.observe(state, simulator.observables), times, state)
        state = simulator.advance(state, until=until, save_at=times)
        for name, saved in simulator.observe_saved(state, simulator.observables).items():
            values[name] = np.where(np.isnan(saved), values[name], saved)
    return Course(values, state)


def _store(values: Mapping[str, Floats], seen: Mapping[str, Floats], times: Floats, state: State) -> None:
    now = (times == state.time_days[:, None]) & (state.code == ResultCode.OK)[:, None]
    for name, value in seen.items():
        values[name][now] = np.broadcast_to(value[:, None], now.shape)[now]


def _restart(simulator: Simulator, state: State, first: State, restarts: Sequence[Restart | None]) -> State:
    """Return `state` with the patients of `restarts` at their new beginning, without pending doses."""
    who = np.array([r is not None for r in restarts]) & (state.code == ResultCode.OK)
    values = np.where(who[:, None], first.values, state.values)
    pending = state.pending.rows(~who[state.pending.patient])
    for patient, restart in enumerate(restarts):
        if who[patient] and restart is not None and restart.steady is not None:
            alone = first.take(np.array([patient]))
            settled = _steady(simulator, alone, restart.time_days, restart.steady)
            values[patient] = settled.values[0]
            table = settled.pending
            renumbered = np.full(len(table), patient)
            pending = pending.merged(DoseTable(renumbered, table.start, table.stop, table.state, table.amount))
    memory = {patient: past for patient, past in state.memory.items() if not who[patient]}
    steps = np.where(who, 0.0, state.step_days)
    return dataclasses.replace(
        state, values=values, pending=pending, step_days=steps, memory=memory, saved_times=None, saved_values=None
    )


def _steady(simulator: Simulator, state: State, time: float, dose: SteadyDose) -> State:
    """Return one patient at `time`, just before the next dose, after as many doses as it takes.

    The clock is set back after every interval. The remaining distance is estimated from the last two changes, which
    shrink geometrically near the steady state.
    """
    interval = dose.interval_days or 1.0
    duration = dose.duration_days if dose.interval_days else interval
    again = Doses(
        [0], [time - interval], [dose.state], [dose.amount * (1 if dose.interval_days else interval)], duration
    )
    state = dataclasses.replace(state, time_days=np.array([time - interval]))
    change = np.full(state.values.shape[1], np.inf)
    for _ in range(_MOST_INTERVALS):
        after = simulator.advance(state, until=time, doses=again)
        if after.code[0] != ResultCode.OK:
            raise SteadyStateError(f"No steady state of doses to {dose.state}: {ResultCode(after.code[0]).sentence}")
        before, change = change, np.abs(after.values - state.values)[0]
        if _settled(after.values[0], before, change):
            return after
        pending = after.pending
        state = dataclasses.replace(
            after,
            time_days=after.time_days - interval,
            step_days=np.zeros(1),  # equal steps in every interval, lest their noise hide the limit
            pending=dataclasses.replace(pending, start=pending.start - interval, stop=pending.stop - interval),
        )
    worst = simulator.states[int(np.argmax(change / np.maximum(np.abs(after.values[0]), 1e-300)))]
    raise SteadyStateError(
        f"Doses to {dose.state} every {interval:g} days lead to no steady state: {worst} still changes after "
        f"{_MOST_INTERVALS} intervals"
    )


def _settled(values: Floats, before: Floats, change: Floats) -> bool:
    """Tell whether every state is near the limit of a geometric approach, or has stopped."""
    ratio = change / np.where(np.isfinite(before) & (before > 0), before, change + 1e-300)
    left = np.where(ratio < 1, change * ratio / np.maximum(1 - ratio, 1e-12), np.inf)
    return bool(((left <= _STEADY * np.abs(values)) | (change <= 1e-11 * np.abs(values) + 1e-12)).all())
