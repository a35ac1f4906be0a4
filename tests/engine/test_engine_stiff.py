"""Stiff models: the Rosenbrock method, and the choice between it and Tsit5."""

import dataclasses
from importlib.resources import files

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from test_engine_codegen import LANES, V, as_python

from mesotrial.engine import Doses, ModelError, compile_model, load_model
from mesotrial.engine.codegen import generate
from mesotrial.engine.derivatives import jacobian
from mesotrial.engine.factors import TINY, factorise_lines, plan, solve_lines, tables
from mesotrial.engine.lowering import lower
from mesotrial.engine.model import symbol

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
    assert np.array_equal(results["auto"].values, results["tsit5"].values)
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
    source, layout = generate(model, ["a", "b", "c"], ["n"], [], "rosenbrock")
    space = as_python(source)
    parameters = np.array([[1.7]])
    derived, values = np.empty((1, layout["n_derived"])), np.empty((1, 3))
    space["start"](parameters, derived, values)
    work, lane = np.zeros(space["WORK"]), 3
    space["fetch_constants"](lane, 0, work, parameters, derived)

    def there(block, i):
        return work[space[block] + i * LANES : space[block] + (i + 1) * LANES]

    def rates(time, y):
        there("T", 0)[:] = time
        for i in range(3):
            there("U", i)[:] = there("Y", i)[:] = y[i]
        space["rhs"](0.0, work)
        return np.array([there("F", i)[lane] for i in range(3)])

    time, y, d = 0.7, values[0], 1e-6
    rates(time, y)
    space["jacobian"](work)
    fluid = lower(model, ["a", "b", "c"], ["n"], [])
    matrix = plan(jacobian(fluid.fluid, fluid.rates, [symbol(name) for name in "abc"]).entries, 3)
    exact = np.zeros((3, 3))
    for i, j in matrix.given:
        exact[i, j] = -there("E", matrix.slots[i, j])[lane]
    by_time = np.array([there("FT", i)[lane] for i in range(3)])
    numeric = np.array([(rates(time, y + d * e) - rates(time, y - d * e)) / (2 * d) for e in np.eye(3)]).T
    assert exact == pytest.approx(numeric, rel=1e-7, abs=1e-8)
    assert by_time == pytest.approx((rates(time + d, y) - rates(time - d, y)) / (2 * d), rel=1e-7, abs=1e-8)
    assert there("FASTEST", 0)[lane] == np.abs(exact * exact.T).max()
    # Its factors solve the equations.
    right = np.array([1.0, -2.0, 0.5])
    for i in range(3):
        there("F", i)[:] = right[i]
    assert space["factorise"](np.full(LANES, 0.4), work)[lane]
    space["solve"](work)
    solution = np.array([there("F", i)[lane] for i in range(3)])
    assert solution == pytest.approx(np.linalg.solve(0.4 * np.eye(3) - exact, right), rel=1e-12)


def arrow(n):
    """A hub that everything is beside: in natural order it is eliminated first, and all fills in."""
    return {(0, i) for i in range(n)} | {(i, 0) for i in range(n)}


def test_the_order_of_elimination_keeps_the_factors_sparse():
    n = 30
    natural, chosen = plan(arrow(n), n, range(n)), plan(arrow(n), n)
    assert len(natural.slots) == n * n
    assert len(chosen.slots) == 3 * n - 2  # no fill-in
    rng = np.random.default_rng(0)
    better = 0
    for _ in range(20):
        pattern = {(int(i), int(j)) for i, j in rng.integers(0, n, (60, 2))}
        sizes = len(plan(pattern, n).slots), len(plan(pattern, n, range(n)).slots)
        assert sizes[0] <= sizes[1]
        better += sizes[0] < sizes[1]
    assert better > 10


def straight(matrix, n):
    """The functions of straight-line code, without Numba; the right-hand side is followed by the slots."""
    lines = ["def factorise(diagonal, w):", *factorise_lines(matrix), "def solve(w):", *solve_lines(matrix)]
    space = {"V": V, "LANES": LANES, "TINY": TINY, "F": 0, "E": n * LANES}
    exec("\n".join(line if line.startswith("def") else f"    {line}" for line in lines), space)
    return space


