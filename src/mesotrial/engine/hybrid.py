"""One patient of the reference twin: smooth stretches, with doses, events and delays between and within them."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import numpy as np

from mesotrial.engine.equations import Equations, EventFormulas, Known, Question
from mesotrial.engine.smooth import Stretch
from mesotrial.engine.state import Floats

_LOOKS = 5  # at the triggers of events, in one step
LEAST_STEPS = 50  # of an advance with events: a trigger that is true for less than a look apart is missed
_SHORTEST = 1e-9  # delay; shorter ones look ahead a little, along the last step
_MOST_EXECUTIONS = 10_000  # of events at one moment


class EventLoop(Exception):  # noqa: N818
    """Events trigger one another without end at one moment."""


@dataclass(frozen=True)
class Waiting:
    """An event that was triggered and is executed at `due`; `values` where they are those of the trigger's time."""

    due: float
    event: int
    values: tuple[float, ...] | None


@dataclass
class Memory:
    """What a patient's past leaves beside the values: which triggers were true, what is waiting, and the trajectory."""

    was: list[bool]
    first: Floats
    """the values at the start"""
    waiting: list[Waiting] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    pieces: list[tuple[float, Callable[[float], Floats]]] = field(default_factory=list)
    """the values as a function of time, from each of `starts` on, up to a time"""
    lots: int = 0
    """drawn so far"""

    def copy(self) -> "Memory":
        """Return a copy that does not change with this one."""
        return Memory(list(self.was), self.first, list(self.waiting), list(self.starts), list(self.pieces), self.lots)


