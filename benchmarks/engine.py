"""How fast the engine is: compile, cached load, and patient-years per second beside libRoadRunner per core.

Run: .venv/bin/python benchmarks/engine.py [patients]
"""

import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

MODEL = Path(__file__).parent.parent / "tests" / "engine" / "tumour_immune.ant"
INPUTS = ("kg", "kmax", "kill", "EC", "dead_out", "prime", "home", "exhaust", "CL1", "V1", "Q1", "P1", "CL2", "V2")
INPUTS += ("Q2", "P2", "kd1", "kd2", "ic", "emax", "t50", "resist", "kchemo")
SEEN = ("Tall", "ro1", "ro2", "X", "F", "Z", "R")
DOSED = ("A1", "B1", "Ch")
YEAR_DAYS, VISIT_DAYS = 364.0, 14.0


def build(threads: int):
    from mesotrial.engine import compile_model

    text = MODEL.read_text(encoding="utf-8")
    return compile_model(text, observables=SEEN, inputs=INPUTS, dosed=DOSED, rtol=1e-6, threads=threads)


def parameters(patients: int) -> np.ndarray:
    from mesotrial.engine import load_model

    values = np.array([load_model(MODEL).constants[name] for name in INPUTS])
    spread = np.random.default_rng(1).normal(0, 0.3, (patients, len(INPUTS)))
    return values * np.exp(spread)


def one_year(simulator, inputs: np.ndarray) -> tuple[float, int]:
    from mesotrial.engine import Doses

    patients = np.arange(len(inputs))
    began = time.perf_counter()
    state = simulator.start(inputs)
    for day in np.arange(0.0, YEAR_DAYS, VISIT_DAYS):
        doses = Doses(
            np.tile(patients, 2),
            day,
            ["A1"] * len(inputs) + ["B1"] * len(inputs),
            240.0,
            np.repeat([0.04, 0], len(inputs)),
        )
        state = simulator.advance(state, until=day + VISIT_DAYS, doses=doses)
        simulator.observe(state, SEEN)
    assert (state.code == 0).all()
    return time.perf_counter() - began, int(state.steps.sum())


def roadrunner_years(inputs: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import roadrunner

    from mesotrial.engine import antimony_to_sbml

    runner = roadrunner.RoadRunner(antimony_to_sbml(MODEL.read_text(encoding="utf-8")))
    runner.integrator.relative_tolerance = 1e-6
    runner.integrator.absolute_tolerance = 1e-9
    began = time.perf_counter()
    for row in inputs:
        runner.reset()
        for name, value in zip(INPUTS, row, strict=True):
            runner[name] = value
        for day in np.arange(0.0, YEAR_DAYS, VISIT_DAYS):
            runner["A1"], runner["B1"] = runner["A1"] + 240.0, runner["B1"] + 240.0
            runner.simulate(day, day + VISIT_DAYS, 2)
    return time.perf_counter() - began


def main() -> None:
    patients = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    if os.environ.get("ENGINE_BENCHMARK_CHILD"):
        began = time.perf_counter()
        simulator = build(1)
        print(
            f"  imports and compile {time.perf_counter() - began:.2f} s (compile_model {simulator.compile_seconds:.2f} s,"
            f" from cache: {simulator.from_cache})"
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MESOTRIAL_CACHE_DIR"] = folder
        for title in ("cold", "cached"):
            print(title, flush=True)
            subprocess.run([sys.executable, __file__], env=os.environ | {"ENGINE_BENCHMARK_CHILD": "1"}, check=True)
        inputs = parameters(patients)
        rates = {}
        for threads in (1, 2):
            simulator = build(threads)
            one_year(simulator, inputs[:10])
            seconds, steps = one_year(simulator, inputs)
            rates[threads] = patients / seconds
            print(
                f"threads {threads}: {patients} patients, 1 year, {len(simulator.states)} states: {seconds:.2f} s, "
                f"{rates[threads]:.0f} patient-years/s, {steps / patients:.0f} steps each, "
                f"{1e9 * seconds * threads / steps:.0f} ns/step"
            )
        few = inputs[:40]
        slow = len(few) / roadrunner_years(few)
        print(f"libRoadRunner/CVODE: {slow:.0f} patient-years/s; ratio per core {rates[1] / slow:.1f}")
        idle = simulator.start(inputs)
        began = time.perf_counter()
        for _ in range(20):
            idle = simulator.advance(idle, until=0.0)
        print(f"advance with nothing to do: {50 * (time.perf_counter() - began):.2f} ms a call")


if __name__ == "__main__":
    main()
