"""Adverse events: when they come, and what is done about them."""

from dataclasses import replace

import numpy as np
import pytest

from mesotrial.catalogue import StopRules, load_design, load_drug
from mesotrial.catalogue.drug import ACTIVATION_PER_DAY, Toxicity, tolerance_rate
from mesotrial.population import Cohort
from mesotrial.trial import simulate_trial
from mesotrial.trial.care import ACTIONS, Care
from mesotrial.trial.toxicity import AdverseEvents, Exposure, Term, Toxicities, _activated

N = 6000


def people(n=N):
    return Cohort(1, 0, np.arange(n), {}, {}, {}, np.zeros(n, dtype=int))


def event(**given):
    usual = {
        "term": "colitis", "body_system": "x", "any_hazard_per_year": 0.0, "g34_hazard_per_year": 0.0, "driver": "immune",
        "source": "", "status": "guess", "onset_days": 60.0, "duration_days": 20.0,
    }  # fmt: skip
    return Toxicity(**{**usual, **given})


def exposure(n, *, drive=1.0, calm=1.0, given=False, at_risk=True):
    def whole(value):
        return {"a": np.full(n, value)}

    return Exposure(whole(at_risk), whole(0.0), whole(given), whole(drive), np.full(n, calm))


def followed(one, *, until=700.0, step=14.0, frailty_sd=0.0, **given):
    """Onsets of `one` in `N` people who are exposed alike; NaN where it did not come."""
    toxicities = Toxicities([Term("a", one)], people(), frailty_sd)
    onset = np.full(N, np.nan)
    for start in np.arange(0.0, until, step):
        dosed = given.get("given", False) and start == 0
        found = toxicities.interval(np.arange(N), start, start + step, exposure(N, **{**given, "given": dosed}))
        onset[found.row] = np.fmin(onset[found.row], found.onset_day)
    return onset


@pytest.mark.parametrize("onset", [20.0, 45.0, 59.0, 192.0])
def test_half_of_the_events_begin_before_the_median_onset(onset):
    rate, day = tolerance_rate(onset), np.linspace(0, 6000, 600_001)
    density = (1 - np.exp(-ACTIVATION_PER_DAY * day)) * np.exp(-rate * day)
    assert np.interp(0.5, np.cumsum(density) / density.sum(), day) == pytest.approx(onset, rel=1e-3)


def test_activation_is_integrated_exactly():
    drive, level, since, long, rate = 0.7, 0.2, 30.0, 28.0, 0.01
    day = np.linspace(0, long, 200_001)
    z = drive + (level - drive) * np.exp(-ACTIVATION_PER_DAY * day)
    exact = np.trapezoid(z * np.exp(-rate * (since + day)), day)
    ours = _activated(rate, np.array([since]), long, np.array([drive]), np.array([level]))
    assert ours[0] == pytest.approx(exact, rel=1e-8)


def test_incidence_and_onset_are_those_of_the_hazard_whatever_the_visits():
    one = event(any_hazard_per_year=0.9, g34_hazard_per_year=0.0)
    rate = tolerance_rate(60.0)
    whole = 0.9 / 365.25 * (1 / rate - 1 / (rate + ACTIVATION_PER_DAY))
    for step in (7.0, 28.0):
        onset = followed(one, step=step)
        assert np.isfinite(onset).mean() == pytest.approx(1 - np.exp(-whole), abs=0.015)
        assert np.nanmedian(onset) == pytest.approx(60, abs=5)


def test_no_blockade_no_event_and_steroids_calm():
    one = event(any_hazard_per_year=4.0, g34_hazard_per_year=1.0)
    assert np.isnan(followed(one, drive=0.0)).all()
    full, calmed = (np.isfinite(followed(one, calm=calm)).mean() for calm in (1.0, 0.3))
    cumulated = -np.log(1 - np.array([full, calmed]))
    assert cumulated[1] / cumulated[0] == pytest.approx(0.3, abs=0.03)
    constant = replace(one, driver="constant", onset_days=None)
    assert np.isfinite(followed(constant, calm=0.3)).sum() == np.isfinite(followed(constant, calm=1.0)).sum()


def test_proneness_is_shared():
    toxicities = Toxicities([Term("a", event()), Term("b", event(term="rash"))], people(), 0.8)
    assert toxicities.frailty.mean() == pytest.approx(1, abs=0.03)
    assert np.log(toxicities.frailty).std() == pytest.approx(0.8, abs=0.02)


