"""Times and rates for R, and tables as documents."""

import math
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from mesotrial.analysis import Outcomes, kaplan_meier
from mesotrial.catalogue import load_design
from mesotrial.export.about import about_run
from mesotrial.export.documents import html_page, rtf_document
from mesotrial.export.result_tables import ResultTable, result_tables
from mesotrial.export.simtrial import enroll_rate, fail_rate, simtrial_data, write_simtrial
from mesotrial.run import Run


def trial(rows: list[tuple[str, float, int]]) -> dict[str, pl.DataFrame]:
    """Subjects as (arm, months, whether the event happened), without strata of interest."""
    subjects = [f"S{place}" for place in range(len(rows))]
    adsl = pl.DataFrame(
        {
            "USUBJID": subjects,
            "TRT01P": [arm for arm, _, _ in rows],
            "HISTBL": ["EPITHELIOID"] * len(rows),
            "ENRLMO": [0.5 * place for place in range(len(rows))],
            "EOSSTT": ["DEAD" if event else "LOST" for _, _, event in rows],
        }
    )
    times = [(subject, "OS", months, 1 - event) for subject, (_, months, event) in zip(subjects, rows, strict=True)]
    adtte = pl.DataFrame(times, schema=["USUBJID", "PARAMCD", "AVAL", "CNSR"], orient="row")
    return {"adsl": adsl, "adtte": adtte}


def test_simtrial_has_its_seven_columns_and_the_times_of_the_run(small_run: Run) -> None:
    for endpoint in ("OS", "PFS"):
        data = simtrial_data(small_run.design, small_run.tables, endpoint, "nivo")
        assert data.columns == ["stratum", "enroll_time", "treatment", "fail_time", "dropout_time", "cte", "fail"]
        assert data["enroll_time"].is_sorted()
        assert set(data["treatment"]) == {"control", "experimental"}
        months = data["cte"] - data["enroll_time"]
        first = data.select(pl.min_horizontal("fail_time", "dropout_time")).to_series()
        assert (months - first).abs().to_numpy().max() < 1e-9
        assert (data["fail_time"].is_finite() == (data["fail"] == 1)).all()
        assert (data["dropout_time"].is_finite() == (data["fail"] == 0)).all()
        for arm, word in (("nivo", "control"), ("nivo+ipi", "experimental")):
            mine = data.filter(pl.col("treatment") == word)
            expected = Outcomes(small_run.tables).survival(endpoint, arm)
            found = kaplan_meier((mine["cte"] - mine["enroll_time"]).to_numpy(), mine["fail"].to_numpy() == 1)
            assert found.median()[0] == pytest.approx(kaplan_meier(expected.months, expected.event).median()[0])


def test_fail_rates_are_events_over_months_at_risk_worked_by_hand() -> None:
    # Control: deaths at 1, 2, 4 and 10 months. Experimental: deaths at 2, 5 and 20 months, one lost after 30.
    rows = [("c", 1.0, 1), ("c", 2.0, 1), ("c", 4.0, 1), ("c", 10.0, 1)]
    rows += [("e", 2.0, 1), ("e", 5.0, 1), ("e", 20.0, 1), ("e", 30.0, 0)]
    design = load_design("maps2")
    table = fail_rate(design, trial(rows), "OS", "c", "e")
    # 0-3: control 2 deaths in 1 + 2 + 3 + 3 = 9 months; experimental 1 in 2 + 3 + 3 + 3 = 11.
    # 3-6: control 1 in 1 + 3 = 4; experimental 1 in 2 + 3 + 3 = 8.
    # 6 on (no control death after 12): control 1 in 4; experimental 1 in 14 + 24 = 38.
    assert table["duration"].to_list() == [3.0, 3.0, math.inf]
    assert table["fail_rate"].to_list() == pytest.approx([2 / 9, 1 / 4, 1 / 4])
    assert table["hr"].to_list() == pytest.approx([(1 / 11) / (2 / 9), (1 / 8) / (1 / 4), (1 / 38) / (1 / 4)])
    assert table["dropout_rate"].to_list() == pytest.approx([1 / 74] * 3)
    assert table["stratum"].to_list() == ["histology=EPITHELIOID"] * 3


def test_a_stratum_without_events_in_an_arm_has_no_fail_rate() -> None:
    design = load_design("maps2")
    assert fail_rate(design, trial([("c", 1.0, 1), ("e", 2.0, 0)]), "OS", "c", "e").is_empty()


def test_enrolment_rates_add_up_to_the_patients(small_run: Run) -> None:
    table = enroll_rate(small_run.design, small_run.tables, 120)
    assert table.columns == ["stratum", "duration", "rate"]
    assert (table["duration"] * table["rate"]).sum() == pytest.approx(120)


