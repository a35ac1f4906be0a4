"""Treatment before randomisation: who is randomised, in what state, and the same results whatever the machine does."""

from dataclasses import fields, replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import mesotrial.trial.enrol as enrol_module
import mesotrial.trial.simulate as simulate
from mesotrial.catalogue import CatalogueError, LeadIn, load_design, parse_regimen
from mesotrial.population import load_ensemble
from mesotrial.trial import Part, build_model, simulate_paired, simulate_trial
from mesotrial.trial.conduct import _Visits
from mesotrial.trial.enrol import enrol
from mesotrial.trial.lead_in import LeadInCounts, led_in, outcomes
from mesotrial.trial.model import draw, handed_over
from mesotrial.trial.plan import plan_arm

CHEMO = ("cisplatin 75 mg/m2 IV q3w x 4", "pemetrexed 500 mg/m2 IV q3w x 4")


def lead_in(weeks, require="no_progression", regimens=CHEMO):
    return LeadIn(tuple(parse_regimen(text) for text in regimens), weeks, (), require)


@pytest.fixture(scope="module")
def design():
    return replace(load_design("nvalt5"), lead_in=lead_in(15))


@pytest.fixture(scope="module")
def model(design):
    return build_model(design, load_ensemble())


@pytest.fixture(scope="module")
def trial(design, model):
    return simulate_trial(design, patients_per_arm=60, seed=4, model=model)


def people(design, model, count=120, seed=4):
    return draw(design, model.drugs, load_ensemble(), seed=seed, replicate=0, numbers=np.arange(count))


def test_without_weeks_and_conditions_it_is_as_if_there_were_none(design):
    nothing = lead_in(0.0, "none", ("placebo IV q3w x 1",))
    without, with_it = (
        simulate_trial(replace(design, lead_in=one), patients_per_arm=20, seed=7) for one in (None, nothing)
    )
    for name, table in without.tables.items():
        assert_frame_equal(with_it.tables[name], table, check_exact=True)
    assert without.lead_in is None and with_it.lead_in == LeadInCounts(40, 0, 0, 0, 0)


def test_a_longer_and_a_stricter_one_leaves_fewer(design, model):
    def share(weeks, require="no_progression"):
        one = replace(design, lead_in=lead_in(weeks, require))
        _, counts = enrol(one, model, load_ensemble(), (60, 60), seed=4, replicate=0)
        return counts.to_dict()["share_fit"]

    shares = [share(weeks) for weeks in (10, 20, 40)]
    assert 0 < shares[2] < shares[1] < shares[0] < 1
    assert share(20, "completed") <= share(20) < share(20, "none") < 1


def test_who_is_randomised_met_what_is_asked_for(design, model, trial):
    numbers = trial.tables["adsl"].sort("SUBJID")["SUBJID"].to_numpy()
    cohort = draw(design, model.drugs, load_ensemble(), seed=4, replicate=0, numbers=numbers)
    course = led_in(design, model, cohort)
    assert np.isnan(course.progression_day).all() and np.isnan(course.death_day).all()
    assert len(course.state) == len(cohort)
    everybody = people(design, model, int(numbers[-1]) + 1)
    found = outcomes(design.lead_in, led_in(design, model, everybody))
    assert LeadInCounts.of(found) == trial.lead_in
    assert trial.lead_in.began == len(everybody)
    left_out = np.flatnonzero(found)
    assert len(left_out) and not set(left_out) & set(numbers.tolist())


def test_every_arm_has_its_patients_and_all_clocks_start_at_randomisation(trial):
    tables = trial.tables
    assert tables["adsl"].group_by("TRT01P").len()["len"].to_list() == [60, 60]
    for name, day in (("adtr", "ADY"), ("adae", "ASTDY"), ("adex", "ASTDY"), ("adpc", "ADY")):
        assert tables[name][day].min() >= 0
    assert (tables["adtte"]["AVAL"].drop_nulls() >= 0).all()
    assert set(tables["adex"]["EXTRT"]) == {"thalidomide", "placebo"}
    first = tables["adtr"].filter(pl.col("AVISITN") == 0)
    assert (
        (first["ADY"] == 0).all() and (first["AVAL"] == first["BASE"]).all() and (first["NADIR"] == first["BASE"]).all()
    )


def test_the_tumour_is_what_the_lead_in_left(design, model, trial):
    adsl = trial.tables["adsl"].sort("SUBJID")
    cohort = draw(design, model.drugs, load_ensemble(), seed=4, replicate=0, numbers=adsl["SUBJID"].to_numpy())
    course = led_in(design, model, cohort)
    left = model.simulator.observe(course.state, ["tumour_volume"])["tumour_volume"]
    np.testing.assert_allclose(left, adsl["TUMVOLBL"], rtol=1e-12)
    # the scan at the end of the lead-in is the baseline scan
    last = pl.DataFrame({name: course.scans[name] for name in ("row", "day", "sum_mm")})
    last = last.filter(pl.col("day") == design.lead_in.days).sort("row")
    np.testing.assert_allclose(last["sum_mm"], adsl["SUMDIABL"], rtol=1e-12)


def test_going_on_is_as_never_having_stopped(design, model):
    cohort = people(design, model, 40)
    found = outcomes(design.lead_in, led_in(design, model, cohort))
    cohort = cohort.take(np.flatnonzero(found == 0))
    left = led_in(design, model, cohort).state
    state = handed_over(design, model, cohort, plan_arm(design.arms[1], cohort, 700.0), left)
    simulator, days = model.simulator, design.lead_in.days
    assert (state.time_days == 0).all()
    for name, there in simulator.observe(
        simulator.advance(left, until=days + 60), ["tumour_volume", "cd8_tumour"]
    ).items():
        here = simulator.observe(simulator.advance(state, until=60.0), [name])[name]
        np.testing.assert_allclose(here, there, rtol=1e-3)


