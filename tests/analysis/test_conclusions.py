"""What each test concludes from a trial's tables: the estimators, which were checked against R, on the right patients."""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl
import pytest
from synthetic_design import MAPS2

from mesotrial.analysis import Outcomes, hazard_ratio, log_rank
from mesotrial.analysis.conclusions import conclusions
from mesotrial.catalogue import AnalysisPlan
from mesotrial.report.conclusions import test_lines as lines_of


def test_every_test_of_every_endpoint_has_a_row(trial_tables: Mapping[str, pl.DataFrame]) -> None:
    rows = conclusions(MAPS2, trial_tables)
    endpoints = [name for name in ("OS", "PFS") if name in MAPS2.endpoints]
    assert {row["endpoint"] for row in rows} == set(endpoints)
    plain = next(row for row in rows if row["test"] == "logrank" and row["endpoint"] == "OS")
    arm, other = plain["arm"], plain["comparator"]
    outcomes = Outcomes(trial_tables)
    first, second = outcomes.survival("OS", arm), outcomes.survival("OS", other)
    months, event = [*first.months, *second.months], [*first.event, *second.event]
    treated = [True] * first.months.size + [False] * second.months.size
    assert plain["p_better"] == pytest.approx(log_rank(months, event, treated).p_better)
    assert plain["estimate"] == pytest.approx(hazard_ratio(months, event, treated).value)
    assert plain["concludes"] == (plain["p_better"] <= plain["alpha"])


def test_the_plan_names_tests_and_comparator(trial_tables: Mapping[str, pl.DataFrame]) -> None:
    arms = [arm.name for arm in MAPS2.arms]
    plan = AnalysisPlan(comparator=arms[0], test="stratified logrank", also=("milestone 6",), alpha=0.1)
    design = replace(MAPS2, analysis=plan, randomisation=replace(MAPS2.randomisation, strata=("histology",)))
    rows = [row for row in conclusions(design, trial_tables) if row["endpoint"] == "OS"]
    assert [row["test"] for row in rows] == ["stratified logrank", "milestone 6"]
    assert {(row["arm"], row["comparator"], row["alpha"]) for row in rows} == {(arms[1], arms[0], 0.1)}
    assert rows[1]["measure"] == "difference_share"
    lines = lines_of({"patients_per_arm": {arms[0]: 62, arms[1]: 63}, "tests": rows}, design)
    assert lines[0]["name"] == "OS: stratified log-rank"
    assert lines[1]["estimate"].endswith("points")


def test_one_arm_has_nothing_to_compare(trial_tables: Mapping[str, pl.DataFrame]) -> None:
    assert conclusions(replace(MAPS2, arms=MAPS2.arms[:1]), trial_tables) == []
