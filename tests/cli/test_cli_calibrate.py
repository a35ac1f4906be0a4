"""The calibrate command: what it refuses before anything is written, and how it is interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
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