class Patient:
    """Integrates one patient; `time` and `values` are where it is."""

    def __init__(
        self,
        equations: Equations,
        fixed: Known,
        memory: Memory | None,
        time: float,
        values: Floats,
        tolerances: tuple[float, Floats],
    ) -> None:
        """Take up the patient at `time`; without a memory this is the start."""
        self.equations, self.fixed, self.time, self.values = equations, fixed, time, values
        self.memory = memory or Memory([e.event.initial for e in equations.events], values.copy())
        self.steps = 0
        self._rtol, self._atol = tolerances

    def known(self, time: float, values: Floats) -> Known:
        """Return the value of every name."""
        return self.equations.at(self.fixed, time, values, self._past)

    def until(
        self,
        edge: float,
        rate: Floats,
        longest: float,
        sample: Callable[[float, float, Callable[[float], Floats]], None],
    ) -> None:
        """Move to `edge`, with doses entering at `rate`; events happen on the way.

        `sample` is called with the start, the end and the interpolation of every piece, and after events with their
        time and the values that they left.

        Raises:
            StepFailure, EventLoop: see there.
        """
        while self.time < edge:
            goal = min([edge, *(w.due for w in self.memory.waiting)])
            if goal > self.time:
                self._stretch(goal, rate, longest, sample)
            self.settle()
            sample(self.time, self.time, lambda _: self.values)

    def _stretch(
        self,
        goal: float,
        rate: Floats,
        longest: float,
        sample: Callable[[float, float, Callable[[float], Floats]], None],
    ) -> None:
        moving, resting = self.equations.moving, self.values.copy()
        flowing = np.union1d(moving, np.flatnonzero(rate))

        def whole(part: Floats) -> Floats:
            values = resting.copy()
            values[flowing] = part
            return values

        def slope(time: float, part: Floats) -> Floats:
            return (self._answer(self.equations.rates, time, whole(part)) + rate)[flowing]

        stretch = Stretch(slope, self.time, resting[flowing], goal, self._rtol, self._atol[flowing])
        while self.time < goal:
            began, end, interpolator = stretch.step(min(longest, self._shortest_delay()))
            self.steps += 1
            made: list[Callable[[float], Floats]] = []

            def interpolation(
                time: float,
                made: list[Callable[[float], Floats]] = made,
                interpolator: Callable[[], Callable[[float], Floats]] = interpolator,
            ) -> Floats:
                if not made:
                    made.append(interpolator())
                return whole(made[0](time))

            change = self._first_change(began, end, interpolation, whole(stretch.values))
            end, values = change or (end, whole(stretch.values))
            sample(began, end, interpolation)
            if self.equations.delays is not None:
                interpolation(end)  # while it can still be made
                self.memory.starts.append(began)
                self.memory.pieces.append((end, interpolation))
            self.time, self.values = end, values
            if change is not None:
                return

    def _first_change(
        self, began: float, end: float, interpolation: Callable[[float], Floats], last: Floats
    ) -> tuple[float, Floats] | None:
        """Return the first time in a step at which a trigger is not what it was, and the values there."""
        if not self.memory.was:
            return None
        left = began
        for right in np.linspace(began, end, _LOOKS + 1)[1:].tolist():
            values = last if right == end else interpolation(right)
            if self._triggers(right, values) != self.memory.was:
                return self._locate(left, right, values, interpolation)
            left = right
        return None

    def _locate(
        self, left: float, right: float, values: Floats, interpolation: Callable[[float], Floats]
    ) -> tuple[float, Floats]:
        """Return the first time in (left, right], to the last digit, at which a trigger is not what it was.

        A guess by linear interpolation is closed in from both sides, then halved.
        """
        middle = self._guess(left, right, interpolation(left), values)
        width, side = 4 * np.spacing(abs(right)), 0
        while left < middle < right:
            there = interpolation(middle)
            changed = self._triggers(middle, there) != self.memory.was
            if changed:
                right, values = middle, there
            else:
                left = middle
            if side and side != (1 if changed else -1):
                break
            side = 1 if changed else -1
            middle = right - width if changed else left + width
            width *= 8
        while left < (middle := (left + right) / 2) < right:
            there = interpolation(middle)
            if self._triggers(middle, there) != self.memory.was:
                right, values = middle, there
            else:
                left = middle
        return right, values

    def _guess(self, left: float, right: float, before: Floats, after: Floats) -> float:
        low = self._answer(self.equations.margins, left, before)
        high = self._answer(self.equations.margins, right, after)
        crossing = (low * high <= 0) & (low != high)
        share = low[crossing] / (low - high)[crossing]
        return left + (right - left) * (float(share.min()) if len(share) else 0.5)

    def _triggers(self, time: float, values: Floats) -> list[bool]:
        truths: list[bool] = (self._answer(self.equations.triggers, time, values) != 0).tolist()
        return truths

    def _answer(self, question: Question, time: float, values: Floats) -> Floats:
        return self.equations.answer(question, self.fixed, time, values, self._past)

    def settle(self) -> None:
        """Let fast reactions reach their equilibrium, then trigger and execute events, until nothing more is due.

        Raises:
            EventLoop: that does not end.
        """
        self.values = self.equations.settled(self.fixed, self.time, self.values, self._past)
        if not self.equations.events:
            return
        memory = self.memory
        for _ in range(_MOST_EXECUTIONS):
            known = self.known(self.time, self.values)
            now = self._triggers(self.time, self.values)
            for i, formulas in enumerate(self.equations.events):
                if now[i] and not memory.was[i]:
                    values = tuple(formulas.values(known)) if formulas.event.at_trigger else None
                    memory.waiting.append(Waiting(self.time + float(formulas.delay(known)[0]), i, values))
                elif not now[i] and memory.was[i] and not formulas.event.persistent:
                    memory.waiting = [w for w in memory.waiting if w.event != i]
            memory.was = now
            due = [w for w in memory.waiting if w.due <= self.time]
            if not due:
                return
            chosen = self._choose(due, known)
            memory.waiting.remove(chosen)
            self._execute(self.equations.events[chosen.event], chosen.values, known)
        raise EventLoop

    def _choose(self, due: list[Waiting], known: Known) -> Waiting:
        """Return the event of highest priority; SBML wants equals to be drawn by lot, which repeats here from run to run."""
        if len(due) == 1:
            return due[0]
        formulas = [self.equations.events[w.event].priority for w in due]
        priorities = [-np.inf if f is None else float(f(known)[0]) for f in formulas]
        first = [w for w, priority in zip(due, priorities, strict=True) if priority == max(priorities)]
        self.memory.lots += 1
        return first[0] if max(priorities) == -np.inf else Random(self.memory.lots).choice(first)

    def _execute(self, formulas: EventFormulas, values: tuple[float, ...] | None, known: Known) -> None:
        assigned = formulas.values(known) if values is None else np.array(values)
        self.values = self.values.copy()
        self.values[formulas.columns] = assigned * formulas.scales(known)
        self.values = self.equations.settled(self.fixed, self.time, self.values, self._past)

    def _past(self, name: str, time: float) -> float:
        """Return a delayed value at an earlier time; before the start the states were as at the start."""
        memory, fixed = self.memory, self.fixed
        at = bisect_right(memory.starts, time) - 1
        if at >= 0:
            values = memory.pieces[at][1](time)
        else:
            fixed, values = self.equations.before(fixed, time, memory.first)
        return self.equations.delayed(name, fixed, time, values, self._past)

    def _shortest_delay(self) -> float:
        """Return the longest step that looks back no further than to what is known."""
        if self.equations.delays is None:
            return np.inf
        delays = self._answer(self.equations.delays, self.time, self.values)
        return max(float(delays[delays > 0].min(initial=np.inf)), _SHORTEST)
