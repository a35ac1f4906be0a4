"""The compiled trials against their plain twins, and laws that any trial keeps."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mesotrial.analysis import (
    hazard_ratio,
    log_rank,
    max_combo,
    milestone_difference,
    restricted_mean_difference,
)
from mesotrial.analysis.power import (
    Accrual,
    Bank,
    Conduct,
    Resampled,
    bank_of_fail_rates,
    bank_of_tables,
    conduct_of,
    estimate_power,
    read_enroll_rate,
    resample_trials,
    write_enroll_rate,
)
from mesotrial.analysis.power import _numbers as numbers
from mesotrial.analysis.power.bank import bootstrapped
from mesotrial.analysis.power.resampling import _key
from mesotrial.catalogue import CatalogueError, design_from_text, read_test
from mesotrial.population.randomness import uniforms

RATES = [
    {"stratum": "good", "duration": 6, "fail_rate": 0.05, "hr": 1.0},
    {"stratum": "good", "duration": 100, "fail_rate": 0.05, "hr": 0.5},
    {"stratum": "poor", "duration": 100, "fail_rate": 0.1, "hr": 0.7},
]
TESTS = tuple(map(read_test, ("stratified logrank", "logrank", "fh(0,1)", "maxcombo", "rmst 18", "milestone 12")))
CONDUCT = Conduct(
    patients=200,
    ratio=(1, 1),
    block=4,
    accrual=Accrual((4.0, 20.0), (5.0, 15.0)),
    horizon=24.0,
    looks=((0, 60), (0, 110)),
    efficacy=(3.0, 1.98),
    futility=(0.0, 1.98),
    tests=TESTS,
    dropout_per_year=(0.1, 0.1),
)


@pytest.fixture(scope="module")
def bank() -> Bank:
    return bank_of_fail_rates(RATES, patients=2000)


@pytest.fixture(scope="module")
def resampled(bank: Bank) -> Resampled:
    return resample_trials(CONDUCT, [bank], 400, seed=5, threads=2)


def test_draws_are_those_of_the_population() -> None:
    key = _key(7)
    mine = [numbers.two_uniforms(key[0], key[1], 12, 345, block) for block in range(3)]
    np.testing.assert_array_equal(np.ravel(mine), uniforms(7, "power", 12, np.array([345]), 6)[0])


def test_quantiles_agree_with_scipy() -> None:
    from scipy.special import ndtri

    for p in (1e-14, 1e-5, 0.02, 0.3, 0.5, 0.9, 0.999999):
        assert numbers.quantile(p) == pytest.approx(ndtri(p), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_compiled_statistics_agree_with_the_estimators_that_were_checked_against_r(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 150
    treated, stratum = rng.random(n) < 0.5, rng.integers(0, 3, n)
    time = np.round(rng.exponential(10 + 6 * treated), seed % 3) + 0.1  # with ties, and without
    event = rng.random(n) < 0.8
    order = np.argsort(-time)
    plain, counts, starts = np.empty((5, n)), np.empty((5, n)), np.zeros(4, np.int64)
    whole = np.array([0, numbers.count_risks(time, event.astype(int), treated, stratum, order, n, -1, plain)])
    found = 0
    for s in range(3):
        found += numbers.count_risks(time, event.astype(int), treated, stratum, order, n, s, counts[:, found:])
        starts[s + 1] = found
    data = time, event, treated
    last = np.array([time[treated].max(), time[~treated].max()])
    for rho, gamma in ((0, 0), (0, 1), (1, 0.5)):
        assert numbers.weighted_z(plain, whole, float(rho), float(gamma)) == pytest.approx(
            log_rank(*data, rho=rho, gamma=gamma).z
        )
        assert numbers.weighted_z(counts, starts, float(rho), float(gamma)) == pytest.approx(
            log_rank(*data, strata=stratum, rho=rho, gamma=gamma).z
        )
    assert numbers.log_ratio(plain, whole) == pytest.approx(hazard_ratio(*data).log_value)
    assert numbers.log_ratio(counts, starts) == pytest.approx(hazard_ratio(*data, strata=stratum).log_value)
    assert numbers.restricted_mean_z(plain, whole[1], last, 8.0) == pytest.approx(
        restricted_mean_difference(*data, 8).z
    )
    assert numbers.milestone_z(plain, whole[1], last, 6.0) == pytest.approx(milestone_difference(*data, 6).z)
    combo = max_combo(*data)
    if max(combo.z) > 0:
        p = 0.5 * math.erfc(numbers.max_combo_z(plain, whole) / math.sqrt(2))
        assert p == pytest.approx(combo.p_better, abs=1e-3)


def test_the_answer_does_not_depend_on_threads_or_on_the_other_trials(bank: Bank, resampled: Resampled) -> None:
    again = resample_trials(CONDUCT, [bank], 400, seed=5, threads=1)
    later = resample_trials(CONDUCT, [bank], 37, seed=5, first_trial=250)
    for name in ("won", "months", "events", "enrolled", "final_z", "log_ratios", "look_events", "grid_events"):
        np.testing.assert_array_equal(getattr(again, name), getattr(resampled, name))
        np.testing.assert_array_equal(getattr(later, name), getattr(resampled, name)[250:287])
    assert not np.array_equal(resample_trials(CONDUCT, [bank], 400, seed=6).won, resampled.won)


def test_trials_keep_their_plan(resampled: Resampled) -> None:
    reached = resampled.look_months[:, 1] < 24 + 200
    assert np.all(resampled.look_events[:, 0] == 60)
    assert np.all(resampled.look_events[reached, 1] <= 110)
    assert np.all(np.diff(resampled.look_months, axis=1) >= 0)
    assert np.all(resampled.enrolled <= 200)
    assert np.all(np.diff(resampled.grid_events, axis=1) >= 0)
    early = resampled.stop_look == 0
    assert 0.05 < early.mean() < 0.95
    np.testing.assert_array_equal(resampled.events[early], 60)


def test_accrual_follows_its_rates(bank: Bank) -> None:
    many = resample_trials(
        replace(CONDUCT, looks=((1, 8.0), (0, 110)), dropout_per_year=(0.0, 0.0)), [bank], 400, seed=2
    )
    month = int(np.searchsorted(many.grid, 8.0))
    still = many.months >= 8.0
    assert many.grid_enrolled[still, month].mean() == pytest.approx(4 * 5 + 4 * 15, rel=0.03)
    accrual = CONDUCT.accrual
    assert accrual.expected_months(20) == pytest.approx(4.0)
    assert accrual.expected_months(200) == pytest.approx(4 + 180 / 15)
    assert accrual.enroll_rate(200) == [
        {"stratum": "All", "duration": 4.0, "rate": 5.0},
        {"stratum": "All", "duration": 12.0, "rate": 15.0},
    ]


def test_a_hazard_factor_is_a_hazard_ratio(bank: Bank) -> None:
    flat = bank_of_fail_rates([{"duration": 1, "fail_rate": 0.06, "hr": 1.0}])
    conduct = replace(
        CONDUCT,
        patients=600,
        looks=((0, 450),),
        efficacy=(1.96,),
        futility=(-math.inf,),
        tests=(read_test("logrank"),),
        horizon=200.0,
    )
    real = bank_of_fail_rates([{"duration": 1, "fail_rate": 0.06, "hr": 0.7}])
    factor = np.column_stack([np.ones(600), np.full(600, 0.7)])
    warped = resample_trials(conduct, [flat], 600, seed=4, hazard_factor=factor)
    same = resample_trials(conduct, [real], 600, seed=4)
    np.testing.assert_allclose(warped.log_ratios, same.log_ratios, atol=0.02)
    assert float(np.mean(warped.log_ratios)) == pytest.approx(math.log(0.7), abs=0.016)


def test_without_effect_alpha_is_kept_with_looks_strata_and_reestimation(bank: Bank) -> None:
    conduct = replace(
        CONDUCT, tests=TESTS[:1], efficacy=(2.963, 1.969), futility=(-math.inf, 1.969), looks=((0, 55), (0, 110))
    )
    grown = replace(conduct, reestimate=(0, 0.1, 0.9, 0.9, 2.0, 1.969, 0.5))
    for one in (conduct, grown):
        found = resample_trials(one, [bank], 6000, seed=4, no_effect=True)
        assert found.power == pytest.approx(0.025, abs=4 * math.sqrt(0.025 / 6000))
    assert resample_trials(grown, [bank], 500, seed=4).patients.max() == 400


def test_crossover_lengthens_the_controls(bank: Bank) -> None:
    early = replace(bank, progressions=bank.times / 2)
    conduct = replace(CONDUCT, looks=((1, math.inf),), efficacy=(1.96,), futility=(-math.inf,), horizon=60.0)
    power = [
        resample_trials(replace(conduct, crossover=rule), [early], 400, seed=4).power for rule in (None, (0, 1.0, 2.0))
    ]
    assert power[1] < power[0] - 0.1


def test_the_worst_arm_is_dropped() -> None:
    base = bank_of_fail_rates([{"duration": 1, "fail_rate": 0.08, "hr": 0.5}], patients=2000)
    parts = [base.times[:2000], base.times[2000:], base.times[:2000]]  # control, good, useless
    three = Bank(
        ("c", "good", "bad"),
        base.strata,
        base.mix,
        np.arange(4) * 2000,
        np.concatenate(parts),
        np.ones(6000, np.int64),
        np.full(6000, np.inf),
    )
    conduct = replace(
        CONDUCT, patients=300, ratio=(1, 1, 1), block=3, dropout_per_year=(0.0,) * 3, looks=((0, 60), (0, 180)), efficacy=(9.0, 2.24),
        futility=(-9.0, 2.24), drop=(0, 1), tests=TESTS[1:2],
    )  # fmt: skip
    found = resample_trials(conduct, [three], 300, seed=8)
    assert found.won_by[:, 0].mean() > 0.85
    assert found.won_by[:, 1].mean() < 0.02


def test_bootstrap_keeps_the_groups(bank: Bank) -> None:
    for copy in bootstrapped(bank, 2, 1):
        np.testing.assert_array_equal(copy.starts, bank.starts)
        for first, last in zip(copy.starts[:-1], copy.starts[1:], strict=True):
            assert set(copy.times[first:last]) <= set(bank.times[first:last])
            assert np.all(np.diff(copy.times[first:last]) >= 0)


def test_numbers_that_do_not_fit_are_refused(bank: Bank) -> None:
    for wrong in ({"ratio": (1, 1, 1)}, {"block": 3}, {"efficacy": (2.0,)}):
        with pytest.raises(ValueError, match=r"arms|block|boundaries"):
            resample_trials(replace(CONDUCT, **wrong), [bank], 10)  # type: ignore[arg-type]
    with pytest.raises(CatalogueError, match="more than 0"):
        bank_of_fail_rates([{"duration": 1, "fail_rate": 0.0}])


DESIGN = """
name: two-arms
line: relapsed
population: {like: maps2}
arms:
  - {name: nivo, n: 100, regimens: [nivolumab 240 mg IV over 30 min q2w x 26], stop_rules: {dropout_per_year: 0.05}}
  - {name: chemo, n: 100, regimens: [pemetrexed 500 mg/m2 IV over 10 min q3w x 6]}
