"""Treatments one after another: a second line on progression, lead-in, a stop at response."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mesotrial.catalogue import CatalogueError, SecondLine, design_from_text, load_design, parse_regimen
from mesotrial.trial import simulate_trial

EXAMPLE = Path(__file__).parents[2] / "examples" / "sequences.yaml"


@pytest.fixture(scope="module")
def design():
    return load_design(EXAMPLE)


@pytest.fixture(scope="module")
def tables(design):
    return simulate_trial(design, patients_per_arm=60, seed=4).tables


def of_arm(table, name):
    return table.filter(pl.col("TRT01P") == name)


def doses_on_second_line(tables, arm):
    start = of_arm(tables["adsl"], arm).select("USUBJID", "L2STDY").drop_nulls()
    return of_arm(tables["adex"], arm).join(start, on="USUBJID").with_columns(day=pl.col("ASTDY") - pl.col("L2STDY"))


def test_the_next_line_begins_after_progression_and_only_then(tables):
    for arm in ("chemo-then-nivo+ipi", "nivo+ipi-then-chemo"):
        people = of_arm(tables["adsl"], arm)
        # Symptoms without a scan end the first line too, but by this design's rule the event is then the death that follows.
        seen = (pl.col("PARAMCD") == "PFS") & (pl.col("CNSR") == 0) & (pl.col("EVNTDESC") != "DEATH")
        pfs = of_arm(tables["adtte"], arm).filter(seen)
        second = people.filter(pl.col("L2STDY").is_not_null())
        assert 10 < second.height < people.height
        both = second.join(pfs.select("USUBJID", progressed="ADY"), on="USUBJID")
        assert (both["L2STDY"] >= both["progressed"] + 21).all()
        assert (both["L2STDY"] % 7 == 0).all()
        assert set(second["DCTREAS"]) <= {"PROGRESSION", "COMPLETED", "TOXICITY"}


def test_its_doses_follow_its_own_calendar(tables):
    doses = doses_on_second_line(tables, "chemo-then-nivo+ipi")
    before, after = doses.filter(pl.col("day") < 0), doses.filter(pl.col("day") >= 0)
    assert set(before["EXTRT"]) == {"carboplatin", "pemetrexed"}
    assert set(after["EXTRT"]) == {"nivolumab", "ipilimumab"}
    assert (after.filter(pl.col("EXTRT") == "nivolumab")["day"] % 14 == 0).all()
    assert (after.filter(pl.col("EXTRT") == "ipilimumab")["day"] % 42 == 0).all()
    assert (after.group_by("USUBJID").agg(pl.col("day").min())["day"] == 0).all()


def test_each_patient_has_one_of_the_choices(tables):
    doses = doses_on_second_line(tables, "nivo+ipi-then-chemo").filter(pl.col("day") >= 0)
    chosen = doses.group_by("USUBJID").agg(pl.col("EXTRT").unique().sort())
    assert {tuple(one) for one in chosen["EXTRT"]} == {("cisplatin", "pemetrexed"), ("carboplatin", "pemetrexed")}
    assert doses["day"].max() <= 5 * 21


def test_pfs2_lies_between_pfs_and_survival(tables):
    times = {
        name: of_arm(tables["adtte"], "chemo-then-nivo+ipi").filter(pl.col("PARAMCD") == name)
        for name in ("PFS", "PFS2", "OS")
    }
    both = times["PFS2"].join(times["OS"], on="USUBJID").join(times["PFS"], on="USUBJID", suffix="_pfs")
    assert times["PFS2"].height == 60
    assert (both["AVAL"] <= both["AVAL_right"] + 1e-9).all()
    progressed = both.filter(pl.col("CNSR_pfs") == 0)
    assert (progressed["AVAL"] >= progressed["AVAL_pfs"] - 1e-9).all()
    assert "PFS2" not in set(of_arm(tables["adtte"], "lead-in")["PARAMCD"])


def test_a_lead_in_and_a_stop_at_response(tables):
    assert of_arm(tables["adex"], "lead-in").filter(pl.col("EXTRT") == "nivolumab")["ASTDY"].min() == 42
    arm = "stop-at-response"
    stopped = of_arm(tables["adsl"], arm).filter(pl.col("DCTREAS") == "RESPONSE")
    responders = of_arm(tables["adrs"], arm).filter((pl.col("PARAMCD") == "BOR") & pl.col("AVALC").is_in(["CR", "PR"]))
    assert stopped.height > 3 and set(stopped["USUBJID"]) <= set(responders["USUBJID"])
    still = stopped.join(tables["adtte"].filter(pl.col("PARAMCD") == "PFS"), on="USUBJID")
    assert (still["ADY"] > still["TRTEDY"]).all()
    assert set(of_arm(tables["adsl"], "lead-in")["DCTREAS"]).isdisjoint({"RESPONSE"})


def test_nobody_offered_nobody_treated(design):
    none = [replace(arm, second_line=arm.second_line and replace(arm.second_line, share=0.0)) for arm in design.arms]
    tables = simulate_trial(replace(design, arms=tuple(none)), patients_per_arm=6, seed=1).tables
    assert tables["adsl"]["L2STDY"].null_count() == 24


def test_a_design_with_sequences_is_written_and_read_again(design):
    again = design_from_text(design.to_yaml())
    assert again.arms == design.arms
    assert again.arms[0].second_line == SecondLine(
        (parse_regimen("nivolumab 3 mg/kg IV over 30 min q2w"), parse_regimen("ipilimumab 1 mg/kg IV over 30 min q6w")),
        share=0.6,
    )
    assert set(design.arms[1].drugs) == {"nivolumab", "ipilimumab", "pemetrexed", "cisplatin", "carboplatin"}


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        ("q6w\n\n  - name: nivo+ipi-then", "d1,3 q6w\n\n  - name: nivo+ipi-then", "arms[0].second_line.regimens[1]", "whole weeks"),
        ("    second_line:\n      share: 0.6 #", "    on_progression: continue\n    second_line:\n      share: 0.6 #",
         "arms[0].second_line", "after progression"),
        ("share: 0.35", "share: 0.25", "arms[1].second_line.one_of", "add up to 0.9"),
        ("share: 0.6 # of", "share: 1.6 # of", "arms[0].second_line.share", "at most 1"),
        ("stop_at_response: PR", "stop_at_response: SD", "arms[3].stop_at_response", "'never'"),
        ("delay_days: 21", "delays: 21", "arms[0].second_line.delays", "delay_days"),
    ],
)  # fmt: skip
def test_a_mistake_is_explained(old, new, path, says):
    text = EXAMPLE.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(CatalogueError) as caught:
        design_from_text(text.replace(old, new, 1), "sequences.yaml")
    message = str(caught.value)
    assert path in message and says in message and "sequences.yaml, line" in message


def test_a_flag_holds_within_a_line_only(design):
    from mesotrial.population import load_parameters
    from mesotrial.trial.model import _flags, build_model, draw
    from mesotrial.trial.plan import plan_arm

    arm = replace(design.arms[0], regimens=(parse_regimen("ipilimumab 1 mg/kg IV q6w x 2"),), second_line=None)
    later = SecondLine((parse_regimen("nivolumab 3 mg/kg IV q2w"),))
    model = build_model(design, [load_parameters()])
    people = draw(design, model.drugs, [load_parameters()], seed=1, replicate=0, numbers=np.arange(3))
    for one in (arm, replace(arm, second_line=later)):
        assert not _flags(model, plan_arm(one, people, 700.0))["ipilimumab_with_nivolumab"].any()
    beside = replace(arm, regimens=(*arm.regimens, parse_regimen("nivolumab 3 mg/kg IV q2w")))
    assert _flags(model, plan_arm(beside, people, 700.0))["ipilimumab_with_nivolumab"].all()
