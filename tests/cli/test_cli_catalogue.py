"""What the catalogue's commands say: list, show, explain, export-model, schema."""

import json
from pathlib import Path
from typing import Any

import pytest

from mesotrial.catalogue import entries, load_design
from mesotrial.cli.explain import timeline
from mesotrial.engine import load_model


@pytest.mark.parametrize("what", ["trials", "therapies", "drugs", "statements"])
def test_lists_in_each_form(command: Any, what: str) -> None:
    assert command("list", what).code == 0
    listed = command("list", what, "--json").json["entries"]
    names = command("list", what, "--quiet").out.splitlines()
    assert len(listed) == len(names) > 0
    assert names == [entry["key"] or entry["name"] for entry in listed]


def test_where_filters_by_every_word(command: Any) -> None:
    runnable = command("list", "trials", "--where", "runnable", "--quiet").out.split()
    assert runnable == [entry.key for entry in entries("trial") if entry.runnable]
    found = command("list", "therapies", "--where", "Active, specific", "--json").json["entries"]
    assert found and all({"active", "specific"} <= set(entry["immunity"]) for entry in found)
    supported = command("list", "statements", "--where", "supported", "--json").json["entries"]
    assert all("supported" in entry["words"] for entry in supported)


@pytest.mark.parametrize(
    "name", ["maps2", "IND.227", "Opdivo", "pembrolizumab", "nivo + ipi", "s14", "CTLA-4", "fever"]
)
def test_every_kind_of_entry_can_be_shown(command: Any, name: str) -> None:
    shown = command("show", name)
    assert shown.code == 0 and len(shown.out) > 20
    entry = command("show", name, "--json").json["entry"]
    assert entry["name"] in shown.out


def test_every_entry_of_the_catalogue_can_be_shown(command: Any) -> None:
    for kind in ("drug", "therapy", "trial"):
        for entry in entries(kind):  # type: ignore[arg-type]
            assert command("show", entry.name).code == 0, entry.name


def test_a_trial_shows_its_published_results_with_sources(command: Any) -> None:
    out = command("show", "maps2").out
    assert "nivolumab 3 mg/kg IV over 60 min q2w" in out
    assert "44.4 %" in out and "31.2 to 57.7" in out
    assert "doi:10.1016/S1470-2045(18)30765-4" in out
    assert len(command("show", "maps2", "--json").json["published_results"]) > 10


def test_a_drug_shows_each_number_with_its_source(command: Any) -> None:
    out = command("show", "nivolumab").out
    assert "0.2592" in out and "[verified]" in out and "Approvals" in out


def test_a_timeline_has_a_column_a_week() -> None:
    lines = list(timeline(load_design("maps2")))
    scans = next(line for line in lines if line.startswith("    scans")).split()[1]
    doses = next(line for line in lines if line.startswith("    ipilimumab")).split()[1]
    assert [week for week, mark in enumerate(scans) if mark == "S"] == [12, 24, 36, 48]
    assert [week for week, mark in enumerate(doses) if mark == "|"] == list(range(0, 60, 6))


def test_a_timeline_shows_alternatives_and_the_end_of_treatment(command: Any) -> None:
    text = load_design("maps2").source_text.replace("max_treatment_days: 728", "max_treatment_days: 140")
    Path("short.yaml").write_text(text, encoding="utf-8")
    out = command("explain", "short.yaml", "--fast").out
    drawn = next(line for line in out.splitlines() if line.startswith("    nivolumab")).split()[1]
    assert drawn == "|." * 10 + "x"
    assert "65 % carboplatin" in command("explain", "checkmate743", "--fast").out


def test_the_lead_in_is_drawn_and_said(command: Any) -> None:
    fast = command("explain", "denim", "--fast")
    out = " ".join(fast.out.split())
    assert "Week -18 -6 Lead-in: 18 weeks, counted from its start" in out
    assert "Randomised is who has not progressed or come off treatment for side effects by then" in out
    doses = next(line for line in fast.out.splitlines() if line.startswith("    carboplatin")).split()[1]
    assert doses == "|.." * 4 + "|....."
    found = command("explain", "denim", "--fast", "--json").json
    assert found["timeline"]["lead_in"][0]["dose_days"] == [0, 21, 42, 63, 84]
    assert command("explain", "maps2", "--fast", "--json").json["timeline"]["lead_in"] is None
    assert "Lead-in: 18 weeks before randomisation" in command("show", "denim").out


def test_explain_says_the_rules_and_the_population(command: Any) -> None:
    out = " ".join(command("explain", "maps2", "--fast").out.split())
    for words in ("at most 104 weeks", "grade 3", "mRECIST", "Censoring (", "median 71.8", "83 %", "blocks of 4"):
        assert words in out
    found = command("explain", "maps2", "--fast", "--json").json
    assert found["timeline"]["scan_days"][0] == 84
    assert found["timeline"]["arms"]["nivo"][0]["dose_days"][:2] == [0, 14]


def test_explain_says_what_to_expect_and_what_looks_wrong(command: Any) -> None:
    text = load_design("maps2").source_text.replace("ipilimumab 1 mg/kg", "ipilimumab 10 mg/kg")
    Path("much.yaml").write_text(text, encoding="utf-8")
    shown = command("explain", "much.yaml", "--patients", "20")
    out = " ".join(shown.out.split())
    assert shown.code == 0
    assert "from 20 simulated patients an arm (rough)" in out and "Doses of ipilimumab" in out
    assert "arms[1].regimens[1]: 10 mg/kg of ipilimumab is far" in out
    found = command("explain", "much.yaml", "--patients", "20", "--json").json
    assert [arm["patients"] for arm in found["expected"]] == [63, 62]
    assert "unusual_dose" in {one["code"] for one in found["misgivings"]}
    assert found["events"]["OS"][-1]["month"] == 29 and "Deaths of all arms:" in out
    fast = command("explain", "much.yaml", "--fast", "--json").json
    assert fast["expected"] == [] and len(fast["misgivings"]) == 1


@pytest.mark.parametrize("patients", ["1", "-4", "1000000"])
def test_explain_needs_a_sensible_number_of_patients(command: Any, patients: str) -> None:
    result = command("explain", "maps2", f"--patients={patients}")
    assert result.code == 2 and "--patients must be from 2 to 100,000" in result.err


def test_models_are_exported_in_both_languages(command: Any) -> None:
    assert command("export-model", "--therapies", "Opdivo,ipi", "--out", "model.xml").code == 0
    about = command("export-model", "--therapies", "nivo + ipi", "--format", "antimony", "--json").json
    assert about["drugs"] == ["nivolumab", "ipilimumab"]
    assert set(about["dosed"]["nivolumab"]) <= set(load_model(about["model"]).states)
    assert set(load_model(Path("model.xml")).states) == set(load_model(about["model"]).states)
    assert command("export-model", "--format", "antimony").out.startswith("model mesothelioma")


@pytest.mark.parametrize("name", ["design", "summary"])
def test_schemas_are_json_schemas(command: Any, name: str) -> None:
    assert json.loads(command("schema", name).out)["$schema"].startswith("https://json-schema.org/")
