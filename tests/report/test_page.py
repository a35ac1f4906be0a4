import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest
from synthetic_design import MAPS2
from synthetic_trial import maps2_arms, synthetic_tables

from mesotrial.analysis import summarise
from mesotrial.report import CONTEXT_OF_USE, render_report, write_report
from mesotrial.trial.tables import empty_table

Tables = Mapping[str, pl.DataFrame]
Element = ElementTree.Element


@pytest.fixture(scope="module")
def tree(page: str) -> Element:
    """The page as XML: it is written so that every tag is closed."""
    return ElementTree.fromstring(page)


def _text(element: Element) -> str:
    return re.sub(r"\s+", " ", "".join(element.itertext()).replace("\N{NO-BREAK SPACE}", " ")).strip()


def _with(tree: Element, attribute: str) -> Iterator[tuple[Element, str]]:
    for element in tree.iter():
        if (value := element.get(attribute)) is not None:
            yield element, value


def _rows(tree: Element, table: int) -> dict[str, list[str]]:
    """Texts of a table's rows by the text of their heading; the first of each name."""
    found: dict[str, list[str]] = {}
    for row in list(tree.iter("table"))[table].iter("tr"):
        cells = [_text(cell) for cell in row]
        found.setdefault(cells[0], cells[1:])
    return found


def test_it_is_well_formed_with_unique_ids_and_no_dead_ends(tree: Element, page: str) -> None:
    ids = Counter(value for _, value in _with(tree, "id"))
    assert [name for name, count in ids.items() if count > 1] == []
    inside = {value[1:] for _, value in _with(tree, "href") if value.startswith("#")} | set(
        re.findall(r"url\(#([^)]*)\)", page)
    )
    assert inside <= set(ids)
    assert {value for _, value in _with(tree, "aria-labelledby")} <= set(ids)


def test_nothing_is_fetched(tree: Element, page: str) -> None:
    outside = {value for _, value in _with(tree, "href") if not value.startswith("#")}
    assert outside == {"https://doi.org/10.1000/182", "https://clinicaltrials.gov/study/NCT02716272"}
    assert all(element.tag == "a" for element, value in _with(tree, "href") if not value.startswith("#"))
    assert not list(_with(tree, "src"))
    assert not {"script", "link", "iframe", "object", "embed", "img"} & {element.tag for element in tree.iter()}
    assert "@import" not in page
    assert "url(http" not in page


def test_context_of_use_and_watermarks(tree: Element, page: str) -> None:
    assert page.count(CONTEXT_OF_USE) == 2
    assert "Simulated: nobody here is a real patient" in page
    figures = list(tree.iter("figure"))
    # timeline; survival; waterfall, spider and swimmer; duration of response; subgroups; courses; side effects
    assert len(figures) == 1 + 2 + 3 * 2 + 1 + 2 + 2 + 2
    for figure in figures:
        assert "SIMULATED" in _text(figure)