def test_infinite_times_are_written_as_r_reads_them(small_run: Run, tmp_path: Path) -> None:
    files = {path.name for path in write_simtrial(tmp_path, small_run.design, small_run.tables, "nivo", 24)}
    assert files == {
        *("simtrial_os.csv", "simtrial_pfs.csv", "fail_rate_os.csv", "fail_rate_pfs.csv", "enroll_rate.csv")
    }
    text = (tmp_path / "simtrial_os.csv").read_text(encoding="utf-8")
    assert ",Inf," in text and "inf" not in text


@pytest.fixture(scope="module")
def tables(small_run: Run) -> dict[str, ResultTable]:
    made = result_tables(small_run.design, small_run.tables, "nivo")
    return {table.name: table for table in made}


def test_the_tables_count_what_the_run_holds(small_run: Run, tables: dict[str, ResultTable]) -> None:
    assert list(tables) == ["baseline", "response", "survival", "toxicity"]
    for table in tables.values():
        assert all(len(cells) in (0, len(table.columns)) for _, cells in table.rows)
    outcomes = Outcomes(small_run.tables)
    response = outcomes.outcome("ORR", "nivo")
    assert response is not None
    rows = dict(tables["response"].rows)
    assert rows["Objective response, n (%)"][0].split()[0] == str(response.sum())
    best = [
        int(cells[0].split()[0]) for name, cells in tables["response"].rows if name.startswith("  ") and "(" in cells[0]
    ]
    assert sum(best) == 12
    deaths = int(outcomes.survival("OS", "nivo").event.sum())
    assert tables["survival"].rows[1] == ("  Events, n (%)", tables["survival"].rows[1][1])
    assert tables["survival"].rows[1][1][0] == f"{deaths} ({100 * deaths / 12:.1f})"
    ratios = [cells for name, cells in tables["survival"].rows if "Hazard ratio" in name]
    assert [cells[0] for cells in ratios] == ["reference", "reference"]
    assert "Any side effect" in dict(tables["toxicity"].rows)


def test_rtf_has_balanced_groups_and_a_cell_for_every_edge(small_run: Run, tables: dict[str, ResultTable]) -> None:
    about = about_run(small_run, bank=False)
    for table in tables.values():
        text = rtf_document(table, about, "Not for the care of an individual.")
        assert text.isascii()
        plain = text.replace("\\\\", "").replace("\\{", "").replace("\\}", "")
        depth = 0
        for sign in plain:
            depth += (sign == "{") - (sign == "}")
            assert depth >= 0
        assert depth == 0
        rows = [line for line in text.splitlines() if "\\trowd" in line]
        assert len(rows) == len(table.rows) + 1
        assert all(line.count("\\cellx") == line.count("\\cell") - line.count("\\cellx") for line in rows)


def test_rtf_escapes_its_own_signs_and_other_alphabets(small_run: Run) -> None:
    table = ResultTable("t", "A {title} \\ é 𝛼", ("x",), (), "")
    text = rtf_document(table, about_run(small_run, bank=False), "")
    assert "A \\{title\\} \\\\ \\u233?" in text
    assert "\\u-10187?\\u-8452?" in text  # U+1D6FC as the two UTF-16 units D835 and DEFC, signed


def test_html_is_whole_and_says_what_it_is(small_run: Run, tables: dict[str, ResultTable]) -> None:
    text = html_page(list(tables.values()), about_run(small_run, bank=False), "Not for the care of an individual.")
    empty = {"meta"}

    class Reader(HTMLParser):
        open: list[str] = []  # noqa: RUF012
        cells = 0

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in empty:
                self.open.append(tag)
            self.cells += tag == "td"

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    reader = Reader()
    reader.feed(text)
    assert reader.open == [] and reader.cells > 50
    assert "no patient here is real" in text and "Not for the care" in text


def test_a_trial_without_events_still_has_its_tables(small_run: Run) -> None:
    tables = dict(small_run.tables)
    tables["adtte"] = tables["adtte"].filter(pl.col("PARAMCD").is_in(["OS", "PFS"])).with_columns(CNSR=pl.lit(1))
    tables["adae"] = tables["adae"].clear()
    made = {table.name: table for table in result_tables(small_run.design, tables, "nivo")}
    assert ("  Events, n (%)", ("0 (0.0)", "0 (0.0)")) in made["survival"].rows
    assert made["toxicity"].rows == ()
    assert "None" in rtf_document(made["toxicity"], about_run(small_run, bank=False), "")
