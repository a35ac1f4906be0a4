"""Two-group tests and estimates against R: survival 3.5 (survdiff, coxph, survfit), mvtnorm (pmvnorm), stats (prop.test)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesotrial.analysis import (
    MaxCombo,
    hazard_ratio,
    kaplan_meier,
    log_rank,
    max_combo,
    milestone_difference,
    newcombe,
    restricted_mean,
    restricted_mean_difference,
    wilson,
)
from mesotrial.analysis.normal import normal_below
from mesotrial.analysis.two_groups import MAX_COMBO

ORACLES: dict[str, Any] = json.loads((Path(__file__).parent / "oracles" / "two_groups.json").read_text())
ALL_SETS = [name for name, content in ORACLES.items() if isinstance(content, dict)]
SETS = [name for name in ALL_SETS if name != "one_event"]
INTERVALS = ("plain", "log", "log-log", "logit", "arcsin")


def _numbers(values: list[float | None]) -> Any:
    return np.array([np.nan if value is None else value for value in values])


def _data(name: str) -> tuple[Any, Any, Any]:
    theirs = ORACLES[name]
    return theirs["time"], theirs["event"], theirs["group"]


@pytest.mark.parametrize("name", ALL_SETS)
def test_log_rank_agrees_with_survdiff(name: str) -> None:
    chi, observed, expected, variance = ORACLES[name]["log_rank"]
    mine = log_rank(*_data(name))
    np.testing.assert_allclose(
        [mine.chi_squared, mine.observed, mine.expected, mine.variance], [chi, observed, expected, variance], rtol=1e-9
    )
    assert log_rank(*_data(name), rho=1).chi_squared == pytest.approx(ORACLES[name]["rho_1"], rel=1e-9)


@pytest.mark.parametrize("name", SETS)
def test_stratified_log_rank_and_cox_agree_with_survdiff_and_coxph(name: str) -> None:
    theirs = ORACLES[name]
    stratified = log_rank(*_data(name), strata=theirs["stratum"])
    assert stratified.chi_squared == pytest.approx(theirs["stratified"], rel=1e-9)
    ratio = hazard_ratio(*_data(name), strata=theirs["stratum"])
    np.testing.assert_allclose([ratio.log_value, ratio.se], theirs["stratified_log_hr"], rtol=1e-7)


@pytest.mark.parametrize("name", SETS)
def test_weighted_statistics_and_max_combo_agree_with_risk_tables_of_survfit_and_pmvnorm(name: str) -> None:
    theirs = ORACLES[name]
    mine: MaxCombo = max_combo(*_data(name))
    np.testing.assert_allclose(mine.z, theirs["weighted_z"], rtol=1e-9)
    np.testing.assert_allclose(mine.correlation.ravel(), theirs["weighted_correlation"], rtol=1e-9)
    np.testing.assert_allclose([mine.p_better, mine.p], theirs["max_combo_p"], atol=2e-5)
    for (rho, gamma), z in zip(MAX_COMBO, theirs["weighted_z"], strict=True):
        assert log_rank(*_data(name), rho=rho, gamma=gamma).z == pytest.approx(z, rel=1e-9)


@pytest.mark.parametrize("name", SETS)
def test_restricted_means_and_milestones_agree_with_survfit(name: str) -> None:
    theirs = ORACLES[name]
    time, event, group = (np.asarray(one) for one in _data(name))
    means = [theirs["rmst_1"], theirs["rmst_0"]]
    for wanted, (value, se) in zip((1, 0), means, strict=True):
        mine = restricted_mean(time[group == wanted], event[group == wanted], 10)
        np.testing.assert_allclose([mine.value, mine.se], [value, se], rtol=1e-9)
    difference = restricted_mean_difference(time, event, group, 10)
    np.testing.assert_allclose(
        [difference.value, difference.se],
        [means[0][0] - means[1][0], np.hypot(means[0][1], means[1][1])],
        rtol=1e-9,
    )
    for at, one, se_one, none, se_none in zip(
        (2, 6, 12), *(theirs[f"{kind}_{g}"] for g in (1, 0) for kind in ("milestones", "milestone_se")), strict=False
    ):
        found = milestone_difference(time, event, group, at)
        np.testing.assert_allclose([found.value, found.se], [one - none, np.hypot(se_one, se_none)], rtol=1e-9)


@pytest.mark.parametrize("kind", INTERVALS)
@pytest.mark.parametrize("name", SETS)
def test_intervals_of_the_curve_agree_with_survfit(name: str, kind: Any) -> None:
    theirs = ORACLES[name]
    lower, upper, median = theirs[f"km_{kind}"]
    curve = kaplan_meier(theirs["time"], theirs["event"], level=0.9, interval=kind)
    np.testing.assert_allclose(curve.lower, _numbers(lower), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(curve.upper, _numbers(upper), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(curve.median()[1:], _numbers(median), rtol=1e-9)


def test_newcombe_agrees_with_prop_test() -> None:
    for events, n, others, m, level, lower, upper in ORACLES["newcombe"]:
        found = newcombe((events, n), (others, m), level)
        np.testing.assert_allclose([found.lower, found.upper], [lower, upper], atol=1e-9)


def test_newcombe_agrees_with_the_published_table() -> None:
    # Newcombe RG. Stat Med 1998;17:873-890, table II, method 10.
    for first, second, lower, upper in (
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ):
        found = newcombe(first, second)
        assert (round(found.lower, 4), round(found.upper, 4)) == (lower, upper)


def test_normal_box_agrees_with_pmvnorm() -> None:
    correlation = np.array([[1, 0.5, 0.2], [0.5, 1, 0.7], [0.2, 0.7, 1]])
    found = normal_below(np.array([1.5, 0.3, 2.0]), correlation, np.array([-1, -np.inf, -2]))
    assert found == pytest.approx(ORACLES["box"], abs=1e-5)


def test_a_singular_correlation_is_one_dimension() -> None:
    assert normal_below(np.array([1.0, 1.5]), np.ones((2, 2))) == pytest.approx(0.8413447, abs=1e-5)


def test_without_information_everything_is_unknown() -> None:
    for event, group in (([0, 0, 0], [1, 0, 1]), ([1, 1, 1], [1, 1, 1]), ([], [])):
        time = [1.0, 2.0, 3.0][: len(event)]
        assert np.isnan(log_rank(time, event, group).z)
        assert np.isnan(max_combo(time, event, group).p)
        assert np.isnan(hazard_ratio(time, event, group, strata=group).value)
        assert np.isnan(restricted_mean_difference(time, event, group, 2).z)
        assert np.isnan(milestone_difference(time, event, group, 2).z)
    assert np.isnan(newcombe((0, 0), (1, 2)).lower)
    assert np.isnan(wilson(0, 0)[0])


def test_a_mean_beyond_follow_up_is_unknown() -> None:
    assert np.isnan(restricted_mean([1, 2, 3], [1, 1, 0], 4).value)
    assert restricted_mean([1, 2, 3], [1, 1, 1], 4).value == pytest.approx(2.0)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="one label per patient"):
        log_rank([1, 2], [1, 1], [0, 1], strata=[1])
    with pytest.raises(ValueError, match="known: log-log"):
        kaplan_meier([1], [1], interval="exact")  # type: ignore[arg-type]


def test_a_late_weight_sees_a_late_difference() -> None:
    time = np.tile(np.arange(1.0, 21.0), 2)  # both groups die alike for 8 months, then only the others
    group = np.arange(40) < 20
    event = ~group | (time <= 8)
    assert (
        log_rank(time, event, group, gamma=1).z > log_rank(time, event, group).z > log_rank(time, event, group, rho=1).z
    )
