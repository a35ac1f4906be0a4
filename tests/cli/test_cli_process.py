"""The command line as a true process: speed, shell completion, signals."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from mesotrial.cli import app

HEAVY = ("antimony", "libsbml", "matplotlib", "numba", "numpy", "polars", "pyarrow", "pydantic", "scipy", "sympy")


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys; from mesotrial.cli import main; main(['--help']); sys.exit(sum(m in sys.modules for m in {HEAVY}))"
    result = python("-c", code)
    assert result.returncode == 0, result.stderr
    assert "mesotrial run maps2" in result.stdout


@pytest.mark.skipif(os.name == "nt", reason="the processor time of a child is measured as POSIX does")
def test_help_answers_at_once() -> None:
    """Half a second of processor time, which a busy machine does not stretch as it does the clock on the wall."""
    import resource

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def seconds() -> float:
        before = used()
        assert python("-m", "mesotrial", "--help").returncode == 0
        return used() - before

    assert min(seconds() for _ in range(5)) < 0.5


@pytest.mark.parametrize("command", [str(command.name) for command in app.registered_commands])
def test_every_command_teaches_with_examples(command: str) -> None:
    result = python("-m", "mesotrial", command, "--help")
    assert result.returncode == 0
    assert "Examples:" in result.stdout and f"mesotrial {command} " in result.stdout


def test_version() -> None:
    assert python("-m", "mesotrial", "--version").stdout == f"mesotrial {version('mesotrial')}\n"


@pytest.mark.parametrize(("words", "offered"), [("run ma", "maps2"), ("show nivolumab", "nivolumab"), ("li", "list")])
def test_the_shell_completes_names(words: str, offered: str) -> None:
    count = len(words.split())
    result = python(
        "-m",
        "mesotrial",
        _MESOTRIAL_COMPLETE="complete_bash",
        COMP_WORDS=f"mesotrial {words}",
        COMP_CWORD=str(count),
    )
    assert offered in result.stdout.splitlines()


def test_a_wrong_request_exits_with_2_and_no_traceback(tmp_path: Path) -> None:
    result = python("-m", "mesotrial", "run", "maps2", "--patients-per-arm", "0", "--out", str(tmp_path / "run"))
    assert (result.returncode, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_control_c_and_an_end_from_outside_leave_an_interrupted_run(tmp_path: Path, end: signal.Signals) -> None:
    folder = tmp_path / "run"
    arguments = ["run", "maps2", "--patients-per-arm", "20000", "--out", str(folder)]
    process = subprocess.Popen(
        [sys.executable, "-m", "mesotrial", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 100
    while not (folder / "status.json").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(end)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 130, err
    assert out == "" and "Traceback" not in err
    assert "What was finished is kept" in err
    assert json.loads((folder / "status.json").read_text())["state"] == "interrupted"
