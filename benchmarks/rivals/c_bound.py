"""The bound: the engine's algorithm as a generated C program, patients side by side, each with its own step size."""

import ctypes
import itertools
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from sympy.printing.c import C99CodePrinter

from rivals.problems import SCAN_DAYS, YEAR_DAYS, Problem
from rivals.programs import Equations, constants_and_start

FLAGS = ("-O3", "-march=native", "-ffast-math", "-std=gnu11", "-shared", "-fPIC")
WIDTHS = ("", "-mprefer-vector-width=512")  # gcc's own choice, and the widest there is
LANES = (8, 16)  # of all these the fastest counts


class _Task(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_long) for name in ("n", "doses", "samples")),
        *((name, ctypes.c_void_p) for name in ("constants", "start", "day", "stop", "amount", "sample_at", "state")),
        ("until", ctypes.c_double),
        ("out", ctypes.c_void_p),
        ("steps", ctypes.c_void_p),
    ]


class CBound:
    """gcc -O3 -march=native -ffast-math; its mathematical functions are glibc's vector library."""

    def __init__(self, problem: Problem) -> None:
        if shutil.which("gcc") is None:
            raise ImportError("gcc")
        self.problem = problem
        self.states = list(problem.lowered().states)
        self.programs = []
        self.folder = tempfile.TemporaryDirectory()
        for i, (lanes, width) in enumerate(itertools.product(LANES, WIDTHS)):
            text, program = Path(self.folder.name) / "bound.c", Path(self.folder.name) / f"bound{i}.so"
            text.write_text(generated(problem, lanes))
            subprocess.run(["gcc", *FLAGS, *width.split(), "-o", program, text, "-lmvec", "-lm"], check=True)
            solve = ctypes.CDLL(str(program)).solve
            solve.argtypes = (ctypes.POINTER(_Task), ctypes.c_double, ctypes.c_double)
            solve.restype = None
            self.programs.append(solve)

    def run(self, rows: np.ndarray, rtol: float) -> tuple[float, np.ndarray]:
        problem = self.problem
        constants, start = (np.ascontiguousarray(each) for each in constants_and_start(problem, rows))
        day = np.array([day for day, *_ in problem.doses])
        stop = np.array([day + days for day, _, _, days in problem.doses])
        state = np.array([self.states.index(name) for _, name, *_ in problem.doses], dtype=np.int64)
        amount = np.array([amount[rows] for _, _, amount, _ in problem.doses]).reshape(len(day), len(rows)).T.copy()
        out = np.empty((len(rows), len(SCAN_DAYS), len(self.states)))
        self.steps = np.zeros(len(rows), dtype=np.int64)
        arrays = (constants, start, day, stop, amount, SCAN_DAYS, state)
        places = [each.ctypes.data for each in arrays]
        sizes = (len(rows), len(day), len(SCAN_DAYS))
        task = _Task(*sizes, *places, YEAR_DAYS, out.ctypes.data, self.steps.ctypes.data)
        seconds = []
        for solve in self.programs:
            began = time.process_time()
            solve(ctypes.byref(task), rtol, problem.atol * rtol / 1e-6)
            seconds.append(time.process_time() - began)
        return min(seconds), out


def generated(problem: Problem, lanes: int) -> str:
    """The whole C program of a problem."""
    equations = Equations(problem)
    states, constants = len(equations.rates), len(equations.lowered.inputs) + len(equations.columns)
    equations.names = {
        symbol: f"{name[0]}[{name[2:-1]} * L + l]" if name[1:2] == "[" else f"time{name}" if name == "t" else name
        for symbol, name in equations.names.items()
    }
    lines, rates = equations.lines(C99CodePrinter({"contract": False}), ";", "const double ")
    body = [*lines, *(f"f[{i} * L + l] = {rate} + r[{i} * L + l];" for i, rate in enumerate(rates))]
    head = [
        "#include <math.h>",
        f"enum {{ L = {lanes}, N = {states}, C = {constants} }};",
        "static void rhs(const double *restrict now, const double *restrict y, const double *restrict c,",
        "    const double *restrict r, double *restrict f) {",
        '    _Pragma("GCC ivdep") for (int l = 0; l < L; l++) {',
        "        const double timet = now[l];",
        *(f"        {line}" for line in body),
        "    }",
        "}",
    ]
    return "\n".join(head) + "\n" + Path(__file__).with_name("bound.c").read_text(encoding="utf-8")
