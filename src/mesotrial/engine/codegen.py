"""One readable Python source per model: start, right-hand side and observables, then the driver of the method."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from sympy import Expr, Symbol

from mesotrial.engine.backend import LANES
from mesotrial.engine.derivatives import jacobian
from mesotrial.engine.errors import ModelError
from mesotrial.engine.factors import LONGEST, length, plan
from mesotrial.engine.lowering import lower
from mesotrial.engine.model import Model, symbol
from mesotrial.engine.writing import Writer

_IMPORTS = """\
from math import acos, acosh, asin, asinh, atan, atanh, ceil, cos, cosh, exp, floor, gamma, inf, log, nan, sin, sinh, sqrt, tan, tanh
import numpy as np
"""
_CPU = """\
from numba import njit

OPTIONS = {"error_model": "numpy", "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""
_CUDA = """\
from numba import cuda

OPTIONS = {}


def njit(*signature, **options):
    return cuda.jit(device=True)


"""
_METHODS = {
    "tsit5": ("tsit5.py.in", "explicit.py.in"),
    "rosenbrock": ("tsit5.py.in", "rodas.py.in", "switching.py.in"),
    "auto": ("tsit5.py.in", "rodas.py.in", "switching.py.in"),
}
_SIGNATURES = """\
START_SIGNATURE = "void(float64[:, ::1], float64[:, ::1], float64[:, ::1])"
OBSERVE_SIGNATURE = "void(float64[::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], int64, float64[:, ::1])"
ADVANCE_SIGNATURE = (
    "void(int64, int64, float64[::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[::1], int8[::1],"
    "int64[::1], float64[::1], int64[::1], float64[::1], float64[::1], int64[::1], float64[::1], float64[:, ::1],"
    "float64[:, :, ::1], float64, float64[::1], int64, float64, float64[::1], int64[::1])"
)
"""


def generate(
    model: Model,
    observables: Sequence[str],
    inputs: Sequence[str],
    dosed: Sequence[str],
    method: str = "tsit5",
    *,
    cuda: bool = False,
) -> tuple[str, dict[str, Any]]:
    """Return the source of the kernel of `model`, and its layout; constants that are no `inputs` become numbers in it.

    method: see `compile_model`. cuda: the source for a GPU: the same equations and driver, one lane to a thread.

    Raises:
        ModelError: an unknown name, or a needed constant without a value.
    """
    _refuse(model)
    lowered = lower(model, observables, inputs, dosed)
    hoister, fluid, rates = lowered.hoister, lowered.fluid, lowered.rates
    slopes = None
    if not lowered.states:
        method = "tsit5"  # nothing can be stiff
    if method != "tsit5":
        try:
            slopes = jacobian(fluid, rates, [symbol(name) for name in lowered.states]).each(hoister.lift)
        except ModelError:
            if method == "rosenbrock":
                raise
            method = "tsit5"  # all that can be done without derivatives
    matrix = None if slopes is None else plan(slopes.entries, len(lowered.states))
    loops = ("loops.py.in",) if matrix is not None and length(matrix) > LONGEST else ()
    writer = Writer(lowered.states, inputs, hoister.columns, 1 if cuda else LANES, matrix)
    used = _reached(fluid, rates)
    if slopes is not None:
        used |= _reached(slopes.definitions, [*slopes.entries.values(), *slopes.by_time.values()])
    parts = [
        _IMPORTS + (_CUDA if cuda else _CPU) + writer.layout(method == "rosenbrock") + _SIGNATURES,
        writer.start(hoister.definitions, lowered.initial),
        writer.fetch_constants(used),
        writer.rhs(fluid, rates, dosed),
        *([] if slopes is None or matrix is None else writer.stiff(slopes, matrix)),
        writer.observe(fluid, lowered.seen),
        *(_driver(name) for name in (*_METHODS[method], *loops, "lanes.py.in")),
    ]
    layout = {
        "model_states": list(lowered.model_states),
        "states": list(lowered.states),
        "dead": sorted(lowered.dead),
        "exponents": lowered.exponents,
        "n_derived": len(hoister.columns),
        "work": writer.work[0],
        "desk": writer.work[1],
    }
    return "\n\n".join(parts), layout


def preload() -> None:
    """Read the drivers of all methods, for a process that may not open files later."""
    for name in {part for parts in _METHODS.values() for part in parts} | {"loops.py.in", "lanes.py.in"}:
        _driver(name)


@cache
def _driver(name: str) -> str:
    return files("mesotrial.engine").joinpath(name).read_text(encoding="utf-8")


def _refuse(model: Model) -> None:
    """Refuse what only the reference twin can do."""
    found = [f"the event {event.name}" for event in model.events] + [f"a delay in {name}" for name in _delayed(model)]
    found += [f"the fast reaction {name}" for name in model.equilibria]
    if found:
        raise ModelError(f'The compiled backend does not support {found[0]}: use backend="reference"')


def _delayed(model: Model) -> list[str]:
    """Return what uses a value of the past."""
    past = {symbol(name) for name in model.delays}
    rates = {name: equation.rate for name, equation in model.states.items()}
    return [name for name, e in {**model.algebra, **rates}.items() if e.free_symbols & past]


def _reached(definitions: Mapping[Symbol, Expr], wanted: Sequence[Expr]) -> set[Symbol]:
    """Return every symbol that `wanted` depends on."""
    found: set[Symbol] = set()
    todo = list(wanted)
    while todo:
        new = todo.pop().free_symbols - found
        found |= new
        todo += [definitions[s] for s in new if s in definitions]
    return found
