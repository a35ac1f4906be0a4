"""How long the engine takes for batches of stiff models, by method. Run: .venv/bin/python benchmarks/stiff.py [--patients 1024] [--json]

Robertson's reaction, HIRES and target-mediated disposition for a year of doses (all as in the tests), and this project's own
model, which is hardly stiff; the patients differ in their constants. Microseconds of processor time a patient, on one core.
To compare two versions run it in both at once, since other work on a machine changes every number.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "engine"))
from test_engine_stiff import HIRES, ROBERTSON, TMDD

from mesotrial.engine import Doses, compile_model, load_model

STIFF = {
    "robertson": (ROBERTSON.replace("3e7", "k") + "k = 3e7;\n", ("k",), 40.0),
    "hires": (HIRES.replace("280", "k") + "k = 280;\n", ("k",), 321.8122),
    "tmdd": (TMDD, ("V", "kon", "koff", "kel", "kin", "kdeg", "kint"), 365.0),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--patients", type=int, default=1024)
    options.add_argument("--models", nargs="*", default=[*STIFF, "mesothelioma"])
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found = {}
    for name in chosen.models:
        found[name] = own(chosen.patients) if name == "mesothelioma" else stiff(name, chosen.patients)
        if not chosen.json:
            for method, (micro, steps, failed) in found[name].items():
                print(
                    f"{name:13} {method:10} {micro:8.1f} us a patient, {steps:6.0f} steps, {failed} failed", flush=True
                )
    if chosen.json:
        print(json.dumps(found))


def stiff(name: str, n: int) -> dict:
    text, inputs, until = STIFF[name]
    model = load_model(text)
    table = np.array([model.constants[k] for k in inputs]) * np.exp(
        np.random.default_rng(0).normal(0, 0.2, (n, len(inputs)))
    )
    doses = None
    if name == "tmdd":
        amounts, days = [30.0] * 12 + [2.0], [0.0] * 6 + [0.04] * 7
        who = np.repeat(np.arange(n), 13)
        doses = Doses(who, np.tile(28.0 * np.arange(13), n), "D", np.tile(amounts, n), np.tile(days, n))
    options = {"observables": list(model.states)[:1], "inputs": inputs, "dosed": ["D"] if doses else [], "atol": 1e-10}
    return {
        method: measured(compile_model(model, **options, threads=1, method=method), table, {}, until, doses)
        for method in ("rosenbrock", "auto")
    }


def own(n: int) -> dict:
    from rivals.problems import YEAR_DAYS, problems
    from rivals.programs import Engine

    (problem,) = problems(n, ["mesothelioma"])
    options = {"observables": problem.observables, "inputs": problem.inputs, "dosed": problem.dosed, "threads": 1}
    doses = Engine(problem).doses(np.arange(n))
    return {
        method: measured(
            compile_model(problem.text, **options, method=method), problem.table, problem.initial, YEAR_DAYS, doses
        )
        for method in ("tsit5", "auto", "rosenbrock")
    }


def measured(simulator, table, initial, until, doses) -> tuple[float, float, int]:
    """Microseconds a patient (the best of three), steps a patient, patients that failed."""
    start, best = simulator.start(table, initial=initial), np.inf
    for _ in range(3):
        began = time.process_time()
        state = simulator.advance(start, until=until, doses=doses)
        best = min(best, time.process_time() - began)
    return 1e6 * best / len(table), float(state.steps.mean()), int((state.code != 0).sum())


if __name__ == "__main__":
    main()
