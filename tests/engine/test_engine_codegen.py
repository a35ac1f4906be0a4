"""The generated source, run as plain Python, against sympy's own evaluation."""

from types import SimpleNamespace

import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mesotrial.engine import TIME, Model, StateEquation
from mesotrial.engine.backend import LANES
from mesotrial.engine.codegen import generate
from mesotrial.engine.model import symbol

STATES, INPUTS = ("y", "E"), ("p", "lambda")
LEAVES = [*(symbol(name) for name in (*STATES, *INPUTS, "S", "d", "alg")), TIME]
POWERS = [sympy.Integer(n) for n in (-3, -1, 2, 3, 9)] + [sympy.Float(x) for x in (-0.5, 0.5, 1.5, -1.5, 0.37, 2.0)]


def positive(e):
    return sympy.Abs(e) + sympy.Float(0.1)


def extend(inner):
    pairs = st.tuples(inner, inner)
    return st.one_of(
        pairs.map(lambda ab: ab[0] + ab[1]),
        pairs.map(lambda ab: ab[0] - 2 * ab[1]),
        pairs.map(lambda ab: ab[0] * ab[1]),
        pairs.map(lambda ab: ab[0] / positive(ab[1])),
        pairs.map(lambda ab: sympy.Max(ab[0], ab[1])),
        pairs.map(lambda ab: sympy.Min(ab[0], ab[1], 1)),
        pairs.map(lambda ab: positive(ab[0]) ** sympy.tanh(ab[1])),
        pairs.map(lambda ab: sympy.Piecewise((ab[0], sympy.And(ab[0] > ab[1], ab[1] < 2)), (ab[1], True))),
        st.tuples(inner, st.sampled_from(POWERS)).map(lambda ab: positive(ab[0]) ** ab[1]),
        inner.map(lambda a: sympy.exp(-positive(a))),
        inner.map(lambda a: -sympy.log(positive(a))),
    )


leaves = st.one_of(
    st.sampled_from(LEAVES), st.sampled_from([0, 1, -2, 3]).map(sympy.Integer), st.just(sympy.Float(0.3))
)
expressions = st.recursive(leaves, extend, max_leaves=12)


V = SimpleNamespace(
    **{name: getattr(np, name) for name in ("where", "exp", "log", "sqrt", "tanh", "sin", "cos", "floor")},
    **dict.fromkeys(("power", "real_power", "whole_power"), np.power),
    LANES=LANES,
    opposite=np.logical_not,
    least=np.minimum,
    most=np.maximum,
    magnitude=np.abs,
    load=lambda work, place: work[place : place + LANES].copy(),
    store=lambda work, place, value: work.__setitem__(slice(place, place + LANES), value),
)
"""what `vectors` does, on arrays of one number a lane"""


def as_python(source):
    """Return the functions of a generated source, to run without Numba."""
    source = source.replace("from numba import njit", "def njit(*_, **__):\n    return lambda f: f")
    space = {"V": V}
    exec(source.replace("from mesotrial.engine import vectors as V\n", ""), space)
    return space


def run_generated(model, observables, parameters, values, time):
    """Return the observables and the slopes, these of a patient in the lane before the last."""
    source, layout = generate(model, observables, INPUTS, ("y",))
    space = as_python(source)
    derived, initial = np.empty((1, layout["n_derived"])), np.empty((1, len(layout["states"])))
    space["start"](parameters, derived, initial)
    out = np.empty((len(observables), 1))
    kept = values[:, [STATES.index(name) for name in layout["states"]]]
    space["observe"](np.array([time]), kept, parameters, derived, 1, out)
    work, lane = np.zeros(space["WORK"]), LANES - 2
    space["fetch_constants"](lane, 0, work, parameters, derived)
    work[space["U"] + lane : space["F"] : LANES] = kept[0]
    work[space["T"] + lane], work[space["DT"] + lane] = 0.5 * time, 2.0 * time
    space["rhs"](0.25, work)
    return out[:, 0], work[space["F"] + lane : space["K1"] : LANES]


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
@settings(max_examples=150, deadline=None)
@given(
    st.lists(expressions, min_size=4, max_size=4),
    st.lists(st.floats(0.05, 3), min_size=5, max_size=5),
)
def test_generated_source_means_the_model(parts, numbers):
    p, lam, y, e, time = numbers
    constant_only = {symbol(n): sympy.Float(1.25) for n in (*STATES, "alg", "d")} | {TIME: sympy.Float(0.5)}
    derived = parts[0].xreplace(constant_only)
    algebra = parts[1].xreplace({symbol("alg"): symbol("y")})
    model = Model(
        {"y": StateEquation(parts[2], sympy.Integer(1)), "E": StateEquation(parts[3] + symbol("y"), symbol("d"))},
        {"p": 1.0, "lambda": 2.0, "S": 0.7},
        {"d": derived},
        {"alg": algebra},
    )
    known = {"p": p, "lambda": lam, "S": 0.7, "y": y, "E": e, TIME.name: time}

    def value(expression):
        names = sorted(s.name for s in expression.free_symbols)
        return float(sympy.lambdify([symbol(n) for n in names], expression, "numpy")(*(known[n] for n in names)))

    known["d"] = value(derived)
    known["alg"] = value(algebra)
    rates = [value(parts[2]), value(parts[3] + symbol("y"))]
    expected = [known["alg"], known["d"], y, e]
    assume(np.isfinite([*expected, *rates]).all() and max(abs(x) for x in (*expected, *rates)) < 1e9)
    parameters, values = np.array([[p, lam]]), np.array([[y, e]])
    seen, slopes = run_generated(model, ("alg", "d", "y", "E"), parameters, values, time)
    # Cancellation may magnify rounding, hence an absolute part too.
    assert seen == pytest.approx(expected, rel=1e-7, abs=1e-7)
    assert slopes == pytest.approx(rates, rel=1e-7, abs=1e-7)
