from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest

from mesotrial.analysis.endpoints import Outcomes
from mesotrial.trial.tables import TABLES, empty_table, typed


def _table(name: str, rows: list[dict[str, object]]) -> pl.DataFrame:
    base = {"STUDYID": "SIM-TEST", "SIMFL": "Y"}
    columns = {column.name: [(base | row).get(column.name) for row in rows] for column in TABLES[name].columns}
    return typed(name, columns)


@pytest.fixture
def outcomes() -> Outcomes:
    """Four patients of arm a (the last untreated), one of arm b."""
    people = [("1", "a", "Y"), ("2", "a", "Y"), ("3", "a", "Y"), ("4", "a", "N"), ("5", "b", "Y")]
    arm = {who: name for who, name, _ in people}
    tables: dict[str, pl.DataFrame] = {name: empty_table(name) for name in TABLES}
    tables["adsl"] = _table(
        "adsl",
        [
            {"USUBJID": who, "TRT01P": name, "ITTFL": "Y", "SAFFL": safe, "HISTBL": histology, "PDL1BL": "<1%"}
            for (who, name, safe), histology in zip(people, ["EPITHELIOID"] * 3 + ["NON-EPITHELIOID"] * 2, strict=True)
        ],
    )
    scans = [("1", 84, "PR"), ("1", 168, "PD"), ("2", 60, "SD"), ("2", 84, "PD"), ("3", 112, "SD"), ("3", 28, "NE")]
    best = [("1", "PR"), ("2", "SD"), ("3", "SD"), ("4", "NE"), ("5", "CR")]
    tables["adrs"] = _table(
        "adrs",
        [{"USUBJID": w, "TRT01P": arm[w], "PARAMCD": "OVR", "ADY": d, "AVALC": code} for w, d, code in scans]
        + [{"USUBJID": w, "TRT01P": arm[w], "PARAMCD": "BOR", "AVALC": code} for w, code in best],
    )
    times = [
        ("OS", "1", 12.0, 0, "DEATH"), ("OS", "2", 5.0, 1, "LAST KNOWN ALIVE"), ("PFS", "1", 5.5, 0, "PROGRESSION AT A SCAN"),
        ("PFS", "3", 4.0, 0, "DEATH"), ("DOR", "1", 2.8, 0, "PROGRESSION AT A SCAN"),
    ]  # fmt: skip
    tables["adtte"] = _table(
        "adtte",
        [
            {"USUBJID": w, "TRT01P": arm[w], "PARAMCD": p, "AVAL": t, "ADY": 30 * t, "CNSR": c, "EVNTDESC": why}
            for p, w, t, c, why in times
        ],
    )
    events = [
        ("1", "Colitis", 3, "Y", "DRUG WITHDRAWN", "Y"), ("2", "Colitis", 1, "N", "NONE", "Y"), ("2", "Colitis", 1, "N", "NONE", "Y"),
        ("3", "Infusion related reaction", 5, "Y", "NONE", "Y"), ("3", "Fatigue", 4, "Y", "NONE", "N"),
    ]  # fmt: skip
    tables["adae"] = _table(
        "adae",
        [
            {"USUBJID": w, "TRT01P": arm[w], "AEDECOD": t, "AETOXGR": g, "AEREL": r, "AEACN": act, "TRTEMFL": em}
            for w, t, g, r, act, em in events
        ],
    )
    return Outcomes(tables)


def _counts(
    outcomes: Outcomes, code: str, months: float | None = None, subgroup: str = "all"
) -> tuple[int, int] | None:
    had = outcomes.outcome(code, "a", subgroup, months)
    return None if had is None else (int(had.sum()), had.size)


def test_responses_are_of_everyone_randomised(outcomes: Outcomes) -> None:
    assert _counts(outcomes, "ORR") == (1, 4)
    assert _counts(outcomes, "DCR") == (3, 4)
    assert _counts(outcomes, "PD_BEST") == (0, 4)
    assert _counts(outcomes, "ORR", subgroup="epithelioid") == (1, 3)
    assert _counts(outcomes, "ORR", subgroup="pdl1_ge1") == (0, 0)


def test_disease_control_at_twelve_weeks_takes_the_nearest_scan_and_no_progression_before(outcomes: Outcomes) -> None:
    # 1: PR that day; 2: progressed that day; 3: SD four weeks later, an unreadable scan does not count; 4: never scanned
    assert _counts(outcomes, "DCR_AT", 84 / 30.4375) == (2, 4)
    assert _counts(outcomes, "DCR_AT", 168 / 30.4375) == (0, 4)
    assert _counts(outcomes, "DCR_AT") is None


def test_toxicity_is_of_those_treated_and_treatment_emergent(outcomes: Outcomes) -> None:
    assert _counts(outcomes, "TRAE_ANY") == (2, 3)
    assert _counts(outcomes, "TRAE_G34") == (2, 3)
    assert _counts(outcomes, "DISC_TOX") == (1, 3)
    assert _counts(outcomes, "DEATH_TOX") == (1, 3)
    assert _counts(outcomes, "AE_COLITIS_ANY") == (2, 3)
    assert _counts(outcomes, "AE_COLITIS_G34") == (1, 3)
    assert _counts(outcomes, "AE_INFUSION_RELATED_REACTION_ANY") == (1, 3)


def test_an_event_that_nobody_had_is_unknown_not_zero(outcomes: Outcomes) -> None:
    assert _counts(outcomes, "AE_FATIGUE_ANY") is None
    assert _counts(outcomes, "AE_NAUSEA_ANY") is None
    assert _counts(outcomes, "COUNT") is None


def test_times(outcomes: Outcomes) -> None:
    survival = outcomes.survival("OS", "a")
    assert (survival.months.tolist(), survival.event.tolist()) == ([12.0, 5.0], [True, False])
    assert outcomes.survival("PFS", "a").event.tolist() == [True, True]
    assert outcomes.survival("TTP", "a").event.tolist() == [True, False]  # the death is censored
    assert outcomes.survival("DOR", "a").months.tolist() == [2.8]
    assert outcomes.survival("TTR", "b").months.size == 0


def test_the_synthetic_trial_is_consistent(trial_tables: Mapping[str, pl.DataFrame]) -> None:
    outcomes = Outcomes(trial_tables)
    for arm in ("nivo", "nivo+ipi"):
        assert np.all(outcomes.survival("PFS", arm).months <= outcomes.survival("OS", arm).months)
        responders = outcomes.outcome("ORR", arm)
        assert responders is not None
        assert responders.sum() == outcomes.survival("DOR", arm).months.size
