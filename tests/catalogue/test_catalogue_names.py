from __future__ import annotations

import pytest

from mesotrial.catalogue import (
    CatalogueError,
    UnknownNameError,
    entries,
    find,
    load_design,
    load_drug,
    names,
    published_results,
    terms,
)


@pytest.mark.parametrize("term", terms(), ids=lambda term: term.term)
def test_every_term_of_the_page_is_found(term) -> None:  # type: ignore[no-untyped-def]
    entry = find(term.term)
    assert entry.name == term.canonical_name
    assert entry == find(term.canonical_name) == find(term.term.upper())
    assert entry.note or not term.note
    if entry.runnable and entry.kind == "drug":
        assert load_drug(entry.key).name == entry.name
    if entry.runnable and entry.kind == "trial":
        assert load_design(entry.key).evidence_trial == entry.name


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("maps-2", "MAPS2 (IFCT-1501)"),
        ("MAPS 2", "MAPS2 (IFCT-1501)"),
        ("IFCT-1501", "MAPS2 (IFCT-1501)"),
        ("nct02899299", "CheckMate 743"),
        ("checkmate743", "CheckMate 743"),
        ("CheckMate-743", "CheckMate 743"),
        ("keynote-483", "IND.227/KEYNOTE-483"),
        ("MAPS", "MAPS"),
        ("OPDIVO", "nivolumab"),
        ("opdivo & yervoy", "nivolumab + ipilimumab"),
        ("Nivolumab and Ipilimumab", "nivolumab + ipilimumab"),
        ("Bacille Calmette-Guérin", "BCG"),
        ("ODL-1 inhibitors", "PD-L1 inhibitor"),
        ("PD1", "PD-1"),
        ("s14", "s14"),
    ],
)
def test_names_are_found_whatever_case_and_punctuation(name: str, canonical: str) -> None:
    assert find(name).name == canonical


def test_an_unknown_name_gets_suggestions() -> None:
    with pytest.raises(UnknownNameError, match="pembrolizumab"):
        find("pembrolizumap")
    with pytest.raises(UnknownNameError, match="maps2"):
        load_design("mapps2")
    with pytest.raises(UnknownNameError, match="did you mean ipilimumab"):
        load_drug("ipilimumap")
    with pytest.raises(UnknownNameError, match="mesotrial list"):
        find("§§§")


def test_what_cannot_run_yet_says_so() -> None:
    with pytest.raises(
        CatalogueError,
        match="design is not written yet; trials that can be run: amatuximab-chemo, beatmeso, checkmate743",
    ):
        load_design("STELLAR")
    with pytest.raises(CatalogueError, match="ATOMIC-meso is in the catalogue as a trial, but its drug, pegargiminase"):
        load_design("NCT02709512")
    with pytest.raises(CatalogueError, match="not simulated: it starves tumours of arginine"):
        load_drug("ADI-PEG20")
    with pytest.raises(CatalogueError, match="not a trial"):
        load_design("nivolumab")
    with pytest.raises(CatalogueError, match="not a drug"):
        load_drug("Opdivo and Yervoy")
    assert find("CAR-T therapy").runnable


def test_kinds() -> None:
    assert names("trial")[:4] == ("MAPS2 (IFCT-1501)", "CheckMate 743", "CONFIRM", "DETERMINE")
    assert "Patient page" not in names("trial")
    assert {entry.name for entry in entries("drug") if entry.runnable} == {
        "nivolumab", "ipilimumab", "tremelimumab", "pembrolizumab", "atezolizumab", "avelumab", "durvalumab", "bevacizumab", "ramucirumab",
        "cisplatin", "carboplatin", "pemetrexed", "gemcitabine", "vinorelbine", "mitomycin", "vinblastine", "placebo",
        "cemiplimab", "amatuximab", "convalescent serum", "aldesleukin", "interferon alfa-2b", "interferon gamma-1b", "mesopher", "galinpepimut-s",
        "crs-207", "mesothelin CAR-T", "tumour-infiltrating lymphocytes", "cyclophosphamide", "thalidomide", "lenalidomide", "pomalidomide", "BCG",
        "imiquimod", "oncos-102", "hsv1716", "rad-ifn", "surgery", "radiation",
    }  # fmt: skip
    assert {entry.name for entry in entries("trial") if entry.not_simulated} == {"ATOMIC-meso"}
    assert find("ATOMIC-meso").runnable is False and len(published_results("ATOMIC-meso")) == 10
    assert {"nivolumab + ipilimumab", "platinum-pemetrexed chemotherapy", "chemo-immunotherapy"} <= {
        entry.name for entry in entries("therapy") if entry.runnable
    }
    assert len(names("statement")) == 103
    assert find("cancer vaccines").immunity == ("active", "specific")
    with pytest.raises(CatalogueError, match="known: trial"):
        names("trials")  # type: ignore[arg-type]


def test_trials_of_the_published_table_are_listed_under_their_own_names() -> None:
    known = set(names("trial"))
    assert {row.trial for row in published_results(roles=["calibration", "validation"])} <= known
