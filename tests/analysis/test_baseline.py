"""The carry-over baseline: its rules by hand, and against another implementation of them."""

import csv
import math
from pathlib import Path
from typing import Any

import pytest
from synthetic_design import published_row

from mesotrial.analysis import CarryOver, codes
from mesotrial.analysis.baseline import NEAREST
from mesotrial.catalogue import published_results

_KEY = ("trial", "arm", "comparator", "subgroup", "code", "time_months")
_CHEMO = {"trial": "CheckMate 743", "role": "calibration"}


def _baseline() -> CarryOver:
    return CarryOver(
        [
            published_row("chemo", "OS_MEDIAN", value=12.0, unit="months", **_CHEMO),
            published_row("chemo", "OS_RATE", value=25.0, time_months=24.0, **_CHEMO),
            published_row("chemo", "OS_MEDIAN", value=8.0, unit="months", subgroup_code="non_epithelioid", **_CHEMO),
            published_row("chemo", "PFS_MEDIAN", value=7.0, unit="months", **_CHEMO),
            published_row("chemo", "DCR", value=85.0, **_CHEMO),
            published_row("chemo", "ORR", value=40.0, scored=False, **_CHEMO),
            published_row("chemo", "OS_HR", value=0.7, unit="ratio", comparator="other", **_CHEMO),
            published_row("chemo", "TRAE_G34", value=30.0, trial="CheckMate 743"),  # validation: may not be carried
            published_row("chemo+pembro", "OS_MEDIAN", value=16.0, unit="months", trial="IND.227/KEYNOTE-483", role="calibration"),
        ]
    )  # fmt: skip


def _asked(code: str, arm: str = "chemo", trial: str = "DREAM3R", **given: Any) -> float | None:
    return _baseline().predict(published_row(arm, code, trial=trial, **given))


def test_the_nearest_arm_lends_its_number() -> None:
    assert _asked("OS_MEDIAN") == 12.0
    assert _asked("OS_MEDIAN", "durva+chemo") == 16.0
    assert _asked("PFS_MEDIAN", "durva+chemo") == 7.0  # the first arm has none: the second is asked
    assert _asked("ORR") is None  # not scored
    assert _asked("TRAE_G34") is None  # validation
    assert _asked("OS_MEDIAN", "an arm that is near to none") is None


def test_what_stands_in() -> None:
    assert _asked("TTP_MEDIAN") == 7.0
    assert _asked("DCR_AT", time_months=2.76) == 0.85


def test_landmarks_lie_on_straight_lines_of_log_survival() -> None:
    assert _asked("OS_RATE", time_months=24.0) == 0.25
    assert _asked("OS_RATE", time_months=6.0) == pytest.approx(math.sqrt(0.5))
    assert _asked("OS_RATE", time_months=18.0) == pytest.approx(math.sqrt(0.125))
    assert _asked("OS_RATE", time_months=36.0) == pytest.approx(0.125)  # the last line goes on
    assert _asked("PFS_RATE", time_months=14.0) == pytest.approx(0.25)
    assert _asked("PFS_RATE", time_months=None) is None


def test_a_subgroup_is_carried_where_it_is_reported_else_the_whole_trials() -> None:
    assert _asked("OS_MEDIAN", subgroup_code="non_epithelioid") == 8.0
    assert _asked("OS_MEDIAN", subgroup_code="epithelioid") == 12.0
    assert _asked("OS_MEDIAN", "placebo+chemo", "ATOMIC-meso") == 8.0  # a trial of non-epithelioid mesothelioma


def test_a_hazard_ratio_is_that_of_two_medians() -> None:
    assert _asked("OS_HR", "durva+chemo", comparator="chemo") == pytest.approx(12 / 16)
    assert _asked("PFS_HR", "durva+chemo", comparator="chemo") == 1.0
    assert _asked("OS_HR", "durva+chemo", comparator="nobody") is None


def test_every_validation_row_has_its_nearest_arms_and_only_calibration_arms_lend() -> None:
    rows = [row for row in published_results() if row.scored]
    lenders = {(row.trial, row.arm) for row in rows if row.role == "calibration"}
    assert {(row.trial, row.arm) for row in rows if row.role == "validation"} <= set(NEAREST)
    assert {arm for nearest in NEAREST.values() for arm in nearest.arms} <= lenders


def test_it_says_what_another_implementation_of_the_same_rules_says() -> None:
    """data/carry_over.csv: predictions in the unit of the table (%, months, ratio), by a script of the standard library that shares no code with this one."""
    with (Path(__file__).parent / "data" / "carry_over.csv").open(encoding="utf-8", newline="") as file:
        theirs = {tuple(row[name] for name in _KEY): row["predicted"] for row in csv.DictReader(file)}
    mine = CarryOver(published_results())
    rows = [row for row in published_results(roles=("validation",)) if row.scored]
    assert len(rows) == len(theirs) == 76
    for row in rows:
        time = "" if row.time_months is None else f"{row.time_months:g}"
        expected = theirs[row.trial, row.arm, row.comparator, row.subgroup_code, row.code, time]
        scale = 100 if codes.is_rate(row.code) else 1
        assert scale * (mine.predict(row) or math.nan) == pytest.approx(float(expected), rel=1e-10), row
