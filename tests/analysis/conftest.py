from collections.abc import Mapping

import polars as pl
import pytest
from synthetic_trial import SyntheticArm, synthetic_tables

Tables = Mapping[str, pl.DataFrame]


def _arms(first: int, second: int) -> list[SyntheticArm]:
    return [
        SyntheticArm("nivo", first, ("nivolumab",), 0.22, 0.006, 11, 0.12),
        SyntheticArm("nivo+ipi", second, ("nivolumab", "ipilimumab"), 0.32, 0.005, 14, 0.25),
    ]


@pytest.fixture(scope="session")
def trial_tables() -> Tables:
    return synthetic_tables(_arms(63, 62), seed=5)


@pytest.fixture(scope="session")
def bank_tables() -> Tables:
    return synthetic_tables(_arms(2000, 2000), seed=8)
