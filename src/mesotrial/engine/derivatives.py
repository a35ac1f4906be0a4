"""The Jacobian of the right-hand side, exact, through the algebra by the chain rule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sympy
from sympy import Expr, Symbol

from mesotrial.engine.errors import ModelError
from mesotrial.engine.model import TIME

_STEPS = (sympy.floor, sympy.ceiling, sympy.sign)


@dataclass(frozen=True)
class Slopes:
    """The derivatives of the rates that are not 0."""

    definitions: dict[Symbol, Expr]
    """the algebra and its own derivatives, which the others use"""
    entries: dict[tuple[int, int], Expr]
    """of rate i by state j"""
    by_time: dict[int, Expr]
    """of rate i"""

    def each(self, change: Callable[[Expr], Expr]) -> "Slopes":
        """Return the same with `change` made to every expression."""
        return Slopes(
            {name: change(e) for name, e in self.definitions.items()},
            {place: change(e) for place, e in self.entries.items()},
            {i: change(e) for i, e in self.by_time.items()},
        )


def jacobian(fluid: Mapping[Symbol, Expr], rates: Sequence[Expr], states: Sequence[Symbol]) -> Slopes:
    """Return the derivatives of `rates` by `states` and time, `fluid` being the algebra in evaluation order.

    Raises:
        ModelError: a formula that has no derivative here, such as a factorial of a state.
    """
    definitions = dict(fluid)
    slopes: dict[Symbol, dict[Symbol, Expr]] = {}
    directions = [*states, TIME]
    for name, expression in fluid.items():
        slopes[name] = {}
        for direction, slope in _slopes(expression, directions, slopes).items():
            if slope.is_Atom:
                slopes[name][direction] = slope
            else:
                symbol = Symbol(f"<j{len(definitions)}>", real=True)
                definitions[symbol] = slope
                slopes[name][direction] = symbol
    column = {state: j for j, state in enumerate(states)}
    entries: dict[tuple[int, int], Expr] = {}
    by_time: dict[int, Expr] = {}
    for i, rate in enumerate(rates):
        for direction, slope in _slopes(rate, directions, slopes).items():
            if direction == TIME:
                by_time[i] = slope
            else:
                entries[i, column[direction]] = slope
    return Slopes(definitions, entries, by_time)


def _slopes(
    expression: Expr, directions: Sequence[Symbol], slopes: Mapping[Symbol, Mapping[Symbol, Expr]]
) -> dict[Symbol, Expr]:
    """Return the total derivatives of `expression` that are not 0."""
    used = sorted(expression.free_symbols, key=str)
    partial = {s: _partial(expression, s) for s in used if s in slopes or s in directions}
    found = {}
    for direction in directions:
        terms = [partial[s] * slopes[s][direction] for s in used if direction in slopes.get(s, ())]
        total = sympy.Add(partial.get(direction, sympy.Integer(0)), *terms)
        if not total.is_zero:
            found[direction] = total
    return found


def _partial(expression: Expr, name: Symbol) -> Expr:
    """Differentiate; what jumps counts as flat between its jumps."""
    if expression.has(sympy.Max, sympy.Min):
        expression = expression.rewrite(sympy.Piecewise)
    flat = {step: sympy.Dummy(real=True) for step in expression.atoms(*_STEPS)}
    slope = expression.xreplace(flat).diff(name).xreplace({dummy: step for step, dummy in flat.items()})
    if any(not power.exp.is_number for power in slope.atoms(sympy.Pow)):
        slope = sympy.powsimp(slope, combine="exp")  # n x^(n - 1) for n x^n / x, which is 0 / 0 at x = 0
    if slope.has(sympy.Derivative, sympy.polygamma, sympy.DiracDelta):
        raise ModelError(f'{expression} has no derivative by {name} here: use method="tsit5"')
    return slope
