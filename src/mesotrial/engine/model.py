"""A model as equations: what SBML says, free of SBML's forms."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import sympy
from sympy import Basic, Expr, Symbol, srepr
from sympy.logic.boolalg import Boolean

from mesotrial.engine.errors import ModelError, unknown_name

TIME = Symbol("<time>", real=True)
"""Time in days. The name is not an SBML identifier, so that no model symbol can clash with it."""


def symbol(name: str) -> Symbol:
    """Return the symbol of a model name: real, so that sympy simplifies roots and powers correctly."""
    return Symbol(name, real=True)


@dataclass(frozen=True)
class StateEquation:
    """One state: `rate` is its derivative per day, `initial` its value at the start (constants and derived only)."""

    rate: Expr
    initial: Expr


@dataclass(frozen=True)
class Assignment:
    """What an event does to one state: it becomes `value` times `scale`.

    `value` is taken when the event is triggered or executed, `scale` (a compartment's size) when it is executed.
    """

    value: Expr
    scale: Expr


@dataclass(frozen=True)
class Event:
    """A sudden change, in SBML's sense: it is triggered when `trigger` turns true and executed `delay` later.

    initial: what `trigger` is taken for before the start. persistent: executed even if `trigger` turns false in the
    meantime. at_trigger: whether the assigned values are those of the time of the trigger. Of events that are due at
    the same time the one with the highest `priority` is executed first.
    """

    name: str
    trigger: Boolean
    delay: Expr
    priority: Expr | None
    assignments: Mapping[str, Assignment]
    initial: bool
    persistent: bool
    at_trigger: bool

    def expressions(self) -> Iterator[Basic]:
        """Yield every formula."""
        yield from (self.trigger, self.delay)
        if self.priority is not None:
            yield self.priority
        for assignment in self.assignments.values():
            yield from (assignment.value, assignment.scale)


@dataclass(frozen=True)
class Delay:
    """The value that `expression` had `time` ago."""

    expression: Expr
    time: Expr


@dataclass(frozen=True)
class Equilibrium:
    """What one fast reaction keeps: `rate` is 0 at all times, and a sudden change is followed by a jump that makes it so.

    In the jump each state of `changes` moves by its value there for every turn of the reaction.
    """

    rate: Expr
    changes: Mapping[str, Expr]


@dataclass(frozen=True)
class Model:
    """An immutable system of ordinary differential equations, with events and delays where SBML asks for them.

    states: name to equation. `constants`: plain constant parameters and their values, which may be made inputs.
    derived: constant parameters computed from constants, in evaluation order. `algebra`: assignment rules in
    evaluation order, functions of time, states, constants and derived. `delays`: what the names stand for that
    formulas use for a value of the past. `equilibria`: by fast reaction; the rates of the states already stay on them. A name
    with a dot is the engine's own.
    """

    states: Mapping[str, StateEquation]
    constants: Mapping[str, float]
    derived: Mapping[str, Expr]
    algebra: Mapping[str, Expr]
    events: tuple[Event, ...] = ()
    delays: Mapping[str, Delay] = field(default_factory=dict)
    equilibria: Mapping[str, Equilibrium] = field(default_factory=dict)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the equations and values: equal models have equal hashes."""
        return hashlib.sha256("\n".join(self._lines()).encode()).hexdigest()

    def _lines(self) -> Iterator[str]:
        for name, equation in self.states.items():
            yield f"state {name}: {srepr(equation.rate)} from {srepr(equation.initial)}"
        for name, value in self.constants.items():
            yield f"constant {name}: {value!r}"
        for name, expression in self.derived.items():
            yield f"derived {name}: {srepr(expression)}"
        for name, expression in self.algebra.items():
            yield f"algebra {name}: {srepr(expression)}"
        for event in self.events:
            targets = (event.name, *event.assignments, event.initial, event.persistent, event.at_trigger)
            yield f"event {targets}: {[srepr(e) for e in event.expressions()]} {event.priority is None}"
        for name, delay in self.delays.items():
            yield f"delay {name}: {srepr(delay.expression)} by {srepr(delay.time)}"
        for name, one in self.equilibria.items():
            yield f"equilibrium {name}: {srepr(one.rate)} by {[(n, srepr(e)) for n, e in one.changes.items()]}"

    def names(self) -> tuple[str, ...]:
        """Return every name: states, constants, derived and algebra."""
        return (*self.states, *self.constants, *self.derived, *self.algebra)

    def reduced(self, observables: Sequence[str], dosed: Sequence[str], inputs: Sequence[str]) -> "Model":
        """Return the model without what cannot matter to `observables`.

        Dead states (start at zero whatever the `inputs`, are not `dosed`, and have a rate of zero as long as all
        dead states are zero) become the number 0; then everything that no observable depends on is dropped.

        Raises:
            ModelError: a name that is not in the model.
        """
        from mesotrial.engine.elimination import reduce_model

        self.check_names("constant that may be an input", inputs, self.constants)
        self.check_names("state", dosed, self.states)
        self.check_names("state, constant or assignment", observables, self.names())
        return reduce_model(self, observables, dosed, inputs)

    def check_names(self, kind: str, names: Sequence[str], known: Iterable[str]) -> None:
        """Raise ModelError for the first of `names` that is not `known` or is given twice."""
        known = set(known)
        for position, name in enumerate(names):
            if name not in known:
                raise ModelError(unknown_name(kind, name, known))
            if name in names[:position]:
                raise ModelError(f"{name!r} is given twice as {kind}")


def number(value: float) -> Expr:
    """Return `value` as a sympy number: whole numbers stay exact, so that powers keep integer exponents."""
    if abs(value) < 1e9 and value == int(value):
        return sympy.Integer(int(value))
    return sympy.Float(value)


# Of double precision as all other numbers, so that a comparison with what was computed from them holds.
AS_NUMBERS: dict[Expr, Expr] = {sympy.pi: number(math.pi), sympy.E: number(math.e)}


def real(expression: Expr, name: str) -> Expr:
    """Return `expression`, as a plain number when it has no symbols.

    Raises:
        ModelError: it divides by zero or is complex; says that it is the formula of `name`.
    """
    if expression.has(sympy.zoo, sympy.I):
        raise ModelError(f"The formula of {name} has no real value: {expression}")
    return expression if expression.free_symbols else number(float(expression))


def in_order(expressions: Mapping[str, Expr], kind: str) -> dict[str, Expr]:
    """Return `expressions` sorted so that each comes after those it uses.

    Raises:
        ModelError: they form a circle; its names are in the message.
    """
    ordered: dict[str, Expr] = {}
    open_names: list[str] = []

    def visit(name: str) -> None:
        if name in ordered:
            return
        if name in open_names:
            circle = " -> ".join([*open_names[open_names.index(name) :], name])
            raise ModelError(f"{kind} depend on one another in a circle: {circle}")
        open_names.append(name)
        for used in sorted(s.name for s in expressions[name].free_symbols):
            if used in expressions:
                visit(used)
        open_names.pop()
        ordered[name] = expressions[name]

    for name in expressions:
        visit(name)
    return ordered
