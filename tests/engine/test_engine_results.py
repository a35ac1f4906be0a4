"""Same answer whatever the batch, the threads, the cuts in time and the backend; and against libRoadRunner."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from engine_cases import ANALYTIC, DEFAULTS, OPTIONS, TUMOUR, TUMOUR_INPUTS, TUMOUR_OPTIONS

from mesotrial.engine import Doses, antimony_to_sbml, cache, compile_model, load_model

SEEN = TUMOUR_OPTIONS["observables"]
DAYS = np.array([1.0, 14.0, 30.5, 75.0, 140.0])


def some_doses(n, first=0):
    """Two drugs and chemotherapy, different for every patient (numbered from `first` on)."""
    rows = []
    for p in range(n):
        for cycle in range(6):
            day = 21.0 * cycle + 0.3 * (first + p)
            rows += [(p, day, "A1", 200.0 + first + p, 0.04), (p, day, "B1", 80.0, 0.06), (p, day + 1, "Ch", 4.0, 0.0)]
    rows.append((0, 150.0, "Ch", 3.0, 3.0))
    return Doses(*zip(*rows, strict=True))


def run(simulator, parameters, doses, visits=(70.0, 140.0)):
    state = simulator.start(parameters)
    for visit in visits:
        state = simulator.advance(state, until=visit, doses=doses, save_at=DAYS)
        doses = None
    return state


def same(one, other):
    names = ("time_days", "values", "derived", "step_days", "code", "steps", "saved_times", "saved_values")
    return all(np.array_equal(getattr(one, n), getattr(other, n), equal_nan=n.startswith("saved")) for n in names)


def test_bit_equal_for_threads_and_batches(tumour, tumour_patients, monkeypatch):
    monkeypatch.setattr("mesotrial.engine.numba_backend._SMALLEST_SHARE", 5)  # else 64 patients stay in one thread
    whole = run(tumour, tumour_patients, some_doses(64))
    assert (whole.code == 0).all()
    assert len(np.unique(whole.steps)) > 5  # each patient has its own steps
    two = compile_model(load_model(TUMOUR), **TUMOUR_OPTIONS, rtol=1e-6, threads=2)
    assert same(run(two, tumour_patients, some_doses(64)), whole)
    doses = some_doses(64)
    for size in (1, 7):
        for first in range(0, 64, size):
            rows = np.arange(first, min(first + size, 64))
            mine = np.isin(doses.patient, rows)
            part = Doses(
                doses.patient[mine] - first,
                doses.time_days[mine],
                np.array(doses.state)[mine],
                doses.amount[mine],
                doses.duration_days[mine],
            )
            got = run(tumour, tumour_patients[rows], part)
            assert np.array_equal(got.values, whole.values[rows])
            assert np.array_equal(got.saved_values, whole.saved_values[rows], equal_nan=True)
            assert np.array_equal(got.steps, whole.steps[rows])


def test_take_is_exact(tumour, tumour_patients):
    doses = some_doses(64)
    halfway = tumour.advance(tumour.start(tumour_patients), until=64.02, doses=doses)
    assert len(halfway.pending) > 64
    rows = np.array([5, 0, 63, 5, 17])
    later = tumour.advance(halfway.take(rows), until=140.0, save_at=DAYS)
    whole = tumour.advance(halfway, until=140.0, save_at=DAYS)
    assert whole.take(rows).saved_values is None
    assert np.array_equal(later.values, whole.values[rows])
    assert np.array_equal(later.saved_values, whole.saved_values[rows], equal_nan=True)
    mask = np.zeros(64, dtype=bool)
    mask[[3, 9]] = True
    assert np.array_equal(tumour.advance(halfway.take(mask), until=140.0).values, whole.values[[3, 9]])


def test_a_dose_table_in_any_order_and_no_mutation(tumour, tumour_patients):
    doses = some_doses(64)
    start = tumour.start(tumour_patients)
    before = start.values.copy()
    first = tumour.advance(start, until=100.0, doses=doses)
    order = np.random.default_rng(0).permutation(len(doses))
    shuffled = Doses(
        doses.patient[order], doses.time_days[order], np.array(doses.state)[order], doses.amount[order],
        doses.duration_days[order],
    )  # fmt: skip
    assert np.array_equal(tumour.advance(start, until=100.0, doses=shuffled).values, first.values)
    assert np.array_equal(start.values, before)


def test_cutting_an_advance_changes_little(tumour, tumour_patients):
    whole = run(tumour, tumour_patients[:16], some_doses(16), visits=(140.0,))
    cut = run(tumour, tumour_patients[:16], some_doses(16), visits=(*np.linspace(0.7, 139, 40), 140.0))
    assert cut.values == pytest.approx(whole.values, rel=1e-4, abs=1e-7)
    # A visit must not make the integrator start anew with tiny steps.
    assert cut.steps.sum() < 1.6 * whole.steps.sum()


def test_the_reference_twin_agrees(tumour_patients):
    patients, doses = tumour_patients[:3], some_doses(3)
    fast = compile_model(load_model(TUMOUR), **TUMOUR_OPTIONS, rtol=1e-9, atol=1e-12)
    slow = compile_model(TUMOUR, **TUMOUR_OPTIONS, rtol=1e-6, atol=1e-9, backend="reference")
    assert fast.states == slow.states
    assert not slow.from_cache
    one, other = run(fast, patients, doses, (55.5, 140.0)), run(slow, patients, doses, (55.5, 140.0))
    assert one.values == pytest.approx(other.values, rel=1e-6, abs=1e-9)
    assert np.array_equal(one.pending.start, other.pending.start)
    seen, expected = fast.observe(one, SEEN), slow.observe(other, SEEN)
    saved, expected_saved = fast.observe_saved(one, SEEN), slow.observe_saved(other, SEEN)
    for name in SEEN:
        assert seen[name] == pytest.approx(expected[name], rel=1e-6, abs=1e-9)
        assert saved[name] == pytest.approx(expected_saved[name], rel=1e-6, abs=1e-9, nan_ok=True)


def test_the_reference_twin_reports_failure():
    slow = compile_model(ANALYTIC, **OPTIONS, backend="reference")
    rows = np.tile(DEFAULTS, (2, 1))
    rows[1, OPTIONS["inputs"].index("b")] = 0.5
    state = slow.advance(slow.start(rows), until=3.0)
    assert state.code.tolist()[0] == 0
    assert state.code.tolist()[1] != 0
    assert state.time_days.tolist() == [3.0, pytest.approx(2.0)]  # x = 1 / (1 - b t)


def test_libroadrunner_agrees(tumour, tumour_patients):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its bindings are not clean of deprecation warnings
        roadrunner = pytest.importorskip("roadrunner")
        runner = roadrunner.RoadRunner(antimony_to_sbml(TUMOUR.read_text(encoding="utf-8")))
    runner.integrator.relative_tolerance = 1e-11
    runner.integrator.absolute_tolerance = 1e-14
    fine = compile_model(load_model(TUMOUR), **TUMOUR_OPTIONS, rtol=1e-10, atol=1e-13)
    rows = tumour_patients[:5]
    state = fine.start(rows, initial={"A1": 240.0, "B1": 70.0, "Ch": 5.0})
    seen = fine.observe_saved(fine.advance(state, until=140.0, save_at=DAYS), SEEN)
    for p, row in enumerate(rows):
        runner.resetToOrigin()
        for name, value in zip(TUMOUR_INPUTS, row, strict=True):
            runner[name] = value
        runner["A1"], runner["B1"], runner["Ch"] = 240.0, 70.0, 5.0
        runner.timeCourseSelections = list(SEEN)
        table = np.array(runner.simulate(times=[0.0, *DAYS]))[1:]
        for i, name in enumerate(SEEN):
            assert seen[name][p] == pytest.approx(table[:, i], rel=1e-6, abs=1e-10), name


CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from engine_cases import ANALYTIC, DEFAULTS, OPTIONS
from mesotrial.engine import compile_model
simulator = compile_model(ANALYTIC, **OPTIONS, rtol=1e-9, atol=1e-12)
heavy = [name for name in ("sympy", "libsbml", "antimony", "numba") if name in sys.modules]
state = simulator.advance(simulator.start(DEFAULTS[None, :]), until=5.0)
print(simulator.from_cache, heavy, state.values.tobytes().hex())
"""


