"""Rows and totals of the scoreboard."""

import math
from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from synthetic_design import published_row

from mesotrial.analysis import CarryOver, Outcomes, Predictor, codes, score_rows
from mesotrial.analysis.score import interval_z
from mesotrial.analysis.scoreboard import carried_view, roles_of, scored_row, unpredicted

Tables = Mapping[str, pl.DataFrame]

CARRIED = CarryOver([published_row("nivo", "ORR", value=11.0, trial="CONFIRM", role="calibration")])
ORR = published_row("nivo", "ORR", value=18.5, n_used=54, se=0.387)


@pytest.fixture(scope="module")
def predictor(bank_tables: Tables) -> Predictor:
    return Predictor(Outcomes(bank_tables), 1, {"nivo": 63, "nivo+ipi": 62}, trials=200)


def test_a_row_holds_the_prediction_the_published_and_the_carried_value(predictor: Predictor) -> None:
    row = scored_row(ORR, CARRIED, predictor)
    assert row["z"] == pytest.approx(codes.z_score("ORR", row["simulated"], 0.185, 0.387, 54))
    assert row["carry_over"] == pytest.approx(0.11)
    assert row["carry_over_z"] == pytest.approx(codes.z_score("ORR", 0.11, 0.185, 0.387, 54))
    half = 1.645 * math.hypot(0.387, 0.43)
    assert codes.on_scale("ORR", row["carry_over_hi90"]) - codes.on_scale("ORR", 0.11) == pytest.approx(half)
    assert (row["family"], row["not_predicted"], row["scored"]) == ("response", None, "yes")


def test_a_row_without_a_prediction_says_why(predictor: Predictor) -> None:
    subgroup = published_row("nivo", "ORR", value=20.0, n_used=30, se=0.4, subgroup_code="pdl1_ge25")
    assert scored_row(subgroup, CARRIED, predictor)["not_predicted"] == "ORR of pdl1 ge25 is not simulated"
    row = scored_row(ORR, CARRIED, None, "no design")
    assert (row["simulated"], row["z"], row["not_predicted"], row["published"]) == (None, None, "no design", 0.185)
    assert row["carry_over_z"] is not None
    rows = [row, row, scored_row(ORR, CARRIED, predictor)]
    (left_out,) = unpredicted(rows)
    assert (left_out["arm"], left_out["role"], left_out["why"], left_out["rows"]) == (
        "nivo",
        "validation",
        "no design",
        2,
    )


def _row(z: float | None, carried_z: float | None, **given: Any) -> dict[str, Any]:
    return {
        "trial": "T", "code": "ORR", "family": "response", "role": "validation", "scored": "yes", "published": 0.25, "published_n": 60,
        "simulated": 0.3, "lo90": 0.2, "hi90": 0.45, "z": z, "inside90": None if z is None else True,
        "carry_over": 0.4, "carry_over_z": carried_z, "carry_over_lo90": 0.3, "carry_over_hi90": 0.5,
    } | given  # fmt: skip


def test_totals_by_role_and_family_and_the_skill_on_shared_rows() -> None:
    rows = [
        _row(0.5, 2.0),
        _row(-1.5, 1.0),
        _row(None, 3.0),  # only the baseline
        _row(1.0, None),  # only the model
        _row(0.1, None, role="calibration"),
        _row(4.0, None, family="os", code="OS_RATE"),
    ]
    found = roles_of(rows, ("calibration", "validation"))
    validation = found["validation"]
    assert (validation["rows"], validation["unpredicted"], validation["carry_over"]["rows"]) == (4, 1, 3)
    assert validation["mean_abs_z"] == pytest.approx((0.5 + 1.5 + 1.0 + 4.0) / 4)
    assert validation["carry_over"]["mean_abs_z"] == pytest.approx(2.0)
    assert validation["shared"]["rows"] == 2
    assert validation["skill"] == pytest.approx(1 - 1.0 / 1.5)
    assert validation["families"]["os"]["z_coverage"] == 0.0
    assert validation["families"]["os"]["skill"] is None
    assert validation["families"]["toxicity"]["rows"] == 0
    assert found["calibration"]["rows"] == 1
    assert found["calibration"]["skill"] is None
    assert set(score_rows([])) <= set(validation) == set(found["calibration"])


def test_a_value_at_an_end_of_its_interval_lies_as_many_sds_away() -> None:
    assert interval_z(_row(0.0, None, published=0.2)) == pytest.approx(-codes.COVERED)
    assert interval_z(_row(0.0, None, published=0.45)) == pytest.approx(codes.COVERED)
    assert interval_z(_row(0.0, None, hi90=None)) is None


def test_the_share_inside_has_an_interval_by_trial() -> None:
    """Three trials of ten results, 9, 8 and 10 inside: the variance of the share is that of their totals, t has two degrees of freedom."""
    rows = [
        _row(0.5, None, trial=trial, inside90=place < inside)
        for trial, inside in (("A", 9), ("B", 8), ("C", 10))
        for place in range(10)
    ]
    found = score_rows(rows)
    assert found["inside90"] == pytest.approx(0.9)
    assert found["inside90_lo95"] == pytest.approx(0.9 - 4.302653 * math.sqrt(3) / 30)
    assert found["inside90_hi95"] == 1.0
    assert (
        score_rows([row | {"inside90": True} for row in rows])["inside90_lo95"] is None
    )  # all the same: no spread to tell
    alone = score_rows(rows[:10])
    assert alone["inside90_lo95"] is None and alone["inside90_hi95"] is None


def test_the_baseline_is_inside_its_interval_where_it_is_covered() -> None:
    covered, not_covered = (score_rows([carried_view(_row(0.0, z))]) for z in (1.6, -1.7))
    assert (covered["inside90"], covered["z_coverage"]) == (1.0, 1.0)
    assert (not_covered["inside90"], not_covered["z_coverage"]) == (0.0, 0.0)
