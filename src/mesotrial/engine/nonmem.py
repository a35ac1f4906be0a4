"""NONMEM event rows: a table of doses, observations and resets, one row each."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mesotrial.engine.doses import Doses
from mesotrial.engine.errors import unknown_name

_MOST_DOSES = 1_000_000  # of one table, additional doses counted
_LISTED = 20  # states in one message
_NUMBERS = ("TIME", "EVID", "AMT", "RATE", "DUR", "II", "ADDL", "SS")
_OBSERVATION, _DOSE, _OTHER, _RESET, _RESET_AND_DOSE = range(5)


class EventError(ValueError):
    """A row of an event table that cannot be; the message names the row (the header is row 1)."""


@dataclass(frozen=True)
class SteadyDose:
    """A dose repeated since ever: every `interval_days`, or without pause when that is 0 (then `amount` is per day)."""

    state: str
    amount: float
    duration_days: float
    interval_days: float


@dataclass(frozen=True)
class Restart:
    """A patient begins anew: at the model's initial values, or at the steady state of a dose."""

    time_days: float
    steady: SteadyDose | None


@dataclass(frozen=True)
class Dose:
    """One dose; `part` counts the restarts of its patient that came before it."""

    patient: int
    part: int
    time_days: float
    state: str
    amount: float
    duration_days: float


@dataclass(frozen=True)
class EventTable:
    """What `read_events` found. Patients are numbered in order of appearance."""

    patients: tuple[str, ...]
    """their ID, as written"""
    every_dose: tuple[Dose, ...]
    """additional doses written out"""
    restarts: tuple[tuple[Restart, ...], ...]
    """of each patient, in order"""
    observations: tuple[tuple[float, ...], ...]
    """of each patient: the days of EVID 0, in order"""

    def doses(self, part: int | None = None) -> Doses:
        """Return all doses, or those between each patient's restarts number `part` - 1 and `part`."""
        rows = [d for d in self.every_dose if part is None or d.part == part]
        return Doses(
            [d.patient for d in rows],
            [d.time_days for d in rows],
            [d.state for d in rows],
            [d.amount for d in rows],
            [d.duration_days for d in rows],
        )

    def some(self, first: int, end: int) -> "EventTable":
        """Return the patients number `first` to `end` - 1 alone."""
        if (first, end) == (0, len(self.patients)):
            return self
        doses = (replace(d, patient=d.patient - first) for d in self.every_dose if first <= d.patient < end)
        return EventTable(
            self.patients[first:end], tuple(doses), self.restarts[first:end], self.observations[first:end]
        )

    def dosed(self) -> tuple[str, ...]:
        """Return the states that receive doses, in order of first use."""
        steady = (r.steady for each in self.restarts for r in each)
        names = [*(s.state for s in steady if s is not None), *(d.state for d in self.every_dose)]
        return tuple(dict.fromkeys(names))


def read_events(
    source: str | Path | Mapping[str, Sequence[Any]],
    states: Sequence[str],
    *,
    patients: Sequence[str] | None = None,
    start_days: float = float("-inf"),
) -> EventTable:
    """Read NONMEM event rows from a CSV file or from columns by name.

    Columns (any case): ID (one patient when absent), TIME in days, EVID (0 observation, 1 dose, 2 other, 3 reset, 4 reset and
    dose; when absent a row with AMT is a dose), AMT in the unit of the state, RATE per day or DUR in days of an infusion, CMT
    (a name of `states`, or its number from 1 in their order; may be absent when there is one), II in days, ADDL, SS. Empty or `.` is 0;
    other columns are ignored. A dose acts before an observation at the same time, whatever the order of the rows. A reset
    (EVID 3 and 4) sets the model's initial values, ends running infusions and cancels additional doses to come; SS 1
    starts at the steady state that the dose every II days leads to.

    patients: the ID of each patient of the batch, in order, where it is known from elsewhere; a patient without rows is not
    dosed, and rows of a table without an ID column are for every patient. start_days: no row may come before it.

    Raises:
        EventError: a row that breaks a rule of these, with its number. OSError: the file cannot be read.
    """
    reader, everyone = None, False
    for number, row in _rows(source):
        if reader is None:
            everyone = patients is not None and "ID" not in row
            reader = _Reader(tuple(states), None if everyone else patients, start_days)
        reader.add(number, row)
    if reader is None:
        raise EventError("The event table has no rows")
    return _for_everyone(reader.table(), tuple(patients)) if patients is not None and everyone else reader.table()


