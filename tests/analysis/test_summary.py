import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
from synthetic_design import MAPS2, published_row
from synthetic_trial import maps2_arms, synthetic_tables

from mesotrial.analysis import Endpoint, Outcomes, Predictor, codes, estimate, score, summarise
from mesotrial.catalogue.evidence import PageFigure, PublishedResult

Tables = Mapping[str, pl.DataFrame]
CONTRACT = (
    "trial arm comparator subgroup code time_months assessor simulated lo90 hi90 published published_lo published_hi "
    "published_level published_n scored role z inside90 confidence source"
)

ROWS = (
    published_row("nivo", "ORR", value=18.5, ci_low=8.2, ci_high=28.9, n=54, n_used=54, se=0.387),
    published_row("nivo", "OS_RATE", time_months=12.0, value=49.2, n=63, n_used=63, se=0.254),
    published_row("nivo+ipi", "OS_MEDIAN", value=15.9, unit="months", n=62, n_used=62, se=0.186),
    published_row("nivo+ipi", "OS_HR", comparator="nivo", value=0.8, unit="ratio", n=125, n_used=125, se=0.2),
    published_row("nivo", "OS_MEDIAN", subgroup_code="epithelioid", value=12.0, unit="months", se=0.2),
    published_row("nivo", "OS_MEDIAN", subgroup_code="pdl1_ge25", value=12.0, unit="months", scored=False),
    published_row("nivo", "COUNT", value=3.0, unit="patients", scored=False, why_not="count"),
    published_row("nivo", "ORR", value=17.0, role="none", scored=False),
    published_row("both arms", "ORR", value=17.0, scored=False),
    published_row("nivo", "ORR", value=17.0, trial="another trial"),
)
PAGE: dict[tuple[str, str, float | None], PageFigure] = {("nivo", "OS_RATE", 12.0): PageFigure(51.0, "%", "s14")}


@pytest.fixture(scope="module")
def summary(trial_tables: Tables, bank_tables: Tables) -> dict[str, Any]:
    return summarise(MAPS2, trial_tables, bank_tables, ROWS, PAGE, seed=1)


def _row(summary: dict[str, Any], arm: str, code: str, **more: object) -> dict[str, Any]:
    wanted = {"arm": arm, "code": code, "subgroup": "all"} | more
    (found,) = (row for row in summary["endpoints"] if all(row[key] == value for key, value in wanted.items()))
    return dict(found)


def test_it_is_the_object_of_the_contract(summary: dict[str, Any]) -> None:
    assert summary["schema"] == "mesotrial/summary/1"
    assert (summary["design"], summary["seed"]) == ("maps2", 1)
    assert summary["patients_per_arm"] == {"nivo": 63, "nivo+ipi": 62}
    assert summary["bank"] == {"nivo": 2000, "nivo+ipi": 2000}
    assert summary["status_counts"] == {"MAX_STEPS": 1, "OK": 124}
    for row in summary["endpoints"]:
        assert set(CONTRACT.split()) <= set(row)
    json.dumps(summary, allow_nan=False)


def test_published_rows_of_other_trials_arms_and_roles_are_left_out(summary: dict[str, Any]) -> None:
    assert sum(row["published"] is not None for row in summary["endpoints"]) == 7
    assert _row(summary, "nivo", "ORR")["published"] == 0.185


def test_endpoints_that_nobody_published_follow(summary: dict[str, Any]) -> None:
    row = _row(summary, "nivo", "DCR")
    assert (row["published"], row["z"], row["inside90"], row["scored"]) == (None, None, None, "no")
    assert row["lo90"] < row["simulated"] < row["hi90"]
    assert _row(summary, "nivo+ipi", "PFS_MEDIAN")["published"] is None


def test_the_value_is_the_banks_and_the_interval_covers_it(summary: dict[str, Any], bank_tables: Tables) -> None:
    bank = Outcomes(bank_tables)
    for row in summary["endpoints"]:
        if row["simulated"] is None:
            continue
        endpoint = Endpoint(row["code"], row["arm"], row["comparator"], row["subgroup"], row["time_months"])
        assert row["simulated"] == pytest.approx(estimate(bank, endpoint).value)
        assert row["lo90"] <= row["simulated"] <= row["hi90"]


def test_fractions_months_and_the_page(summary: dict[str, Any]) -> None:
    row = _row(summary, "nivo", "OS_RATE", time_months=12.0)
    assert (row["published"], row["page"], row["page_statement"]) == (0.492, 0.51, "s14")
    assert _row(summary, "nivo+ipi", "OS_MEDIAN")["published"] == 15.9
    assert _row(summary, "nivo", "ORR")["published_lo"] == pytest.approx(0.082)


