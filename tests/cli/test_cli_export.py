"""The export command: what it writes, and what it refuses."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mesotrial.run import Run


@pytest.mark.parametrize("form", ["adam", "xpt", "dataset-json", "simtrial", "rtf"])
def test_every_format_is_written_and_listed(command: Any, small_run: Run, form: str) -> None:
    done = command("export", str(small_run.path), "--format", form, "--out", form, "--json")
    assert done.code == 0, done.err
    assert done.json["files"] and all(Path(file).is_file() for file in done.json["files"])
    assert sorted(done.json["files"]) == sorted(str(path) for path in Path(form).iterdir())
    assert command("export", str(small_run.path), "--format", form, "--out", form, "--quiet").out == f"{form}\n"


def test_an_export_lies_in_the_run_which_stays_finished(command: Any, small_run: Run) -> None:
    shutil.copytree(small_run.path, "mine")
    assert command("export", "mine", "-f", "adam").code == 0
    assert (Path("mine") / "export" / "adam" / "columns.csv").is_file()
    again = command("run", "maps2", "--patients-per-arm", "8", "--out", "mine", "--json")
    assert again.code == 0 and again.json["reused"]


def test_bad_requests_to_export_have_one_message(command: Any, small_run: Run) -> None:
    Path("file").write_text("x", encoding="utf-8")
    shutil.copytree(small_run.path, "half")
    status = json.loads(Path("half/status.json").read_text(encoding="utf-8")) | {"state": "interrupted"}
    Path("half/status.json").write_text(json.dumps(status), encoding="utf-8")
    run = str(small_run.path)
    for arguments, words in (
        (("nowhere", "-f", "xpt"), "no folder nowhere"),
        ((run, "-f", "excel"), "dataset-json"),
        ((run,), "--format"),
        ((run, "-f", "xpt", "--out", "file"), "file is a file"),
        ((run, "-f", "xpt", "--out", "file/below"), "cannot write to file/below"),
        ((run, "-f", "rtf", "--control", "placebo"), "nivo, nivo+ipi"),
        (("half", "-f", "xpt"), "interrupted, not finished"),
    ):
        result = command("export", *arguments)
        assert result.code == 2 and words in result.err and result.err.startswith("Error: "), (arguments, result.err)
        assert "Traceback" not in result.err and result.out == ""
