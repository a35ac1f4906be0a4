"""Models that nobody vouches for: what is in them stays data, and what is too much is refused in one line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mesotrial.engine import Limits, ModelError, antimony_to_sbml, compile_model, load_model, load_untrusted_model
from mesotrial.engine.confined import respond
from mesotrial.engine.exchange import decode, encode, formulas, size

FUZZ = Path(__file__).parents[2] / "verification" / "engine" / "fuzz_models.py"
SUITE = Path(__file__).parents[3] / "shared" / "suites" / "sbml-semantic-3.3.0.tar.xz"
PLAIN = "k = 0.3; x = 4; x' = -k*x; y := x^2/(1 + x); E: at 1 after (x < 1), priority=k: x = 3;\n"


def test_what_has_no_derivative_is_read():
    """Its code is written without them, from a driver that must be in memory before files are forbidden."""
    assert list(load_untrusted_model("x = 1; x' = -factorial(x);\n").states) == ["x"]


def test_a_reaction_of_what_is_no_species_is_refused():
    """Where a unit is undefined too, libSBML stops before it looks at the species."""
    sbml = antimony_to_sbml("compartment C; C = 1; species A in C, B in C; A = 1; B = 0; J: A -> B; A*C;\n")
    sbml = sbml.replace('species="B"', 'species="D"').replace('size="1"', 'size="1" units="www"')
    with pytest.raises(ModelError, match="A reaction changes 'D', which is no species of the model"):
        load_untrusted_model(sbml)


def test_the_same_model_comes_back():
    model = load_untrusted_model(PLAIN)
    assert model.content_hash == load_model(PLAIN).content_hash
    simulator = compile_model(model, observables=["x"], backend="reference")
    state = simulator.advance(simulator.start(np.empty((1, 0))), until=2.0)
    assert simulator.observe(state, ["x"])["x"][0] == pytest.approx(4 * np.exp(-0.6), rel=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "x = 1; x' = -delay(x, 2)/3 + sin(time) + nan_ok; y := rateOf(x); nan_ok := piecewise(1, time > inf, 2);\n",
        "x = 1; x' = max(x, floor(x), 1e300)^0.5 - factorial(x) + 1e-7 + 12345678901234567890;\n",
        "compartment V; V = 1; V' = 0.1; species S in V; S = 2; S -> ; S*V*(S > 1 && !(V == 2));\n",
    ],
)
def test_exchange_keeps_a_model(text):
    model = load_model(text)
    again = decode(json.loads(json.dumps(encode(model))))
    assert again.content_hash == model.content_hash


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1; x' = " + "(" * 5000 + "x" + ")" * 5000 + ";", "memory exhausted"),
        ("x = 1; x' = " + "sin(" * 500 + "x" + ")" * 500 + ";", "nested too deeply"),
        ("x = 1; x' = " + "sin(" * 100 + "x" + ")" * 100 + ";", "levels of nesting in a formula; at most 60"),
        ("x = 1; x' = " + "+".join(f"x*sin({i}*x)" for i in range(1600)) + ";", "operations; at most 8,000"),
        ("".join(f"x{i} = 1; x{i}' = -x{i};" for i in range(501)), "501 states; at most 500"),
        ("a = 1000; x = 1; x' = exp(exp(exp(exp(a))));", "too large"),
        ("x" * 300 + " = 1;", "300 characters in a name; at most 200"),
        ("x = 1; x' = sqrt(-1)*x;", "no real value"),
        ("", "The model is empty"),
    ],
)
def test_what_is_too_much_is_refused_in_one_line(text, words):
    message = respond(text, Limits())["error"]
    assert words in message and message.isprintable() and len(message) <= 400


@pytest.mark.parametrize(
    "formula", ["10^(10^(10^10))", "factorial(999999999)", "a^b^b", "factorial(b)", "((2*x)^999999999)^999999999"]
)
def test_numbers_without_bound_cost_no_more_than_the_limits(formula):
    limits = Limits(seconds=1, memory_bytes=800_000_000)
    with pytest.raises(ModelError, match=r"within 1 seconds of computing|broke off|too large"):
        load_untrusted_model(f"a = 10; b = 999999999; x = 1; x' = {formula}*x;", limits=limits)


def test_formulas_that_double_are_stopped():
    doubling = "a0 := x + 1;" + "".join(f"a{i} := a{i - 1}*a{i - 1} + sin(a{i - 1});" for i in range(1, 40))
    with pytest.raises(ModelError, match=r"within 1 seconds of computing|broke off|operations"):
        load_untrusted_model(f"{doubling} x = 1; x' = 1; r := rateOf(a39);", limits=Limits(seconds=1))


def test_no_file_is_read_and_no_entity_expanded(tmp_path):
    secret = tmp_path / "secret.ant"
    secret.write_text("model secret() hidden = 42; end\n", encoding="utf-8")
    with pytest.raises(ModelError):
        load_untrusted_model(f'import "{secret}"\nmodel top() A: secret(); x = 1; end\n')
    assert load_model(f'import "{secret}"\nmodel top() A: secret(); x = 1; end\n').constants["A_hidden"] == 42
    with pytest.raises(ModelError):
        load_untrusted_model(str(secret))  # never a path
    sbml = antimony_to_sbml("x = 1;\n")
    outside = sbml.replace("?>", f'?><!DOCTYPE sbml [<!ENTITY a SYSTEM "{secret.as_uri()}">]>', 1)
    with pytest.raises(ModelError):
        load_untrusted_model(outside.replace('id="x"', 'id="x" name="&a;"'))
    laughs = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 15))
    bomb = sbml.replace("?>", f'?><!DOCTYPE sbml [<!ENTITY a0 "ha">{laughs}]>', 1)
    with pytest.raises(ModelError):
        load_untrusted_model(bomb.replace('id="x"', 'id="x" name="&a14;"'))


def test_names_are_never_code(tmp_path, monkeypatch):
    """Names that Python knows are names like others, in both integrators; what is no name is refused."""
    names = ["exp", "numpy", "lambda", "__import__", "None", "t", "w", "inf", "print", "np"]
    text = "".join(f"v{i} = 1; v{i}' = -{i + 1}*v{i};" for i in range(len(names)))
    sbml = antimony_to_sbml(text + "s := exp(-v0) + v9;\n")
    for i, name in enumerate(names):
        sbml = sbml.replace(f'"v{i}"', f'"{name}"').replace(f"<ci> v{i} </ci>", f"<ci> {name} </ci>")
    model = load_model(sbml)
    monkeypatch.setenv("MESOTRIAL_CACHE_DIR", str(tmp_path))
    for backend in ("reference", "numba"):
        simulator = compile_model(model, observables=[*names, "s"], backend=backend)
        seen = simulator.observe(simulator.advance(simulator.start(np.empty((1, 0))), until=0.5), simulator.observables)
        for i, name in enumerate(names):
            assert seen[name][0] == pytest.approx(np.exp(-(i + 1) / 2), rel=1e-5)
        assert seen["s"][0] == pytest.approx(np.exp(-np.exp(-0.5)) + np.exp(-5), rel=1e-5)
    for bad in ("__import__('os').getcwd()", "x;y", "a b", "x\n"):
        with pytest.raises(ModelError):
            load_model(sbml.replace('"print"', f'"{bad}"').replace("<ci> print </ci>", f"<ci> {bad} </ci>"))


def test_size_counts_what_is_written_out():
    model = load_model("x = 1; a := x + 1; b := a*a; x' = b;\n")
    assert size(formulas(model)) == (3 + 3 + 1 + 1, 2)


def test_mutated_models_for_a_while():
    suite = ["--suite", str(SUITE)] if SUITE.exists() else []
    command = [sys.executable, str(FUZZ), "--seconds", "10", "--seed", "2026", *suite]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["faults"] == []
    assert sum(found["counts"].values()) > 3
