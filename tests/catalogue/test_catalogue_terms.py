"""Every term of the patient page is found, as what it is expected to be; every statement and approval can be shown."""

import csv
from pathlib import Path

import pytest

from mesotrial.catalogue import approvals, find, load_design, load_drug, parse_regimen, statements, therapy_from_text

_FILE = Path(__file__).parent / "data" / "patient_page_terms.csv"
ROWS = list(csv.DictReader(_FILE.read_text(encoding="utf-8").splitlines()))


def test_the_copy_is_whole() -> None:
    assert len(ROWS) == 123 and {row["expected"] for row in ROWS} == {
        "runnable regimen",
        "entry",
        "statement",
        "adverse event",
    }


@pytest.mark.parametrize("row", ROWS, ids=[row["term"] for row in ROWS])
def test_a_term_is_found_as_what_it_is_expected_to_be(row: dict[str, str]) -> None:
    entry = find(row["term"])
    assert entry.name == row["canonical_name"] == find(row["canonical_name"]).name
    if row["expected"] == "runnable regimen":
        assert entry.runnable, entry
        if entry.kind == "trial":
            assert load_design(entry.key).arms
        else:
            for drug in entry.drugs or (entry.name,):
                given = load_drug(drug).regimens or [one.text for one in therapy_from_text(drug).regimens]
                assert all(parse_regimen(text).amount >= 0 for text in given) and given
    elif row["expected"] == "adverse event":
        assert entry.kind == "side effect"


@pytest.mark.parametrize("wrong", ["Cemioimab", "Avelomab", "ODL-1 inhibitors"])
def test_the_pages_spellings_are_corrected(wrong: str) -> None:
    assert find(wrong).name in ("cemiplimab", "avelumab", "PD-L1 inhibitor")


def test_every_statement_has_verdict_and_source() -> None:
    for item in statements():
        assert find(item.id).kind == "statement" and item.verdict and item.source and item.what_is_known


def test_every_approval_has_an_as_of_date() -> None:
    assert all(row.as_of[:2] == "20" and row.status and row.source for row in approvals())