def _for_everyone(table: EventTable, patients: tuple[str, ...]) -> EventTable:
    """Return the one patient of `table` as many."""
    if len(table.every_dose) * len(patients) > _MOST_DOSES:
        raise EventError(f"The table gives more than {_MOST_DOSES:,} doses to its {len(patients):,} patients")
    doses = [replace(dose, patient=i) for i in range(len(patients)) for dose in table.every_dose]
    return EventTable(patients, tuple(doses), table.restarts * len(patients), table.observations * len(patients))


def _rows(source: str | Path | Mapping[str, Sequence[Any]]) -> Iterator[tuple[int, dict[str, str]]]:
    if isinstance(source, Mapping):
        names = [name.strip().upper() for name in source]
        columns = list(source.values())
        if len({len(column) for column in columns}) > 1:
            raise EventError("The columns of the event table differ in length")
        for i, cells in enumerate(zip(*columns, strict=True)):
            yield i + 2, {n: "" if v is None else str(v).strip() for n, v in zip(names, cells, strict=True)}
        return
    with Path(source).open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file)
        try:
            yield from _lines(lines)
        except (UnicodeDecodeError, csv.Error) as error:
            raise EventError(f"After row {lines.line_num}: this is no CSV text in UTF-8 ({error})") from error


def _lines(lines: Any) -> Iterator[tuple[int, dict[str, str]]]:
    names = [name.strip().upper() for name in next(lines, [])]
    if "TIME" not in names:
        raise EventError("Row 1 of the event table must name the columns, TIME among them")
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise EventError(f"Row 1: the column {twice[0]} is given twice")
    for values in lines:
        if any(value.strip() for value in values):
            if len(values) != len(names):
                raise EventError(f"Row {lines.line_num}: {len(values)} fields, the header has {len(names)}")
            yield lines.line_num, {n: v.strip() for n, v in zip(names, values, strict=True)}


class _Reader:
    """Takes the rows one by one."""

    def __init__(self, states: tuple[str, ...], patients: Sequence[str] | None, start_days: float) -> None:
        self.states = states
        self.start = start_days
        self.patients: dict[str, int] = {}
        self.doses: list[Dose] = []
        self.restarts: list[list[Restart]] = []
        self.observations: list[list[float]] = []
        self.last: list[float] = []
        for name in patients or ():
            self._new(name)
        self.closed = patients is not None

    def table(self) -> EventTable:
        doses = (d for d in self.doses if not self._cancelled(d))
        return EventTable(
            tuple(self.patients), tuple(doses), tuple(map(tuple, self.restarts)), tuple(map(tuple, self.observations))
        )

    def _cancelled(self, dose: Dose) -> bool:
        """Tell whether the patient began anew before this additional dose."""
        later = self.restarts[dose.patient][dose.part :]
        return bool(later) and dose.time_days >= later[0].time_days

    def add(self, number: int, row: Mapping[str, str]) -> None:
        values = {name: _number(number, name, row.get(name, "")) for name in _NUMBERS}
        time = values["TIME"]
        patient = self._patient(number, row.get("ID", "1") or "1", time)
        evid = values["EVID"]
        if row.get("EVID", "") in ("", "."):
            evid = _DOSE if values["AMT"] or values["RATE"] else _OBSERVATION
        if evid not in range(5):
            raise EventError(f"Row {number}: EVID is {evid:g}, not 0 (observation), 1 (dose), 2, 3 (reset) or 4")
        if evid in (_DOSE, _RESET_AND_DOSE):
            self._dose(number, patient, time, values, row.get("CMT", ""), reset=evid == _RESET_AND_DOSE)
            return
        for name in ("AMT", "RATE", "DUR", "II", "ADDL", "SS"):
            if values[name]:
                raise EventError(
                    f"Row {number}: {name} is {values[name]:g} in a row that gives no dose (EVID {evid:g})"
                )
        if evid == _RESET:
            self.restarts[patient].append(Restart(time, None))
        elif evid == _OBSERVATION:
            self.observations[patient].append(time)

    def _patient(self, number: int, name: str, time: float) -> int:
        if name not in self.patients:
            if self.closed:
                raise EventError(f"Row {number}: ID {name} is no patient of the batch")
            self._new(name)
        if time < self.start:
            raise EventError(f"Row {number}: TIME is {time:g}, before the start at day {self.start:g}")
        patient = self.patients[name]
        if time < self.last[patient]:
            raise EventError(
                f"Row {number}: TIME {time:g} of ID {name} comes after {self.last[patient]:g}: sort the rows"
            )
        self.last[patient] = time
        return patient

    def _new(self, name: str) -> None:
        self.patients[name] = len(self.patients)
        self.restarts.append([])
        self.observations.append([])
        self.last.append(float("-inf"))

    def _dose(
        self, number: int, patient: int, time: float, values: Mapping[str, float], cmt: str, *, reset: bool
    ) -> None:
        state = self._state(number, cmt)
        amount, interval, more, steady = (values[name] for name in ("AMT", "II", "ADDL", "SS"))
        endless = bool(steady) and amount == 0 and values["RATE"] > 0
        duration = 0.0 if endless else _duration(number, values)
        _check_repeats(number, interval, more, steady, endless)
        if reset or steady:
            before = SteadyDose(state, values["RATE"] if endless else amount, duration, interval)
            self.restarts[patient].append(Restart(time, before if steady else None))
        if endless:
            return
        if len(self.doses) + more >= _MOST_DOSES:
            raise EventError(f"Row {number}: the table gives more than {_MOST_DOSES:,} doses")
        part = len(self.restarts[patient])
        for i in range(int(more) + 1):
            self.doses.append(Dose(patient, part, time + i * interval, state, amount, duration))

    def _state(self, number: int, cmt: str) -> str:
        if cmt in self.states:
            return cmt
        if cmt in ("", ".", "0"):
            if len(self.states) == 1:
                return self.states[0]
            raise EventError(f"Row {number}: CMT is missing, and the model has {len(self.states)} states")
        try:
            position = float(cmt)
        except ValueError:
            raise EventError(f"Row {number}: CMT: {unknown_name('state', cmt, self.states)}") from None
        if position not in range(1, len(self.states) + 1):
            if not self.states:
                raise EventError(f"Row {number}: CMT is {cmt}; the model has no state that a dose could enter")
            listed = [f"{i} {name}" for i, name in enumerate(self.states[:_LISTED], 1)]
            more = ["..."] if len(self.states) > _LISTED else []
            raise EventError(
                f"Row {number}: CMT is {cmt}; the states are numbered 1 to {len(self.states)} ({', '.join(listed + more)})"
            )
        return self.states[int(position) - 1]