def looped(matrix, n):
    """The same with loops."""
    names = ("FIRST", "DIAGONAL", "COLUMN", "ACROSS", "FILLED")
    space = {"V": V, "LANES": LANES, "TINY": TINY, "F": 0, "E": n * LANES, "N_STATES": n, "OPTIONS": {}}
    space |= dict(zip(names, tables(matrix.given, n), strict=True), njit=lambda **_: lambda f: f)
    exec(files("mesotrial.engine").joinpath("loops.py.in").read_text(), space)
    return space


@settings(max_examples=40, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))), st.integers(0, 2**32 - 1))
def test_factors_of_any_pattern(pattern, seed):
    """Straight-line and looped factors solve the equations of dense algebra, wherever they are told to be sound."""
    matrix, rng = plan(pattern, 6), np.random.default_rng(seed)
    negative, right = np.zeros((LANES, 6, 6)), rng.normal(size=(LANES, 6))
    for i, j in matrix.given:
        negative[:, i, j] = rng.normal(size=LANES)
    begin = np.full((6 + len(matrix.slots)) * LANES, np.nan)
    begin[: 6 * LANES] = right.T.ravel()
    for place in matrix.given:
        slot = 6 + matrix.slots[place]
        begin[slot * LANES : (slot + 1) * LANES] = negative[:, place[0], place[1]]
    diagonal = np.abs(rng.normal(size=LANES)) + 0.1
    dense = negative + diagonal[:, None, None] * np.eye(6)
    for space in (straight(matrix, 6), looped(matrix, 6)):
        work = begin.copy()
        sound = space["factorise"](diagonal, work)
        space["solve"](work)
        solution = work[: 6 * LANES].reshape(6, LANES)
        left = np.einsum("lij,jl->li", dense, solution) - right
        scale = np.abs(dense).sum(axis=(1, 2)) * np.abs(solution).max(axis=0)
        assert (np.abs(left).max(axis=1)[sound] < 1e-6 * scale[sound]).all()
        assert sound.mean() > 0.8


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.parametrize(
    "entries", [{(0, 0): -2.0}, {(0, 0): np.inf}, {(0, 0): np.nan}, {(0, 0): -2 + 1e-14}, {(0, 1): 1e9, (1, 0): 1e9}]
)
def test_a_pivot_without_digits_is_told(entries):
    matrix = plan(entries, 2)
    work = np.zeros((2 + len(matrix.slots)) * LANES)
    for place, value in entries.items():
        slot = 2 + matrix.slots[place]
        work[slot * LANES : (slot + 1) * LANES] = value
    diagonal = np.full(LANES, 2.0)
    diagonal[3] = 2e10  # a shorter step: this one is sound, where anything is
    for space in (straight(matrix, 2), looped(matrix, 2)):
        sound = space["factorise"](diagonal, work.copy())
        assert sound[3] == np.isfinite(list(entries.values())).all()
        assert not np.delete(sound, 3).any()


@pytest.mark.parametrize("method", ["rosenbrock", "auto"])
def test_a_singular_matrix_gives_a_shorter_step_or_a_code(method):
    model = "k = 1; x = 1; x' = k*x; y = 1; y' = 0.1*(1 - sqrt(y));\n"
    simulator = compile_model(model, observables=["x", "y"], inputs=["k"], method=method, threads=1)
    start = simulator.start([[2.0], [2.0], [0.5]], initial={"y": [1.0, 0.0, 1.0]})
    # A first step of 2, by the stiff method, makes 1 / (h gamma) = k for the first two; the root of the second has no slope.
    state = simulator.advance(dataclasses.replace(start, step_days=np.full(3, -2.0)), until=3.0)
    assert state.code.tolist() == [0, 3, 0]
    x = simulator.observe(state, ["x"])["x"]
    assert x == pytest.approx([np.exp(6.0), 1.0, np.exp(1.5)], rel=1e-4)
    assert state.time_days.tolist() == [3.0, 0.0, 3.0]


def test_loops_for_large_models_do_as_straight_code(monkeypatch):
    text, until, expected = CASES["hires"]
    _, straight = run(text, until, "rosenbrock", list(expected))
    monkeypatch.setattr("mesotrial.engine.codegen.LONGEST", 0)
    monkeypatch.setattr("mesotrial.engine.writing.LONGEST", 0)
    monkeypatch.setattr("mesotrial.engine.numba_backend._generator", lambda: "loops")  # another kernel in the cache
    _, loops = run(text, until, "rosenbrock", list(expected))
    assert loops.steps[0] == pytest.approx(straight.steps[0], rel=0.05)  # rounding decides a rejection or two
    assert loops.values == pytest.approx(straight.values, rel=1e-6)


