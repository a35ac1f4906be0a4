"""Runs killed at random moments lose nothing: the same command goes on, and the end is that of a run that nothing disturbed.

MESOTRIAL_KILLS sets the number of kills (default 50).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked and killed as POSIX does")

KILLS = int(os.environ.get("MESOTRIAL_KILLS", "50"))

# Everything heavy is imported once; each run is a fork, which starts at once. Small parts, so that there is much to be cut off in between.
NURSERY = """
import json, os, signal, sys, time
from mesotrial.catalogue import design_from_text, load_design
from mesotrial.population import load_ensemble
from mesotrial.report import write_report
from mesotrial.run import run_trial
import mesotrial.analysis, mesotrial.report.page, pyarrow.parquet, matplotlib.figure, jinja2, polars
from mesotrial.trial import simulate

simulate.BANK_PER_ARM, simulate.CHUNK = 12, 5
text = load_design("maps2").source_text.replace("n: 63", "n: 9").replace("n: 62", "n: 11")
design = design_from_text(text, "small.yaml")
simulate.build_model(design, load_ensemble(), threads=1)
print("ready", flush=True)
for line in sys.stdin:
    folder, seconds = json.loads(line)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        code = 1
        try:
            run_trial(design, out=folder, threads=1)
            code = 0
        finally:
            os._exit(code)
    began = time.monotonic()
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    print(json.dumps([status, time.monotonic() - began]), flush=True)
"""

Attempt = Callable[[Path, float | None], tuple[int, float]]


@pytest.fixture(scope="module")
def attempt() -> Iterator[Attempt]:
    """Run into a folder, killed after some seconds (None: never); return how the process ended, and its seconds."""
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as nursery:
        assert nursery.stdin is not None and nursery.stdout is not None
        assert nursery.stdout.readline() == "ready\n"
        ask, answer = nursery.stdin, nursery.stdout

        def call(folder: Path, seconds: float | None) -> tuple[int, float]:
            print(json.dumps([str(folder), seconds]), file=ask, flush=True)
            status, took = json.loads(answer.readline())
            return status, took

        yield call
        ask.close()


def content(folder: Path) -> dict[str, bytes]:
    """Return what must not depend on what befell a run: tables, bank, summary and design."""
    wanted = (
        *folder.glob("*.parquet"),
        *folder.glob("bank/*.parquet"),
        folder / "summary.json",
        folder / "design.yaml",
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in wanted}


def state(folder: Path) -> Any:
    return json.loads((folder / "status.json").read_text())["state"]


def test_killed_at_random_moments_a_run_ends_as_if_nothing_had_happened(attempt: Attempt, tmp_path: Path) -> None:
    assert attempt(tmp_path / "first", None)[0] == 0
    status, whole = attempt(tmp_path / "undisturbed", None)
    assert status == 0
    expected = content(tmp_path / "undisturbed")
    assert len(expected) == 16 and expected == content(tmp_path / "first")
    rng, kills, finished, cut_off = random.Random(20260801), 0, 0, 0
    while kills < KILLS:
        folder = tmp_path / f"run{finished}"
        status, _ = attempt(folder, rng.uniform(0.0, whole))
        kills += status == 9
        cut_off += status == 9 and (folder / "parts").is_dir()
        assert status in (0, 9)
        if status == 9 and rng.random() < 0.9:
            continue
        assert attempt(folder, None)[0] == 0  # what a finished run gives back as it is, and a killed one goes on from
        assert state(folder) == "finished"
        assert content(folder) == expected
        assert not list(folder.rglob(".*"))  # no half-written file, no lock
        assert sorted(path.name for path in (folder / "parts").iterdir()) == sorted(
            path.name for path in (tmp_path / "undisturbed" / "parts").iterdir()
        )
        finished += 1
    assert finished > KILLS / 25 and cut_off > KILLS / 5