def test_z_by_hand(summary: dict[str, Any]) -> None:
    rate = _row(summary, "nivo", "ORR")
    logit = math.log(rate["simulated"] / (1 - rate["simulated"])) - math.log(0.185 / 0.815)
    assert rate["z"] == pytest.approx(logit / math.hypot(0.387, 0.43))
    median = _row(summary, "nivo+ipi", "OS_MEDIAN")
    assert median["z"] == pytest.approx(math.log(median["simulated"] / 15.9) / math.hypot(0.186, 0.12))
    ratio = _row(summary, "nivo+ipi", "OS_HR")
    assert ratio["z"] == pytest.approx(math.log(ratio["simulated"] / 0.8) / math.hypot(0.2, 0.1))


def test_what_the_tables_cannot_say_is_null(summary: dict[str, Any]) -> None:
    for row in (_row(summary, "nivo", "COUNT"), _row(summary, "nivo", "OS_MEDIAN", subgroup="pdl1_ge25")):
        assert (row["simulated"], row["lo90"], row["hi90"], row["z"]) == (None, None, None, None)


def test_a_size_that_was_not_published_comes_from_the_design(bank_tables: Tables) -> None:
    predictor = Predictor(Outcomes(bank_tables), 1, {"nivo": 63, "nivo+ipi": 62})
    assert predictor.trial_size(Endpoint("OS_MEDIAN", "nivo"), None) == 63
    assert predictor.trial_size(Endpoint("OS_HR", "nivo", "nivo+ipi"), None) == 125
    assert 45 <= predictor.trial_size(Endpoint("OS_MEDIAN", "nivo", subgroup="epithelioid"), None) <= 57
    assert predictor.trial_size(Endpoint("DOR_MEDIAN", "nivo"), None) < 20
    assert predictor.trial_size(Endpoint("ORR", "nivo"), 54) == 54


def test_half_a_count_where_none_or_all() -> None:
    assert codes.on_scale("ORR", 0.0, 54) == pytest.approx(math.log(0.5 / 54.5))
    assert codes.on_scale("ORR", 1.0, 54) == pytest.approx(math.log(54.5 / 0.5))
    assert math.isnan(codes.on_scale("ORR", 0.0))
    assert codes.from_scale("OS_RATE", codes.on_scale("OS_RATE", 0.3)) == pytest.approx(0.3)
    assert codes.from_scale("OS_HR", codes.on_scale("OS_HR", 0.7)) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("code", "tau", "family"),
    [
        ("ORR", 0.43, "response"), ("DCR", 0.35, "response"), ("DCR_AT", 0.35, "response"), ("PD_BEST", 0.35, "response"),
        ("OS_RATE", 0.20, "os"), ("PFS_RATE", 0.20, "pfs"), ("DOR_RATE", 0.20, "response"), ("OS_MEDIAN", 0.12, "os"),
        ("TTP_MEDIAN", 0.12, "pfs"), ("OS_HR", 0.10, "os"), ("TRAE_G34", 0.40, "toxicity"), ("AE_COLITIS_G34", 0.40, "toxicity"),
    ],
)  # fmt: skip
def test_spread_between_trials(code: str, tau: float, family: str) -> None:
    assert codes.tau(code) == tau
    assert codes.family(code) == family


def test_a_prediction_interval_has_the_size_it_should(bank_tables: Tables) -> None:
    """With many patients only the trial-level effect is left: Normal(0, tau) on the scoring scale."""
    predictor = Predictor(Outcomes(bank_tables), 2, {"nivo": 63, "nivo+ipi": 62}, trials=4000)
    for code in ("ORR", "OS_MEDIAN"):
        found = predictor.interval(Endpoint(code, "nivo"), 50_000 if code == "ORR" else 20_000)
        width = codes.on_scale(code, found.upper) - codes.on_scale(code, found.lower)
        assert width == pytest.approx(2 * codes.COVERED * codes.tau(code), rel=0.1)


def test_an_interval_without_an_upper_end(bank_tables: Tables) -> None:
    """Medians of few patients with much censoring are often not reached."""
    tables = dict(bank_tables)
    tables["adtte"] = tables["adtte"].with_columns(CNSR=pl.when(pl.col("AVAL") > 9).then(1).otherwise(pl.col("CNSR")))
    found = Predictor(Outcomes(tables), 1, {"nivo": 63, "nivo+ipi": 62}).interval(Endpoint("OS_MEDIAN", "nivo"), 12)
    assert np.isfinite(found.lower)
    assert np.isinf(found.upper)


