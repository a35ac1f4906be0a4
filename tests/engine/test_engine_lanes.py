"""Patients side by side in vector lanes: their arithmetic, and that no patient feels the others."""

import dataclasses
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_engine_results import DAYS, run, some_doses

from mesotrial.engine import Doses, compile_model, load_model
from mesotrial.engine.backend import LANES
from mesotrial.engine.codegen import generate
from mesotrial.engine.machine_code import llvm

FORMULAS = {
    "exp": ("V.exp(x)", math.exp),
    "log": ("V.log(V.magnitude(x))", lambda x: math.log(abs(x)) if x else -math.inf),
    "sqrt": ("V.sqrt(V.magnitude(x))", lambda x: math.sqrt(abs(x))),
    "power": ("V.power(x, 3.0)", lambda x: x**3),
    "half": ("V.real_power(V.magnitude(x), 0.37)", lambda x: abs(x) ** 0.37),
    "whole": ("V.whole_power(x, 5)", lambda x: x**5),
    "inverse": ("V.power(x, -2.0)", lambda x: 1 / x**2 if x else math.inf),
    "floor": ("V.floor(x) + V.ceil(x)", lambda x: math.floor(x) + math.ceil(x)),
    "tanh": ("V.tanh(x)", math.tanh),
    "where": ("V.where((x > 1.0) | V.opposite(x >= -1.0), x, 0.0)", lambda x: x if x > 1 or x < -1 else 0.0),
    "least": ("V.least(x, 2.0) - V.most(x, -2.0)", lambda x: min(x, 2.0) - max(x, -2.0)),
}


@pytest.fixture(scope="module")
def lane_functions():
    from numba import njit

    from mesotrial.engine import vectors as V  # noqa: N812

    body = "".join(f"        V.store(out, {i} * n + j, {text})\n" for i, (text, _) in enumerate(FORMULAS.values()))
    source = f"def apply(given, out):\n    n = len(given)\n    for j in range(0, n, {LANES}):\n        x = V.load(given, j)\n{body}"
    space = {"V": V}
    exec(source, space)
    return njit("void(float64[::1], float64[::1])", error_model="numpy")(space["apply"])


def test_functions_of_lanes(lane_functions):
    rng = np.random.default_rng(3)
    spread = np.exp(rng.uniform(-30, 6, 4000)) * rng.choice([-1, 1], 4000)
    given = np.concatenate([spread, rng.uniform(-3, 3, 4000), [0.0, 1.0, -1.0, 2.0, 1e-100, 700.0, -700.0, 0.5]])
    given = np.resize(given, len(given) + -len(given) % LANES)
    out = np.empty(len(FORMULAS) * len(given))
    lane_functions(given, out)
    for (name, (_, exact)), got in zip(FORMULAS.items(), out.reshape(len(FORMULAS), -1), strict=True):
        expected = np.array([exact(x) for x in given.tolist()])
        fine = np.isfinite(expected) & (np.abs(expected) > 1e-300)
        assert (got[expected == math.inf] == math.inf).all(), name
        assert (got[expected == -math.inf] == -math.inf).all(), name
        far = 200 if name in ("half", "power", "inverse") else 2  # units in the last place; these go through log
        assert np.abs(got / np.where(fine, expected, 1) - 1)[fine].max(initial=0) < far * 2.3e-16, name
        assert got[~fine & np.isfinite(expected)] == pytest.approx(0, abs=1e-300), name


def test_functions_of_lanes_at_the_end_of_numbers(lane_functions):
    given = np.resize([np.inf, -np.inf, np.nan, 1e308, 710.0, -746.0, -0.0, 5e-324], LANES)
    out = np.empty(len(FORMULAS) * LANES)
    lane_functions(given, out)
    got = dict(zip(FORMULAS, out.reshape(-1, LANES)[:, :8].tolist(), strict=True))
    assert got["exp"][:2] == [np.inf, 0.0]
    assert got["exp"][4:] == [np.inf, 0.0, 1.0, 1.0]
    assert got["log"][0] == np.inf
    assert got["log"][3] == pytest.approx(math.log(1e308))
    for name in ("exp", "log", "sqrt", "power", "half", "whole", "inverse", "floor", "tanh"):
        assert math.isnan(got[name][2]), name
    assert got["inverse"][6] == np.inf
    assert got["power"][1] == -np.inf


def test_a_negative_number_has_no_real_power():
    model = "p = 0.5; n = 3; x = 0; y = 0; x' = (1 - 2*time)^n; y' = (1 - 2*time)^p;\n"
    simulator = compile_model(model, observables=["x", "y"], inputs=["p", "n"], threads=1)
    state = simulator.advance(simulator.start([[2.0, 3.0], [0.5, 3.0]]), until=1.0)
    assert state.code[0] == 0
    assert simulator.observe(state, ["x"])["x"][0] == pytest.approx(0.0, abs=1e-7)
    assert state.code[1] != 0
    assert state.time_days[1] <= 0.5


def taken(doses, rows):
    """The doses of the patients `rows`, numbered anew."""
    place = {row: i for i, row in enumerate(rows.tolist())}
    mine = np.isin(doses.patient, rows)
    return Doses(
        [place[p] for p in doses.patient[mine].tolist()], doses.time_days[mine], np.array(doses.state)[mine],
        doses.amount[mine], doses.duration_days[mine],
    )  # fmt: skip