def test_what_follows_a_dose_follows_it_soon():
    one = event(driver="dose", any_per_dose=0.5, g34_per_dose=0.0, lag_days=2.0)
    onset = followed(one, given=True)
    assert np.isfinite(onset).mean() == pytest.approx(1 - np.exp(-0.5), abs=0.015)
    # the first event of a Poisson number of delays comes earlier than one delay: 1 - exp(-0.5 (1 - exp(-t/2))) = half of all
    half = -2 * np.log(1 + np.log(1 - 0.5 * (1 - np.exp(-0.5))) / 0.5)
    assert np.nanmedian(onset) == pytest.approx(half, abs=0.08)


def test_a_drug_has_the_same_events_whatever_is_given_beside_it():
    first, second = Term("a", event(any_hazard_per_year=2.0)), Term("b", event(term="rash", any_hazard_per_year=2.0))
    alone, beside = Toxicities([first], people(300), 0.8), Toxicities([second, first], people(300), 0.8)
    rows = np.arange(300)
    here = exposure(300)
    both = Exposure(
        *({**part, "b": part["a"]} for part in (here.at_risk, here.since, here.given, here.drive)), here.calm
    )
    one = alone.interval(rows, 0.0, 100.0, here)
    two = beside.interval(rows, 0.0, 100.0, both)
    mine = two.of(two.term == 1)
    np.testing.assert_array_equal(np.sort(one.row), np.sort(mine.row))
    np.testing.assert_allclose(np.sort(one.onset_day), np.sort(mine.onset_day))


@pytest.mark.parametrize("trough", [1.74, 17.4, 58.0])
def test_ipilimumab_alone_follows_feng(trough):
    """logit P(grade 3 or worse) = -3.8 + 0.66 ln(trough): 3, 13 and 24 % at 0.3, 3 and 10 mg/kg; the trough acts from the first day here."""
    terms = [Term("a", one) for one in load_drug("ipilimumab").toxicity]
    one = terms[0].toxicity
    drive = (trough / one.reference_trough_mg_per_l) ** one.trough_exponent * one.alone_factor
    toxicities, severe = Toxicities(terms, people(), 0.8), np.zeros(N, dtype=bool)
    for start in np.arange(0.0, 84.0, 14.0):
        found = toxicities.interval(np.arange(N), start, start + 14, exposure(N, drive=drive))
        severe[found.row[found.grade >= 3]] = True
    assert severe.mean() == pytest.approx(1 / (1 + np.exp(3.8 - 0.66 * np.log(trough))), abs=0.03)


TERMS = (
    Term("nivolumab", event()),
    Term("ipilimumab", event(term="hypophysitis", duration_days=None)),
    Term("cisplatin", event(term="nausea", driver="constant", onset_days=None)),
    Term("", event(term="fatigue", driver="constant", onset_days=None)),
)
DRUGS = ("nivolumab", "ipilimumab", "cisplatin")


def one_event(term, grade, *, stops=False, end=130.0, row=0):
    return AdverseEvents(*(np.array([value]) for value in (row, term, grade, 100.0, end, stops)))


USUAL = StopRules()


def acted(happening, rules=USUAL, n=1):
    care = Care(TERMS, DRUGS, n, rules)
    action, steroids = care.act(happening, Toxicities(TERMS, people(n), 0.8))
    allowed = {drug: bool(care.may_have(drug, np.array([0]), 110.0)[0]) for drug in DRUGS}
    return care, ACTIONS[action[0]], bool(steroids[0]), allowed


def test_an_immune_event_holds_what_drives_it_until_it_has_resolved():
    care, action, steroids, allowed = acted(one_event(0, 2))
    assert (action, steroids) == ("DRUG INTERRUPTED", False)
    assert allowed == {"nivolumab": False, "ipilimumab": False, "cisplatin": True}
    assert care.may_have("nivolumab", np.array([0]), 130.0)[0]
    assert acted(one_event(0, 1))[1] == "NONE"
    assert acted(one_event(0, 2), StopRules(hold_grade=3))[1] == "NONE"


def test_a_severe_immune_event_is_treated_with_steroids():
    care, action, steroids, _ = acted(one_event(0, 3))
    assert (action, steroids) == ("DRUG INTERRUPTED", True)
    assert care.calm(np.array([0]), 120.0)[0] == pytest.approx(0.3)
    assert care.calm(np.array([0]), 150.0)[0] == 1.0
    assert acted(one_event(0, 3), StopRules(steroid_grade=4))[2] is False


