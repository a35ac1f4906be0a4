"""The engine on a GPU beside two processor cores, nvQSP and diffrax, on this project's model; as JSON.

Run on a machine with an NVIDIA GPU, after `uv sync --extra gpu --group benchmark` and, with the CUDA Toolkit (nvcc) at hand,
`uv pip install nvqsp==0.2.0` (not a dependency: it has NVIDIA's own licence):
.venv/bin/python benchmarks/gpu.py [--patients 100000] [--trial 1000000]

Each solves one year with doses and six-weekly scans at rtol 1e-6; the first call, which compiles, is not counted. What was not
measured is null, and `missing` says why; without a GPU that is everything.
"""

import argparse
import json
import time
from dataclasses import replace

import numpy as np
from rivals.nvqsp import NvQsp
from rivals.problems import Problem, own
from rivals.programs import Diffrax, Engine, Equations

RTOL = 1e-6
BATCH = 2048  # different patients; larger batches repeat them
# Operations of a Tsit5 step beside the right-hand sides, a state: the stages, the error and its test.
STEP_OPERATIONS = 2 * (1 + 2 + 3 + 4 + 5 + 6 + 7) + 20
MEASURES = (
    "patients_per_s",
    "over_two_cores",
    "relative_difference",
    "fp64_share",
    "over_nvqsp",
    "over_diffrax",
    "trial_s",
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--patients", type=int, default=100_000)
    options.add_argument(
        "--trial", type=int, default=1_000_000, help="patients of the virtual trial, both arms together"
    )
    options.add_argument("--tflops", type=float, help="the card's double-precision rate by its data sheet")
    chosen = options.parse_args()
    result = dict.fromkeys(MEASURES) | {"missing": {}}
    try:
        from numba import cuda

        here = cuda.is_available()
    except Exception as problem:  # a driver that does not fit
        here, why = False, str(problem)
    else:
        why = "there is no NVIDIA GPU here"
    if here:
        name = cuda.get_current_device().name
        result["card"] = name.decode() if isinstance(name, bytes) else name  # bytes in older numba-cuda
        measure(result, chosen)
    else:
        result["missing"] = dict.fromkeys(MEASURES, why)
    print(json.dumps(result))


def measure(result: dict, chosen: argparse.Namespace) -> None:
    problem = own(BATCH)
    rows = np.resize(np.arange(BATCH), chosen.patients)
    gpu, cores = Engine(problem, threads=None, backend="cuda"), Engine(problem, threads=2)
    gpu.run(rows, RTOL, clock=time.perf_counter)
    seconds, there = gpu.run(rows, RTOL, clock=time.perf_counter)
    steps = gpu.steps.sum()
    cores.run(rows[:BATCH], RTOL, clock=time.perf_counter)
    on_cores, here = cores.run(rows[:BATCH], RTOL, clock=time.perf_counter)
    scale = np.abs(here) + 1e-3 * np.abs(here).max(axis=(0, 1))
    result["patients_per_s"] = len(rows) / seconds
    result["over_two_cores"] = (on_cores / BATCH) / (seconds / len(rows))
    result["relative_difference"] = float((np.abs(there[:BATCH] - here) / scale).max())
    if chosen.tflops:
        result["fp64_share"] = float(steps * operations(problem) / seconds / (1e12 * chosen.tflops))
    else:
        result["missing"]["fp64_share"] = "give the card's rate with --tflops"
    try:
        rival, some = Diffrax(problem), rows[: min(len(rows), 16_384)]
        import jax

        if jax.default_backend() != "gpu":
            raise ImportError("JAX without a GPU")
        rival.batch = len(some)
        rival.run(some, RTOL)
        began = time.perf_counter()
        rival.run(some, RTOL)  # warms up with one batch, then solves one
        result["over_diffrax"] = (time.perf_counter() - began) / 2 / len(some) * result["patients_per_s"]
    except ImportError as missing:
        result["missing"]["over_diffrax"] = f"not installed: {missing}"
    try:
        nvqsp, some = NvQsp(problem), rows[: min(len(rows), 16_384)]
        nvqsp.run(some, RTOL)
        seconds, solved = nvqsp.run(some, RTOL)
        result["over_nvqsp"] = seconds / len(some) * result["patients_per_s"]
        result["nvqsp_relative_difference"] = float((np.abs(solved[:BATCH] - here) / scale).max())
    except ImportError as missing:
        result["missing"]["over_nvqsp"] = f"not installed: {missing}"
    result["trial_s"] = trial_seconds(chosen.trial)


def operations(problem: Problem) -> float:
    """Double-precision operations of a step; a function such as exp counts as one, so this is a lower bound."""
    equations = Equations(problem)
    each = sum(e.count_ops() for _, e in equations.assignments) + sum(e.count_ops() for e in equations.rates)
    return float(6 * each + STEP_OPERATIONS * len(equations.rates))


def trial_seconds(patients: int) -> float:
    """Seconds of a virtual trial of MAPS2, from drawing patients to tables, the model compiled beforehand."""
    from mesotrial.catalogue import load_design
    from mesotrial.engine import compile_model
    from mesotrial.population import load_ensemble
    from mesotrial.trial import simulate as trial

    design = load_design("maps2")
    model = trial.build_model(design, load_ensemble("fitted"))
    simulator = compile_model(
        model.assembly.sbml,
        observables=model.simulator.observables,
        inputs=model.simulator.inputs,
        dosed=tuple(state for states in model.assembly.dosed.values() for state in states),
        rtol=1e-5,
        backend="cuda",
    )
    trial.CHUNK = 100_000  # patients at once
    model = replace(model, simulator=simulator)
    began = time.perf_counter()
    trial.simulate_trial(design, patients_per_arm=patients // len(design.arms), model=model)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