CHAIN = TMDD.replace("D = 0;", "D = 0; k = 0.02; L = 1; L' = k*L*(1 + sin(time)) - 0.1*P*L;")


@pytest.fixture(scope="module", params=["rosenbrock", "auto"])
def mixed(request):
    """Patients whose binding is stiff, mild or none, with doses; all the same and in any company."""
    names = ["D", "R", "P", "L"]
    options = {"observables": names, "inputs": ["kon", "koff", "kin", "k"], "dosed": ["D"], "method": request.param}
    simulator = compile_model(CHAIN, **options, threads=1)
    rng = np.random.default_rng(5)
    n = 40
    speed = 10.0 ** rng.uniform(-4, 0.5, n)
    table = np.stack([1e4 * speed, 2e3 * speed, rng.uniform(1, 3, n), rng.uniform(0.01, 0.03, n)], axis=1)
    return simulator, compile_model(CHAIN, **options, threads=2), table, request.param


def go(simulator, table, rows, visits=(30.0, 70.5)):
    rows = np.asarray(rows)
    who = np.repeat(np.arange(len(rows)), 3)
    doses = Doses(
        who,
        np.tile([0.0, 14.0, 31.0], len(rows)) + rows[who] / 64,
        "D",
        np.full(len(who), 30.0),
        np.tile([0.0, 0.04, 2.0], len(rows)),
    )
    state = simulator.start(table[rows])
    for visit in visits:
        state = simulator.advance(state, until=visit, doses=doses, save_at=np.arange(1.3, 70, 7.7))
        doses = None
    return state


def same(one, other, rows):
    assert np.array_equal(one.values, other.values[rows])
    assert np.array_equal(one.steps, other.steps[rows])
    assert np.array_equal(one.step_days, other.step_days[rows])
    assert np.array_equal(one.saved_values, other.saved_values[rows], equal_nan=True)


def test_bit_equal_in_any_lane_thread_and_chunk(mixed, monkeypatch):
    simulator, two, table, method = mixed
    everyone = np.arange(len(table))
    whole = go(simulator, table, everyone)
    assert (whole.code == 0).all()
    stiff = (whole.step_days < 0).sum()
    assert 0 < stiff < 40 if method == "auto" else stiff == 0  # some end with one method, some with the other
    monkeypatch.setattr("mesotrial.engine.numba_backend._SMALLEST_SHARE", 5)
    same(go(two, table, everyone), whole, everyone)
    for rows in (everyone[::-1], np.roll(everyone, 3), np.random.default_rng(1).permutation(40)[:13], [7], [7, 7, 3]):
        same(go(simulator, table, rows), whole, rows)
    fails = table[[7, 7, 3]]
    fails[1] = np.nan
    alone = go(simulator, fails, [0, 1, 2])
    assert alone.code.tolist() == [0, 3, 0]


def test_bit_equal_from_any_resume_point(mixed):
    simulator, _, table, _ = mixed
    everyone = np.arange(len(table))
    visits = (10.0, 14.02, 70.5)
    whole = go(simulator, table, everyone, visits)
    for place in (1, 2):
        part = go(simulator, table, everyone, visits[:place])
        rows = np.random.default_rng(place).permutation(40)[:21]
        later = part.take(rows)
        for visit in visits[place:]:
            later = simulator.advance(later, until=visit, save_at=np.arange(1.3, 70, 7.7))
        same(later, whole, rows)


def test_misuse_is_named():
    with pytest.raises(ValueError, match="method must be tsit5, rosenbrock or auto, not euler"):
        compile_model("x = 1; x' = -x;\n", observables=["x"], method="euler")


def test_a_power_has_its_derivative_at_0():
    a, n = (sympy.Symbol(name, real=True) for name in "an")
    slopes = jacobian({}, [a**n / (1 + a**n)], [a])
    assert slopes.entries[0, 0].subs({n: 1.7, a: 0.0}) == 0


def test_a_formula_without_a_derivative():
    model = load_model("x = 1; x' = -factorial(x)*x;\n")
    with pytest.raises(ModelError, match='has no derivative by x here: use method="tsit5"'):
        generate(model, ["x"], [], [], "rosenbrock")
    assert "stiff_stages" not in generate(model, ["x"], [], [], "auto")[0]
