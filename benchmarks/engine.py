"""How fast the engine is beside its peers, at equal measured error, on this project's model and two of others.

Run, after `uv sync --group benchmark`: .venv/bin/python benchmarks/engine.py [--patients 1024] [--json] [--plot FILE]

Every program solves one year with doses and six-weekly scans on one processor core, at several tolerances. The error is the root mean
square, over states, scans and a few patients, of the relative difference from SciPy's DOP853 at rtol 1e-12. A peer's cost
is read off its work-precision curve at the error that the engine has at rtol 1e-6. Costs are processor time. `c_bound` is the
engine's own algorithm as a generated C program for gcc. What was not measured is null, and `missing` says why.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rivals.c_bound import CBound
from rivals.problems import NAMES, Problem, problems
from rivals.programs import Diffrax, Engine, Lsoda, reference
from rivals.roadrunner import RoadRunner

RTOLS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
AT_RTOL = 1e-6
PEERS = {"libroadrunner": (RoadRunner, 24), "diffrax": (Diffrax, 1024), "scipy": (Lsoda, 12), "c_bound": (CBound, 1024)}
WITNESSES = 4  # patients whose error is measured


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--patients", type=int, default=1024)
    options.add_argument("--json", action="store_true")
    options.add_argument("--plot", type=Path, help="work-precision curves as an image")
    options.add_argument(
        "--models", nargs="+", choices=NAMES, metavar="NAME", help=f"only these: {', '.join(NAMES)} (the first whole)"
    )
    chosen = options.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0  # before this program adds to it
    wanted = problems(chosen.patients, chosen.models)
    compile_s, cached_s = compile_seconds(wanted[0])
    curves, forms, reasons = work_precision(wanted)
    threads, reasons["threads_2_over_1"] = thread_ratio(wanted[0], load)
    result = {
        "ratio_per_core": {peer: ratio(curves[wanted[0].name], peer) for peer in PEERS},
        "threads_2_over_1": threads,
        "compile_s": compile_s,
        "cached_s": cached_s,
        "models": {name: {peer: ratio(curve, peer) for peer in PEERS} for name, curve in curves.items()},
        "missing": {name: why for name, why in reasons.items() if why},
        "curves": curves,
        "forms": {name: {peer: form for peer, form in some.items() if form} for name, some in forms.items()},
        "load": load,
    }
    for name, curve in curves.items():
        for peer in curve.keys() - {"mesotrial"}:
            if ratio(curve, peer) is None:
                result["missing"].setdefault(peer, f"{name}: its errors do not span that of the engine")
    if chosen.json:
        print(json.dumps(result))
    else:
        report(result)
    if chosen.plot:
        plot(curves, chosen.plot)


def compile_seconds(problem: Problem) -> tuple[float, float]:
    """Seconds of imports and `compile_model` in a new process: with an empty cache, then with a full one."""
    script = (
        "import json, sys, time\nproblem = json.load(sys.stdin)\nbegan = time.process_time()\n"
        "from mesotrial.engine import compile_model\ncompile_model(**problem)\nprint(time.process_time() - began)\n"
    )
    names = {"observables": problem.observables, "inputs": problem.inputs, "dosed": problem.dosed}
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", script],
                input=json.dumps({"model": problem.text, **names}),
                env=environment | {"MESOTRIAL_CACHE_DIR": folder},
                capture_output=True,
                text=True,
                check=True,
            )
            seconds.append(float(done.stdout))
    return seconds[0], seconds[1]


def work_precision(chosen: tuple[Problem, ...]) -> tuple[dict, dict, dict]:
    """By problem and program, the list of (rtol, error, seconds a patient), in which form; and why a program is missing."""
    if hasattr(os, "sched_setaffinity"):
        everywhere = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(everywhere)})
    curves, forms, reasons = {}, {}, {}
    for problem in chosen:
        patients = len(problem.table)
        truth = reference(problem, np.arange(WITNESSES))
        here, forms[problem.name] = {}, {}
        for name, (program, most) in {"mesotrial": (Engine, patients), **PEERS}.items():
            try:
                solver = program(problem)
            except ImportError as missing:
                reasons[name] = f"not installed: {missing}"
                continue
            rows = np.arange(min(most, patients))
            for form in getattr(program, "forms", ("",)):  # of several forms the cheapest at equal error counts
                solver.form = form
                other = here | {name: curve(solver, rows, truth)}
                if name not in here or (ratio(other, name) or np.inf) < (ratio(here, name) or np.inf):
                    here[name], forms[problem.name][name] = other[name], form
            print(f"{problem.name}, {name}: done", file=sys.stderr)
        curves[problem.name] = here
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, everywhere)
    return curves, forms, reasons


def curve(solver, rows: np.ndarray, truth: np.ndarray) -> list[tuple[float, float, float]]:
    """A program's (rtol, error, seconds a patient)."""
    scale = np.abs(truth) + 1e-3 * np.abs(truth).max(axis=(0, 1))
    points = []
    for rtol in RTOLS:
        solver.run(rows if isinstance(solver, Diffrax) else rows[:WITNESSES], rtol)
        seconds, states = min((solver.run(rows, rtol) for _ in range(2)), key=lambda pair: pair[0])
        error = float(np.sqrt(np.mean(((states[:WITNESSES] - truth) / scale) ** 2)))
        if np.isfinite(error):
            points.append((rtol, error, seconds / len(rows)))
    return points


