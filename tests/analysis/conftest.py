from collections.abc import Mapping

import polars as pl
import pytest
from synthetic_trial import maps2_arms, synthetic_tables

Tables = Mapping[str, pl.DataFrame]


@pytest.fixture(scope="session")
def trial_tables() -> Tables:
    return synthetic_tables(maps2_arms(63, 62), seed=5)


@pytest.fixture(scope="session")
def bank_tables() -> Tables:
    return synthetic_tables(maps2_arms(2000, 2000), seed=8)