def test_a_stop_ends_the_drug_and_not_the_arm():
    _, action, _, allowed = acted(one_event(1, 3, stops=True))
    assert action == "DRUG WITHDRAWN"
    assert allowed == {"nivolumab": True, "ipilimumab": False, "cisplatin": True}
    assert not any(acted(one_event(3, 3, stops=True))[3].values())  # put down to no drug: all stop
    assert acted(one_event(1, 2, stops=True), StopRules(toxicity_grade=3))[1] != "DRUG WITHDRAWN"


def test_an_event_that_never_resolves_and_one_of_another_kind():
    assert acted(one_event(1, 2, end=np.nan))[1] == "NONE"
    _, action, steroids, allowed = acted(one_event(2, 3))
    assert (action, steroids) == ("DRUG INTERRUPTED", False)
    assert allowed == {"nivolumab": True, "ipilimumab": True, "cisplatin": False}
    assert acted(one_event(2, 2))[1] == "NONE"


def test_three_in_ten_have_the_event_again_when_the_drug_is_given_again():
    n = 4000
    care, toxicities = Care(TERMS, DRUGS, n, StopRules()), Toxicities(TERMS, people(n), 0.8)
    rows = np.arange(n)
    every = AdverseEvents(
        rows, np.zeros(n, int), np.full(n, 3), np.full(n, 100.0), np.full(n, 130.0), np.zeros(n, bool)
    )
    care.act(every, toxicities)
    row, term, severe, day = care.due_again(rows, 130.0, 2000.0)
    assert len(row) / n == pytest.approx(0.288, abs=0.02) and severe.all() and (day > 130).all() and not term.any()
    assert day.mean() == pytest.approx(160, abs=3)
    again = toxicities.once_more(row, term, severe, day)
    assert again.stops.all()
    care.act(again, toxicities)
    assert care.stopped["nivolumab"][row].all() and care.stopped["nivolumab"].sum() == len(row)


@pytest.fixture(scope="module")
def trial():
    return simulate_trial(load_design("checkmate743"), patients_per_arm=400, seed=5).tables


def test_the_other_drug_goes_on_after_a_stop(trial):
    import polars as pl

    events, doses = trial["adae"], trial["adex"]
    stopped = events.filter((pl.col("AEACN") == "DRUG WITHDRAWN") & (pl.col("AETRT") == "ipilimumab"))
    later = doses.join(stopped.select("USUBJID", stop="ASTDY"), on="USUBJID").filter(pl.col("ASTDY") > pl.col("stop"))
    assert stopped.height > 5
    assert set(later["EXTRT"]) == {"nivolumab"}


def test_stopping_does_not_erase_a_response(trial):
    import polars as pl

    stopped = trial["adae"].filter(pl.col("AEACN") == "DRUG WITHDRAWN").group_by("USUBJID").agg(pl.col("ASTDY").min())
    responders = trial["adrs"].filter((pl.col("PARAMCD") == "BOR") & pl.col("AVALC").is_in(["CR", "PR"]))
    lasting = trial["adtte"].filter(pl.col("PARAMCD") == "PFS").rename({"ADY": "END"})
    both = responders.join(stopped, on="USUBJID").join(lasting, on="USUBJID")
    assert (both["END"] > both["ASTDY"] + 90).sum() >= 3


def test_a_fatal_event_is_a_death_on_that_day(trial):
    import polars as pl

    fatal = trial["adae"].filter(pl.col("AETOXGR") == 5).join(trial["adsl"], on="USUBJID")
    assert (fatal["EOSSTT"] == "DEAD").all()
    np.testing.assert_allclose(fatal["EOSDY"].to_numpy(), fatal["ASTDY"].to_numpy())


def test_events_are_flagged(trial):
    import polars as pl

    events = trial["adae"]
    assert set(events["AEACN"]) == set(ACTIONS)
    assert events.filter((pl.col("CORTFL") == "Y") & (pl.col("IRAEFL") == "N")).is_empty()
    assert set(events.filter(pl.col("AEDECOD") == "neutropenia")["TRT01P"]) == {"chemo"}
    assert {"N", "Y"} == set(events["TRTEMFL"])
