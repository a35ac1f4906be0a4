"""Stiff models: the Rosenbrock method, and the choice between it and Tsit5."""

import dataclasses

import numpy as np
import pytest

from mesotrial.engine import Doses, ModelError, compile_model, load_model
from mesotrial.engine.codegen import generate

# Problems of Hairer and Wanner, "Solving Ordinary Differential Equations II", section IV.10, with the reference values of
# the Bari test set (Mazzia and Magherini); Robertson's at t = 40 and 10^11.
ROBERTSON = """
  A = 1; B = 0; C = 0; A' = -0.04*A + 1e4*B*C; B' = 0.04*A - 1e4*B*C - 3e7*B^2; C' = 3e7*B^2;
"""
HIRES = """
  y1 = 1; y2 = 0; y3 = 0; y4 = 0; y5 = 0; y6 = 0; y7 = 0; y8 = 0.0057; bind := 280*y6*y8;
  y1' = -1.71*y1 + 0.43*y2 + 8.32*y3 + 0.0007; y2' = 1.71*y1 - 8.75*y2; y3' = -10.03*y3 + 0.43*y4 + 0.035*y5;
  y4' = 8.32*y2 + 1.71*y3 - 1.12*y4; y5' = -1.745*y5 + 0.43*y6 + 0.43*y7;
  y6' = -bind + 0.69*y4 + 1.71*y5 - 0.43*y6 + 0.69*y7; y7' = bind - 1.81*y7; y8' = -bind + 1.81*y7;
"""
VAN_DER_POL = "mu = 1000; x = 2; v = 0; x' = v; v' = mu*(1 - x^2)*v - x;\n"
# Target-mediated disposition (Mager and Jusko 2001): an antibody (nmol) binds its target within seconds, for a year.
TMDD = """
  V = 3; kon = 1e4; koff = 2e3; kel = 0.05; kin = 2; kdeg = 0.8; kint = 0.3;
  D = 0; R = kin/kdeg; P = 0; bound := kon*D/V*R - koff*P;
  D' = -kel*D - V*bound; R' = kin - kdeg*R - bound; P' = bound - kint*P; free := D/V;
"""
CASES = {
    "robertson": (ROBERTSON, 40.0, {"A": 0.7158270688, "B": 9.185534764e-6, "C": 0.2841637457}),
    "robertson for 10^11": (
        ROBERTSON,
        1e11,
        {"A": 0.2083340149701255e-7, "B": 0.8333360770334713e-13, "C": 0.9999999791665050},
    ),
    "hires": (
        HIRES,
        321.8122,
        {
            "y1": 0.7371312573325668e-3,
            "y4": 0.1175651343283149e-2,
            "y6": 0.6238968252742796e-2,
            "y8": 0.2850001604814231e-2,
        },
    ),
    "van der pol": (VAN_DER_POL, 2000.0, {"x": 1.706167732170469, "v": -0.8928097010248125e-3}),
}


def run(text, until, method, names, rtol=1e-6, atol=1e-10, save_at=None, doses=None, dosed=()):
    simulator = compile_model(
        load_model(text), observables=names, dosed=dosed, rtol=rtol, atol=atol, method=method, threads=1
    )
    return simulator, simulator.advance(simulator.start(np.empty((1, 0))), until=until, save_at=save_at, doses=doses)


@pytest.mark.parametrize("method", ["rosenbrock", "auto"])
@pytest.mark.parametrize("name", CASES)
def test_known_stiff_problems(name, method):
    text, until, expected = CASES[name]
    simulator, state = run(text, until, method, list(expected), atol=1e-20 if until > 1e6 else 1e-12)
    assert state.code[0] == 0
    seen = simulator.observe(state, list(expected))
    for key, value in expected.items():
        assert seen[key][0] == pytest.approx(value, rel=1e-4), key
    assert state.steps[0] < 5_000


def test_binding_within_seconds_for_a_year():
    days = np.arange(0.5, 365, 3.7)
    doses = Doses([0] * 13, 28.0 * np.arange(13), "D", [30.0] * 12 + [2.0], [0.0] * 6 + [0.04] * 7)
    names = ["D", "R", "P", "free"]
    fine, exact = run(TMDD, 365.0, "rosenbrock", names, 1e-10, 1e-13, days, doses, ["D"])
    expected = fine.observe_saved(exact, names)
    slow = compile_model(load_model(TMDD), observables=names, dosed=["D"], backend="reference")
    twin = slow.advance(slow.start(np.empty((1, 0))), until=365.0, save_at=days, doses=doses)
    steps = {}
    for method in ("rosenbrock", "auto"):
        simulator, state = run(TMDD, 365.0, method, names, save_at=days, doses=doses, dosed=["D"])
        assert state.code[0] == 0
        steps[method] = int(state.steps[0])
        seen = simulator.observe_saved(state, names)
        for name in names:
            assert seen[name] == pytest.approx(expected[name], rel=2e-4, abs=1e-6), (method, name)
    assert max(steps.values()) < 8_000  # Tsit5 would need 10^7
    for name, value in slow.observe_saved(twin, names).items():
        assert value == pytest.approx(expected[name], rel=1e-6, abs=1e-8)


def test_auto_is_tsit5_where_nothing_is_stiff():
    text = "a = 1; b = 0.5; a' = 0.6*a - 0.8*a*b; b' = -0.5*b + 0.4*a*b;\n"
    results = {method: run(text, 60.0, method, ["a", "b"])[1] for method in ("auto", "tsit5")}
    # The same steps; patients side by side round differently from one at a time.
    assert results["auto"].values == pytest.approx(results["tsit5"].values, rel=1e-10)
    assert results["auto"].steps[0] == results["tsit5"].steps[0]


