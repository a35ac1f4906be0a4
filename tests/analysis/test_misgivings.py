"""What a design can expect and what looks wrong in it: each misgiving fires on a design that has the fault, and on no other."""

import math
from dataclasses import replace

import polars as pl
import pytest

from mesotrial.analysis.expected import (
    Expectation,
    contrasts,
    detectable_ratio,
    events_over_time,
    expectation,
    expected_arms,
    log_rank_power,
)
from mesotrial.analysis.misgivings import misgivings, misgivings_simulated
from mesotrial.catalogue import Design, design_from_text, load_design
from mesotrial.trial import simulate_trial

MAPS2 = load_design("maps2").source_text


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return dict(simulate_trial(load_design("maps2"), patients_per_arm=30, seed=5).tables)


def changed(old: str, new: str) -> Design:
    assert old in MAPS2
    return design_from_text(MAPS2.replace(old, new), "trial.yaml")


def codes(design: Design) -> dict[str, str]:
    return {one.code: one.where for one in misgivings(design)}


@pytest.mark.parametrize("name", ["maps2", "checkmate743", "confirm", "determine"])
def test_trials_that_were_run_raise_no_misgiving_without_a_simulation(name: str) -> None:
    assert misgivings(load_design(name)) == []


def test_an_arm_that_never_differs() -> None:
    design = changed("      - ipilimumab 1 mg/kg IV over 90 min q6w\n", "")
    assert codes(design) == {"same_arms": "arms[1]"}


def test_a_ratio_that_does_not_fit_the_sizes() -> None:
    assert codes(changed("n: 62", "n: 130")) == {"ratio": "randomisation.ratio"}


def test_strata_without_anybody_and_blocks_that_are_never_filled() -> None:
    assert codes(changed("epithelioid: 0.83", "epithelioid: 0.999")) == {"empty_stratum": "randomisation.strata[0]"}
    assert codes(changed("epithelioid: 0.83", "epithelioid: 0.98")) == {"small_stratum": "randomisation.strata[0]"}
    assert codes(changed("block: 4", "block: 40")) == {"blocks": "randomisation.block"}


def test_doses_that_the_end_of_treatment_cuts_off() -> None:
    design = changed("ipilimumab 1 mg/kg IV over 90 min q6w", "ipilimumab 1 mg/kg IV over 90 min q6w x 30")
    assert codes(design) == {"capped": "arms[1].regimens[1]"}
    assert "plans 30 doses" in misgivings(design)[0].message and "leaves 18" in misgivings(design)[0].message


def test_a_dose_with_a_slipped_decimal_point() -> None:
    found = misgivings(changed("ipilimumab 1 mg/kg", "ipilimumab 10 mg/kg"))
    assert [one.code for one in found] == ["unusual_dose"]
    assert "10 mg/kg of ipilimumab" in found[0].message


def test_a_response_that_cannot_be_confirmed() -> None:
    assert "no_confirmation" in codes(changed("follow_up_months: 24", "follow_up_months: 4"))


def test_expected_counts_are_the_tables_at_the_planned_size(tables: dict[str, pl.DataFrame]) -> None:
    design = load_design("maps2")
    first, second = expected_arms(design, tables)
    dead = tables["adsl"].filter((pl.col("TRT01P") == "nivo") & (pl.col("EOSSTT") == "DEAD")).height
    assert first.deaths == pytest.approx(63 / 30 * dead)
    doses = tables["adex"].filter((pl.col("TRT01P") == "nivo+ipi") & (pl.col("EXTRT") == "ipilimumab")).height
    assert second.doses["ipilimumab"] == pytest.approx(62 / 30 * doses)
    assert list(first.doses) == ["nivolumab"]
    scans = tables["adtr"].filter((pl.col("TRT01P") == "nivo") & (pl.col("AVISITN") > 0)).height
    assert first.scans == pytest.approx(63 / 30 * scans)


def test_events_over_calendar_time_are_entry_and_time_at_the_planned_size(tables: dict[str, pl.DataFrame]) -> None:
    design = load_design("maps2")
    found = events_over_time(design, tables, "OS")
    died = tables["adtte"].filter((pl.col("PARAMCD") == "OS") & (pl.col("CNSR") == 0))
    subjects = tables["adsl"].select("USUBJID", "ENRLMO")
    month = died.join(subjects, on="USUBJID").with_columns(m=pl.col("ENRLMO") + pl.col("AVAL"))
    early = month.filter(pl.col("m") <= 12).group_by("TRT01P").len().sort("TRT01P")["len"].to_list()
    assert found.by(12) == pytest.approx(63 / 30 * early[0] + 62 / 30 * early[1])
    assert found.by(29) == pytest.approx(sum(arm.deaths for arm in expected_arms(design, tables)))
    assert found.by(found.month_of(40)) == pytest.approx(40, abs=63 / 30)
    assert math.isnan(found.month_of(126)) and found.by(0) == 0


