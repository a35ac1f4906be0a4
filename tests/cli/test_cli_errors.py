"""Bad input: one clear message, exit code 2, nothing lost."""

import json
from pathlib import Path
from typing import Any

import pytest

from mesotrial.catalogue import entries, load_design

DESIGN = load_design("maps2").source_text
REGIMEN = "nivolumab 3 mg/kg IV over 60 min q2w"


def written(text: str) -> str:
    Path("trial.yaml").write_text(text, encoding="utf-8")
    return "trial.yaml"


def refused(result: Any, *words: str) -> None:
    assert result.code == 2
    assert result.err.startswith("Error: ") and "Traceback" not in result.err
    assert result.out == ""
    for word in words:
        assert word in result.err
    assert {path.name for path in Path().iterdir()} <= {"trial.yaml"}


def test_an_unknown_trial_suggests_the_nearest(command: Any) -> None:
    refused(command("run", "masp2"), "'masp2'", "maps2")


def test_a_trial_without_a_design_says_so(command: Any) -> None:
    name = next(entry.name for entry in entries("trial") if not entry.runnable)
    refused(command("run", name), name, "maps2")


def test_malformed_yaml_names_the_line(command: Any) -> None:
    line = DESIGN.splitlines().index("randomisation: {ratio: [1, 1], strata: [histology], block: 4}") + 1
    text = DESIGN.replace("strata: [histology]", "strata: [histology")
    refused(command("run", written(text)), "trial.yaml", f"line {line}")


def test_a_regimen_that_cannot_be_read_is_pointed_at(command: Any) -> None:
    result = command("run", written(DESIGN.replace(REGIMEN, "nivolumab 3 mg/kg XV over 60 min q2w", 1)))
    refused(result, "trial.yaml", "arms[0].regimens[0]")
    lines = result.err.splitlines()
    assert lines[1].strip() == "nivolumab 3 mg/kg XV over 60 min q2w"
    assert lines[2].index("^") == lines[1].index("XV")


@pytest.mark.parametrize("patients", ["0", "-3"])
def test_patients_must_be_there(command: Any, patients: str) -> None:
    refused(
        command("run", "maps2", f"--patients-per-arm={patients}"),
        f"patients per arm must be at least 1, not {patients}",
    )


@pytest.mark.parametrize("patients", ["0", "-3"])
def test_patients_of_a_design_must_be_there(command: Any, patients: str) -> None:
    refused(command("run", written(DESIGN.replace("n: 63", f"n: {patients}"))), "arms[0].n")


def test_an_arm_needs_a_regimen(command: Any) -> None:
    text = DESIGN.replace(f"    regimens:\n      - {REGIMEN}\n    max", "    regimens: []\n    max", 1)
    assert text != DESIGN
    refused(command("run", written(text)), "trial.yaml", "arms[0]", "regimen")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "nowhere.yaml"), "there is no file nowhere.yaml"),
        (("run", "maps2", "--threads", "0"), "threads must be at least 1"),
        (("run", "maps2", "--seed=-1"), "the seed must be"),
        (("run", "maps2", "--population", "all"), "fitted"),
        (("run", "maps2", "--patients-per-arm", "many"), "--patients-per-arm"),
        (("run", "maps2", "--out", "/dev/null/x"), "/dev/null/x"),
        (("run",), "DESIGN"),
        (("runn", "maps2"), "runn"),
        (("show", "Opdvio"), "Opdivo"),
        (("explain", "masp2"), "maps2"),
        (("list", "drugs", "--where", "magic"), "PD-1 inhibitor"),
        (("report", "nowhere"), "no folder nowhere"),
        (("report", "."), "not the folder of a run"),
        (("export-model", "--therapies", "nivolumap"), "nivolumab"),
        (("export-model", "--therapies", "nivo", "--out", "no/where.xml"), "no folder no"),
        (("export-model", "--therapies", "MARS2"), "MARS 2 is a trial, no therapy; give drugs or therapies: "),
        (("export-model", "--therapies", "nivo", "--out", "."), ". is a folder; give the name of a file"),
        (("schema", "everything"), "design"),
        (("calibrate", "--targets", "maps2", "--out", "fitted"), "validation"),
    ],
)
def test_each_wrong_request_has_its_message(command: Any, arguments: tuple[str, ...], words: str) -> None:
    refused(command(*arguments), words)


@pytest.mark.parametrize("below", ["", "/page"])
def test_a_credibility_page_in_a_file_is_refused_before_scoring(command: Any, below: str) -> None:
    file = written(DESIGN)
    refused(command("credibility", "--out", file + below), "trial.yaml is a file; give the name of a folder (--out)")
    assert Path(file).read_text(encoding="utf-8") == DESIGN


def test_who_gives_no_scoreboard_is_not_told_to_overwrite_the_file(command: Any) -> None:
    result = command("credibility", "--scoreboard", written("{}"))
    refused(result, "trial.yaml is no scoreboard; make one with: mesotrial validate --json > scoreboard.json")


def test_an_error_is_an_object_too(command: Any) -> None:
    result = command("run", "masp2", "--json")
    assert result.code == 2 and "maps2" in json.loads(result.out)["error"]
    assert "Traceback" not in result.err


@pytest.mark.parametrize("debug", [False, True])
def test_an_unforeseen_error_is_one_line(command: Any, monkeypatch: pytest.MonkeyPatch, debug: bool) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("mesotrial.catalogue.find", fail)
    if debug:
        monkeypatch.setenv("MESOTRIAL_DEBUG", "1")
    result = command("show", "maps2")
    assert result.code == 1
    assert "ZeroDivisionError: a bug" in result.err and "report" in result.err
    assert ("Traceback" in result.err) is debug


def test_a_wrong_lead_in_is_refused_with_its_path(command: Any) -> None:
    block = "lead_in: {weeks: 6, regimens: [pemetrexed 500 mg/m2 IV q3w x 4]}\narms:"
    result = command("run", written(DESIGN.replace("arms:", block, 1)))
    refused(result, "lead_in.regimens[0]", "last dose on day 63", "lead_in.weeks")


def test_a_disk_that_refuses_is_the_works_failure(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "x.parquet")

    monkeypatch.setattr("mesotrial.run.work.write_table", fail)
    result = command("run", "maps2", "--patients-per-arm", "2")
    said = result.err.splitlines()[-1]
    assert result.code == 1 and said.startswith("Error: No space left on device. What was finished is kept")
    assert "x.parquet" in said


def test_an_interruption_has_its_code(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mesotrial.run.run_trial", interrupt)
    result = command("run", "maps2")
    assert result.code == 130 and "Traceback" not in result.err