def _number(row: int, name: str, text: str) -> float:
    if text in ("", "."):
        if name == "TIME":
            raise EventError(f"Row {row}: TIME is missing")
        return 0.0
    try:
        value = float(text)
    except ValueError:
        raise EventError(f"Row {row}: {name} is {text!r}, not a number") from None
    if not abs(value) < float("inf"):
        raise EventError(f"Row {row}: {name} is {text}, not a finite number")
    return value


def _duration(row: int, values: Mapping[str, float]) -> float:
    amount, rate, duration = values["AMT"], values["RATE"], values["DUR"]
    if not amount > 0:
        raise EventError(f"Row {row}: AMT is {amount:g} in a dose; it must be positive")
    if rate and duration:
        raise EventError(f"Row {row}: RATE and DUR are both given; an infusion has one of them")
    if rate < 0:
        raise EventError(
            f"Row {row}: RATE is {rate:g}; rates and durations set by the model are not supported, use DUR"
        )
    if duration < 0:
        raise EventError(f"Row {row}: DUR is negative: {duration:g}")
    return amount / rate if rate else duration


def _check_repeats(row: int, interval: float, more: float, steady: float, endless: bool) -> None:
    if more < 0 or more != int(more):
        raise EventError(f"Row {row}: ADDL is {more:g}, not a whole number of doses")
    if interval < 0 or (more and not interval > 0):
        raise EventError(f"Row {row}: ADDL needs II > 0, the days between doses; II is {interval:g}")
    if steady not in (0, 1):
        raise EventError(
            f"Row {row}: SS is {steady:g}; only 1 is supported, since adding a steady state to what is there (2) or "
            "keeping a former one (3) has no meaning in a model that is not linear"
        )
    if steady and not endless and not interval > 0:
        raise EventError(f"Row {row}: SS 1 needs II > 0, or AMT 0 and RATE > 0 for an endless infusion")
    if endless and (interval or more):
        raise EventError(f"Row {row}: an endless infusion (SS 1, AMT 0, RATE > 0) has no II and no ADDL")