randomisation: {strata: [histology]}
scans: {every_weeks: "6"}
follow_up_months: 24
accrual_months: 12
analysis: {test: stratified logrank, also: [maxcombo], events: 130, power: 0.8, looks: [{fraction: 0.6}], futility: {rule: predictive_probability, value: 0.05}}
"""


@pytest.fixture(scope="module")
def named(bank: Bank) -> Bank:
    return replace(bank, arms=("chemo", "nivo"))


def test_an_estimate_says_all_that_the_contract_asks(named: Bank) -> None:
    found = estimate_power(design_from_text(DESIGN), named, trials=300)
    assert {"power", "mc_se", "type1", "type1_mc_se", "trials", "seconds", "expected_duration_months"} <= set(found)
    assert found["mc_se"] == pytest.approx(math.sqrt(found["power"] * (1 - found["power"]) / 300), rel=0.05)
    assert found["type1"] < 0.08
    assert [row["test"] for row in found["tests"]] == ["stratified logrank", "maxcombo"]
    assert found["looks"][0]["fraction"] == pytest.approx(0.6)
    stops = sum(row["stops_for_efficacy"] for row in found["looks"])
    assert stops == pytest.approx(found["power"])
    assert found["over_time"][-1]["still_running"] == 0.0
    assert found["enroll_rate"] == [
        {"stratum": "All", "duration": pytest.approx(12.0), "rate": pytest.approx(200 / 12)}
    ]


def test_solving_gives_the_wanted_power(named: Bank) -> None:
    design = design_from_text(
        DESIGN.replace(", looks: [{fraction: 0.6}], futility: {rule: predictive_probability, value: 0.05}", "")
    )
    for solve in ("patients", "events"):
        start = 200 if solve == "patients" else 420
        found = estimate_power(design, named, trials=200, patients=start, solve=solve)  # type: ignore[arg-type]
        assert found["solution"]["found"] is not None
        assert found["power"] == pytest.approx(0.8, abs=0.08)
    hopeless = replace(named, times=np.tile(named.times[:4000], 2))
    with_none = estimate_power(design, hopeless, trials=100, solve="patients")
    assert with_none["solution"]["found"] is None
    assert "no number of patients" in with_none["solution"]["why_not"]


def test_impossible_plans_are_refused(named: Bank) -> None:
    design = design_from_text(DESIGN)
    with pytest.raises(CatalogueError, match="cannot come from"):
        conduct_of(design, design.analysis, [named], patients=120)  # type: ignore[arg-type]
    close = design_from_text(
        DESIGN.replace("{fraction: 0.6}", "{month: 20}, {month: 20.01}").replace("events: 130, ", "")
    )
    with pytest.raises(CatalogueError, match="too close together"):
        conduct_of(close, close.analysis, [named])  # type: ignore[arg-type]


def test_a_bank_from_tables(trial_tables: Any) -> None:
    arms = trial_tables["adsl"]["TRT01P"].unique(maintain_order=True).to_list()
    made = bank_of_tables(trial_tables, arms, "PFS", ("histology",))
    assert made.times.size == trial_tables["adsl"].height
    assert made.mix.sum() == pytest.approx(1.0)
    overall = bank_of_tables(trial_tables, arms, "OS")
    progressed = np.isfinite(overall.progressions)
    assert 0 < progressed.sum() < overall.times.size
    assert np.all(overall.progressions[progressed] <= overall.times[progressed] + 1e-9)
    with pytest.raises(CatalogueError, match="has no patients"):
        bank_of_tables(trial_tables, [*arms, "nobody"], "OS")
    with pytest.raises(CatalogueError, match="has nobody in it"):
        few = {**trial_tables, "adsl": trial_tables["adsl"].group_by("TRT01P", maintain_order=True).head(3)}
        bank_of_tables(few, arms, "OS", ("histology", "sex", "ecog", "pdl1"))


def test_enroll_rate_goes_out_and_in(tmp_path: Any) -> None:
    file = tmp_path / "enroll.csv"
    write_enroll_rate(file, CONDUCT.accrual.enroll_rate(200))
    periods = read_enroll_rate(file)
    assert [(one.months, one.per_month) for one in periods] == [(4.0, 5.0), (12.0, 15.0)]
    for text, message in (
        ("a,b\n1,2\n", "no column duration"),
        ("stratum,duration,rate\nAll,3,-1\n", "line 2, rate"),
        ("", "no rows"),
        ("stratum,duration,rate\nA,1,2\nB,1,2\n", "strata A, B"),
    ):
        file.write_text(text)
        with pytest.raises(CatalogueError, match=message):
            read_enroll_rate(file)
