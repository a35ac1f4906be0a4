"""Reading models: what is supported, what is refused by name, and elimination."""

import numpy as np
import pytest
import sympy
from engine_cases import TUMOUR

from mesotrial.engine import (
    TIME,
    Doses,
    ModelError,
    antimony_to_sbml,
    compile_model,
    load_model,
    unit_warnings,
)

FORMS = """
function hill(c, k, n)
  c^n/(k^n + c^n)
end
model forms
  compartment V = 2; compartment W; W = 4;
  species S1 in V; species $S2 in V; substanceOnly species S3 in W; species S4 in W;
  S1 = 3; S2 = 1.5; S3 = 8; S4 = 0.5;
  J1: S1 + S2 -> 2 S3; k1*S1*V;
  J2: S3 -> S4; k2*S3*hill(S4, half, 2);
  k1 = 0.1; k2 = 0.3; half = 0.7;
  E = 2*k1 + S1; beta = E^2; lambda = sqrt(k1);
  I := piecewise(1, S1 > 1 && time < 2, 0.5, S1 > 0.5 || time > 8, 0) + max(S4, min(k1, 0.2, S1)) + (S1 > 1);
  Q := I + abs(S4 - 1) + ln(1 + S1) + log10(2 + S4) + tanh(S4) + exp(-time) + floor(time/3) + root(3, 1 + S1);
  N = 1; N' = k1*(Q - N) + J1;
  G = k2; G' = -G*lambda + 0.01*beta*not(S1 > 2);
end
"""
FORM_NAMES = ("S1", "S2", "S3", "S4", "I", "Q", "N", "G", "E", "beta", "lambda", "J1")


def test_every_form_agrees_with_roadrunner_and_the_twin():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        roadrunner = pytest.importorskip("roadrunner")
        runner = roadrunner.RoadRunner(antimony_to_sbml(FORMS))
    runner.integrator.relative_tolerance = 1e-10
    runner.integrator.absolute_tolerance = 1e-13
    runner.integrator.maximum_time_step = 0.01  # it must not step over the switches in time
    times = [0.5, 1.9, 4.0, 7.5, 10.0]
    runner.timeCourseSelections = [f"[{n}]" if n in ("S1", "S2", "S4") else n for n in FORM_NAMES]
    expected = np.array(runner.simulate(times=[0.0, *times]))[1:]
    for backend in ("numba", "reference"):
        simulator = compile_model(
            FORMS, observables=FORM_NAMES, inputs=("k1", "half"), rtol=1e-9, atol=1e-12, backend=backend
        )
        state = simulator.advance(simulator.start([[0.1, 0.7]]), until=10, save_at=times)
        seen = simulator.observe_saved(state, FORM_NAMES)
        for i, name in enumerate(FORM_NAMES):
            assert seen[name][0] == pytest.approx(expected[:, i], rel=1e-5), (backend, name)


def test_amounts_and_concentrations():
    model = load_model(FORMS)
    assert set(model.states) == {"S1", "S3", "S4", "N", "G"}
    assert model.constants["S2"] == 1.5
    s1, s3, k1, v = (sympy.Symbol(n, real=True) for n in ("S1", "S3", "k1", "V"))
    assert model.states["S1"].rate == -k1 * s1  # a concentration: the flow over the volume
    assert model.states["S3"].rate.coeff(s1) == 2 * k1 * v  # an amount
    assert s3 in model.states["S4"].rate.free_symbols
    assert model.derived["E"] == 2 * k1 + 3  # S1 at the start
    assert TIME in model.algebra["Q"].free_symbols


def test_equal_models_have_equal_hashes():
    assert load_model(FORMS).content_hash == load_model(antimony_to_sbml(FORMS)).content_hash
    sbml = antimony_to_sbml(FORMS)
    other = sbml.replace('value="0.3"', 'value="0.30000000000000004"')
    assert load_model(sbml).content_hash != load_model(other).content_hash


def test_a_file_and_its_text_are_the_same(tmp_path):
    model = load_model(str(TUMOUR))
    sbml = tmp_path / "model.xml"
    sbml.write_text(antimony_to_sbml(TUMOUR.read_text(encoding="utf-8")), encoding="utf-8")
    assert load_model(sbml).content_hash == model.content_hash
    with pytest.raises(ModelError, match=r"missing\.ant cannot be read: No such file"):
        load_model("missing.ant")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1;\ny = 2 +;\n", "line 2"),
        ("x' = -x;\n", "The state x has no initial value"),
        ("a := b + 1; b := a;\nx = 1; x' = a;\n", "circle: a -> b -> a|circular|self"),
        ("<sbml", "The SBML cannot be read: line"),
        ("", "The model is empty: write it"),
        ("# nothing\n", "The model is empty: it has no quantity"),
    ],
)
def test_what_is_refused_is_named(text, message):
    with pytest.raises(ModelError, match=message):
        load_model(text)


