"""The calibrate command: what it refuses before anything is written, and how it is interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--seed", "-1"), "the seed must be"),
        (("--processes", "0"), "processes must be at least 1"),
        (("--members", "9"), "members must be at least 10"),
        (("--draws", "9"), "draws must be at least 10"),
        (("--patients", "49"), "patients per arm must be at least 50"),
        (("--targets", ","), "--targets names no trial"),
        (("--targets", "ms02"), "ms02"),
    ],
)
def test_each_wrong_request_has_its_message_and_nothing_is_written(
    command: Any, arguments: tuple[str, ...], words: str
) -> None:
    result = command("calibrate", *arguments)
    assert (result.code, result.out) == (2, "") and words in result.err, result.err
    assert list(Path().iterdir()) == []


def test_without_its_package_one_message_says_how_to_get_it(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "iterative_ensemble_smoother", None)
    result = command("calibrate", "--out", "there")
    assert result.code == 2 and ".uv/bin/uv run --extra search mesotrial calibrate" in result.err
    assert "pip install 'mesotrial[search]'" in result.err
    assert list(Path().iterdir()) == []


def test_a_folder_of_something_else_is_refused_and_left_alone(command: Any) -> None:
    pytest.importorskip("iterative_ensemble_smoother")
    Path("notes.txt").write_text("mine")
    for out in (".", ""):
        result = command("calibrate", "--out", out)
        assert result.code == 2 and "holds files that are no calibration (notes.txt)" in result.err
    assert command("calibrate", "--out", "notes.txt").code == 2
    assert [path.name for path in Path().iterdir()] == ["notes.txt"]


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_control_c_says_what_is_kept(tmp_path: Path) -> None:
    pytest.importorskip("iterative_ensemble_smoother")
    folder = tmp_path / "calibration"
    arguments = ["calibrate", "--targets", "ms01", "--patients", "50", "--processes", "1", "--out", str(folder)]
    process = subprocess.Popen(
        [sys.executable, "-m", "mesotrial", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 200
    while not (folder / "evaluations.jsonl").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: all its processes
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out) == (130, ""), err
    kept = (folder / "evaluations.jsonl").read_text().splitlines()
    assert f"Interrupted; {len(kept)} evaluations are kept in {folder}: the same command goes on." in err
    assert "SpawnPoolWorker" not in err and "Traceback" not in err
    assert json.loads((folder / "settings.json").read_text())["patients_per_arm"] == 50


def test_a_run_takes_the_population_of_a_calibration(command: Any) -> None:
    shipped = files("mesotrial.population") / "data"
    for name in ("mine", "other"):
        Path(name).mkdir()
        text = (shipped / "fitted.yaml").read_text(encoding="utf-8").replace("posterior-4", f"calibration-{name}")
        Path(name, "fitted.yaml").write_text(text, encoding="utf-8")
        Path(name, "posterior.csv").write_text("# made up\ngrowth_rate.median\n0.004\n0.006\n", encoding="utf-8")
    small = ("run", "maps2", "--patients-per-arm", "4", "--json", "--quiet")
    done = command(*small, "--population", "mine").json
    assert Path(done["run"]) == Path("runs/maps2-n4-calibration-mine")
    about = json.loads(Path(done["run"], "provenance.json").read_text())
    assert about["population"] == about["population_version"] == "calibration-mine"
    Path("mine").rename("moved")
    assert command(*small, "--population", "moved").json["reused"]
    other = command(*small, "--population", "other", "--out", done["run"])
    assert other.code == 2 and "population: calibration-mine there, calibration-other asked for" in other.err
    Path("other", "posterior.csv").write_text("growth_rate.median\nfast\n", encoding="utf-8")
    for folder, words in (("other", "the population in other cannot be read"), ("nowhere", "nowhere/fitted.yaml")):
        refused = command(*small, "--population", folder)
        assert refused.code == 2 and words in refused.err, refused.err
