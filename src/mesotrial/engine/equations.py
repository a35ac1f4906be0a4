"""A model's formulas as plain functions, for the reference twin."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy
from sympy.core.relational import Relational

from mesotrial.engine.model import TIME, Event, Model, in_order, symbol
from mesotrial.engine.smooth import equilibrium
from mesotrial.engine.state import Floats

Known = dict[str, Any]
Past = Callable[[str, float], float]
Formula = Callable[[Mapping[str, Any]], Floats]


class Question:
    """Formulas, and the algebra that must be evaluated first."""

    def __init__(self, expressions: Sequence[Any], algebra: Mapping[str, tuple[Formula, set[str]]]) -> None:
        """Choose from `algebra`: name to formula and used names, in evaluation order."""
        self.formula = formula(expressions)
        needed, todo = set[str](), {s.name for e in expressions for s in e.free_symbols}
        while todo:
            needed |= todo
            todo = {used for name in todo if name in algebra for used in algebra[name][1]} - needed
        self.algebra = [(name, function) for name, (function, _) in algebra.items() if name in needed]


class Equations:
    """Evaluates a model at a time and state; `Known` maps every name to its value there."""

    def __init__(self, model: Model) -> None:
        """Prepare every formula of `model`."""
        self.states = tuple(model.states)
        self.moving = np.array([i for i, e in enumerate(model.states.values()) if e.rate != 0], dtype=np.int64)
        """columns of the states that change smoothly"""
        self._constants = dict(model.constants)
        self._derived = [(name, formula([expression])) for name, expression in model.derived.items()]
        self.initial = formula([e.initial for e in model.states.values()])
        self._rates_of = [name for name in model.algebra if name.endswith(".rate")]
        self._before = [i for i, e in enumerate(model.states.values()) if TIME in e.initial.free_symbols]
        waits = {name: delay.time for name, delay in model.delays.items()}
        # A delayed value needs only its delay at once: what it is the past of may depend on it.
        rules = in_order({**model.algebra, **waits}, "Rules")
        algebra = {name: (formula([e]), {s.name for s in e.free_symbols}) for name, e in rules.items()}
        self._algebra = [(name, function) for name, (function, _) in algebra.items()]
        self._delayed = {name: Question([d.expression], algebra) for name, d in model.delays.items()}
        self.delays = Question(list(waits.values()), algebra) if waits else None
        self.rates = Question([e.rate for e in model.states.values()], algebra)
        self.events = [EventFormulas(event, self.states) for event in model.events]
        triggers = [event.trigger for event in model.events]
        self.triggers = Question(triggers, algebra)
        relations = sorted({r for t in triggers for r in t.atoms(Relational)}, key=str)
        self.margins = Question([r.lhs - r.rhs for r in relations], algebra)
        """what changes sign where a trigger changes"""

        fast = model.equilibria.values()
        self._turning = Question([one.rate for one in fast], algebra)
        self._turns = [(self._columns(one.changes), Question(list(one.changes.values()), algebra)) for one in fast]

    def _columns(self, names: Iterable[str]) -> list[int]:
        return [self.states.index(name) for name in names]

    def fixed(self, inputs: Sequence[str], parameters: Floats) -> Known:
        """Return constants, inputs and derived of one patient."""
        known = dict(self._constants) | dict(zip(inputs, parameters, strict=True)) | {TIME.name: 0.0}
        for name, function in self._derived:
            known[name] = function(known)[0]
        return known

    def at(self, fixed: Known, time: float, values: Floats, past: Past) -> Known:
        """Return everything known at a time; `past` gives a delayed value, by name, at an earlier time."""
        return self._add(fixed, time, values, self._algebra, past)

    def answer(self, question: Question, fixed: Known, time: float, values: Floats, past: Past) -> Floats:
        """Return the value of formulas at a time, given the states there."""
        return question.formula(self._add(fixed, time, values, question.algebra, past))

    def settled(self, fixed: Known, time: float, values: Floats, past: Past) -> Floats:
        """Return the states after a jump to the equilibrium of the fast reactions; unchanged where there are none.

        The jump is what they do alone, with the rest at rest, in any length of time.
        """
        if not self._turns:
            return values
        changes = np.zeros((len(self._turns), len(values)))
        for row, (columns, question) in zip(changes, self._turns, strict=True):
            row[columns] = self.answer(question, fixed, time, values, past)

        def rates(turns: Floats) -> Floats:
            return self.answer(self._turning, fixed, time, values + turns @ changes, past)

        size = np.abs(values).max() / np.abs(changes).max()
        return values + equilibrium(rates, len(changes), float(size) or 1.0) @ changes

    def delayed(self, name: str, fixed: Known, time: float, values: Floats, past: Past) -> float:
        """Return what the delayed value `name` was at a time, given the states there."""
        return float(self.answer(self._delayed[name], fixed, time, values, past)[0])

    def before(self, fixed: Known, time: float, first: Floats) -> tuple[Known, Floats]:
        """Return `fixed` and the states before the start: as at the start, or what a formula with time in it says."""
        known = fixed | {TIME.name: time}
        for name, function in self._derived:
            known[name] = function(known)[0]
        known |= dict.fromkeys(self._rates_of, 0.0)
        values = first.copy()
        values[self._before] = self.initial(known)[self._before]
        return known, values

    def _add(self, fixed: Known, time: float, values: Floats, algebra: list[tuple[str, Formula]], past: Past) -> Known:
        known = fixed | {TIME.name: time} | dict(zip(self.states, values, strict=True))
        for name, function in algebra:
            if name in fixed:  # a rate of change before the start, which is 0
                continue
            value = function(known)[0]
            known[name] = past(name, time - value) if name in self._delayed else value
        return known


class EventFormulas:
    """One event, its formulas as functions."""

    def __init__(self, event: Event, states: Sequence[str]) -> None:
        """Prepare the formulas of `event`; `states` are the columns of a state's values."""
        self.event = event
        self.delay = formula([event.delay])
        self.priority = None if event.priority is None else formula([event.priority])
        self.columns = [states.index(name) for name in event.assignments]
        self.values = formula([a.value for a in event.assignments.values()])
        self.scales = formula([a.scale for a in event.assignments.values()])


def formula(expressions: Sequence[Any]) -> Formula:
    """Return a function from names and values to the values of `expressions`."""
    names = sorted({s.name for e in expressions for s in e.free_symbols})
    own = {"gamma": _gamma}
    compiled = sympy.lambdify([symbol(name) for name in names], list(expressions), modules=[own, "numpy"], dummify=True)

    def evaluate(known: Mapping[str, Any]) -> Floats:
        return np.array(compiled(*(np.float64(known[name]) for name in names)), dtype=np.float64)

    return evaluate


def _gamma(x: float) -> float:
    try:
        return math.gamma(x)
    except (ValueError, OverflowError):
        return math.nan if x <= 0 else math.inf
