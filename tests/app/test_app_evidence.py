"""The scoreboard on the page of evidence: large enough for its intervals, of this model, and never the reason of an error."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest

import mesotrial
from mesotrial.analysis import predict
from mesotrial.app import comparing, evidence
from mesotrial.population import load_ensemble
from mesotrial.run.files import write_json
from mesotrial.validate import validate


@pytest.fixture(scope="module")
def board():
    return validate(role="calibration", trials=("ms01",), patients_per_arm=60)


def _keep(client, board):
    file = client.state.settings.runs / evidence._name() / "scoreboard.json"
    file.parent.mkdir(exist_ok=True)
    write_json(file, board)


def test_groups_are_large_enough_to_tell_what_is_not_known():
    assert evidence._PEOPLE >= 750
    assert evidence._PEOPLE // len(load_ensemble()) >= predict._SMALLEST_GROUP


def test_the_scoreboard_is_shown(client, board):
    _keep(client, board)
    text = client.get("/evidence").text
    assert "Trial by trial" in text and "MS01" in text and "60 virtual patients in each arm" in text
    assert "Compute the scoreboard" not in text


@pytest.mark.parametrize(
    "without",
    [("seed",), ("roles", "calibration", "shared"), ("roles", "calibration", "inside90"), ("rows", 0, "arm"), ("rows", 0, "z"), ("trials",), ("rows",)],
    ids=lambda path: "-".join(map(str, path)),
)  # fmt: skip
def test_one_of_another_version_is_computed_again(client, board, without):
    older = copy.deepcopy(board)
    *where, key = without
    part = older
    for step in where:
        part = part[step]
    del part[key]
    _keep(client, older)
    answer = client.get("/evidence")
    assert answer.status == 200
    assert "Compute the scoreboard" in answer.text and "Trial by trial" not in answer.text
    assert client.post("/evidence", {}).status == 303
    assert client.state.jobs.find(evidence._name()).state == "waiting"


def test_the_fingerprint_changes_with_whatever_decides_results(tmp_path, monkeypatch):
    package = tmp_path / "mesotrial"
    shutil.copytree(Path(mesotrial.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
    monkeypatch.setattr(mesotrial, "__file__", str(package / "__init__.py"))
    seen = {comparing.fingerprint.__wrapped__()}
    for name in ("engine/__init__.py", "analysis/predict.py", "validate.py", "comparison/people.py"):
        with (package / name).open("a") as file:
            file.write("# changed\n")
        assert (now := comparing.fingerprint.__wrapped__()) not in seen, name
        seen.add(now)
    (package / "app" / "pages.py").write_text("")
    assert comparing.fingerprint.__wrapped__() in seen