def test_looks_of_the_analysis_plan_come_when_their_events_do(tables: dict[str, pl.DataFrame]) -> None:
    plan = "\nanalysis: {comparator: nivo, alpha: 0.0125, events: 80, looks: [{fraction: 0.5}, {month: 20}]}\n"
    design = design_from_text(MAPS2 + plan)
    found = expectation(design, tables)
    events = found.events[0]
    assert [one.name for one in found.looks] == ["look 1", "look 2", "final analysis"]
    assert (found.looks[0].events, found.looks[0].month) == (40, events.month_of(40))
    assert (found.looks[1].events, found.looks[1].month) == (events.by(20), 20)
    contrast = found.contrasts[0]
    assert (contrast.parameter, contrast.arm, contrast.other, contrast.alpha) == ("OS", "nivo+ipi", "nivo", 0.025)
    assert contrast.events == 80
    many = design_from_text(MAPS2 + plan.replace("events: 80", "events: 120"))
    late = misgivings_simulated(many, expectation(many, tables))
    assert "analysis.events" in {one.where for one in late if one.code == "never_reached"}


def test_patients_enter_and_are_followed_as_the_accrual_of_the_analysis_plan_says() -> None:
    slow = "\nanalysis: {comparator: nivo, accrual: [{months: 10, per_month: 2}, {months: 5, per_month: 7}]}\n"
    design = design_from_text(MAPS2 + slow)
    assert design.accrual_months == pytest.approx(10 + 105 / 7)
    subjects = simulate_trial(design, patients_per_arm=120, seed=5).tables["adsl"]
    assert (subjects["ENRLMO"] <= 10).mean() == pytest.approx(20 / 125, abs=0.08)  # a steady accrual would have 10 / 25
    alive = subjects.filter(pl.col("EOSSTT") == "ALIVE")
    assert alive.height > 0
    last = alive["ENRLMO"].max()
    assert isinstance(last, float) and 20 < last < design.accrual_months


def test_log_rank_power_is_schoenfelds_247_events_for_a_hazard_ratio_of_0_7() -> None:
    # 4 (1.959964 + 0.841621)^2 / ln(0.7)^2 = 246.8 events, two-sided 5 %, 80 % power, equal arms.
    assert log_rank_power(0.7, 246.8, 0.5) == pytest.approx(0.80, abs=0.001)
    assert detectable_ratio(246.8, 0.5) == pytest.approx(0.7, abs=1e-4)
    assert log_rank_power(1.0, 500, 0.5) == pytest.approx(0.025)
    assert math.isnan(log_rank_power(math.nan, 10, 0.5)) and detectable_ratio(0, 0.5) == 0


def test_what_a_simulation_shows_to_be_wrong(tables: dict[str, pl.DataFrame]) -> None:
    design = load_design("maps2")
    arms = expected_arms(design, tables)
    against = contrasts(design, tables)
    assert [(one.parameter, one.arm, one.other) for one in against] == [
        ("OS", "nivo", "nivo+ipi"),
        ("PFS", "nivo", "nivo+ipi"),
    ]
    fine = [replace(arm, pfs_median=8.0, os_median=12.0, stopped_for_toxicity=1.0, failed=0.0) for arm in arms]
    strong = [replace(one, power=0.9) for one in against]
    events = (events_over_time(design, tables, "OS"),)
    assert misgivings_simulated(design, Expectation(tuple(fine), tuple(strong), events, ())) == []
    for wrong, code in (
        ({"pfs_median": 2.5}, "sparse_scans"),
        ({"os_median": math.nan}, "short_follow_up"),
        ({"stopped_for_toxicity": 40.0}, "toxic"),
        ({"failed": 1.0}, "failures"),
    ):
        both = (fine[0], replace(fine[1], **wrong))  # type: ignore[arg-type]
        found = misgivings_simulated(design, Expectation(both, tuple(strong), events, ()))
        assert [one.code for one in found] == [code]
        assert "nivo+ipi" in found[0].message
    weak = (strong[0], replace(strong[1], power=0.2))
    found = misgivings_simulated(design, Expectation(tuple(fine), weak, events, ()))
    assert [one.code for one in found] == ["no_power"]
