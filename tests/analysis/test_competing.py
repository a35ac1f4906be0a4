"""Cumulative incidence against R, by hand, and its reading of the tables."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mesotrial.analysis import cumulative_incidence, first_event, kaplan_meier
from mesotrial.trial.tables import DAYS_PER_MONTH

ORACLES: dict[str, Any] = json.loads((Path(__file__).parent / "oracles" / "competing.json").read_text())
DATA_SETS = [name for name, content in ORACLES.items() if isinstance(content, dict)]


def _numbers(values: list[float | None]) -> Any:
    return np.array([np.nan if value is None else value for value in values])


@pytest.mark.parametrize("name", DATA_SETS)
def test_it_agrees_with_r(name: str) -> None:
    theirs = ORACLES[name]
    mine = cumulative_incidence(theirs["time"], theirs["cause"])
    places = np.arange(mine.times.size)
    _, lower, upper = mine.interval(places)
    for found, expected in (
        (mine.times, "times"),
        (mine.at_risk, "at_risk"),
        (mine.incidence, "incidence"),
        (mine.competing, "competing"),
        (mine.standard_error(places), "se"),
        (lower, "lower"),
        (upper, "upper"),
    ):
        np.testing.assert_allclose(found, _numbers(theirs[expected]), rtol=1e-9, atol=1e-11, err_msg=expected)


def test_by_hand() -> None:
    # Six patients: event 1, death and loss 2, event 3, loss 4, death 5.  1/6; then 2/3 free, 1/3 of them at 3: 2/9.
    curve = cumulative_incidence([1, 2, 2, 3, 4, 5], [1, 2, 0, 1, 0, 2])
    np.testing.assert_allclose(curve.incidence, [1 / 6, 1 / 6, 7 / 18, 7 / 18, 7 / 18])
    np.testing.assert_allclose(curve.competing, [0, 1 / 6, 1 / 6, 1 / 6, 11 / 18])
    assert curve.at(0.5) == (0.0, 0.0, 0.0)
    assert curve.at(3.5)[0] == pytest.approx(7 / 18)
    assert curve.at(99.0)[0] == pytest.approx(7 / 18)  # nobody is left: it stays


def test_without_a_competing_event_it_is_one_minus_survival() -> None:
    rng = np.random.default_rng(3)
    time, event = rng.integers(1, 15, 70).astype(float), rng.random(70) < 0.6
    curve = cumulative_incidence(time, event.astype(int))
    np.testing.assert_allclose(curve.incidence, 1 - kaplan_meier(time, event).survival, atol=1e-14)
    assert curve.competing.max() == 0.0


def test_unknown_beyond_follow_up_and_for_nobody() -> None:
    assert np.isnan(cumulative_incidence([1, 2], [1, 0]).at(3.0)[0])
    assert np.isnan(cumulative_incidence([], []).at(1.0)[0])
    assert np.isnan(cumulative_incidence([1, 2], [2, 0]).at(1.5)[1])  # nobody had the event: no interval


def test_first_events_of_the_treated(trial_tables: Mapping[str, pl.DataFrame]) -> None:
    months, cause = first_event(trial_tables, "nivo", grade=3)
    treated = trial_tables["adsl"].filter((pl.col("TRT01P") == "nivo") & (pl.col("SAFFL") == "Y"))
    severe = trial_tables["adae"].filter((pl.col("TRT01P") == "nivo") & (pl.col("AETOXGR") >= 3))
    assert months.size == treated.height
    assert (cause == 1).sum() == severe["USUBJID"].n_unique()
    assert (cause == 2).sum() == treated.filter(
        (pl.col("EOSSTT") == "DEAD") & ~pl.col("USUBJID").is_in(severe["USUBJID"].to_list())
    ).height
    assert np.all(months <= treated["EOSDY"].to_numpy() / DAYS_PER_MONTH + 1e-12)
    _, colitis = first_event(trial_tables, "nivo", term="Colitis")
    assert 0 < (colitis == 1).sum() < treated.height
