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


def test_published_medians_and_hazard_ratios_are_those_of_the_papers() -> None:
    """Ten numbers with their intervals, each with the paper that it was read in (data/published_facts.csv)."""
    with (Path(__file__).parent / "data" / "published_facts.csv").open(encoding="utf-8", newline="") as file:
        facts = list(csv.DictReader(file))
    assert len(facts) == 10
    for fact in facts:
        (row,) = (
            row
            for row in published_results(fact["trial"])
            if (row.arm, row.code, row.subgroup_code, row.scored) == (fact["arm"], fact["code"], "all", True)
        )
        assert [row.value, row.ci_low, row.ci_high, row.n] == [
            float(fact[name]) for name in ("value", "ci_low", "ci_high", "n")
        ]
        assert row.doi in fact["source"]


def test_the_page_has_its_agreed_name() -> None:
    assert PATIENT_PAGE == "a patient-information page on mesothelioma immunotherapy (Mesothelioma Justice Network)"
    assert not [
        row for row in published_results() if "seed" in (row.trial + row.source + row.notes + row.endpoint).lower()
    ]
