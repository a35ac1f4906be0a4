"""Doses, randomisation, hazards and censoring."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesotrial.catalogue import parse_regimen
from mesotrial.trial.censoring import Timeline, overall_survival, progression_free_survival
from mesotrial.trial.dosing import dose_amount
from mesotrial.trial.hazards import background_per_day, crossing_day
from mesotrial.trial.randomise import randomise


@pytest.mark.parametrize(
    ("text", "mg"),
    [
        ("nivolumab 3 mg/kg IV q2w", [180.0, 270.0]),
        ("nivolumab 240 mg IV q2w", [240.0, 240.0]),
        ("cisplatin 75 mg/m2 IV q3w x 6", [120.0, 150.0]),
        ("carboplatin AUC5 IV q3w x 6", [5 * 85.0, 5 * 150.0]),  # GFR is capped at 125 mL/min
    ],
)
def test_doses(text, mg):
    people = {
        "weight_kg": np.array([60.0, 90.0]),
        "bsa_m2": np.array([1.6, 2.0]),
        "egfr_ml_per_min": np.array([60.0, 140.0]),
    }
    np.testing.assert_allclose(dose_amount(parse_regimen(text), people), mg)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=4), st.integers(1, 5), st.integers(0, 1000))
def test_arms_come_out_as_large_as_asked_and_grow_without_change(sizes, n_strata, seed):
    def arms(sizes):
        return randomise(lambda numbers: numbers % n_strata, sizes, [1] * len(sizes), 4, seed, 0)

    small, large = arms(sizes), arms([size + 7 for size in sizes])
    assert [len(arm) for arm in small] == sizes
    everyone = np.concatenate(small)
    assert len(np.unique(everyone)) == sum(sizes)
    for first, whole in zip(small, large, strict=True):
        assert (np.diff(first) > 0).all()
        assert first.tolist() == whole[: len(first)].tolist()


def test_randomisation_balances_each_stratum():
    def strata(numbers):
        return (numbers * 7 % 3 == 0).astype(int)

    first, second = randomise(strata, [200, 200], [1, 1], 4, 1, 0)
    for stratum in (0, 1):
        assert abs((strata(first) == stratum).sum() - (strata(second) == stratum).sum()) <= 4


def test_two_to_one():
    first, second = randomise(np.zeros_like, [200, 100], [2, 1], 6, 1, 0)
    assert ((first < 60).sum(), (second < 60).sum()) == (40, 20)


def test_a_constant_hazard_gives_exponential_times():
    thresholds = -np.log((np.arange(1000) + 0.5) / 1000)
    days = np.arange(0.0, 4001.0, 7.0)
    day, spent = crossing_day(days, np.full((1000, len(days)), 0.01), np.zeros(1000), thresholds)
    np.testing.assert_allclose(day, thresholds / 0.01, rtol=1e-9)
    np.testing.assert_allclose(spent, 0.01 * days[-1])


def test_a_hazard_can_be_used_up_in_pieces():
    hazard = np.abs(np.sin(np.arange(29.0)))[None, :] * 0.05
    days, threshold = np.arange(29.0), np.array([0.6])
    whole, _ = crossing_day(days, hazard, np.zeros(1), threshold)
    first, spent = crossing_day(days[:15], hazard[:, :15], np.zeros(1), threshold)
    second, _ = crossing_day(days[14:], hazard[:, 14:], spent, threshold)
    np.testing.assert_allclose(np.fmin(first, second), whole)


def test_background_mortality_of_a_man_of_seventy_is_two_percent_a_year():
    assert background_per_day(np.array([70.0, 78.0]), np.array([0.0, 0.0])) * 365.25 == pytest.approx([0.02, 0.04])


def _timeline(**given):
    nan = np.array([np.nan])
    values = {
        "death_day": nan, "last_known_day": np.array([700.0]), "scan_progression_day": nan, "symptom_progression_day": nan,
        "last_scan_day": np.array([84.0]), "last_clear_scan_day": np.array([84.0]), "second_missed_day": np.array([175.0]), "response_day": nan,
    }  # fmt: skip
    return Timeline(**{**values, **{name: np.array([value]) for name, value in given.items()}})


@pytest.mark.parametrize(
    ("rules", "given_", "day", "cnsr"),
    [
        ("ema", {"scan_progression_day": 126.0}, 126.0, 0),
        ("fda", {"scan_progression_day": 126.0}, 126.0, 0),
        ("ema", {"symptom_progression_day": 100.0}, 100.0, 0),
        ("fda", {"symptom_progression_day": 100.0}, 84.0, 1),
        ("ema", {"death_day": 400.0}, 400.0, 0),
        ("fda", {"death_day": 400.0}, 84.0, 1),
        ("fda", {"death_day": 150.0}, 150.0, 0),
        ("fda", {"death_day": 400.0, "symptom_progression_day": 100.0}, 84.0, 1),
        ("ema", {}, 84.0, 1),
    ],
)
def test_progression_free_survival_by_rule(rules, given_, day, cnsr):
    times = progression_free_survival(_timeline(**given_), rules)
    assert (times.days[0], times.cnsr[0]) == (day, cnsr)


def test_overall_survival_is_censored_at_the_last_day_known_alive():
    assert overall_survival(_timeline()).days[0] == 700.0 and overall_survival(_timeline()).cnsr[0] == 1
