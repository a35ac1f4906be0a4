import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesotrial.analysis.cox import hazard_ratio
from mesotrial.analysis.rates import clopper_pearson, proportion
from mesotrial.analysis.survival import crossing, curve_distance, kaplan_meier, risk_table
from mesotrial.analysis.two_groups import log_rank

ORACLES: dict[str, Any] = json.loads((Path(__file__).parent / "oracles" / "survival.json").read_text())
DATA_SETS = [name for name, content in ORACLES.items() if isinstance(content, dict)]


@pytest.fixture(params=DATA_SETS)
def oracle(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = ORACLES[request.param]
    return found


def _numbers(values: list[float | None]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.nan if value is None else value for value in values])


def test_curve_agrees_with_r(oracle: dict[str, Any]) -> None:
    curve = kaplan_meier(oracle["time"], oracle["event"])
    assert curve.times.tolist() == oracle["km_time"]
    for mine, theirs in (
        (curve.survival, "survival"),
        (curve.at_risk, "at_risk"),
        (curve.events, "events"),
        (curve.censored, "censored"),
    ):
        np.testing.assert_allclose(mine, oracle[theirs], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(curve.lower, _numbers(oracle["lower"]), rtol=1e-9)
    np.testing.assert_allclose(curve.upper, _numbers(oracle["upper"]), rtol=1e-9)


def test_median_and_landmarks_agree_with_r(oracle: dict[str, Any]) -> None:
    curve = kaplan_meier(oracle["time"], oracle["event"])
    np.testing.assert_allclose(curve.median(), _numbers(oracle["median"]), rtol=1e-10)
    np.testing.assert_allclose([curve.at(time)[0] for time in (1, 4, 6)], oracle["landmark"], rtol=1e-10)


def test_hazard_ratio_and_log_rank_agree_with_r(oracle: dict[str, Any]) -> None:
    found = hazard_ratio(oracle["time"], oracle["event"], oracle["group"])
    np.testing.assert_allclose([found.log_value, found.se], [oracle["log_hr"], oracle["se"]], rtol=1e-7)
    np.testing.assert_allclose([found.value, found.lower, found.upper], oracle["hr"], rtol=1e-7)
    assert log_rank(oracle["time"], oracle["event"], oracle["group"]).chi_squared == pytest.approx(
        oracle["chisq"], rel=1e-9
    )


@pytest.mark.parametrize("edge", ORACLES["edges"], ids=lambda edge: edge["name"])
def test_all_censored_one_event_one_group_and_one_patient_agree_with_r_or_are_unknown_where_r_has_no_number(
    edge: dict[str, Any],
) -> None:
    time, event, group = (np.array(edge[name]) for name in ("time", "event", "group"))
    curve = kaplan_meier(time, event)
    assert curve.times.tolist() == edge["km_time"]
    np.testing.assert_allclose(curve.survival, edge["survival"], atol=1e-12)
    np.testing.assert_allclose(curve.median()[0], _numbers([edge["median"]])[0])
    found, ratio = log_rank(time, event, group), hazard_ratio(time, event, group)
    if isinstance(edge["chisq"], float | int) and edge["chisq"] > 0:
        assert found.chi_squared == pytest.approx(edge["chisq"])
    else:  # R refuses, or divides nothing by nothing
        assert np.isnan(found.chi_squared)
    if edge["log_hr"] is None:
        assert np.isnan(ratio.log_value)
    else:
        assert ratio.log_value == pytest.approx(edge["log_hr"], abs=1e-9)


def test_by_hand() -> None:
    # 5 patients: deaths at 1 and 3, losses at 2 and 4, death at 5. S = 4/5, then 4/5 * 2/3, then 0.
    curve = kaplan_meier([1, 2, 3, 4, 5], [1, 0, 1, 0, 1])
    np.testing.assert_allclose(curve.survival, [0.8, 0.8, 8 / 15, 8 / 15, 0.0], atol=1e-15)
    assert curve.median()[0] == 5
    assert curve.at(0.5) == (1.0, 1.0, 1.0)
    assert curve.at(9.0)[0] == 0.0
    times, survival = curve.steps()
    assert (times[0], survival[0]) == (0.0, 1.0)


def test_median_on_a_flat_step_is_its_middle() -> None:
    assert crossing(np.array([1.0, 2.0, 6.0]), np.array([0.75, 0.5, 0.25])) == 4.0
    assert crossing(np.array([1.0, 2.0, 6.0]), np.array([0.75, 0.5, 0.5])) == 4.0
    assert np.isnan(crossing(np.array([1.0]), np.array([0.75])))


def test_beyond_the_last_patient_survival_is_unknown() -> None:
    curve = kaplan_meier([1, 2, 3], [1, 0, 0])
    assert np.isnan(curve.at(3.5)[0])
    assert curve.at(3.0)[0] == pytest.approx(2 / 3)
    assert np.isnan(kaplan_meier([], []).at(1.0)[0])
    assert np.isnan(kaplan_meier([], []).median()[0])


def test_risk_table_adds_up_to_everybody() -> None:
    table = risk_table([1, 2, 2, 3, 5], [1, 0, 1, 0, 1], [0, 2, 2.5, 9])
    assert table.at_risk.tolist() == [5, 4, 2, 0]
    assert table.events.tolist() == [0, 1, 2, 3]
    assert table.censored.tolist() == [0, 0, 1, 2]


def test_no_hazard_ratio_without_events_in_one_group() -> None:
    assert np.isnan(hazard_ratio([1, 2, 3, 4], [1, 1, 0, 0], [1, 1, 0, 0]).value)
    assert np.isnan(hazard_ratio([1, 2], [0, 0], [1, 0]).value)
    assert np.isnan(log_rank([1, 2], [0, 0], [1, 0]).p)


def test_swapping_the_groups_inverts_the_hazard_ratio() -> None:
    rng = np.random.default_rng(4)
    time, event, group = rng.integers(1, 20, 90), rng.random(90) < 0.7, rng.random(90) < 0.4
    one, other = hazard_ratio(time, event, group), hazard_ratio(time, event, ~group)
    assert one.value == pytest.approx(1 / other.value)
    assert one.lower == pytest.approx(1 / other.upper)


def test_exact_intervals_agree_with_r() -> None:
    for events, n, level, lower, upper in ORACLES["clopper_pearson"]:
        np.testing.assert_allclose(clopper_pearson(events, n, level), (lower, upper), rtol=1e-9, atol=1e-15)


def test_proportion() -> None:
    found = proportion(np.array([True, False, False, False]))
    assert (found.events, found.n, found.value) == (1, 4, 0.25)
    nobody = proportion(np.zeros(0, bool))
    assert np.isnan(nobody.value)
    assert np.isnan(nobody.lower)


def test_the_distance_of_two_curves_by_hand() -> None:
    """1 to 2 months apart by a half, followed together for 4 months; a curve lies on itself."""
    first, second = kaplan_meier([1, 4], [True, True]), kaplan_meier([2, 4], [True, True])
    found = curve_distance(first, second)
    assert (found.months, found.distance, found.difference) == (4.0, pytest.approx(0.125), pytest.approx(-0.125))
    assert curve_distance(first, first).distance == 0.0
    crossed = curve_distance(kaplan_meier([1, 3, 4], [True, True, True]), kaplan_meier([2, 2, 4], [True, True, True]))
    assert crossed.distance > abs(crossed.difference)
    with pytest.raises(ValueError, match="follows nobody"):
        curve_distance(first, kaplan_meier([], []))


def test_the_distance_by_chance_is_what_curves_of_that_size_show() -> None:
    rng = np.random.default_rng(1)
    truth = kaplan_meier(rng.exponential(10, 200_000), np.ones(200_000, bool))
    found = [curve_distance(truth, kaplan_meier(rng.exponential(10, 150), np.ones(150, bool))) for _ in range(60)]
    assert np.mean([one.distance for one in found]) == pytest.approx(
        np.mean([one.by_chance for one in found]), rel=0.15
    )
