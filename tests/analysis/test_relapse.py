"""What becomes of people after their treatment has ended, counted by hand."""

import numpy as np
import polars as pl
import pytest
from synthetic_design import MAPS2
from synthetic_trial import maps2_arms, synthetic_tables

from mesotrial.analysis import summarise
from mesotrial.analysis.endpoints import TREATMENT_ENDED, Outcomes

_MONTH = 30.4375


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    found = synthetic_tables(maps2_arms(400, 400), seed=2)
    pfs = found["adtte"].filter(pl.col("PARAMCD") == "PFS").select("USUBJID", pfs="ADY")
    ended = (pl.col("SUBJID") % 3 == 0) & (pl.col("pfs") > 60.0)
    subjects = found["adsl"].join(pfs, on="USUBJID", how="left", maintain_order="left")
    return found | {
        "adsl": subjects.with_columns(
            DCTREAS=pl.when(ended).then(pl.lit("COMPLETED")).otherwise(pl.lit("PROGRESSION")),
            TRTEDY=pl.when(ended).then(60.0).otherwise(pl.col("TRTEDY")),
        ).drop("pfs")
    }


def test_it_is_counted_from_the_last_dose_of_those_whose_treatment_ended(tables: dict[str, pl.DataFrame]) -> None:
    people = Outcomes(tables).survival("TTREL", "nivo")
    pfs = Outcomes(tables).survival("PFS", "nivo")
    subjects = tables["adsl"].filter(pl.col("TRT01P") == "nivo")
    over = subjects["DCTREAS"].is_in(TREATMENT_ENDED).to_numpy()
    np.testing.assert_allclose(people.months, pfs.months[over] - 60.0 / _MONTH)
    assert np.array_equal(people.event, pfs.event[over]) and people.months.min() > 0


def test_the_summary_says_how_many_and_from_which_cells(tables: dict[str, pl.DataFrame]) -> None:
    found = summarise(MAPS2, tables, tables, (), {}, seed=1, trials=200)["relapse"]
    assert [one["arm"] for one in found] == ["nivo", "nivo+ipi"]
    people = Outcomes(tables).survival("TTREL", "nivo")
    one = found[0]
    assert one["share"] == pytest.approx(people.months.size / 400) and not one["exploratory"]
    six, twelve, two_years = one["within"]
    assert [part["months"] for part in one["within"]] == [6.0, 12.0, 24.0]
    for part in one["within"]:
        assert 0 <= part["lo90"] <= part["simulated"] <= part["hi90"] <= 1
    assert six["simulated"] <= twelve["simulated"] <= two_years["simulated"]
    assert 0.2 < one["escaped_share"] < 0.8  # every other tumour of these tables


def test_where_nobody_knows_there_are_ranges_only(tables: dict[str, pl.DataFrame]) -> None:
    found = summarise(MAPS2, tables, tables, (), {}, seed=1, trials=200, exploratory=["nivo"])["relapse"]
    unknown, known = found
    assert unknown["exploratory"] and unknown["share"] is None and unknown["escaped_share"] is None
    assert unknown["median_months"]["simulated"] is None
    for part in unknown["within"]:
        assert part["simulated"] is None and 0 <= part["lo90"] <= part["hi90"] <= 1
    assert known["share"] is not None


def test_nobody_stopped_and_so_there_is_nothing_to_say() -> None:
    tables = synthetic_tables(maps2_arms(20, 20), seed=1)
    kept = tables | {"adsl": tables["adsl"].with_columns(DCTREAS=pl.lit("PROGRESSION"))}
    assert summarise(MAPS2, kept, kept, (), {}, seed=1, trials=20)["relapse"] == []


def test_a_second_line_is_no_part_of_the_treatment_that_ended(tables: dict[str, pl.DataFrame]) -> None:
    """The same people, treated again after their relapse: the last dose of the first line is what counts."""
    people = Outcomes(tables).survival("TTREL", "nivo")
    subjects = tables["adsl"]
    ended = subjects["DCTREAS"].is_in(TREATMENT_ENDED)
    again = subjects.with_columns(
        L2STDY=pl.when(ended).then(900.0).otherwise(None),
        TRTEDY=pl.when(ended).then(1000.0).otherwise(pl.col("TRTEDY")),
    )
    doses = pl.DataFrame({"day": [0.0, 60.0, 900.0, 1000.0]}).join(
        subjects.filter(ended).select("USUBJID"), how="cross"
    )
    second = Outcomes(tables | {"adsl": again, "adex": doses.rename({"day": "ASTDY"})}).survival("TTREL", "nivo")
    np.testing.assert_allclose(second.months, people.months)
    assert np.array_equal(second.event, people.event)