def test_bit_equal_in_any_lane_and_beside_anyone(tumour, tumour_patients):
    whole = run(tumour, tumour_patients, some_doses(64))
    for rows in (np.arange(64)[::-1], np.roll(np.arange(64), 3), np.random.default_rng(1).permutation(64)[:13]):
        got = run(tumour, tumour_patients[rows], taken(some_doses(64), rows))
        assert np.array_equal(got.values, whole.values[rows])
        assert np.array_equal(got.saved_values, whole.saved_values[rows], equal_nan=True)
        assert np.array_equal(got.steps, whole.steps[rows])
    # Neighbours that fail, that are much slower, or that have nothing to do.
    mixed = np.repeat(tumour_patients[:3], [1, 1, 7], axis=0)
    mixed[1] = np.nan
    mixed[2] *= 1.5
    alone = run(tumour, mixed[[0]], taken(some_doses(3), np.array([0])))
    start = tumour.start(mixed)
    until = np.array([140.0, *[70.0] * 4, *[75.0] * 4])
    got = tumour.advance(start, until=np.minimum(until, 70.0), doses=taken(some_doses(3), np.array([0])))
    got = tumour.advance(got, until=until, save_at=DAYS)
    assert got.code[1] != 0
    assert np.array_equal(got.values[0], alone.values[0])


def test_bit_equal_from_any_resume_point(tumour, tumour_patients):
    """Each patient's visits are their own: the batch may be cut anywhere between them."""
    visits = (30.0, 64.02, 140.0)
    whole = run(tumour, tumour_patients, some_doses(64), visits)
    for place, visit in enumerate(visits[:-1]):
        part = run(tumour, tumour_patients, some_doses(64), visits[: place + 1])
        assert (part.time_days == visit).all()
        for rows in np.array_split(np.random.default_rng(place).permutation(64), 5):
            later = part.take(rows)
            for other in visits[place + 1 :]:
                later = tumour.advance(later, until=other, save_at=DAYS)
            assert np.array_equal(later.values, whole.values[rows])
            assert np.array_equal(later.saved_values, whole.saved_values[rows], equal_nan=True)


def test_no_step_more_than_allowed(tumour, tumour_patients, monkeypatch):
    start = tumour.start(tumour_patients[:11])
    free = tumour.advance(start, until=60.0, doses=some_doses(11))
    for most in (0, 1, int(np.median(free.steps)), int(free.steps.max())):
        monkeypatch.setattr(tumour._backend, "_max_steps", most)
        got = tumour.advance(start, until=60.0, doses=some_doses(11))
        assert np.array_equal(got.steps, np.minimum(free.steps, most))
        assert np.array_equal(got.code, np.where(free.steps <= most, 0, 1))
        done = got.code == 0
        assert np.array_equal(got.values[done], free.values[done])
        assert (got.time_days[~done] < 60.0).all()


CHILD = """
import sys
folder, lanes = sys.argv[1:]
sys.path.insert(0, folder)
import mesotrial.engine.backend
mesotrial.engine.backend.LANES = int(lanes)
import numpy as np
from engine_cases import TUMOUR, TUMOUR_INPUTS, TUMOUR_OPTIONS
from test_engine_results import run, some_doses
simulator = mesotrial.engine.compile_model(TUMOUR, **TUMOUR_OPTIONS, rtol=1e-6, threads=1)
constants = mesotrial.engine.load_model(TUMOUR).constants
values = np.array([constants[name] for name in TUMOUR_INPUTS])
patients = values * np.exp(np.random.default_rng(7).normal(0, 0.3, (64, len(values))))[:21]
state = run(simulator, patients, some_doses(21))
print(state.values.tobytes().hex() + state.saved_values.tobytes().hex())
"""
"""The simulation of `here`, in another process with other vectors."""


@pytest.mark.parametrize("lanes, processor", [(LANES, "plain"), (4, "this")])
def test_the_same_bits_with_other_vectors(tumour, tumour_patients, tmp_path, lanes, processor):
    """On a processor of this kind without any extension, and with groups of another size."""
    here = run(tumour, tumour_patients[:21], some_doses(21))
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""} if processor == "plain" else {}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(lanes)],
        env={**os.environ, **plain, "MESOTRIAL_CACHE_DIR": str(tmp_path)},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == here.values.tobytes().hex() + here.saved_values.tobytes().hex()


def test_the_kernel_compiles_for_arm():
    """Nothing in it belongs to the processor that it is built on."""
    from llvmlite import binding

    model = load_model("p = 1; x = 1; x' = -x^1.5*exp(-p*time);\n")
    _, written, _ = llvm(generate(model, ["x"], ["p"], [])[0])["advance"]
    written = re.sub(r"\ntarget [^\n]*", "", written)
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    triple = "aarch64-unknown-linux-gnu"
    target = binding.Target.from_triple(triple).create_target_machine(opt=2)
    module = binding.parse_assembly(f'target triple = "{triple}"\n{written}')
    module.data_layout = str(target.target_data)
    assert "fmla\tv" in target.emit_assembly(module)


def test_arrays_of_another_type_are_refused_not_misread(tumour, tumour_patients):
    start = tumour.start(tumour_patients)
    for wrong in (start.parameters.astype(np.float32), np.asfortranarray(start.parameters), start.parameters[:, 0]):
        with pytest.raises(TypeError, match="C-contiguous float64 in 2 dimensions"):
            tumour.advance(dataclasses.replace(start, parameters=wrong), until=1.0)
