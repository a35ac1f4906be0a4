"""What SBML can say beyond plain equations: events, delays, changing compartments, algebraic rules, MathML."""

import math
import re

import numpy as np
import pytest

from mesotrial.engine import Doses, ModelError, antimony_to_sbml, compile_model, load_model

TIMES = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0])


def course(text, *names, times=TIMES, backend="reference", doses=None, dosed=()):
    simulator = compile_model(load_model(text), observables=names, dosed=dosed, rtol=1e-8, atol=1e-10, backend=backend)
    state = simulator.advance(simulator.start(np.empty((1, 0))), until=times[-1], save_at=times, doses=doses)
    assert state.code[0] == 0
    return [value[0] for value in simulator.observe_saved(state, names).values()]


def mathml(content):
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML">{content}</math>'


def with_algebraic_rule(text, formula):
    """Add 0 = formula, which Antimony cannot say, in place of an assignment rule to `placeholder`."""
    sbml = antimony_to_sbml(f"{text}\nplaceholder := {formula};")
    return sbml.replace('<assignmentRule variable="placeholder">', "<algebraicRule>", 1).replace(
        "</assignmentRule>\n    </listOfRules>", "</algebraicRule>\n    </listOfRules>"
    )


def test_an_event_at_a_time_and_at_a_value():
    text = "x = 4; x' = -x; n = 0; at (time >= 1): x = 3; at (x < 1): n = n + 1, x = 2;\n"
    low = 1 + math.log(3)
    x, n = course(text, "x", "n")
    then = np.where(TIMES < 1, 4 * np.exp(-TIMES), np.where(low > TIMES, 3 * np.exp(1 - TIMES), 0))
    assert x[:4] == pytest.approx(then[:4], rel=1e-7)
    assert x[4] == pytest.approx(2 * np.exp(low + math.log(2) - 3), rel=1e-7)
    assert n.tolist() == [0, 0, 0, 0, 2, 3]


def test_delay_persistence_and_the_time_of_values():
    text = """
      x = 0; x' = 1; kept = 0; lost = 0; early = 0; late = 0;
      at 1 after (time > 0.5 && time < 1.25): kept = 1;
      at 1 after (time > 0.5 && time < 1.25), persistent=false: lost = 1;
      at 1 after (time > 0.75), fromTrigger=true: early = x;
      at 1 after (time > 0.75), fromTrigger=false: late = x;
    """
    kept, lost, early, late = course(text, "kept", "lost", "early", "late")
    assert kept.tolist() == [0, 0, 1, 1, 1, 1] or kept.tolist() == [0, 0, 0, 1, 1, 1]  # at 1.5 and a little
    assert lost.tolist() == [0] * 6
    assert early[3:] == pytest.approx([0.75] * 3)
    assert late[3:] == pytest.approx([1.75] * 3)


def test_priority_and_the_trigger_before_the_start():
    text = """
      x = 1; a = 0; b = 0; c = 0; d = 0;
      at (time >= 1), priority=1: a = x, x = 2 * x;
      at (time >= 1), priority=2: b = x, x = x + 3;
      at (x > 0), t0=false: c = 1;
      at (x > 0), t0=true: d = 1;
    """
    a, b, c, d = course(text, "a", "b", "c", "d", times=np.array([0.0, 1.0, 2.0])[1:])
    assert (a[1], b[1], c[1], d[1]) == (1, 1, 1, 0)  # values are those of the time of the trigger
    (x,) = course(text.replace("priority=", "fromTrigger=false, priority="), "x", times=TIMES)
    assert x[-1] == (1 + 3) * 2


def test_events_without_end_are_a_code():
    text = (
        "x = 0; at (x < 1), t0=false, fromTrigger=false: x = 2; at (x > 1), fromTrigger=false: x = 0; y = 1; y' = -y;\n"
    )
    simulator = compile_model(load_model(text), observables=["x", "y"], backend="reference")
    assert simulator.advance(simulator.start(np.empty((1, 0))), until=1.0).code[0] != 0