def test_marrow_and_luck(design, model):
    """A week after a dose neutrophils are still low; what a person is stays, what chance brings is drawn anew."""
    one = replace(design, lead_in=lead_in(10))
    cohort = people(one, model, 40)
    course = led_in(one, model, cohort)
    marrow = course.safety._marrow
    treated = course.dosing["row"][course.dosing["day"] == 63.0]
    assert np.median(marrow.count[treated] / marrow.baseline[treated]) < 0.8
    earlier = type(cohort)(**{field.name: getattr(cohort, field.name) for field in fields(cohort)})
    assert (earlier.uniforms("geometry", 1) == cohort.uniforms("geometry", 1)).all()
    np.testing.assert_array_equal(course.scan_plan.geometry, simulate.plan_scans(one.scans, cohort, 400.0).geometry)
    assert not np.isin(
        course.scan_plan.reading_error[:, :-1], simulate.plan_scans(one.scans, cohort, 400.0).reading_error
    ).any()


def test_who_had_chemotherapy_before_has_had_it(design, model, monkeypatch):
    seen = {}
    step = _Visits.step

    def watched(self, start, end):
        seen[len(self.plan.visit_day)] = self.after_progression
        step(self, start, end)

    monkeypatch.setattr(_Visits, "step", watched)
    for one in (design.lead_in, lead_in(15, "none", ("placebo IV q3w x 4",))):
        seen.clear()
        simulate_trial(replace(design, lead_in=one), patients_per_arm=6, seed=1, model=model)
        readout = load_ensemble()[0].readout
        had = "placebo" not in one.drugs
        log = np.log(seen[max(seen)])
        draws = [sets.readout["progressed_first_log" if had else "progressed_naive_log"] for sets in load_ensemble()]
        assert np.isclose(log[:, None], np.array(draws)[None, :]).any(axis=1).all()
        assert readout["progressed_first_log"] != readout["progressed_naive_log"]


def test_results_do_not_depend_on_threads_or_chunks(design, model, trial, monkeypatch):
    for chunk, threads in ((7, 1), (64, 2)):
        monkeypatch.setattr(simulate, "CHUNK", chunk)
        monkeypatch.setattr(enrol_module, "CHUNK", chunk)
        other = simulate_trial(design, patients_per_arm=60, seed=4, threads=threads)
        assert other.lead_in == trial.lead_in
        for name, table in trial.tables.items():
            assert_frame_equal(other.tables[name], table, check_exact=True)


class _Kept:
    """A store that keeps parts in memory."""

    def __init__(self):
        self.parts = {}

    def stretches(self, replicate, arm):
        return [key[2:] for key in self.parts if key[:2] == (replicate, arm)]

    def load(self, part):
        return self.parts.get((part.replicate, part.arm, part.first, part.first + len(part)))

    def save(self, part: Part, tables):
        self.parts[(part.replicate, part.arm, part.first, part.first + len(part))] = tables


def test_a_smaller_trial_goes_on_to_a_larger_one(design, model, trial):
    store = _Kept()
    simulate_trial(design, patients_per_arm=25, seed=4, model=model, store=store)
    whole = simulate_trial(design, patients_per_arm=60, seed=4, model=model, store=store)
    assert whole.reused == 50 and whole.lead_in == trial.lead_in
    for name, table in trial.tables.items():
        assert_frame_equal(whole.tables[name], table, check_exact=True)


def test_a_patient_is_the_same_in_every_arm(design, model):
    twice = replace(design, arms=(design.arms[1], replace(design.arms[1], name="again")))
    (numbers,), _ = enrol(design, model, load_ensemble(), (30,), seed=4, replicate=0)
    cohort = draw(design, model.drugs, load_ensemble(), seed=4, replicate=0, numbers=numbers)
    first, second = (tables["adtte"].drop("TRT01P") for tables in simulate_paired(twice, cohort, model=model))
    assert_frame_equal(first, second, check_exact=True)


def test_where_hardly_anybody_is_left_that_is_said(design, model, monkeypatch):
    monkeypatch.setattr(enrol_module, "_MOST_TRIED", 300)
    monkeypatch.setattr(enrol_module, "_LEAST_SHARE", 0.5)
    with pytest.raises(CatalogueError, match=r"nvalt5: lead_in: .* could be randomised"):
        simulate_trial(replace(design, lead_in=lead_in(60)), patients_per_arm=60, seed=4, model=model)


def test_low_counts_from_the_lead_in_recover_without_a_dose_of_the_arm(design):
    """Vinorelbine waits for neutrophils that carboplatin and pemetrexed, which are no drugs of the arm, have lowered."""
    arm = replace(design.arms[0], regimens=(parse_regimen("vinorelbine 30 mg/m2 IV q3w x 6"),), n=150)
    before = lead_in(5, "none", ("carboplatin AUC5 IV q3w x 2", "pemetrexed 500 mg/m2 IV q3w x 2"))
    one = replace(design, arms=(arm,), lead_in=before, randomisation=replace(design.randomisation, ratio=(1,)))
    tables = simulate_trial(one, patients_per_arm=150, seed=3).tables
    dosed = set(tables["adex"]["USUBJID"].to_list())
    on = tables["adtte"].filter((pl.col("PARAMCD") == "PFS") & (pl.col("AVAL") > 4)).get_column("USUBJID").to_list()
    withdrawn = set(tables["adae"].filter(pl.col("AEACN") == "DRUG WITHDRAWN")["USUBJID"].to_list())
    assert len(on) > 30 and set(on) <= dosed | withdrawn and len(withdrawn - dosed) < 5
