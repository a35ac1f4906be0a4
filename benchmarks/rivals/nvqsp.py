"""nvQSP 0.2 (NVIDIA): its dense adaptive TSIT5, a CUDA library built for the model. Needs a GPU, nvcc and `pip install nvqsp`."""

import tempfile
from pathlib import Path

import numpy as np
from sympy.printing.c import C99CodePrinter

from rivals.problems import SCAN_DAYS, Problem
from rivals.programs import MOST_STEPS, Equations, constants_and_start

FIRST_STEP = 0.02  # days, of each call


class NvQsp:
    """One call from edge to edge of a dose, since this solver of nvQSP has no doses: the rates are parameters.

    Seconds are those that nvQSP measures itself: its kernels and the copies to the card and back.
    """

    def __init__(self, problem: Problem) -> None:
        from numba import cuda
        from nvqsp import tsit5

        self.problem, self.solve = problem, tsit5.solve
        self.states = list(problem.lowered().states)
        self.folder = tempfile.TemporaryDirectory()
        kind = "sm_{}{}".format(*cuda.get_current_device().compute_capability)
        try:
            build = tsit5.build_model(model(problem), Path(self.folder.name), cuda_arch=kind, compile_timeout_s=600.0)
        except FileNotFoundError as missing:
            raise ImportError("nvcc") from missing
        if not build.ok:
            raise ImportError(f"nvcc could not build it: {build.compile_result.stderr[-300:]}")
        self.library = build.library_path

    def run(self, rows: np.ndarray, rtol: float) -> tuple[float, np.ndarray]:
        problem = self.problem
        constants, y = constants_and_start(problem, rows)
        theta = np.concatenate([constants, np.zeros((len(rows), len(problem.dosed)))], axis=1)
        out = np.empty((len(rows), len(SCAN_DAYS), len(self.states)))
        options = {"rtol": rtol, "atol": problem.atol * rtol / 1e-6, "max_steps": MOST_STEPS, "h0": FIRST_STEP}
        seconds = 0.0
        for first, last, running in problem.stretches():
            theta[:, constants.shape[1] :] = 0.0
            for _, state, amount, days in (problem.doses[i] for i in running):
                theta[:, constants.shape[1] + problem.dosed.index(state)] += amount[rows] / days
            inside = (first < SCAN_DAYS) & (last >= SCAN_DAYS)
            times = np.unique([first, *SCAN_DAYS[inside], last])
            solved = self.solve(self.library, y0=y, theta=theta, times=times, options=options)
            seconds += solved.elapsed_s
            out[:, inside] = solved.y[:, np.isin(times, SCAN_DAYS[inside])]
            y = np.ascontiguousarray(solved.y[:, -1])
        return seconds, out


def model(problem: Problem) -> dict:
    """The model as nvQSP takes it: one term a rate, in CUDA, with what it shares with others written in each."""
    equations = Equations(problem)
    lowered = equations.lowered
    constants = len(lowered.inputs) + len(equations.columns)
    equations.names = {s: f"theta{n[1:]}" if n.startswith("c[") else n for s, n in equations.names.items()}
    lines, rates = equations.lines(C99CodePrinter({"contract": False}), ";", "const T ")
    terms = []
    for i, (state, rate) in enumerate(zip(lowered.states, rates, strict=True)):
        needed = set(equations.rates[i].free_symbols)
        body = []
        for (symbol, formula), line in reversed(list(zip(equations.assignments, lines, strict=True))):
            if symbol in needed:
                needed |= formula.free_symbols
                body.insert(0, line)
        dose = f" + theta[{constants + problem.dosed.index(state)}]" if state in problem.dosed else ""
        code = f"[&]() {{ {' '.join(body)} return {rate}{dose}; }}()"
        terms.append({"equation": i, "kind": "rational", "metadata": {"cuda_expr": code}})
    return {"name": "rival", "num_states": len(rates), "terms": terms}