def test_it_can_be_read_without_seeing_it(tree: Element) -> None:
    assert tree.get("lang") == "en-GB"
    levels = [int(element.tag[1]) for element in tree.iter() if re.fullmatch("h[1-6]", str(element.tag))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    for heading in tree.iter("th"):
        assert heading.get("scope") in {"col", "row", "colgroup", "rowgroup"}
        assert _text(heading)
    for figure in tree.iter("figure"):
        (picture,), (caption,) = figure.findall("svg"), figure.findall("figcaption")
        assert picture.get("aria-label")
        assert len(_text(caption)) > 40
    for picture in tree.iter("svg"):
        assert picture.get("aria-label") or picture.get("aria-hidden") == "true"


def test_the_page_follows_light_dark_print_and_small_screens(page: str, tree: Element) -> None:
    for rule in ("prefers-color-scheme: dark", "@media print", "max-width: 560px", "overflow-x: auto"):
        assert rule in page
    assert not re.search("#0101|#0102|#0103|#0104", page)  # every drawing colour became a variable
    used, set_here = set(re.findall(r"var\(--([\w-]+)\)", page)), set(re.findall(r"--([\w-]+):", page))
    assert used <= set_here
    boxes = [element for element in tree.iter("div") if element.get("class") == "scroll"]
    assert len(boxes) == len(list(tree.iter("table")))


def test_comparison_numbers(tree: Element, summary: dict[str, Any]) -> None:
    rows = _rows(tree, 0)
    orr = next(row for row in summary["endpoints"] if row["code"] == "ORR" and row["published"])
    simulated, _, published, page, z, inside, source = rows["Objective response: tumours that shrank"]
    assert simulated.startswith(f"{100 * orr['simulated']:.1f} %")
    assert published == "18.5 %8.2 to 28.9"
    assert page == ""
    assert z.startswith(f"{orr['z']:+.2f}".replace("-", "−"))
    assert ("within the tolerance" in z) == (abs(orr["z"]) <= 1.645)
    assert inside == ("✓ inside" if orr["inside90"] else "✗ outside")
    assert re.fullmatch(r"\[\d\]", source)
    assert rows["Alive after 12 months"][2:4] == ["49.2 %36.4 to 60.8", "51 %statement s14"]
    assert "not yet checked at source" in rows["Treatment-related side effect, grade 3 or worse"][-1]
    assert rows["Disease control: shrank or stayed stable"][2] == "not published"
    assert "✗" in _text(next(iter(tree.iter("table"))))  # the median of 60 months is outside


def test_rows_that_are_not_scored_stand_apart(tree: Element) -> None:
    rows = _rows(tree, 1)
    assert rows["Treatment-related side effect, grade 3 or worse"][0] == "12.7 %"
    assert rows["treatment-related deaths"][:3] == ["3", "–", "count"]
    assert "treatment-related deaths" not in _rows(tree, 0)


def test_one_hundred_people(tree: Element, summary: dict[str, Any]) -> None:
    picture = next(element for element in tree.iter("svg") if element.get("class") == "people")
    row = next(
        row
        for row in summary["endpoints"]
        if row["code"] == "OS_RATE" and row["time_months"] == 12 and row["arm"] == "nivo"
    )
    filled = sum(circle.get("class") == "full" for circle in picture)
    assert filled == round(100 * row["simulated"])
    assert len(list(picture)) == 100


def test_survival_captions_and_hazard_ratio(page: str, tables: Tables) -> None:
    assert "Hazard ratio in this simulated trial, Nivolumab + ipilimumab against Nivolumab:" in page
    assert page.count("Hazard ratio in this simulated trial") == 1  # nobody published one for progression
    assert "Median" not in CONTEXT_OF_USE
    assert re.search(r"Nivolumab: half by \d+\.\d", page)
    assert tables["adsl"].height == 125


def test_risk_table_under_the_curves(tree: Element) -> None:
    figure = next(element for element in tree.iter("figure") if "Overall survival" in _text(element))
    texts = [_text(text) for text in figure.iter("text")]
    assert texts.count("At risk") == texts.count("Events") == texts.count("Censored") == 2
    assert "63" in texts
    assert "62" in texts


def test_counts_of_patients(tree: Element, tables: Tables) -> None:
    every = {name: row for table in range(2, 7) for name, row in _rows(tree, table).items()}
    women = [
        int(((tables["adsl"]["TRT01P"] == arm) & (tables["adsl"]["SEX"] == "F")).sum()) for arm in ("nivo", "nivo+ipi")
    ]
    assert every["Women"] == [f"{women[0]} ({100 * women[0] / 63:.0f} %)", f"{women[1]} ({100 * women[1] / 62:.0f} %)"]
    assert every["Max steps"] == ["0 (0 %)", "1 (2 %)"]
    assert every["OK"] == ["63 (100 %)", "61 (98 %)"]
    assert len(every["Colitis"]) == 4


def test_side_effects_by_term_and_over_all(tree: Element, tables: Tables) -> None:
    rows = next(rows for table in range(9) if "Any side effect" in (rows := _rows(tree, table)))
    events = tables["adae"].filter(pl.col("TRT01P") == "nivo")
    treated = tables["adsl"].filter((pl.col("TRT01P") == "nivo") & (pl.col("SAFFL") == "Y")).height
    severe = events.filter(pl.col("AETOXGR") >= 3)["USUBJID"].n_unique()
    assert rows["Any side effect"][:2] == [
        f"{number} ({100 * number / treated:.0f} %)" for number in (events["USUBJID"].n_unique(), severe)
    ]
    assert rows["Any that led to death"][0].startswith("1 (")
    stopped = events.filter(pl.col("AEACN") == "DRUG WITHDRAWN")["USUBJID"].n_unique()
    assert rows["Any that ended treatment"][0].startswith(f"{stopped} (")


def test_how_long_responses_last(tree: Element, tables: Tables) -> None:
    text = _text(tree)
    responders = tables["adtte"].filter((pl.col("PARAMCD") == "DOR") & (pl.col("TRT01P") == "nivo")).height
    assert f"Responders{responders} of 63" in text
    assert "Months since the first response" in text


def test_the_design_can_be_copied_and_runs_again(tree: Element) -> None:
    blocks = [_text(element) for element in tree.iter("pre")]
    texts = ["".join(element.itertext()) for element in tree.iter("pre")]
    assert blocks[0] == "mesotrial run maps2"
    assert texts[1].strip() == MAPS2.to_yaml().strip()
    assert all(element.get("class") == "copy" for element in tree.iter("pre"))


def test_provenance_is_shown_and_escaped(tree: Element) -> None:
    assert _text(next(iter(tree.iter("pre")))) == "mesotrial run maps2"
    rows = _rows(tree, len(list(tree.iter("table"))) - 1)
    assert rows["versions.mesotrial"] == ["0.1.0"]
    assert rows["note"] == ["a < b & c"]


def test_the_same_run_gives_the_same_bytes(
    page: str, tables: Tables, bank: Tables, summary: dict[str, Any], provenance: dict[str, Any], tmp_path: Path
) -> None:
    written = write_report(tmp_path / "report.html", MAPS2, tables, bank, summary, provenance)
    assert written.read_text(encoding="utf-8") == page
    assert sorted(item.name for item in tmp_path.iterdir()) == ["figures", "report.html"]
    files = {item.name: item.read_bytes() for item in (tmp_path / "figures").iterdir()}
    write_report(tmp_path / "report.html", MAPS2, tables, bank, summary, provenance)
    assert {item.name: item.read_bytes() for item in (tmp_path / "figures").iterdir()} == files


def test_many_patients_are_subsampled_and_said_to_be(bank: Tables, provenance: dict[str, Any]) -> None:
    summary = summarise(MAPS2, bank, bank, (), {}, seed=1)
    page = render_report(MAPS2, bank, bank, summary, provenance)
    assert len(page.encode()) < 1_500_000
    assert re.search(r"150 of \d{4} patients are shown, evenly spread", page)
    assert re.search(r"60 of \d{4} patients are shown, evenly spread", page)


def test_a_small_trial_that_nobody_ran(bank: Tables) -> None:
    """Two patients an arm, no courses, no side effects, no published results."""
    tables = synthetic_tables(maps2_arms(2, 2), seed=1) | {name: empty_table(name) for name in ("adpc", "adae")}
    design = dataclasses.replace(MAPS2, name="mine", title="Mine & <yours>", evidence_trial="", registry="")
    summary = summarise(design, tables, bank, (), {}, seed=1)
    tree = ElementTree.fromstring(render_report(design, tables, bank, summary, {}))
    assert _text(next(iter(tree.iter("h1")))) == "Mine & <yours>"
    assert len(list(tree.iter("figure"))) == 11  # nobody responded, and no side effects
    assert "No side effect occurred" in _text(tree)
    assert "Hazard ratio in this simulated trial" in _text(tree)  # first arm against the last


def test_nobody_was_scanned_or_followed_up(
    tables: Tables, bank: Tables, summary: dict[str, Any], provenance: dict[str, Any]
) -> None:
    empty = {name: empty_table(name) for name in ("adtr", "adrs", "adtte", "adpc")}
    tree = ElementTree.fromstring(render_report(MAPS2, {**tables, **empty}, bank, summary, provenance))
    assert "not evaluable (NE) 63" in _text(tree)


def test_what_nobody_knows_is_a_band(tables: Tables, bank: Tables, provenance: dict[str, Any]) -> None:
    """An arm whose drug is exploratory has no curve, no count and no table of its own, but its range."""
    alone, both = maps2_arms(800, 800)
    ends = [synthetic_tables([alone, dataclasses.replace(both, death_months=months)], seed=8) for months in (8.0, 24.0)]
    found = summarise(MAPS2, tables, bank, (), {}, seed=1, ends=ends, exploratory=["nivo+ipi"], trials=200)
    middle = summarise(MAPS2, tables, bank, (), {}, seed=1, exploratory=["nivo+ipi"], trials=200)
    assert [(band["arm"], band["parameter"]) for band in found["bands"]] == [("nivo+ipi", "OS"), ("nivo+ipi", "PFS")]
    for wide, narrow in zip(found["bands"], middle["bands"], strict=True):
        low, high = wide["lo90"], wide["hi90"]
        assert wide["months"][0] == 0 and low[0] == high[0] == 1
        assert all(0 <= lo <= hi <= 1 for lo, hi in zip(low, high, strict=True))
        months = [month for month in (6.0, 12.0, 24.0) if month in wide["months"]]
        assert months
        for month in months:
            here, there = wide["months"].index(month), narrow["months"].index(month)
            assert low[here] <= narrow["lo90"][there] <= narrow["hi90"][there] <= high[here]
    assert found["bands"][0]["hi90"][24] - found["bands"][0]["lo90"][24] > 0.3

    page = render_report(MAPS2, tables, bank, found, provenance)
    tree = ElementTree.fromstring(page)
    drawn = [label for element, label in _with(tree, "aria-label") if element.tag.endswith("svg")]
    assert sum("not known, with the range" in label for label in drawn) == 2
    headings = [_text(one) for one in tree.iter("h2")]
    assert headings.index("What nobody knows") < headings.index("Survival")
    assert "Hazard ratio in this simulated trial" not in _text(tree)
    assert ".shown-arms { --arm-0:" in page


def test_no_band_where_all_is_known(summary: dict[str, Any], page: str) -> None:
    assert summary["bands"] == []
    assert "not known, with the range" not in page and "What nobody knows" not in page
