"""Elimination: a mechanism that a trial does not use costs nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import sympy
from sympy import Expr, Symbol

from mesotrial.engine.model import AS_NUMBERS, Model, StateEquation, number, real, symbol


def reduce_model(model: Model, observables: Sequence[str], dosed: Sequence[str], inputs: Sequence[str]) -> Model:
    """Return `model` without its dead states and without what no observable depends on (see `Model.reduced`)."""
    dead = dead_states(model, dosed, inputs)
    off = (name for name, value in model.constants.items() if value == 0 and name not in inputs)
    gone: dict[Symbol, Expr] = {symbol(name): sympy.Integer(0) for name in (*dead, *off)}
    states = {
        name: StateEquation(_at_zero(equation.rate, gone), equation.initial)
        for name, equation in model.states.items()
        if name not in dead
    }
    algebra = {name: _at_zero(e, gone) for name, e in model.algebra.items()}
    # An observable that is dead is still asked for: it stays, as the number 0.
    algebra |= {name: sympy.Integer(0) for name in dead if name in observables}
    alive = replace(model, states=states, algebra=algebra)
    return _keep_needed(alive, observables, inputs)


def input_exponents(model: Model, inputs: Sequence[str]) -> tuple[str, ...]:
    """Return the inputs that are used as a plain exponent: elimination takes 0 to their power for 0."""
    expressions = [*model.algebra.values(), *(e.rate for e in model.states.values())]
    exponents = {power.exp for e in expressions for power in e.atoms(sympy.Pow)}
    return tuple(name for name in inputs if symbol(name) in exponents)


def _known_numbers(model: Model, inputs: Sequence[str]) -> dict[Expr, Expr]:
    """Constants that are no inputs, and derived that depend on those alone, as numbers."""
    known = AS_NUMBERS | {symbol(n): number(v) for n, v in model.constants.items() if n not in inputs}
    for name, expression in model.derived.items():
        value = real(expression.xreplace(known), name)
        if not value.free_symbols:
            known[symbol(name)] = value
    return known


def dead_states(model: Model, dosed: Sequence[str], inputs: Sequence[str]) -> frozenset[str]:
    """Return the states that stay zero whatever the `inputs`, as long as only `dosed` states receive doses.

    All states that start at zero and are not dosed are supposed dead at first; those whose rate is then not zero are
    let go, until none is left to let go. Where events, delays or fast reactions can wake a state, none is dead.
    """
    if model.events or model.delays or model.equilibria:
        return frozenset()
    known = _known_numbers(model, inputs)
    rates = {name: e.rate.xreplace(known) for name, e in model.states.items()}
    rules = {name: e.xreplace(known) for name, e in model.algebra.items()}
    dead = {n for n, e in model.states.items() if n not in dosed and e.initial.xreplace(known).is_zero}
    while True:
        zero: dict[Symbol, Expr] = {symbol(name): sympy.Integer(0) for name in dead}
        for name, expression in rules.items():
            if _at_zero(expression, zero).is_zero:
                zero[symbol(name)] = sympy.Integer(0)
        alive = {name for name in dead if not _at_zero(rates[name], zero).is_zero}
        if not alive:
            return frozenset(dead)
        dead -= alive


def _at_zero(expression: Expr, zero: Mapping[Symbol, Expr]) -> Expr:
    """Put symbols to zero; 0 to the power of a constant is 0, since an exponent in a rate law is positive."""
    if not expression.free_symbols & zero.keys():
        return expression
    value = expression.xreplace(zero)
    powers = {p: sympy.Integer(0) for p in value.atoms(sympy.Pow) if p.base.is_zero and p.exp.is_Symbol}
    return value.xreplace(powers) if powers else value


def _keep_needed(model: Model, observables: Sequence[str], inputs: Sequence[str]) -> Model:
    """Drop what no observable depends on, directly or through others."""
    needed: set[str] = set()
    todo = list(observables)
    for event in model.events:
        todo += [*event.assignments, *(s.name for e in event.expressions() for s in e.free_symbols)]
    for one in model.equilibria.values():
        todo += [*one.changes, *(s.name for e in (one.rate, *one.changes.values()) for s in e.free_symbols)]
    while todo:
        name = todo.pop()
        if name in needed:
            continue
        needed.add(name)
        used: set[Symbol] = set()
        if name in model.states:
            used = model.states[name].rate.free_symbols | model.states[name].initial.free_symbols
        elif name in model.algebra:
            used = model.algebra[name].free_symbols
        elif name in model.derived:
            used = model.derived[name].free_symbols
        elif name in model.delays:
            used = model.delays[name].expression.free_symbols | model.delays[name].time.free_symbols
        todo.extend(s.name for s in used)
    return Model(
        {n: e for n, e in model.states.items() if n in needed},
        {n: v for n, v in model.constants.items() if n in needed or n in inputs},
        {n: e for n, e in model.derived.items() if n in needed},
        {n: e for n, e in model.algebra.items() if n in needed},
        model.events,
        {n: d for n, d in model.delays.items() if n in needed},
        model.equilibria,
    )
