"""A whole trial: laws of its tables, and the same results whatever the machine does."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import mesotrial.trial.simulate as simulate
from mesotrial.catalogue import load_design
from mesotrial.trial import TABLES, simulate_trial


@pytest.fixture(params=["maps2", "checkmate743"])
def trial(request):
    return request.getfixturevalue(request.param)


def test_tables_keep_their_specification(trial):
    for name, spec in TABLES.items():
        frame = trial.tables[name]
        assert frame.columns == [column.name for column in spec.columns]
        for column in spec.columns:
            if column.codes and column.kind == "text":
                assert set(frame[column.name].unique().drop_nulls()) <= set(column.codes), f"{name}.{column.name}"


def test_everybody_is_simulated_marked_and_counted(trial):
    adsl = trial.tables["adsl"]
    assert adsl.group_by("TRT01P").len()["len"].to_list() == [150, 150]
    assert adsl["USUBJID"].n_unique() == 300
    assert sum(trial.status_counts.values()) == 300
    for frame in trial.tables.values():
        assert frame["SIMFL"].unique().to_list() == ["Y"]
        assert frame["STUDYID"].str.starts_with("SIM-").all()


def test_pfs_never_exceeds_os(trial):
    times = trial.tables["adtte"].pivot(on="PARAMCD", index="USUBJID", values=["ADY", "CNSR"])
    assert (times["ADY_PFS"] <= times["ADY_OS"]).all()
    responders = times.filter(pl.col("ADY_TTR").is_not_null())
    assert (responders["ADY_TTR"] <= responders["ADY_DOR"]).all()
    dead_first = times.filter((pl.col("CNSR_PFS") == 1) & (pl.col("CNSR_OS") == 0))
    assert (dead_first["ADY_PFS"] < dead_first["ADY_OS"]).all()


def test_cnsr_says_what_happened(trial):
    merged = trial.tables["adtte"].filter(pl.col("PARAMCD") == "OS").join(trial.tables["adsl"], on="USUBJID")
    assert (merged.filter(pl.col("CNSR") == 0)["EOSSTT"] == "DEAD").all()
    assert (merged.filter(pl.col("CNSR") == 1)["EOSSTT"] != "DEAD").all()
    np.testing.assert_allclose(merged["ADY"], merged["EOSDY"])


def test_nothing_happens_after_the_end(trial):
    end = trial.tables["adsl"].select("USUBJID", "EOSDY")
    for name, day in (("adtr", "ADY"), ("adrs", "ADY"), ("adae", "ASTDY"), ("adex", "ASTDY"), ("adpc", "ADY")):
        late = trial.tables[name].join(end, on="USUBJID").filter(pl.col(day) > pl.col("EOSDY") + 1e-9)
        assert late.is_empty(), f"{name}: {late}"


def test_no_scan_is_read_after_progression_and_none_twice(trial):
    scans = trial.tables["adrs"].filter(pl.col("PARAMCD") == "OVR").sort("USUBJID", "AVISITN")
    assert scans.select("USUBJID", "AVISITN").is_unique().all()
    last = scans.group_by("USUBJID", maintain_order=True).agg(pl.col("AVALC").slice(0, pl.len() - 1))
    assert "PD" not in set(last["AVALC"].explode().drop_nulls())


def test_doses_stop_when_the_protocol_says(trial):
    design = trial.design
    doses = trial.tables["adex"].join(trial.tables["adsl"].select("USUBJID", "DCTREAS", "TRTEDY"), on="USUBJID")
    assert (doses["ASTDY"] <= doses["TRTEDY"]).all()
    for arm in design.arms:
        given = doses.filter(pl.col("TRT01P") == arm.name)
        assert set(given["EXTRT"].unique()) <= set(arm.drugs)
        if arm.max_treatment_days is not None:
            assert given["ASTDY"].max() < arm.max_treatment_days
    progressed = (
        trial.tables["adtte"]
        .filter((pl.col("PARAMCD") == "PFS") & (pl.col("CNSR") == 0))
        .select("USUBJID", event="ADY")
    )
    beyond = doses.join(progressed, on="USUBJID").filter(pl.col("ASTDY") > pl.col("event"))
    assert beyond.is_empty() or any(arm.on_progression == "continue" for arm in design.arms)


def test_every_patient_of_a_choice_gets_one_platinum(checkmate743):
    chemo = checkmate743.tables["adex"].filter(
        (pl.col("TRT01P") == "chemo") & pl.col("EXTRT").is_in(["cisplatin", "carboplatin"])
    )
    assert chemo.group_by("USUBJID").agg(pl.col("EXTRT").n_unique())["EXTRT"].unique().to_list() == [1]
    assert set(chemo["EXTRT"]) == {"cisplatin", "carboplatin"}


def test_bsa_and_auc_doses_follow_the_person(checkmate743):
    doses = checkmate743.tables["adex"].join(
        checkmate743.tables["adsl"].select("USUBJID", "BSABL", "EGFRBL", "WEIGHTBL"), on="USUBJID"
    )
    pemetrexed = doses.filter(pl.col("EXTRT") == "pemetrexed")
    np.testing.assert_allclose(pemetrexed["EXDOSE"], 500 * pemetrexed["BSABL"])
    carboplatin = doses.filter(pl.col("EXTRT") == "carboplatin")
    np.testing.assert_allclose(carboplatin["EXDOSE"], 5 * (np.minimum(carboplatin["EGFRBL"], 125) + 25))


def test_results_do_not_depend_on_threads_or_chunks(monkeypatch):
    design = load_design("maps2")
    whole = simulate_trial(design, patients_per_arm=70, seed=9, threads=1)
    for chunk, threads in ((70, 2), (7, 1), (1, 1), (64, 2)):
        monkeypatch.setattr(simulate, "CHUNK", chunk)
        other = simulate_trial(design, patients_per_arm=70, seed=9, threads=threads)
        for name, table in whole.tables.items():
            assert_frame_equal(other.tables[name], table, check_exact=True)


@pytest.mark.parametrize("name", ["maps2", "checkmate743"])
def test_a_larger_trial_has_the_patients_of_a_smaller_one(name):
    design = load_design(name)
    model = simulate.build_model(design, simulate.load_ensemble())
    small, large = (simulate_trial(design, patients_per_arm=n, seed=3, model=model).tables for n in (23, 60))
    for table, frame in small.items():
        same = large[table].filter(pl.col("USUBJID").is_in(small["adsl"]["USUBJID"].to_list()))
        assert_frame_equal(same, frame, check_exact=True)


def test_another_seed_gives_other_patients():
    design = load_design("maps2")
    first, second = (simulate_trial(design, patients_per_arm=20, seed=seed).tables["adsl"] for seed in (1, 2))
    assert not (first["AGE"] == second["AGE"]).any()


def test_without_patients_per_arm_the_design_decides_and_a_bank_stands_beside(monkeypatch):
    monkeypatch.setattr(simulate, "BANK_PER_ARM", 40)
    trial = simulate_trial(load_design("maps2"), seed=1)
    assert trial.tables["adsl"].group_by("TRT01P", maintain_order=True).len()["len"].to_list() == [63, 62]
    assert trial.bank["adsl"].height == 80
    assert not set(trial.bank["adsl"]["USUBJID"]) & set(trial.tables["adsl"]["USUBJID"])


@pytest.mark.parametrize("wrong", [0, -3])
def test_nobody_to_simulate_is_refused(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        simulate_trial(load_design("maps2"), patients_per_arm=wrong)


def test_a_first_response_between_far_scans_is_confirmed_four_weeks_later(maps2):
    """MAPS2 is scanned every 12 weeks; mRECIST asks for two occasions four weeks apart."""
    scans = maps2.tables["adrs"].filter(pl.col("PARAMCD") == "OVR").sort("USUBJID", "ADY")
    extra = scans.with_columns(gap=pl.col("ADY").diff().over("USUBJID"), before=pl.col("AVALC").shift().over("USUBJID"))
    extra = extra.filter((pl.col("gap") - 28).abs() < 1e-9)
    assert len(extra) and extra["before"].is_in(["CR", "PR"]).all()
    confirmed = extra.filter(pl.col("AVALC").is_in(["CR", "PR"]))
    responders = maps2.tables["adtte"].filter(pl.col("PARAMCD") == "TTR")
    assert set(confirmed["USUBJID"]) <= set(responders["USUBJID"])