def in_another_process():
    folder = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", CHILD, folder], check=True, capture_output=True, text=True)
    return done.stdout.split(" ", 1)[0], done.stdout.rsplit(" ", 1)[1].strip(), done.stdout


def test_the_disk_cache(analytic, kernel_cache):
    here = analytic.advance(analytic.start(DEFAULTS[None, :]), until=5.0).values.tobytes().hex()
    cached, values, text = in_another_process()
    assert (cached, values) == ("True", here)
    assert " [] " in text  # a cached kernel needs neither symbolic mathematics nor a compiler
    assert not list((kernel_cache / "kernels").glob(".building*"))
    for file in (kernel_cache / "kernels").rglob("*.o"):
        file.write_bytes(b"not machine code")
    assert in_another_process()[:2] == ("False", here)
    assert in_another_process()[:2] == ("True", here)


def test_the_generated_source_is_the_same_in_every_process(kernel_cache):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from engine_cases import TUMOUR, TUMOUR_OPTIONS as o; from mesotrial.engine import load_model;"
        "from mesotrial.engine.codegen import generate;"
        "print(generate(load_model(TUMOUR), o['observables'], o['inputs'], o['dosed'])[0])"
    )
    sources = {
        subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent)],
            env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(sources) == 1


def test_an_unwritable_cache_still_compiles(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("MESOTRIAL_CACHE_DIR", str(blocked))
    simulator = compile_model("x = 1; x' = -x;\n", observables=["x"])
    assert not simulator.from_cache
    state = simulator.advance(simulator.start(np.empty((2, 0))), until=1.0)
    assert simulator.observe(state, ["x"])["x"] == pytest.approx(np.exp(-1), rel=1e-5)


def test_a_full_disk_under_the_cache_still_compiles(tmp_path, monkeypatch):
    """A limit on the size of files stands for the full disk; what a killed process left behind is swept."""
    resource = pytest.importorskip("resource")
    old = tmp_path / "kernels" / ".building-old"
    old.mkdir(parents=True)
    os.utime(old, (0, 0))
    monkeypatch.setenv("MESOTRIAL_CACHE_DIR", str(tmp_path))
    real, before, written = cache._write, resource.getrlimit(resource.RLIMIT_FSIZE), []

    def write(*arguments):
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, before[1]))
        try:
            written.append(arguments[0])
            return real(*arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    monkeypatch.setattr(cache, "_write", write)
    simulator = compile_model("y = 2; y' = -y;\n", observables=["y"])
    state = simulator.advance(simulator.start(np.empty((2, 0))), until=1.0)
    assert simulator.observe(state, ["y"])["y"] == pytest.approx(2 * np.exp(-1), rel=1e-5)
    assert written
    assert not list((tmp_path / "kernels").iterdir())