def test_doses_wake_events_and_visits_change_nothing():
    text = "x = 0; x' = -x; n = 0; at 0.75 after (x > 5): n = n + 1;\n"
    doses = Doses([0, 0], [0.5, 3.0], "x", [4.0, 9.0])
    whole = course(text, "n", "x", doses=doses, dosed=["x"])
    assert whole[0].tolist() == [0, 0, 0, 0, 0, 1]
    simulator = compile_model(load_model(text), observables=["n", "x"], dosed=["x"], backend="reference")
    state = simulator.start(np.empty((2, 0)))
    both = Doses([0, 0, 1, 1], [0.5, 3.0, 0.5, 3.0], "x", [4.0, 9.0, 4.0, 9.0])
    for until in (0.0, 0.5, 2.0, 3.0, 3.5, 4.0):
        state = simulator.advance(state, until=until, doses=both if until == 0 else None).take(np.array([1, 0]))
    assert simulator.observe(state, ["n"])["n"].tolist() == [1, 1]
    assert simulator.observe(state, ["x"])["x"] == pytest.approx(whole[1][-1], rel=1e-5)


def test_a_delayed_value():
    # x' = -x(t - 1) with x = 1 before: the method of steps by hand.
    (x,) = course("x = 1; x' = -delay(x, 1);\n", "x", times=np.array([0.5, 1.0, 2.0, 3.0]))
    assert x == pytest.approx([0.5, 0.0, -0.5, -1 / 6], abs=1e-6)


def test_a_past_without_end_is_refused():
    sbml = antimony_to_sbml("y := 1 + delay(z, 3); z = 2; x = 1; x' = y;\n")
    with pytest.raises(ModelError, match="The past of y before the start depends on itself"):
        load_model(sbml.replace("<ci> z </ci>", "<ci> y </ci>"))


def with_fast(text, *reactions):
    """Make reactions fast, which Antimony cannot say."""
    sbml = antimony_to_sbml(text).replace("level3/version2", "level3/version1").replace('version="2"', 'version="1"')
    return re.sub(
        r'<reaction id="(\w+)" reversible="true"', lambda m: f'{m[0]} fast="{str(m[1] in reactions).lower()}"', sbml
    )


def test_fast_reactions_stay_at_their_equilibrium():
    text = "compartment C; C = 1; species A in C, B in C; A = 4; B = 0; J1: A -> B; A - 3*B; J2: B -> ; 0.5*B; at (time >= 2.5): A = 9;\n"
    a, b = course(with_fast(text, "J1"), "A", "B")
    total = np.where(TIMES < 2.5, 4 * np.exp(-TIMES / 8), 0)  # B is a quarter of what is there
    after = (9 + np.exp(-2.5 / 8)) * np.exp(-(TIMES - 2.5) / 8)
    total = np.where(TIMES < 2.5, total, after)
    assert a == pytest.approx(0.75 * total, rel=1e-6)
    assert b == pytest.approx(0.25 * total, rel=1e-6)
    dosed = course(with_fast(text.split("at (")[0], "J1"), "A", doses=Doses([0], [1.25], "B", [2.0]), dosed=["B"])[0]
    assert dosed[-1] == pytest.approx(0.75 * (4 * np.exp(-1.25 / 8) + 2) * np.exp(-2.75 / 8), rel=1e-6)


def test_binding_that_is_fast():
    """A + B <-> C has two equilibria on paper; the one that is reached is taken."""
    text = "compartment V; V = 1; species A in V, B in V, C in V; A = 3; B = 2; C = 0; J: A + B -> C; A*B - 0.5*C; L: C -> ; 0.1*C;\n"
    a, b, c = course(with_fast(text, "J"), "A", "B", "C")
    assert a * b == pytest.approx(0.5 * c, rel=1e-5)
    assert a - b == pytest.approx(np.ones(6), rel=1e-6)
    assert (a > 0).all() and (b > 0).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("J: A -> B; piecewise(A, time < 2, B);", "The rate of the fast reaction J jumps"),
        ("J: A -> B; delay(A, 1);", "The rate of the fast reaction J depends on a value of the past"),
        ("J: A -> B; A - B; x := J;", "The rate of the fast reaction J is used by x"),
        ("J: A -> B; A - B; K: A -> B; A - 2*B;", "Fast reactions that share one equilibrium are not supported: J, K"),
    ],
)
def test_fast_reactions_that_are_refused_by_name(text, words):
    model = with_fast(f"compartment C; C = 1; species A in C, B in C; A = 4; B = 0; {text}\n", "J", "K")
    with pytest.raises(ModelError, match=words):
        load_model(model)


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_what_was_computed_from_pi_equals_pi(backend):
    text = "x = 1; x' = -x; a := pi; b := piecewise(2, a == pi, 3); y = 0; y' = piecewise(1, a == pi, 0);\n"
    b, y = course(text, "b", "y", backend=backend)
    assert (b == 2).all() and y == pytest.approx(TIMES)


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_a_constant_that_is_no_number_may_be_looked_at(backend):
    x, r = course("x = 1; x' = -x; R = NaN;\n", "x", "R", backend=backend)
    assert np.isfinite(x).all() and np.isnan(r).all()


