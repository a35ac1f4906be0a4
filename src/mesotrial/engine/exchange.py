"""A model as plain data and back: numbers, names and a table of formulas, nothing that could be executed."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

import sympy
from sympy.functions.elementary.piecewise import ExprCondPair

from mesotrial.engine.errors import ModelError
from mesotrial.engine.model import Assignment, Delay, Equilibrium, Event, Model, StateEquation, symbol

_CONSTANTS = {
    "pi": sympy.pi,
    "e": sympy.E,
    "nan": sympy.nan,
    "inf": sympy.oo,
    "-inf": -sympy.oo,
    "true": sympy.true,
    "false": sympy.false,
}
_NAMED = {value: name for name, value in _CONSTANTS.items()}
_OPERATIONS = (
    *(sympy.Add, sympy.Mul, sympy.Pow, sympy.Abs, sympy.sign, sympy.floor, sympy.ceiling, sympy.Min, sympy.Max),
    *(sympy.exp, sympy.log, sympy.sin, sympy.cos, sympy.tan, sympy.cot, sympy.sec, sympy.csc, sympy.asin, sympy.acos),
    *(sympy.atan, sympy.acot, sympy.sinh, sympy.cosh, sympy.tanh, sympy.coth, sympy.sech, sympy.csch, sympy.asinh),
    *(sympy.acosh, sympy.atanh, sympy.acoth, sympy.asech, sympy.acsch, sympy.gamma, sympy.Piecewise, ExprCondPair),
    *(sympy.And, sympy.Or, sympy.Not, sympy.Eq, sympy.Ne, sympy.Lt, sympy.Le, sympy.Gt, sympy.Ge),
)
_BY_NAME = {kind.__name__: kind for kind in _OPERATIONS}


def size(expressions: Iterable[Any]) -> tuple[int, int]:
    """Return how many operations `expressions` have, written out in full, and how deeply they are nested."""
    known: dict[Any, tuple[int, int]] = {}
    found = [_size(e, known) for e in expressions]
    return sum(n for n, _ in found), max((depth for _, depth in found), default=0)


def _size(expression: Any, known: dict[Any, tuple[int, int]]) -> tuple[int, int]:
    if expression not in known:
        parts = [_size(a, known) for a in expression.args]
        known[expression] = 1 + sum(n for n, _ in parts), 1 + max((depth for _, depth in parts), default=0)
    return known[expression]


def formulas(model: Model) -> list[Any]:
    """Return every formula of `model`."""
    found = [e for equation in model.states.values() for e in (equation.rate, equation.initial)]
    found += [*model.derived.values(), *model.algebra.values()]
    found += [e for event in model.events for e in event.expressions()]
    found += [e for one in model.equilibria.values() for e in (one.rate, *one.changes.values())]
    return found + [e for delay in model.delays.values() for e in (delay.expression, delay.time)]


def encode(model: Model) -> dict[str, Any]:
    """Return `model` as what JSON can hold.

    Raises:
        ModelError: a formula has an operation that the engine does not have, such as an imaginary number.
    """
    table = _Encoder()
    put = table.put
    return {
        "states": {name: [put(e.rate), put(e.initial)] for name, e in model.states.items()},
        "constants": {name: float(value).hex() for name, value in model.constants.items()},
        "derived": {name: put(e) for name, e in model.derived.items()},
        "algebra": {name: put(e) for name, e in model.algebra.items()},
        "events": [_encode_event(event, table) for event in model.events],
        "delays": {name: [put(d.expression), put(d.time)] for name, d in model.delays.items()},
        "equilibria": {
            name: [put(one.rate), {n: put(e) for n, e in one.changes.items()}] for name, one in model.equilibria.items()
        },
        "formulas": table.rows,
    }


def _encode_event(event: Event, table: "_Encoder") -> dict[str, Any]:
    return {
        "name": event.name,
        "trigger": table.put(event.trigger),
        "delay": table.put(event.delay),
        "priority": None if event.priority is None else table.put(event.priority),
        "assignments": {n: [table.put(a.value), table.put(a.scale)] for n, a in event.assignments.items()},
        "flags": [event.initial, event.persistent, event.at_trigger],
    }


class _Encoder:
    """Numbers the different sub-expressions, each after its parts."""

    def __init__(self) -> None:
        self.rows: list[list[Any]] = []
        self._place: dict[Any, int] = {}

    def put(self, expression: Any) -> int:
        if expression not in self._place:
            row = self._row(expression)
            self._place[expression] = len(self.rows)
            self.rows.append(row)
        return self._place[expression]

    def _row(self, expression: Any) -> list[Any]:
        if expression in _NAMED:
            return ["constant", _NAMED[expression]]
        if expression.is_Symbol:
            return ["name", expression.name]
        if isinstance(expression, sympy.Rational) and max(abs(expression.p), expression.q) < 2**53:
            return ["ratio", int(expression.p), int(expression.q)]
        if isinstance(expression, sympy.Number):
            return ["number", _double(expression).hex()]
        name = type(expression).__name__
        if _BY_NAME.get(name) is not type(expression):
            raise ModelError(f"A formula leads to {str(expression)[:80]}, which has no real value here")
        return [name, *(self.put(a) for a in expression.args)]


def _double(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def decode(data: Mapping[str, Any]) -> Model:
    """Return the model of `encode`.

    Raises:
        ValueError, KeyError, TypeError, IndexError: `data` is something else.
    """
    table: list[Any] = []
    for kind, *rest in data["formulas"]:
        table.append(_decode_row(kind, rest, table))
    return Model(
        {name: StateEquation(table[rate], table[initial]) for name, (rate, initial) in data["states"].items()},
        {name: float.fromhex(value) for name, value in data["constants"].items()},
        {name: table[i] for name, i in data["derived"].items()},
        {name: table[i] for name, i in data["algebra"].items()},
        tuple(_decode_event(event, table) for event in data["events"]),
        {name: Delay(table[i], table[j]) for name, (i, j) in data["delays"].items()},
        {
            name: Equilibrium(table[rate], {n: table[i] for n, i in changes.items()})
            for name, (rate, changes) in data["equilibria"].items()
        },
    )


def _decode_row(kind: str, rest: Sequence[Any], table: Sequence[Any]) -> Any:
    if kind == "constant":
        return _CONSTANTS[rest[0]]
    if kind == "name":
        return symbol(str(rest[0]))
    if kind == "ratio":
        return sympy.Rational(int(rest[0]), int(rest[1]))
    if kind == "number":
        value = float.fromhex(rest[0])
        return sympy.Float(value) if isfinite(value) else _CONSTANTS[str(value)]
    return _BY_NAME[kind](*(table[i] for i in rest))


def _decode_event(event: Mapping[str, Any], table: Sequence[Any]) -> Event:
    priority = event["priority"]
    initial, persistent, at_trigger = map(bool, event["flags"])
    return Event(
        name=str(event["name"]),
        trigger=table[event["trigger"]],
        delay=table[event["delay"]],
        priority=None if priority is None else table[priority],
        assignments={n: Assignment(table[value], table[scale]) for n, (value, scale) in event["assignments"].items()},
        initial=initial,
        persistent=persistent,
        at_trigger=at_trigger,
    )
