"""The engine itself and the rivals. Seconds are of processor time, which other work on the machine disturbs least."""

import time

import numpy as np
import sympy
from sympy.printing.numpy import JaxPrinter
from sympy.printing.pycode import PythonCodePrinter

from mesotrial.engine.hoisting import ordered_assignments
from mesotrial.engine.model import TIME
from rivals.problems import SCAN_DAYS, YEAR_DAYS, Problem

MOST_STEPS = 100_000


class Engine:
    """mesotrial, one call a batch as the rivals, on one thread."""

    def __init__(self, problem: Problem, threads: int | None = 1, backend: str = "numba") -> None:
        self.problem, self.threads, self.backend, self.built = problem, threads, backend, {}

    def simulator(self, rtol: float):
        from mesotrial.engine import compile_model

        problem = self.problem
        if rtol not in self.built:
            self.built[rtol] = compile_model(
                problem.text,
                observables=problem.observables,
                inputs=problem.inputs,
                dosed=problem.dosed,
                rtol=rtol,
                atol=problem.atol * rtol / 1e-6,
                threads=self.threads,
                backend=self.backend,
            )
        return self.built[rtol]

    def doses(self, rows: np.ndarray):
        from mesotrial.engine import Doses

        each = self.problem.doses
        if not each:
            return None
        who = np.tile(np.arange(len(rows)), len(each))
        return Doses(
            who,
            np.repeat([day for day, *_ in each], len(rows)),
            np.repeat([state for _, state, *_ in each], len(rows)),
            np.concatenate([amount[rows] for _, _, amount, _ in each]),
            np.repeat([days for *_, days in each], len(rows)),
        )

    def begin(self, rows: np.ndarray, rtol: float):
        initial = {name: values[rows] for name, values in self.problem.initial.items()}
        return self.simulator(rtol).start(self.problem.table[rows], initial=initial)

    def run(self, rows: np.ndarray, rtol: float, clock=time.process_time) -> tuple[float, np.ndarray]:
        simulator, doses = self.simulator(rtol), self.doses(rows)
        state = self.begin(rows, rtol)
        began = clock()
        state = simulator.advance(state, until=YEAR_DAYS, doses=doses, save_at=SCAN_DAYS)
        seconds = clock() - began
        assert (state.code == 0).all()
        self.steps = state.steps
        return seconds, state.saved_values


def reference(problem: Problem, rows: np.ndarray) -> np.ndarray:
    """States at the scans by SciPy's DOP853 at rtol 1e-12."""
    from mesotrial.engine import compile_model

    lowered = problem.lowered()
    simulator = compile_model(
        problem.text,
        observables=lowered.states,
        inputs=problem.inputs,
        dosed=problem.dosed,
        rtol=1e-12,
        atol=1e-15,
        backend="reference",
    )
    engine = Engine(problem)
    initial = {name: values[rows] for name, values in problem.initial.items()}
    state = simulator.start(problem.table[rows], initial=initial)
    state = simulator.advance(state, until=YEAR_DAYS, doses=engine.doses(rows), save_at=SCAN_DAYS)
    seen = simulator.observe_saved(state, lowered.states)
    return np.stack([seen[name] for name in lowered.states], axis=2)


class Equations:
    """The right-hand side as text for a rival: what depends on the inputs alone is computed beforehand, as in the engine."""

    def __init__(self, problem: Problem) -> None:
        self.lowered = lowered = problem.lowered()
        self.columns = lowered.hoister.columns
        self.names = {TIME: "t"}
        constants = [*(sympy.Symbol(n, real=True) for n in lowered.inputs), *self.columns]
        states = [sympy.Symbol(n, real=True) for n in lowered.states]
        self.names |= {s: f"y[{i}]" for i, s in enumerate(states)} | {s: f"c[{i}]" for i, s in enumerate(constants)}
        self.assignments, self.rates = ordered_assignments(dict(lowered.fluid), list(lowered.rates))
        self.names |= {s: f"v{i}" for i, (s, _) in enumerate(self.assignments)}

    def lines(self, printer, ending: str = "", declare: str = "") -> tuple[list[str], list[str]]:
        printer._print_Symbol = lambda symbol: self.names[symbol]
        texts = [f"{declare}{self.names[s]} = {printer.doprint(e)}{ending}" for s, e in self.assignments]
        return texts, [printer.doprint(e) for e in self.rates]


