import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))  # the synthetic trial is shared with those tests

from synthetic_design import MAPS2, published_row
from synthetic_trial import maps2_arms, synthetic_tables

from mesotrial.analysis import summarise
from mesotrial.catalogue import PageFigure
from mesotrial.report import render_report

Tables = Mapping[str, pl.DataFrame]

ROWS = (
    published_row(
        "nivo",
        "ORR",
        value=18.5,
        ci_low=8.2,
        ci_high=28.9,
        ci_level=95.0,
        n=54,
        n_used=54,
        se=0.387,
        doi="",
        source="A congress",
    ),
    published_row(
        "nivo", "OS_RATE", time_months=12.0, value=49.2, ci_low=36.4, ci_high=60.8, n=63, n_used=63, se=0.254
    ),
    published_row("nivo", "OS_MEDIAN", value=11.9, unit="months", ci_low=6.7, ci_high=17.4, n=63, n_used=63, se=0.243),
    published_row("nivo+ipi", "OS_MEDIAN", value=60.0, unit="months", n=62, n_used=62, se=0.1),
    published_row("nivo+ipi", "OS_HR", comparator="nivo", value=0.8, unit="ratio", n=125, n_used=125, se=0.2),
    published_row("nivo", "TRAE_G34", value=14.0, n=63, n_used=63, se=0.363, confidence="recalled-high"),
    published_row("nivo", "TRAE_G34", value=12.7, n=63, n_used=63, scored=False, why_not="superseded"),
    published_row(
        "nivo", "COUNT", value=3.0, unit="patients", endpoint="treatment-related deaths", scored=False, why_not="count"
    ),
)
PAGE: dict[tuple[str, str, float | None], PageFigure] = {("nivo", "OS_RATE", 12.0): PageFigure(51.0, "%", "s14")}
PROVENANCE = {
    "versions": {"mesotrial": "0.1.0"},
    "seed": 1,
    "command": ["mesotrial", "run", "maps2"],
    "note": "a < b & c",
}


@pytest.fixture(scope="session")
def tables() -> Tables:
    return synthetic_tables(maps2_arms(63, 62), seed=5)


@pytest.fixture(scope="session")
def bank() -> Tables:
    return synthetic_tables(maps2_arms(2000, 2000), seed=8)


@pytest.fixture(scope="session")
def summary(tables: Tables, bank: Tables) -> dict[str, Any]:
    return summarise(MAPS2, tables, bank, ROWS, PAGE, seed=1)


@pytest.fixture(scope="session")
def provenance() -> dict[str, Any]:
    return PROVENANCE


@pytest.fixture(scope="session")
def page(tables: Tables, bank: Tables, summary: dict[str, Any]) -> str:
    return render_report(MAPS2, tables, bank, summary, PROVENANCE)
