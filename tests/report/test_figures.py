"""The numbers behind the figures, and the files that hold them."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from synthetic_design import MAPS2, published_row
from synthetic_trial import maps2_arms, synthetic_tables

from mesotrial.analysis import Endpoint, Outcomes, estimate, kaplan_meier, summarise
from mesotrial.report.figure_data import FigureData, figure_data
from mesotrial.report.figure_files import FILES, write_figure_files
from mesotrial.report.forest_figure import compared_arms, forest_figure, forests
from mesotrial.report.incidence_figure import incidence_figure
from mesotrial.report.svg import drawing
from mesotrial.report.swimmer_figure import MOST_LANES, arm_lanes, swimmer_figure
from mesotrial.trial.tables import DAYS_PER_MONTH, empty_table

Tables = Mapping[str, pl.DataFrame]


@pytest.fixture(scope="module")
def data(tables: Tables, bank: Tables, summary: dict[str, Any]) -> FigureData:
    return figure_data(MAPS2, tables, bank, summary)


@pytest.fixture(scope="module")
def files(data: FigureData, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    folder = tmp_path_factory.mktemp("page") / "figures"
    names = write_figure_files(folder, MAPS2, data)
    assert sorted(names) == sorted(path.name for path in folder.iterdir())  # nothing temporary is left
    return {name.removesuffix(".csv"): pl.read_csv(folder / name, infer_schema_length=None) for name in names}


def test_every_file_is_named_on_the_page(files: dict[str, pl.DataFrame], page: str) -> None:
    named = [name for names in FILES for name in names.split(", ")]
    assert sorted(named) == sorted(files)
    assert all(f"<code>{names}</code>" in page for names in FILES)


def test_curves_in_the_files_are_those_of_the_tables(files: dict[str, pl.DataFrame], tables: Tables) -> None:
    patients = Outcomes(tables).survival("OS", "nivo")
    curve = kaplan_meier(patients.months, patients.event)
    mine = files["os_curve"].filter(pl.col("arm") == "nivo")
    np.testing.assert_allclose(mine["months"], curve.times)
    np.testing.assert_allclose(mine["survival"], curve.survival)
    assert mine["events"].sum() + mine["censored"].sum() == 63
    band = files["os_band"].filter((pl.col("arm") == "nivo") & (pl.col("months") > 0))
    assert (band["lower90"] <= band["upper90"]).all()
    marks = files["os_published"]
    assert marks.filter(pl.col("interval_of") == "survival")["survival"].to_list() == [0.492]
    assert marks.filter(pl.col("interval_of") == "months")["months"].to_list() == [11.9, 60.0]


def test_files_by_patient(files: dict[str, pl.DataFrame], tables: Tables) -> None:
    assert files["swimmer"].height == 125
    assert set(files["waterfall"]["patient"]) == set(files["spider"]["patient"])
    best = files["spider"].filter(pl.col("day") > 0).group_by("patient").agg(pl.col("change_percent").min())
    joined = files["waterfall"].join(best, on="patient")
    np.testing.assert_allclose(joined["best_change_percent"], joined["change_percent"])
    assert files["courses"].height == tables["adpc"].height


def test_lanes_tell_each_patients_story(tables: Tables) -> None:
    table = arm_lanes(tables, "nivo").table
    assert table["ended"].is_sorted(descending=True)
    responders = table.filter(pl.col("responded").is_not_null())
    assert (
        responders.height == tables["adtte"].filter((pl.col("PARAMCD") == "DOR") & (pl.col("TRT01P") == "nivo")).height
    )
    assert set(responders["response"]) <= {"CR", "PR"}
    assert (responders["responded"] <= responders["response_ended"]).all()
    died_first = tables["adtte"].filter((pl.col("PARAMCD") == "PFS") & (pl.col("EVNTDESC") == "DEATH"))
    assert table.filter(pl.col("USUBJID").is_in(died_first["USUBJID"].to_list()))["progressed"].is_null().all()
    adsl = tables["adsl"].filter(pl.col("TRT01P") == "nivo")
    assert table["ended"].sum() == pytest.approx(adsl["EOSDY"].sum() / DAYS_PER_MONTH)
    assert table["died"].sum() == (adsl["EOSSTT"] == "DEAD").sum()


def test_a_swimmer_plot_of_many_shows_some(bank: Tables) -> None:
    lanes = arm_lanes(bank, "nivo")
    assert lanes.shown.height == MOST_LANES
    assert lanes.shown["ended"][0] == lanes.table["ended"][0]
    with drawing():
        text = swimmer_figure(lanes, "Nivolumab", 0, lanes.last_month)
    assert "on treatment" in text and "progression" in text and "in PR" in text
    assert len(text) < 60_000


def test_rates_of_subgroups_where_no_arms_are_compared(tables: Tables, bank: Tables) -> None:
    rows = summarise(MAPS2, tables, bank, (), {}, seed=1, trials=50)["endpoints"]
    survival, response = forests(MAPS2, Outcomes(tables), Outcomes(bank), rows)
    assert (survival.code, response.code, survival.is_ratio) == ("OS_RATE", "ORR", False)
    line = next(line for line in response.lines if (line.arm, line.subgroup) == ("nivo", "epithelioid"))
    expected = estimate(Outcomes(tables), Endpoint("ORR", "nivo", subgroup="epithelioid"))
    assert (line.value, line.lower, line.upper) == (expected.value, expected.lower, expected.upper)
    by_ecog = [line.n for line in response.lines if line.subgroup.startswith("ecog") and line.arm == "nivo"]
    assert sum(by_ecog) == 63
    with drawing():
        text = forest_figure(response, MAPS2, 1)
    assert "non-epithelioid" in text and "ECOG performance status" in text


def test_hazard_ratios_of_subgroups_where_arms_are_compared(
    tables: Tables, bank: Tables, summary: dict[str, Any]
) -> None:
    forest, progression = forests(MAPS2, Outcomes(tables), Outcomes(bank), summary["endpoints"])
    assert (forest.code, forest.is_ratio) == ("OS_HR", True)
    assert (progression.code, progression.lines[0].published) == ("PFS_HR", None)
    everybody = forest.lines[0]
    assert (everybody.arm, everybody.comparator, everybody.n) == ("nivo+ipi", "nivo", 125)
    assert everybody.published == 0.8
    assert [line.subgroup for line in forest.lines][1:3] == ["epithelioid", "non_epithelioid"]
    with drawing():
        assert "Nivolumab + ipilimumab against Nivolumab" in forest_figure(forest, MAPS2, 0)


def test_which_arms_are_compared(summary: dict[str, Any]) -> None:
    assert compared_arms("OS", MAPS2, summary["endpoints"]) == ("nivo+ipi", "nivo")
    assert compared_arms("PFS", MAPS2, summary["endpoints"]) is None
    mine = dataclasses.replace(MAPS2, evidence_trial="")
    assert compared_arms("PFS", mine, ()) == ("nivo", "nivo+ipi")
    assert compared_arms("PFS", dataclasses.replace(mine, arms=MAPS2.arms[:1]), ()) is None


def test_incidence_of_side_effects(data: FigureData, files: dict[str, pl.DataFrame]) -> None:
    any_grade, severe = data.incidence
    assert (any_grade.grade, severe.grade) == (1, 3)
    for one, other in zip(any_grade.arms, severe.arms, strict=True):
        assert one.n == other.n
        assert one.curve.incidence[-1] >= other.curve.incidence[-1]
        assert one.curve.incidence[-1] + one.curve.competing[-1] <= 1 + 1e-12
    assert any_grade.sentences[0].startswith("Nivolumab: ")
    assert "by 12" in any_grade.sentences[0]
    with drawing():
        text = incidence_figure(severe)
    assert "dotted: died before any" in text
    table = files["side_effect_incidence"]
    last = table.filter((pl.col("arm") == "nivo") & (pl.col("at_least_grade") == 3))["incidence"][-1]
    assert last == pytest.approx(severe.arms[0].curve.incidence[-1])


def test_one_arm_three_patients_and_nothing_to_see(bank: Tables, tmp_path: Path) -> None:
    design = dataclasses.replace(MAPS2, arms=MAPS2.arms[:1], evidence_trial="")
    names = ("adtr", "adrs", "adtte", "adae", "adpc")
    tables = synthetic_tables(maps2_arms(3, 0), seed=2) | {name: empty_table(name) for name in names}
    summary = summarise(design, tables, bank, (), {}, seed=1, trials=20)
    data = figure_data(design, tables, bank, summary)
    assert data.curves["DOR"].is_empty
    assert data.adverse.common == ()
    assert all(math.isnan(line.value) for line in data.forests[0].lines)
    with drawing():
        swimmer_figure(data.lanes[0], "Nivolumab", 0, 0.0)
        for one in data.incidence:
            incidence_figure(one)
    assert len(write_figure_files(tmp_path / "figures", design, data)) == sum(len(names.split(", ")) for names in FILES)


def test_published_subgroups_are_drawn(tables: Tables, bank: Tables) -> None:
    rows = [
        published_row("nivo", "ORR", value=25.0, ci_low=10.0, ci_high=40.0, subgroup_code="pdl1_ge1"),
        published_row("nivo", "ORR", value=20.0, subgroup_code="pdl1_ge1", scored=False),
    ]
    found = summarise(MAPS2, tables, bank, rows, {}, seed=1, trials=50)["endpoints"]
    forest = forests(MAPS2, Outcomes(tables), Outcomes(bank), found)[1]
    line = next(line for line in forest.lines if (line.arm, line.subgroup) == ("nivo", "pdl1_ge1"))
    assert (line.published, line.published_lo, line.published_hi) == (0.25, 0.1, 0.4)