def test_a_compartment_that_changes():
    text = "compartment V; V = 2; V' = 1; species S in V; S = 3; S -> ; 0.5*S*V; total := S*V; at (time >= 2): V = 1;\n"
    volume, amount, concentration = course(text, "V", "total", "S")
    sizes = np.where(TIMES < 2, 2 + TIMES, TIMES - 1)
    assert volume == pytest.approx(sizes)
    assert amount == pytest.approx(6 * np.exp(-0.5 * TIMES), rel=1e-7)
    assert concentration == pytest.approx(amount / sizes, rel=1e-9)
    smooth = text.replace("at (time >= 2): V = 1;", "")
    compiled = course(smooth, "total", "S", backend="numba")
    assert compiled[0] == pytest.approx(6 * np.exp(-0.5 * TIMES), rel=1e-6)


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_rates_of_change_and_mathml(backend):
    text = """
      x = 0.3; x' = 0.1; speed := rateOf(x) + rateOf(k); k = 2;
      trig := sec(x) + csc(x) + cot(x) + arcsin(x) + arccos(x) + arctan(x) + arcsec(1/x) + arccsc(1/x) + arccot(x);
      hyper := sech(x) + csch(x) + coth(x) + arcsinh(x) + arccosh(1+x) + arctanh(x) + arcsech(x) + arccsch(x) + arccoth(1/x);
      whole := factorial(3) + ceil(x) + floor(-x) + quotient(-7, k) + rem(-7, k) + max(x, 1, k) + min(x, 1, k);
      logic := piecewise(1, x > 5 || !(k == 2) , 2, xor(x > 0, k > 5) && implies(x > 1, k > 5), 3);
    """
    found = course(text, "speed", "trig", "hyper", "whole", "logic", backend=backend)
    x = 0.3 + 0.1 * TIMES
    assert found[0] == pytest.approx(np.full(6, 0.1))
    inverse = np.arcsin(x) + np.arccos(x) + np.arctan(x) + np.arccos(x) + np.arcsin(x) + np.arctan(1 / x)
    assert found[1] == pytest.approx(1 / np.cos(x) + 1 / np.sin(x) + 1 / np.tan(x) + inverse)
    inverse = np.arcsinh(x) + np.arccosh(1 + x) + np.arctanh(x) + np.arccosh(1 / x) + np.arcsinh(1 / x) + np.arctanh(x)
    assert found[2] == pytest.approx(1 / np.cosh(x) + 1 / np.sinh(x) + 1 / np.tanh(x) + inverse)
    assert found[3] == pytest.approx(6 + 1 - 1 - 3 - 1 + 2 + x)
    assert found[4].tolist() == [2] * 6


def test_algebraic_rules():
    linear = with_algebraic_rule("x = 2; x' = -x; var y; var z; z := 2*y;", "x + z - 6")
    assert course(linear, "y", backend="numba")[0] == pytest.approx((6 - 2 * np.exp(-TIMES)) / 2, rel=1e-6)
    unsolved = with_algebraic_rule("x = 2; x' = -x; var y;", "y*exp(y) - y*sin(y) - x")
    with pytest.raises(ModelError, match="has no unique solution for y"):
        load_model(unsolved)
    settled = with_algebraic_rule("x = 2; x' = -x; const y; y = 1;", "x + y - 6")
    with pytest.raises(ModelError, match="determines nothing"):
        load_model(settled)


def test_stoichiometry_and_conversion():
    text = """
      compartment C; C = 1; species A in C, B in C; A = 10; B = 0; s = 2; n = 3;
      A -> n B; 0.5*A;
    """
    a, b = course(text, "A", "B", backend="numba")
    assert a == pytest.approx(10 * np.exp(-0.5 * TIMES), rel=1e-6)
    assert b == pytest.approx(3 * (10 - a), rel=1e-6)


def test_the_compiled_backend_refuses_by_name():
    with pytest.raises(ModelError, match='does not support the event E1: use backend="reference"'):
        compile_model(load_model("x = 1; x' = -x; E1: at (x < 0.5): x = 1;\n"), observables=["x"])
    with pytest.raises(ModelError, match='does not support a delay in x: use backend="reference"'):
        compile_model(load_model("x = 1; x' = -delay(x, 1);\n"), observables=["x"])
