"""A small simulated trial, shared by the tests of conduct."""

import pytest

from mesotrial.catalogue import load_design
from mesotrial.trial import simulate_trial


@pytest.fixture(scope="session")
def maps2():
    return simulate_trial(load_design("maps2"), patients_per_arm=150, seed=5)


@pytest.fixture(scope="session")
def checkmate743():
    return simulate_trial(load_design("checkmate743"), patients_per_arm=150, seed=5)
