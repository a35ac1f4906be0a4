"""The fast backend: a generated Numba kernel, patients shared out among threads."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from mesotrial.engine.backend import Run, tolerances
from mesotrial.engine.cache import load_or_build
from mesotrial.engine.machine_code import machine
from mesotrial.engine.state import Floats, State

if TYPE_CHECKING:
    from mesotrial.engine.model import Model

_SMALLEST_SHARE = 64  # patients; below this a second thread costs more than it saves


class NumbaBackend:
    """Compiles a model, or finds it compiled on the disk.

    The kernel releases the interpreter lock, so that plain threads run it: no threading layer to initialise, safe to
    call from several threads and after a fork. Patients do not share anything, so results do not depend on the shares.
    """

    def __init__(
        self,
        model: "Model | str",
        observables: Sequence[str],
        inputs: Sequence[str],
        dosed: Sequence[str],
        rtol: float,
        atol: float | Mapping[str, float],
        max_steps: int,
        threads: int | None,
        method: str,
    ) -> None:
        """See `compile_model`."""
        content = [_generator(), _content_hash(model), list(observables), list(inputs), list(dosed), method, machine()]
        key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]

        def write() -> tuple[str, dict[str, Any]]:
            from mesotrial.engine.codegen import generate

            if isinstance(model, str):
                from mesotrial.engine.sbml import load_model

                return generate(load_model(model), observables, inputs, dosed, method)
            return generate(model, observables, inputs, dosed, method)

        self._code, layout, self.from_cache = load_or_build(key, write)
        self.model_states = frozenset(layout["model_states"])
        self.states = tuple(layout["states"])
        self.dead = frozenset(layout["dead"])
        self.exponents = tuple(layout["exponents"])
        self.threads = threads or _available_cores()
        self._n_derived = int(layout["n_derived"])
        self._work, self._desk = int(layout["work"]), int(layout["desk"])
        self._n_observables = len(observables)
        self._rtol, self._atol, self._max_steps = float(rtol), tolerances(atol, self.states), int(max_steps)
        self._max_step_days = float(np.inf)  # finite only in the test of the convergence order

    def start(self, parameters: Floats) -> tuple[Floats, Floats]:
        """Return `derived` and the initial values."""
        n = len(parameters)
        derived, values = np.empty((n, self._n_derived)), np.empty((n, len(self.states)))
        self._code.call("start", parameters, derived, values)
        return derived, values

    def advance(self, run: Run) -> None:
        """Move the patients of `run`, in place."""
        doses = run.doses
        arrays = (
            *(run.time, run.values, run.parameters, run.derived, run.step, run.code, run.steps, run.until),
            *(doses.offsets(len(run.time)), doses.start, doses.stop, doses.state, doses.amount, run.save_at, run.saved),
        )
        options = (self._rtol, self._atol, self._max_steps, self._max_step_days)

        def move(first: int, last: int) -> None:
            work = np.zeros(self._work), np.zeros(self._desk, dtype=np.int64)
            self._code.call("advance", first, last, *arrays, *options, *work)

        n = len(run.time)
        threads = min(self.threads, n // _SMALLEST_SHARE)
        if threads <= 1:
            move(0, n)
            return
        # A large share each, then a small one, since patients differ in cost and a share's last patients leave lanes idle; the calling thread works too.
        large = int(0.8 * n / threads)
        edges = [*range(0, large * threads, large), *np.linspace(large * threads, n, threads + 1).astype(int).tolist()]
        shares = iter(list(zip(edges[:-1], edges[1:], strict=True)))

        def work() -> None:
            for first, last in shares:
                move(first, last)

        with ThreadPoolExecutor(threads - 1) as pool:
            others = [pool.submit(work) for _ in range(threads - 1)]
            work()
            for other in others:
                other.result()

    def observe(self, time: Floats, values: Floats, state: State, samples: int) -> Floats:
        """Return every observable (n_observables, len(time))."""
        out = np.empty((self._n_observables, len(time)))
        self._code.call("observe", time, values, state.parameters, state.derived, samples, out)
        return out


@cache
def _generator() -> str:
    """Hash of this room's own source: a kernel made by another version of it is not used."""
    room = sorted((f for f in files("mesotrial.engine").iterdir() if f.is_file()), key=lambda f: f.name)
    return hashlib.sha256(b"".join(f.read_bytes() for f in room)).hexdigest()


def _content_hash(model: "Model | str") -> str:
    return hashlib.sha256(model.encode()).hexdigest() if isinstance(model, str) else model.content_hash


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
