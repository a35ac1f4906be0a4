from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mesotrial.catalogue import (
    PATIENT_PAGE,
    UnknownNameError,
    approvals,
    page_figures,
    published_results,
    statements,
    terms,
)

SHARED = Path(__file__).parents[3] / "shared"


def test_all_rows_are_there() -> None:
    assert (len(published_results()), len(statements()), len(approvals()), len(terms())) == (477, 103, 49, 123)


def test_a_row_is_typed() -> None:
    row = published_results("CheckMate 743")[0]
    assert (row.row, row.code, row.arm, row.value, row.ci_low, row.ci_high, row.n, row.scored) == (
        2,
        "OS_MEDIAN",
        "nivo+ipi",
        18.1,
        16.8,
        21.4,
        303,
        True,
    )
    assert row.ci_verified is True and row.time_months is None and not row.is_rate
    rate = next(row for row in published_results("confirm", roles=["calibration"]) if row.code == "OS_RATE")
    assert rate.is_rate and rate.time_months == 12.0
    assert [row.value_text for row in published_results() if row.value is None and row.value_text] != []


def test_selection_by_trial_and_role() -> None:
    assert {row.trial for row in published_results("maps-2")} == {"MAPS2 (IFCT-1501)"}
    assert {row.role for row in published_results("maps2", roles=["validation"])} == {"validation"}
    assert published_results("maps2", roles=["calibration"]) == ()
    with pytest.raises(UnknownNameError, match="MAPS"):
        published_results("MAPS9")


def test_scored_rows_are_unique() -> None:
    keys = [
        (r.trial, r.arm, r.comparator, r.subgroup_code, r.code, r.time_months) for r in published_results() if r.scored
    ]
    assert len(keys) == len(set(keys))


def test_the_page_figures_quote_their_statements() -> None:
    figures = page_figures("maps2")
    assert {key: figure.value for key, figure in figures.items()} == {
        ("nivo", "OS_RATE", 12.0): 51, ("nivo+ipi", "OS_RATE", 12.0): 58,
        ("nivo", "DCR_AT", 2.76): 44, ("nivo+ipi", "DCR_AT", 2.76): 50,
        ("nivo", "ORR", None): 17, ("nivo+ipi", "ORR", None): 26,
    }  # fmt: skip
    assert page_figures("CheckMate 743")["nivo+ipi", "OS_MEDIAN", None].value == 18
    assert not page_figures("confirm")
    by_id = {item.id: item for item in statements()}
    for trial in ("maps2", "checkmate743"):
        for figure in page_figures(trial).values():
            assert f"{figure.value:g}" == by_id[figure.statement].value
            assert figure.unit == by_id[figure.statement].unit


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("published_results.csv", "evidence/published_results.csv"),
        ("approvals.csv", "evidence/approvals.csv"),
        ("statements.csv", "mission/statements.csv"),
        ("terms.csv", "mission/terms.csv"),
    ],
)
def test_the_tables_are_those_of_the_project(ours: str, theirs: str) -> None:
    """Cell by cell, but for what the page is called."""
    if not (SHARED / theirs).exists():
        pytest.skip("the project's evidence tables are not beside this checkout")
    from mesotrial.catalogue._sources import DATA

    with (
        (DATA / ours).open(encoding="utf-8", newline="") as a,
        (SHARED / theirs).open(encoding="utf-8", newline="") as b,
    ):
        for mine, original in zip(csv.reader(a), csv.reader(b), strict=True):
            for cell, source in zip(mine, original, strict=True):
                assert cell == source or ("patient" in cell.lower() and "seed" in source.lower())


def test_the_page_has_its_agreed_name() -> None:
    assert PATIENT_PAGE == "a patient-information page on mesothelioma immunotherapy (Mesothelioma Justice Network)"
    assert not [
        row for row in published_results() if "seed" in (row.trial + row.source + row.notes + row.endpoint).lower()
    ]
