"""Banks long enough for the trials drawn from them, of one parameter set each for the assurance, kept for the next question, open where nobody knows."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesotrial.analysis.expected import contrasts
from mesotrial.analysis.power import (
    bank_of_fail_rates,
    bank_of_tables,
    conduct_of,
    follow_up_design,
    power,
    resample_trials,
    simulate_banks,
)
from mesotrial.analysis.power.bands import banded
from mesotrial.analysis.power.bank import Bank
from mesotrial.analysis.power.planning import length_of, plan_of
from mesotrial.analysis.power.simulate import of_draw
from mesotrial.catalogue import CatalogueError, Design, design_from_text, load_design
from mesotrial.population import load_posterior
from mesotrial.run.banks import KeptBanks

DESIGN = """
name: slow
line: relapsed
population: {like: maps2}
arms:
  - {name: nivo, n: 100, regimens: [nivolumab 240 mg IV over 30 min q2w x 26]}
  - {name: chemo, n: 100, regimens: [pemetrexed 500 mg/m2 IV over 10 min q3w x 6]}
scans: {every_weeks: "6"}
follow_up_months: 24
accrual_months: 12
analysis: {accrual: [{months: 12, per_month: 3}]}
"""


def planned(text: str = DESIGN) -> tuple[Design, Any]:
    design = design_from_text(text)
    return design, plan_of(design)


def cut(bank: Bank, until: float) -> Bank:
    """A bank whose follow-up ends."""
    late = bank.times > until
    return replace(bank, times=np.where(late, until, bank.times), events=np.where(late, 0, bank.events), until=until)


def test_a_bank_is_followed_for_as_long_as_a_slow_accrual_lasts() -> None:
    design, plan = planned()
    assert (
        200 / 3 + 24 < length_of(design, plan) < 200 / 3 * 1.4 + 24
    )  # by accrual, and not accrual_months + follow_up_months = 36
    assert length_of(design, plan, patients=400) > length_of(design, plan) + 200 / 3
    bigger = replace(
        plan,
        reestimate=planned(
            DESIGN.replace(
                "{accrual", "{events: 150, looks: [{fraction: 0.5}], reestimate: {look: 1, most: 1.5}, accrual"
            )
        )[1].reestimate,
    )
    assert length_of(design, bigger) == pytest.approx(length_of(design, plan, patients=300))
    with pytest.raises(CatalogueError, match="more than 20 years"):
        length_of(design, plan, patients=2000)


def test_a_follow_up_that_is_long_enough_changes_no_trial_and_a_shorter_one_is_refused() -> None:
    design, plan = planned()
    whole = replace(bank_of_fail_rates([{"duration": 1, "fail_rate": 0.03, "hr": 0.6}]), arms=("chemo", "nivo"))
    enough = cut(whole, length_of(design, plan))
    assert enough.events.sum() < whole.events.sum()
    conduct, _ = conduct_of(design, plan, [whole])
    one, other = (resample_trials(conduct, [bank], 200, seed=3) for bank in (whole, enough))
    for name in ("final_z", "months", "events", "log_ratios"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert not np.array_equal(resample_trials(conduct, [cut(whole, 36.0)], 200, seed=3).events, one.events)
    with pytest.raises(CatalogueError, match="follows its patients for 36 months"):
        conduct_of(design, plan, [cut(whole, 36.0)])


def test_the_patients_of_a_slow_trial_are_simulated_to_its_end() -> None:
    design, plan = planned()
    months = length_of(design, plan)
    (tables,) = simulate_banks(design, per_arm=60, seed=2)
    bank = bank_of_tables(tables, ("chemo", "nivo"), "OS")
    assert bank.until == pytest.approx(months, abs=0.01) or bank.until == math.inf
    assert bank.times.max() <= months + 0.01
    found = power(design, bank_per_arm=60, trials=60)
    assert found["expected_duration_months"] > 200 / 3 + 20
    with pytest.raises(CatalogueError, match="simulate a longer bank"):
        power(design, banks=simulate_banks(design, per_arm=60, months=36.0), trials=60)


def test_solving_stops_where_the_trial_would_last_too_long() -> None:
    design, _ = planned(DESIGN.replace("per_month: 3", "per_month: 9"))
    found = power(design, bank_per_arm=60, trials=60, solve="patients", wanted=0.999)
    assert found["solution"]["found"] is None or found["solution"]["found"] < 240 * 9
    assert max(one["patients"] for one in found["solution"]["tried"]) < 240 * 9


THREE = DESIGN.replace(
    "  - {name: chemo, n: 100",
    "  - {name: nivo3, n: 100, regimens: [nivolumab 3 mg/kg IV over 60 min q2w x 26]}\n  - {name: chemo, n: 100",
)
BAYES = "{prior: {hazard_ratio: 0.8, sd_log: 0.3}, efficacy: {rule: posterior_probability, value: 0.99}, looks: [{fraction: 0.5}], events: %d}"


def test_a_prior_means_the_same_with_three_arms_as_with_two() -> None:
    """The events of all arms are half as many again with a third arm; those of a pair, and so its boundary, are the same."""
    flat = bank_of_fail_rates([{"duration": 1, "fail_rate": 0.05, "hr": 0.8}], patients=100)
    part = flat.times[:100]
    three = Bank(
        ("chemo", "nivo", "nivo3"),
        flat.strata,
        flat.mix,
        np.arange(4) * 100,
        np.tile(part, 3),
        np.ones(300, np.int64),
        np.full(300, np.inf),
    )
    old = "{accrual: [{months: 12, per_month: 3}]}"
    looks = []
    for text, bank, events in ((DESIGN, replace(flat, arms=("chemo", "nivo")), 120), (THREE, three, 180)):
        design, plan = planned(text.replace(old, BAYES % events))
        looks.append([look.efficacy for look in conduct_of(design, plan, [bank])[1]])
    np.testing.assert_allclose(looks[0], looks[1], rtol=1e-12)
    design, plan = planned(
        THREE.replace(old, BAYES % 180).replace("nivo3, n: 100", "nivo3, n: 200")
        + "randomisation: {ratio: [1, 2, 1]}\n"
    )
    with pytest.raises(CatalogueError, match="arms of different sizes"):
        conduct_of(design, plan, [three])


def test_explain_and_power_test_each_arm_at_the_same_level() -> None:
    design, plan = planned(THREE)
    (tables,) = simulate_banks(design, per_arm=60, months=60.0)
    alphas = {one.alpha for one in contrasts(design, tables)}
    assert alphas == {2 * plan.alpha / 2} == {2 * plan.alpha_of_each(3)}


def test_the_draws_of_the_assurance_are_other_people_of_one_parameter_set_each() -> None:
    design, _ = planned()
    (tables,) = simulate_banks(design, per_arm=40, months=48.0, parameters=load_posterior()[:4], seed=3)
    parts = [of_draw(tables, draw, 4) for draw in range(4)]
    subjects = [set(part["adsl"]["USUBJID"]) for part in parts]
    assert sum(map(len, subjects)) == len(set.union(*subjects)) == tables["adsl"].height
    alone = simulate_banks(design, per_arm=40, months=48.0, parameters=(load_posterior()[2],), seed=3)[0]
    rows = {
        name: part.filter(part["PARAMCD"] == "OS").select("USUBJID", "AVAL")
        for name, part in (("mine", parts[2]["adtte"]), ("alone", alone["adtte"]))
    }
    both = rows["mine"].join(rows["alone"], on="USUBJID", suffix="_alone")
    assert both.height == len(subjects[2])
    np.testing.assert_allclose(both["AVAL"], both["AVAL_alone"], rtol=1e-6)


def test_a_kept_bank_answers_the_next_question_without_simulating(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design, _ = planned()
    asked = {"bank_per_arm": 60, "trials": 60, "draws": load_posterior()[:2], "store_of": KeptBanks(1, tmp_path)}
    first = power(design, **asked)
    assert len(list(tmp_path.iterdir())) == 2  # the bank, and that of the draws
    simulated: list[object] = []
    monkeypatch.setattr("mesotrial.trial.simulate.simulate_chunk", lambda *given, **also: simulated.append(given))
    again = power(design, **asked)
    assert {**first, "seconds": 0} == {**again, "seconds": 0}
    other = power(replace(design, analysis=replace(plan_of(design), test="maxcombo", dropout_per_year=0.1)), **asked)
    assert other["test"] == "maxcombo"
    assert not simulated


def test_a_bank_of_other_people_or_drugs_is_not_taken_for_this_one(tmp_path: Path) -> None:
    design, _ = planned()
    longer = follow_up_design(design, 48.0)
    sets = load_posterior()[:1]
    folders = {
        str(store(one, parameters)._folder)
        for store, one, parameters in (
            (KeptBanks(1, tmp_path), longer, sets),
            (KeptBanks(2, tmp_path), longer, sets),
            (KeptBanks(1, tmp_path), longer, load_posterior()[:2]),
            (KeptBanks(1, tmp_path), follow_up_design(design, 60.0), sets),
            (KeptBanks(1, tmp_path), follow_up_design(planned(DESIGN.replace("240 mg", "480 mg"))[0], 48.0), sets),
        )
    }
    assert len(folders) == 5


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a_file"
    file.write_text("no folder")
    design, _ = planned()
    assert power(design, bank_per_arm=60, trials=60, store_of=KeptBanks(1, file))["trials"] == 60


def test_the_banks_longest_unused_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for place in range(3):
        (tmp_path / f"old{place}").mkdir()
        (tmp_path / f"old{place}" / "part").write_bytes(b"x" * 400)
        os.utime(tmp_path / f"old{place}", (1e9 + place, 1e9 + place))
    monkeypatch.setattr("mesotrial.run.banks._MOST_BYTES", 900)
    KeptBanks(1, tmp_path)(follow_up_design(planned()[0], 48.0), load_posterior()[:1])
    assert not (tmp_path / "old0").exists()
    assert (tmp_path / "old1").exists() and (tmp_path / "old2").exists()


def test_the_power_of_an_exploratory_treatment_is_a_band_and_no_number() -> None:
    design = load_design("galinpepimut")
    found = power(design, bank_per_arm=80, trials=60, draws=load_posterior()[:2])
    assert found["exploratory"] == ["vaccine", "control"]
    low, high = found["power_band"]
    assert found["power"] is None and 0 <= low <= high <= 1
    assert found["assurance"]["value"] is None and len(found["assurance"]["value_band"]) == 2
    assert all(row.get("power") is None and row["median_months"] is None for row in found["arms"])
    assert all(row["concludes"] is None for row in found["tests"])
    with pytest.raises(CatalogueError, match="without solving"):
        power(design, solve="patients")


def test_known_arms_keep_their_numbers_beside_an_exploratory_one() -> None:
    design, _ = planned(
        THREE.replace("nivolumab 3 mg/kg IV over 60 min q2w x 26", "cemiplimab 350 mg IV over 30 min q3w")
    )
    found = power(design, bank_per_arm=80, trials=60)
    rows = {row["arm"]: row for row in found["arms"]}
    assert found["exploratory"] == ["nivo3"]
    assert found["power"] is None
    assert rows["nivo"]["power"] is not None and rows["chemo"]["median_months"] is not None
    assert rows["nivo3"]["power"] is None and len(rows["nivo3"]["power_band"]) == 2


def test_bands_of_answers() -> None:
    low = {
        "power": 0.2,
        "n": 5,
        "name": "a",
        "rows": [{"arm": "x", "power": 0.2}, {"arm": "y", "power": 0.4}],
        "pair": [1.0, 2.0],
        "grid": [1],
    }
    high = {
        "power": 0.2,
        "n": 6,
        "name": "a",
        "rows": [{"arm": "x", "power": 0.2}, {"arm": "y", "power": 0.1}],
        "pair": [0.5, 1.5],
        "grid": [1, 2],
    }
    assert banded([low, high], known=["x"]) == {
        "power": None, "power_band": [0.2, 0.2], "n": None, "n_band": [5, 6], "name": "a", "pair": [0.5, 2.0], "grid": [],
        "rows": [{"arm": "x", "power": 0.2}, {"arm": "y", "power": None, "power_band": [0.1, 0.4]}],
    }  # fmt: skip
