"""`backend="cuda"`: on a GPU where there is one, else in Numba's simulator of one; and nothing of it before it is asked for."""

import json
import os
import subprocess
import sys

import pytest

from mesotrial.engine import ModelError, compile_model

CHILD = """
import json
import sys
import numpy as np
from mesotrial.engine import Doses, compile_model

model = '''
  k = 0.5; n = 1.7; g = 0.1; A = 0; A' = -k*A; x = 1; w = 2; w' = piecewise(-w, x > 1.2 && !(time > 5), 0.1*cos(time));
  x' = g*x*(1 - x/10) - A^n/(1 + A^n)*x*exp(-0.1*time) + max(0, sin(w))*1e-3;
'''
options = {"observables": ["x", "w"], "inputs": ["k", "n", "g"], "dosed": ["A"]}
rows = np.array([[0.5, 1.7, 0.1], [0.3, 2.0, 0.2], [0.9, 1.2, 0.15], [0.5, 1.7, np.nan]])
doses = Doses([0, 1, 1, 2], [0.0, 1.0, 3.5, 2.0], "A", [2.0, 1.5, 1.0, 4.0], [0.0, 0.5, 0.0, 2.0])
found = {}
for backend in ("cuda", "numba"):
    simulator = compile_model(model, **options, backend=backend, threads=1, method=sys.argv[1])
    state = simulator.advance(simulator.start(rows), until=4.0, doses=doses, save_at=[0.5, 3.0])
    saved = simulator.observe_saved(state, ["x"])["x"]
    state = simulator.advance(state, until=[9.0, 6.0, 4.0, 9.0])
    found[backend] = [state.values, saved, state.steps, state.code, state.time_days]
    alone = compile_model("k = 3; y := k*time;\\n", observables=["y"], backend=backend, method=sys.argv[1])
    state = alone.advance(alone.start(np.empty((2, 0))), until=4.0, save_at=[1.0])
    assert alone.observe_saved(state, ["y"])["y"].tolist() == [[3.0], [3.0]]  # without states
one, other = found.values()
rough = [float(np.nanmax(np.abs(a / b - 1))) for a, b in zip(one[:2], other[:2])]
print(json.dumps({"rough": rough, "same": [np.array_equal(a, b) for a, b in zip(one[2:], other[2:])], "code": one[3].tolist()}))
"""


def has_gpu():
    code = "from numba import cuda; print(cuda.is_available())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


@pytest.mark.parametrize("method", ["tsit5", "rosenbrock", "auto"])
def test_a_gpu_agrees_with_the_processor(method, tmp_path, record_property):
    """Trajectories to rounding, the same steps and codes."""
    real = has_gpu()
    record_property("gpu", "a GPU" if real else "Numba's simulator: no GPU here")
    print("on a GPU" if real else "no GPU here: in Numba's simulator of one")
    simulated = {} if real else {"NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore::RuntimeWarning", "-c", CHILD, method],
        env={**os.environ, "MESOTRIAL_CACHE_DIR": str(tmp_path), **simulated},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert max(found["rough"]) < 1e-8
    assert found["same"] == [True, True, True]
    assert found["code"][:3] == [0, 0, 0]
    assert found["code"][3] != 0


def test_nothing_touches_cuda_before_it_is_asked_for():
    code = (
        "import sys, mesotrial, mesotrial.engine.simulator as s; from mesotrial.engine import compile_model;"
        "m = compile_model(\"x = 1; x' = -x;\\n\", observables=['x']);"
        "print([n for n in sys.modules if 'cuda' in n.split('.')[-1] and 'mesotrial' in n or n == 'numba.cuda.cudadrv.driver'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(has_gpu(), reason="there is a GPU")
def test_without_a_gpu_it_is_said():
    with pytest.raises(ModelError, match="needs an NVIDIA GPU with its driver"):
        compile_model("x = 1; x' = -x;\n", observables=["x"], backend="cuda")