def test_auto_goes_over_and_comes_back():
    # Stiff between days 20 and 40 only; explicit steps would be 1e-3 days there.
    text = "k := 1 + 4e3*exp(-((time - 30)/4)^4); x = 0; x' = -k*(x - sin(time));\n"
    _, auto = run(text, 100.0, "auto", ["x"], rtol=1e-5, atol=1e-8)
    _, fine = run(text, 100.0, "rosenbrock", ["x"], rtol=1e-10, atol=1e-12)
    _, explicit = run(text, 100.0, "tsit5", ["x"], rtol=1e-5, atol=1e-8)
    assert auto.values == pytest.approx(fine.values, abs=1e-4)
    assert auto.steps[0] < 0.1 * explicit.steps[0]


def test_order_of_convergence(monkeypatch):
    """Order 4 at the end of a step and at least 3 between steps, with time in the rates, nonlinear and stiff."""
    text = """
      y = 1; y' = -y^2*cos(time); z = 1; z' = -1e4*(z - cos(time)) - sin(time); p = 1; q = 0.2; p' = q*p - p^3; q' = sin(p) - q;
    """
    simulator = compile_model(load_model(text), observables=["y", "z", "p"], rtol=1e-6, method="rosenbrock")
    fine = compile_model(load_model(text), observables=["p"], rtol=1e-12, atol=1e-14, backend="reference")
    (p,) = fine.observe(fine.advance(fine.start(np.empty((1, 0))), until=4.0), ["p"]).values()
    monkeypatch.setattr(simulator._backend, "_rtol", 1e300)
    errors = []
    for h in (0.25, 0.125, 0.0625):
        monkeypatch.setattr(simulator._backend, "_max_step_days", h)
        start = dataclasses.replace(simulator.start(np.empty((1, 0))), step_days=np.array([h]))
        between = 2 + 0.37 * h
        state = simulator.advance(start, until=4.0, save_at=np.array([between, 4.0]))
        seen = {name: value[0] for name, value in simulator.observe_saved(state, ["y", "z", "p"]).items()}
        exact = 1 / (1 + np.sin([between, 4.0]))
        middle, end = abs(seen["y"] - exact)
        errors.append([end, abs(seen["p"][1] - p[0]), middle, abs(seen["z"][1] - np.cos(4.0))])
    orders = np.log2(np.array(errors)[:-1] / np.array(errors)[1:])
    assert (orders[:, :2] > 3.7).all()
    assert (orders[:, 2] > 2.8).all()
    assert errors[-1][3] < 1e-7  # no loss of order where the problem is stiff


def test_the_jacobian_is_exact():
    text = """
      a = 1.3; b = 0.4; c = 2; n = 1.7; f := a^n/(2 + a^n); g := max(f, b*c)*piecewise(b, a > 1, a*time); s := floor(a)*a;
      a' = f*g - sin(b*time); b' = exp(-c)*g + s; c' = abs(b - c)*f + log(c)/n;
    """
    model = load_model(text)
    source, _ = generate(model, ["a", "b", "c"], ["n"], [], "rosenbrock")
    space = {}
    exec(source.replace("from numba import njit", "def njit(*_, **__):\n    return lambda f: f"), space)
    parameters = np.array([[1.7]])
    derived, values = np.empty((1, space["N_DERIVED"])), np.empty((1, 3))
    space["start"](parameters, derived, values)
    work = np.zeros(space["WORK"])
    work[: space["R"]] = [*parameters[0], *derived[0]]

    def rates(time, y):
        work[space["Y"] : space["Y"] + 3] = y
        space["rhs"](time, work, space["Y"], space["K1"])
        return work[space["K1"] : space["K1"] + 3].copy()

    time, y, d = 0.7, values[0], 1e-6
    rates(time, y)
    space["jac"](time, work, space["Y"])
    exact = work[space["J"] : space["J"] + 9].reshape(3, 3).copy()
    by_time = work[space["FT"] : space["FT"] + 3].copy()
    numeric = np.array([(rates(time, y + d * e) - rates(time, y - d * e)) / (2 * d) for e in np.eye(3)]).T
    assert exact == pytest.approx(numeric, rel=1e-7, abs=1e-8)
    assert by_time == pytest.approx((rates(time + d, y) - rates(time - d, y)) / (2 * d), rel=1e-7, abs=1e-8)


def test_methods_are_bit_equal_for_batches_and_misuse_is_named():
    simulator = compile_model(load_model(VAN_DER_POL), observables=["x"], inputs=["mu"], method="auto", threads=1)
    rows = np.array([[1.0], [1e3], [30.0], [2e3]])
    whole = simulator.advance(simulator.start(rows), until=50.0)
    for i in range(4):
        alone = simulator.advance(simulator.start(rows[[i]]), until=50.0)
        assert np.array_equal(alone.values[0], whole.values[i])
    with pytest.raises(ValueError, match="method must be tsit5, rosenbrock or auto, not euler"):
        compile_model("x = 1; x' = -x;\n", observables=["x"], method="euler")


def test_a_formula_without_a_derivative():
    model = load_model("x = 1; x' = -factorial(x)*x;\n")
    with pytest.raises(ModelError, match='has no derivative by x here: use method="tsit5"'):
        generate(model, ["x"], [], [], "rosenbrock")
    assert "stiff_step" not in generate(model, ["x"], [], [], "auto")[0]
