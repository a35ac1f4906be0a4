"""The backend on a GPU: the compiled backend's own source, one patient a thread. Start and observables stay on the CPU."""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mesotrial.engine.backend import Run
from mesotrial.engine.errors import ModelError
from mesotrial.engine.numba_backend import NumbaBackend

if TYPE_CHECKING:
    from mesotrial.engine.model import Model

_BLOCK = 64  # threads
_KERNEL = """
@cuda.jit
def launch(
    time, values, parameters, derived, step, code, steps, until,
    dose_row, dose_start, dose_stop, dose_state, dose_amount, save_at, saved, rtol, atol, max_steps, max_step,
):
    p = cuda.grid(1)
    if p < time.shape[0]:
        w = cuda.local.array(WORK, np.float64)
        desk = cuda.local.array(DESK, np.int64)
        for i in range(WORK):
            w[i] = 0.0
        for i in range(DESK):
            desk[i] = 0
        advance(
            p, p + 1, time, values, parameters, derived, step, code, steps, until,
            dose_row, dose_start, dose_stop, dose_state, dose_amount, save_at, saved, rtol, atol, max_steps, max_step,
            w, desk,
        )
"""


class CudaBackend(NumbaBackend):
    """Compiles a model for an NVIDIA GPU, or for Numba's simulator of one (NUMBA_ENABLE_CUDASIM=1)."""

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
        """See `compile_model`.

        Raises:
            ModelError: there is no GPU, or Numba cannot use it.
        """
        from numba import cuda

        if not cuda.is_available():  # type: ignore[no-untyped-call]
            raise ModelError('backend="cuda" needs an NVIDIA GPU with its driver, and numba-cuda (the extra `gpu`)')
        if isinstance(model, str):
            from mesotrial.engine.sbml import load_model

            model = load_model(model)
        super().__init__(model, observables, inputs, dosed, rtol, atol, max_steps, threads, method)
        from mesotrial.engine.codegen import generate

        source, layout = generate(model, observables, inputs, dosed, method, cuda=True)
        space: dict[str, Any] = {"__name__": "mesotrial_cuda_kernel", "DESK": layout["desk"]}
        exec(compile(source + _KERNEL, "cuda_kernel.py", "exec"), space)  # written by `codegen`
        self._launch = space["launch"]
        self.from_cache = False

    def advance(self, run: Run) -> None:
        """Move the patients of `run`, in place."""
        from numba import cuda

        n, doses = len(run.time), run.doses
        if not n:
            return
        save_at, saved = run.save_at, run.saved
        if not save_at.shape[1]:  # a GPU has no arrays of size 0
            save_at, saved = np.full((n, 1), np.nan), np.empty((n, 1, len(self.states)))
        saved, values, atol = _not_empty(saved), _not_empty(run.values), _not_empty(self._atol)
        columns = [_not_empty(each) for each in (doses.start, doses.stop, doses.state, doses.amount)]
        constants = (_not_empty(run.parameters), _not_empty(run.derived))
        changed = {"time": run.time, "values": values, "step": run.step, "code": run.code, "steps": run.steps}
        there = {name: cuda.to_device(each) for name, each in changed.items()}
        result = cuda.to_device(saved)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Grid size")  # a small batch is no mistake
            launch = self._launch[(n + _BLOCK - 1) // _BLOCK, _BLOCK]
        launch(
            *(there["time"], there["values"], *map(cuda.to_device, constants), there["step"], there["code"]),
            *(there["steps"], cuda.to_device(run.until), cuda.to_device(doses.offsets(n))),
            *(*map(cuda.to_device, columns), cuda.to_device(save_at), result),
            *(self._rtol, cuda.to_device(atol), self._max_steps, self._max_step_days),
        )
        for name, each in changed.items():
            there[name].copy_to_host(each)
        if run.saved.size:
            result.copy_to_host(run.saved)


def _not_empty(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array if array.size else np.zeros([max(1, length) for length in array.shape], array.dtype)