def constants_and_start(problem: Problem, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    state = Engine(problem).begin(rows, 1e-6)
    return np.concatenate([state.parameters, state.derived], axis=1), state.values


class Diffrax:
    """diffrax: Tsit5 in vmap and jit, doses as infusion rates with the jumps named, double precision."""

    def __init__(self, problem: Problem) -> None:
        import jax

        jax.config.update("jax_enable_x64", True)
        import diffrax
        import jax.numpy as jnp

        self.problem, self.built = problem, {}
        equations = Equations(problem)
        lines, rates = equations.lines(JaxPrinter({"fully_qualified_modules": True}))
        source = ["def slope(t, y, c):", *(f"    {line}" for line in lines)]
        source += [f"    return jnp.stack([{', '.join(f'({r}) + 0.0 * t' for r in rates)}])"]
        space = {"jax": jax, "jnp": jnp, "numpy": jnp}
        exec("\n".join(source), space)
        states = list(equations.lowered.states)
        start = jnp.array([day for day, *_ in problem.doses] or [0.0])
        stop = jnp.array([day + days for day, _, _, days in problem.doses] or [0.0])
        # One infusion rate a dosed state: of the dose that runs, found by the edge passed last.
        edges = np.unique(np.concatenate([start, stop]))
        running = (np.asarray(start) <= edges[:, None]) & (edges[:, None] < np.asarray(stop))
        target = np.zeros((len(start), len(states)))
        for i, (_, state, _, days) in enumerate(problem.doses):
            target[i, states.index(state)] = 1.0 / days
        table = jnp.asarray(running[:, :, None] * target[None])
        edges = jnp.asarray(edges)

        def field(t, y, args):
            constants, infused = args
            place = jnp.clip(jnp.searchsorted(edges, t, side="right") - 1, 0)
            return space["slope"](t, y, constants) + jnp.where(t >= edges[0], infused[place], 0.0)

        def solve(constants, y, amounts, rtol):
            infused = jnp.einsum("eds,d->es", table, amounts)
            atol = problem.atol * rtol / 1e-6
            controller = diffrax.PIDController(rtol=rtol, atol=atol, pcoeff=0.2, icoeff=0.5)
            if problem.doses:
                controller = diffrax.ClipStepSizeController(controller, jump_ts=edges)
            solution = diffrax.diffeqsolve(
                diffrax.ODETerm(field),
                diffrax.Tsit5(),
                0.0,
                YEAR_DAYS,
                None,
                y,
                args=(constants, infused),
                saveat=diffrax.SaveAt(ts=jnp.asarray(SCAN_DAYS)),
                stepsize_controller=controller,
                max_steps=MOST_STEPS,
                throw=False,
                adjoint=diffrax.ForwardMode(),
            )
            return solution.ys

        self.solve = jax.jit(jax.vmap(solve, in_axes=(0, 0, 0, None)))
        self.jax = jax
        self.batch = None

    def run(self, rows: np.ndarray, rtol: float) -> tuple[float, np.ndarray]:
        constants, start = constants_and_start(self.problem, rows)
        amounts = np.stack([amount[rows] for _, _, amount, _ in self.problem.doses] or [np.zeros(len(rows))], axis=1)
        if self.batch is None or self.batch > len(rows):
            self.batch = self.best_batch(constants, start, amounts)
        size = min(self.batch, len(rows))
        parts = []
        self.jax.block_until_ready(self.solve(constants[:size], start[:size], amounts[:size], rtol))
        began = time.process_time()
        for first in range(0, len(rows) - size + 1, size):
            some = slice(first, first + size)
            parts.append(np.asarray(self.solve(constants[some], start[some], amounts[some], rtol)))
        seconds = time.process_time() - began
        return seconds * len(rows) / (size * len(parts)), np.concatenate(parts)

    def best_batch(self, constants, start, amounts) -> int:
        cost = {}
        for size in (16, 64, 256, 1024):
            if size > len(start):
                break
            arguments = (constants[:size], start[:size], amounts[:size], 1e-5)
            self.jax.block_until_ready(self.solve(*arguments))
            began = time.process_time()
            self.jax.block_until_ready(self.solve(*arguments))
            cost[size] = (time.process_time() - began) / size
        return min(cost, key=cost.get) if cost else len(start)


class Lsoda:
    """SciPy's LSODA (odeint), the right-hand side compiled by Numba, one call from edge to edge."""

    def __init__(self, problem: Problem) -> None:
        import math

        from numba import njit

        self.problem = problem
        equations = Equations(problem)
        self.states = list(equations.lowered.states)
        lines, rates = equations.lines(PythonCodePrinter({"fully_qualified_modules": False}))
        source = ["def slope(t, y, c, r):", f"    k = np.empty({len(rates)})", *(f"    {line}" for line in lines)]
        source += [f"    k[{i}] = {rate} + r[{i}]" for i, rate in enumerate(rates)] + ["    return k"]
        space = {"np": np} | {n: getattr(math, n) for n in ("exp", "log", "sqrt", "pi")}
        exec("\n".join(source), space)
        self.slope = njit("float64[::1](float64, float64[::1], float64[::1], float64[::1])", error_model="numpy")(
            space["slope"]
        )

    def run(self, rows: np.ndarray, rtol: float) -> tuple[float, np.ndarray]:
        from scipy.integrate import odeint

        problem = self.problem
        constants, start = constants_and_start(problem, rows)
        out = np.empty((len(rows), len(SCAN_DAYS), len(self.states)))
        atol = problem.atol * rtol / 1e-6
        began = time.process_time()
        for place, row in enumerate(rows):
            y = start[place]
            for first, last, running in problem.stretches():
                rate = np.zeros(len(self.states))
                for _, state, amount, days in (problem.doses[i] for i in running):
                    rate[self.states.index(state)] += amount[row] / days
                inside = (first < SCAN_DAYS) & (last >= SCAN_DAYS)
                times = np.unique([first, *SCAN_DAYS[inside], last])
                path = odeint(
                    self.slope, y, times, args=(constants[place], rate), tfirst=True, rtol=rtol, atol=atol,
                    mxstep=MOST_STEPS, tcrit=[last],
                )  # fmt: skip
                out[place, inside] = path[np.isin(times, SCAN_DAYS[inside])]
                y = path[-1]
        return time.process_time() - began, out
