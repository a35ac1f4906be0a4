"""From a model to what a kernel computes: constants folded, per-patient constants hoisted, the rest in order."""

from collections.abc import Sequence
from dataclasses import dataclass

from sympy import Expr, Symbol

from mesotrial.engine.elimination import dead_states, input_exponents
from mesotrial.engine.errors import ModelError
from mesotrial.engine.hoisting import Hoister
from mesotrial.engine.model import AS_NUMBERS, Model, number, real, symbol


@dataclass(frozen=True)
class Lowered:
    """The equations of a kernel; every expression is in terms of states, inputs, time, `fluid` and hoisted columns."""

    model_states: tuple[str, ...]
    """all states of the model"""
    dead: frozenset[str]
    """those that stay zero"""
    exponents: tuple[str, ...]
    """inputs that must be positive"""
    states: tuple[str, ...]
    """left after elimination"""
    inputs: tuple[str, ...]
    dosed: tuple[str, ...]
    fluid: dict[Symbol, Expr]
    """what changes with time or state, in evaluation order"""
    rates: list[Expr]
    """of `states`, per day"""
    seen: list[Expr]
    """the observables"""
    initial: list[Expr]
    """of `states`, in terms of inputs and of the hoister's definitions"""
    hoister: Hoister
    """what depends on the inputs alone"""


def lower(model: Model, observables: Sequence[str], inputs: Sequence[str], dosed: Sequence[str]) -> Lowered:
    """Return the equations of a kernel of `model`; constants that are no `inputs` become numbers.

    Raises:
        ModelError: an unknown name, or a needed constant without a value.
    """
    whole, model = model, model.reduced(observables, dosed, inputs)
    dead = dead_states(whole, dosed, inputs)
    numbers = dict(AS_NUMBERS)
    formulas = [*model.derived.values(), *model.algebra.values()]
    formulas += [part for equation in model.states.values() for part in (equation.rate, equation.initial)]
    used = set().union(*(formula.free_symbols for formula in formulas))
    for name, value in model.constants.items():
        if name not in inputs:
            if value != value and symbol(name) in used:  # NaN that is only looked at is a value
                raise ModelError(f"{name} has no value: give it one in the model or make it an input")
            numbers[symbol(name)] = number(value)
    hoister = Hoister(symbol(name) for name in inputs)
    fluid: dict[Symbol, Expr] = {}
    for name, expression in (*model.derived.items(), *model.algebra.items()):
        reduced = real(expression.xreplace(numbers), name)
        if not reduced.free_symbols:
            numbers[symbol(name)] = reduced
        elif hoister.is_constant(reduced):
            hoister.definitions[symbol(name)] = reduced
        else:
            fluid[symbol(name)] = reduced
    return Lowered(
        model_states=tuple(whole.states),
        dead=dead,
        exponents=input_exponents(whole, inputs) if dead else (),
        states=tuple(model.states),
        inputs=tuple(inputs),
        dosed=tuple(dosed),
        fluid={name: hoister.lift(value) for name, value in fluid.items()},
        rates=[hoister.lift(real(e.rate.xreplace(numbers), name)) for name, e in model.states.items()],
        seen=[hoister.lift(symbol(name).xreplace(numbers)) for name in observables],
        initial=[real(e.initial.xreplace(numbers), name) for name, e in model.states.items()],
        hoister=hoister,
    )
