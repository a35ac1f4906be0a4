"""Simulators that several tests share, compiled into a cache of this test session."""

import numpy as np
import pytest
from engine_cases import ANALYTIC, OPTIONS, TUMOUR, TUMOUR_INPUTS, TUMOUR_OPTIONS

from mesotrial.engine import Simulator, compile_model


@pytest.fixture(scope="session", autouse=True)
def kernel_cache(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESOTRIAL_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def analytic(kernel_cache) -> Simulator:
    return compile_model(ANALYTIC, **OPTIONS, rtol=1e-9, atol=1e-12, threads=1)


@pytest.fixture(scope="session")
def tumour(kernel_cache) -> Simulator:
    return compile_model(TUMOUR, **TUMOUR_OPTIONS, rtol=1e-6, threads=1)


@pytest.fixture(scope="session")
def tumour_patients() -> np.ndarray:
    from mesotrial.engine import load_model

    constants = load_model(TUMOUR).constants
    values = np.array([constants[name] for name in TUMOUR_INPUTS])
    return values * np.exp(np.random.default_rng(7).normal(0, 0.3, (64, len(values))))