def test_order_and_company_of_rows_do_not_change_them(
    trial_tables: Tables, bank_tables: Tables, summary: dict[str, Any]
) -> None:
    alone = summarise(MAPS2, trial_tables, bank_tables, ROWS[2:3], PAGE, seed=1)
    assert _row(alone, "nivo+ipi", "OS_MEDIAN") == _row(summary, "nivo+ipi", "OS_MEDIAN")
    other = summarise(MAPS2, trial_tables, bank_tables, ROWS[2:3], PAGE, seed=2)
    assert _row(other, "nivo+ipi", "OS_MEDIAN")["lo90"] != _row(alone, "nivo+ipi", "OS_MEDIAN")["lo90"]


def test_a_design_that_nobody_ran(trial_tables: Tables, bank_tables: Tables) -> None:
    design = dataclasses.replace(
        MAPS2, name="mine", evidence_trial="", endpoints=("DCR_AT", "OS", "TOX"), follow_up_months=18.0
    )
    rows = summarise(design, trial_tables, bank_tables, ROWS, {}, seed=1)["endpoints"]
    assert {row["trial"] for row in rows} == {"mine"}
    codes_of_one_arm = ["DCR_AT", "OS_MEDIAN", "OS_RATE", "TRAE_ANY", "TRAE_G34", "DISC_TOX", "DEATH_TOX"]
    assert [row["code"] for row in rows[::2]] == codes_of_one_arm
    assert score(rows)["validation"]["z_coverage"] is None


def test_the_band_holds_the_bank_curve(bank_tables: Tables) -> None:
    bank = Outcomes(bank_tables)
    grid = np.linspace(0, 24, 25)
    lower, upper = Predictor(bank, 1, {"nivo": 63}).band("OS", "nivo", 63, grid)
    curve = np.array([estimate(bank, Endpoint("OS_RATE", "nivo", time_months=month)).value for month in grid])
    assert lower[0] == upper[0] == 1.0
    assert np.all((lower <= curve) & (curve <= upper))


def _scored(**changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "trial": "T", "code": "ORR", "scored": "yes", "role": "validation", "simulated": 0.30, "published": 0.25, "published_n": 60,
        "lo90": 0.2, "hi90": 0.4, "z": 0.5, "inside90": True,
    }  # fmt: skip
    return row | changes


def test_score_by_hand() -> None:
    rows = [
        _scored(),
        _scored(
            code="OS_MEDIAN", simulated=12.0, published=10.0, lo90=11.0, hi90=13.0, z=-2.5, inside90=False, trial="U"
        ),
        _scored(z=None, simulated=None, inside90=None),
        _scored(scored="no", z=9.0),
        _scored(role="calibration", z=1.0),
    ]
    found = score(rows)
    assert found["calibration"]["rows"] == 1
    validation = found["validation"]
    assert (validation["rows"], validation["trials"], validation["unpredicted"]) == (2, 2, 1)
    assert (validation["z_coverage"], validation["inside90"], validation["mean_abs_z"]) == (0.5, 0.5, 1.5)
    assert validation["rate_points_mae"] == pytest.approx(5)
    assert validation["median_percent_mae"] == pytest.approx(20)
    first = math.log(0.4 / 0.6) - math.log(0.2 / 0.8)
    second = math.log(13 / 11) + 20 * math.log(11 / 10)
    assert validation["interval_score"] == pytest.approx((first + second) / 2)


def test_a_median_that_is_not_reached_is_not_covered() -> None:
    found = score(
        [_scored(), _scored(code="DOR_MEDIAN", simulated=None, lo90=30.0, hi90=None, z=None, inside90=False)]
    )["validation"]
    assert (found["rows"], found["unpredicted"], found["z_coverage"], found["inside90"]) == (2, 0, 0.5, 0.5)
    assert found["mean_abs_z"] == 0.5


def test_published_rows_have_the_catalogues_type() -> None:
    assert isinstance(ROWS[0], PublishedResult)


def test_draws_that_do_not_differ_add_little_to_an_interval() -> None:
    """One population, labelled as ten draws: what is called unknown must be chance's, and mostly nothing."""
    found = []
    for seed in range(6):
        predictor = Predictor(
            Outcomes(synthetic_tables(maps2_arms(1500, 1500), seed=seed)), 1, {"nivo": 63, "nivo+ipi": 62}
        )
        found += [predictor.unknown_sd(Endpoint("ORR", arm)) for arm in ("nivo", "nivo+ipi")]
    assert sum(value > 0 for value in found) <= 3