def ratio(curves: dict, peer: str) -> float | None:
    """Seconds of `peer` over those of the engine, at the engine's error at AT_RTOL; nothing is extrapolated."""
    if not curves.get(peer):
        return None
    _, error, seconds = next(point for point in curves["mesotrial"] if point[0] == AT_RTOL)
    points = sorted((np.log(e), np.log(s)) for _, e, s in curves[peer])
    if not points[0][0] <= np.log(error) <= points[-1][0]:
        return None
    at = np.interp(np.log(error), [e for e, _ in points], [s for _, s in points])
    return float(np.exp(at) / seconds)


def thread_ratio(problem: Problem, load: float) -> tuple[float | None, str]:
    """Speed of two threads over that of one, or why there is none: only a machine with two idle cores gives it."""
    idle = max(0.0, (os.cpu_count() or 1) - load)
    if idle < 1.5:
        return None, f"{idle:.1f} cores were idle (load {load:.1f}); it takes two"
    rows, ratios = np.tile(np.arange(len(problem.table)), 4), []
    engines = {threads: Engine(problem, threads) for threads in (1, 2)}
    for _ in range(40):  # in pairs, since the speed of a shared machine comes and goes
        one, two = (engine.run(rows, AT_RTOL, clock=time.perf_counter)[0] for engine in engines.values())
        ratios.append(one / two)
    return float(np.median(ratios)), ""


def plot(curves: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(curves), squeeze=False, figsize=(4 * len(curves), 3.6), layout="constrained")
    for axis, (name, programs) in zip(axes[0], curves.items(), strict=True):
        for program, curve in programs.items():
            axis.loglog([e for _, e, _ in curve], [1e3 * s for *_, s in curve], marker="o", label=program)
        axis.set(title=name, xlabel="error", ylabel="ms a patient and core")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    figure.savefig(path, dpi=150)


def report(result: dict) -> None:
    for name, curves in result["curves"].items():
        print(name)
        for program, curve in curves.items():
            points = "  ".join(f"{e:.0e}: {1e3 * s:.3f}" for _, e, s in curve)
            print(f"  {program:14} error: ms a patient  {points}")
        for peer, value in result["models"][name].items():
            print(f"  times {peer}: " + (result["missing"].get(peer, "-") if value is None else f"{value:.1f}"))
    threads = result["threads_2_over_1"]
    print("two threads over one: " + (result["missing"]["threads_2_over_1"] if threads is None else f"{threads:.2f}"))
    print(f"compile_model: first {result['compile_s']:.1f} s, cached {result['cached_s']:.2f} s of processor time")


if __name__ == "__main__":
    main()
