"""SBML's fast reactions: they are at rest at all times, and the slow rest of the model moves along their equilibrium."""

from collections.abc import Callable, Container, Mapping

import sympy
from sympy import Expr

from mesotrial.engine.errors import ModelError
from mesotrial.engine.model import TIME, Equilibrium, symbol


def refuse_fast(
    equilibria: Mapping[str, Equilibrium],
    algebra: Mapping[str, Expr],
    rates: Mapping[str, Expr],
    assigned: Mapping[str, Expr],
    delays: Container[str],
) -> None:
    """Raise ModelError for a fast reaction whose rate is used elsewhere, jumps, or looks back."""
    for fast, one in equilibria.items():
        rules = {name: e for name, e in algebra.items() if name != fast}
        for name, expression in (rules | dict(rates) | dict(assigned)).items():
            if symbol(fast) in expression.free_symbols:
                raise ModelError(f"The rate of the fast reaction {fast} is used by {name}: not supported")
        rate = _written_out(one.rate, algebra)
        for jump in rate.atoms(sympy.Piecewise, sympy.floor, sympy.ceiling):
            if any(s == TIME or s.name in rates for s in jump.free_symbols):
                raise ModelError(f"The rate of the fast reaction {fast} jumps ({jump}): not supported")
        if any(s.name in delays for s in rate.free_symbols):
            raise ModelError(f"The rate of the fast reaction {fast} depends on a value of the past: not supported")


def bent(
    equilibria: Mapping[str, Equilibrium],
    algebra: Mapping[str, Expr],
    slope: Callable[[Expr, Mapping[str, Expr] | None], Expr],
) -> dict[str, Expr]:
    """Return what to add to the slow rates f of the states so that the rates g of the fast reactions stay 0.

    With the changes N of a turn the sum is f + N q, where q makes dg/dt = 0. slope: of a formula along the slow rates, or
    along given changes of states.

    Raises:
        ModelError: reactions that do not have an equilibrium each.
    """
    extra: dict[str, Expr] = {}
    for group in _linked(equilibria, algebra):
        found = [equilibria[name] for name in group]
        response = sympy.Matrix([[slope(one.rate, other.changes) for other in found] for one in found])
        drift = [-slope(one.rate, None) for one in found]
        if response.det() == 0:
            raise ModelError(f"Fast reactions that share one equilibrium are not supported: {', '.join(group)}")
        if len(group) == 1:  # which may be switched off at times
            turns = [sympy.Piecewise((drift[0] / response[0], sympy.Ne(response[0], 0)), (0, True))]
        else:
            turns = list(response.LUsolve(sympy.Matrix(drift)))
        for one, turn in zip(found, turns, strict=True):
            for state, change in one.changes.items():
                extra[state] = extra.get(state, sympy.Integer(0)) + change * turn
    return extra


def _written_out(expression: Expr, algebra: Mapping[str, Expr]) -> Expr:
    """Return `expression` without algebra."""
    for _ in algebra:
        used = {s: algebra[s.name] for s in expression.free_symbols if s.name in algebra}
        if not used:
            break
        expression = expression.xreplace(used)
    return expression


def _linked(equilibria: Mapping[str, Equilibrium], algebra: Mapping[str, Expr]) -> list[list[str]]:
    """Return the fast reactions in groups; what those of a group change is of no use to those of another."""
    uses = {name: {s.name for s in _written_out(one.rate, algebra).free_symbols} for name, one in equilibria.items()}
    groups: list[list[str]] = []
    for name, one in equilibria.items():
        near = [
            group
            for group in groups
            if any(one.changes.keys() & uses[n] or equilibria[n].changes.keys() & uses[name] for n in group)
        ]
        groups = [group for group in groups if group not in near] + [[*(n for group in near for n in group), name]]
    return groups