def test_names_are_checked_with_suggestions():
    model = load_model("x = 1; x' = -kill*x; kill = 2; empty' = 1; empty = 0; var nothing; y = 0; y' = nothing;\n")
    with pytest.raises(ModelError, match="'kil' is no constant that may be an input of this model; did you mean kill"):
        compile_model(model, observables=["x"], inputs=["kil"])
    with pytest.raises(ModelError, match="'z' is no state of this model"):
        compile_model(model, observables=["x"], dosed=["z"])
    with pytest.raises(ModelError, match="'z' is no state, constant or assignment"):
        compile_model(model, observables=["z"])
    with pytest.raises(ModelError, match="'x' is given twice"):
        compile_model(model, observables=["x", "x"])
    with pytest.raises(ModelError, match="nothing has no value"):
        compile_model(model, observables=["y"])
    for formula in ("1/zero", "sqrt(zero - 1)"):
        odd = load_model(f"zero = 0; d = {formula}; x = 1; x' = d;\n")
        with pytest.raises(ModelError, match="The formula of d has no real value"):
            compile_model(odd, observables=["x"])
        odd = load_model(f"zero = 0; x = 1; x' = x*{formula};\n")
        with pytest.raises(ModelError, match="The formula of x has no real value"):
            compile_model(odd, observables=["x"])
    with pytest.raises(ValueError, match="rtol must be positive"):
        compile_model(model, observables=["x"], rtol=0)
    with pytest.raises(ValueError, match="backend must be numba, cuda or reference, not gpu"):
        compile_model(model, observables=["x"], backend="gpu")


@pytest.mark.parametrize(("backend", "method"), [("numba", "tsit5"), ("numba", "auto"), ("reference", "auto")])
def test_a_model_without_states(backend, method):
    simulator = compile_model("k = 3; y := k*time;\n", observables=["y"], inputs=["k"], backend=backend, method=method)
    state = simulator.advance(simulator.start([[1.0], [2.0]]), until=4, save_at=[1, 3])
    assert (state.code == 0).all()
    assert simulator.observe_saved(state, ["y"])["y"].tolist() == [[1, 3], [2, 6]]


ELIMINATION = """
  drug = 0; drug' = -k*drug + 0.1*depot; depot = 0; depot' = -0.1*depot; k = 0.5; n = 1.5; ec = 2; zero = 0;
  loopa = 0; loopa' = k*loopb; loopb = 0; loopb' = k*loopa;
  effect := drug^n/(ec^n + drug^n);
  x = 1; x' = -0.1*x - effect*x + loopa; off = zero*k; born = off; born' = -born;
  alone = 3; alone' = -alone; counts = 0; counts' = x;
"""


def test_elimination():
    model = load_model(ELIMINATION)
    assert set(model.reduced(["x"], [], []).states) == {"x"}
    assert set(model.reduced(["x"], ["drug"], []).states) == {"x", "drug"}
    assert set(model.reduced(["x"], ["depot"], []).states) == {"x", "drug", "depot"}
    assert set(model.reduced(["x"], ["loopb"], ["n"]).states) == {"x", "loopa", "loopb"}
    assert set(model.reduced(["counts"], [], ["k", "n"]).states) == {"x", "counts"}
    # A constant that is an input may be other than zero.
    assert set(model.reduced(["born"], [], []).states) == set()
    assert set(model.reduced(["born"], [], ["zero"]).states) == {"born"}
    reduced = model.reduced(["drug", "effect", "alone"], [], [])
    assert reduced.algebra["drug"] == 0
    assert reduced.algebra["effect"] == 0
    assert set(reduced.states) == {"alone"}


def test_elimination_does_not_change_results():
    names = ["x", "effect", "counts", "drug", "born"]
    model = load_model(ELIMINATION)
    rows = np.array([[1.5], [0.7]])
    sharp = {"inputs": ["n"], "rtol": 1e-9, "atol": 1e-12}
    lean = compile_model(model, observables=names, dosed=["drug"], **sharp)
    # Nothing can be removed when all states are dosed and the two that matter to nobody are observed.
    everything = [*names, "depot", "loopa"]
    full = compile_model(model, observables=everything, dosed=[*model.states], **sharp, backend="reference")
    assert lean.states == ("drug", "x", "counts")
    assert set(full.states) == {"drug", "depot", "loopa", "loopb", "x", "born", "counts"}
    doses = Doses([0, 1], [1.0, 2.0], "drug", [5.0, 6.0], [0.0, 0.5])
    seen = [s.observe(s.advance(s.start(rows), until=9, doses=doses), names) for s in (lean, full)]
    for name in names:
        assert seen[0][name] == pytest.approx(seen[1][name], rel=1e-7)
    # A dose to a state that no observable depends on is dropped.
    narrow = compile_model(model, observables=["alone"], dosed=["drug"], backend="reference")
    state = narrow.advance(narrow.start(np.empty((1, 0))), until=1, doses=Doses([0], [0.0], "drug", [5.0]))
    assert narrow.states == ("alone",)
    assert len(state.pending) == 0


def test_what_elimination_relied_on_is_checked():
    simulator = compile_model(load_model(ELIMINATION), observables=["x", "alone"], inputs=["n"], backend="reference")
    assert simulator.states == ("x", "alone")
    with pytest.raises(ValueError, match="n is an exponent and must be positive: patient 1 has -1"):
        simulator.start([[1.0], [-1.0]])
    with pytest.raises(ValueError, match="drug was removed because it stays zero; name it in dosed"):
        simulator.start([[1.0]], initial={"drug": 3.0})
    assert simulator.start([[1.0]], initial={"drug": 0.0, "x": 2.0}).values[0, 0] == 2


def test_unit_warnings():
    good = antimony_to_sbml(
        """
model units
  unit day = 86400 second; unit per_day = 1/(86400 second); unit volume = 1e-3 litre;
  unit time_unit = 86400 second;
  k = 0.5 per_day; x = 1 volume; x' = -k*x; x has volume;
end
"""
    )
    assert unit_warnings(good) == []
    bad = unit_warnings(good.replace("<ci> k </ci>", '<cn type="integer"> 3 </cn>'))
    assert bad
    assert all(line.startswith("line ") for line in bad)
