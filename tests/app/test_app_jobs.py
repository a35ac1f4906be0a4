"""The queue: bounded, fair, and not lost."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from mesotrial.app.bounds import Refused
from mesotrial.app.jobs import MOST_WAITING, MOST_WAITING_EACH, Jobs

_WRITE = "import sys,json,time;p=sys.argv[1];open(p,'a').write(sys.argv[2]);time.sleep(float(sys.argv[3]))"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    (tmp_path / "noted.py").write_text(_WRITE)
    return tmp_path / "runs"


def _work(runs: Path, letter: str, seconds: float = 0.0) -> list[str]:
    return ["noted", str(runs.parent / "log"), letter, str(seconds)]


def _until(condition, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "took too long"
        time.sleep(0.05)


def test_visitors_take_turns_and_the_house_comes_last(runs):
    jobs = Jobs(runs)
    jobs.ask("h", "", _work(runs, "h"), "house", house=True)
    for name in "abc":
        jobs.ask(name, "", _work(runs, name), "first visitor")
    jobs.ask("x", "", _work(runs, "x"), "second visitor")
    assert [jobs.place(name) for name in "abxc"][0] == 0
    jobs.start()
    try:
        _until(lambda: all(jobs.find(name).state == "finished" for name in "habcx"))
    finally:
        jobs.stop()
    assert (runs.parent / "log").read_text() == "axbch"


def test_the_queue_is_bounded(runs):
    jobs = Jobs(runs)
    for i in range(MOST_WAITING_EACH):
        jobs.ask(f"mine{i}", "", _work(runs, "m"), "me")
    with pytest.raises(Refused, match="of your runs wait"):
        jobs.ask("more", "", _work(runs, "m"), "me")
    assert jobs.ask("mine0", "", _work(runs, "m"), "me").name == "mine0"  # the same again is no more
    for i in range(MOST_WAITING - MOST_WAITING_EACH):
        jobs.ask(f"their{i}", "", _work(runs, "t"), f"visitor {i}")
    with pytest.raises(Refused, match="come back later"):
        jobs.ask("late", "", _work(runs, "t"), "late")


def test_cancel_is_for_who_asked(runs):
    jobs = Jobs(runs)
    jobs.ask("long", "", _work(runs, "l", 60), "me")
    jobs.start()
    try:
        _until(lambda: jobs.find("long").state == "running")
        with pytest.raises(Refused, match="only who started"):
            jobs.cancel("long", "another")
        jobs.cancel("long", "me")
        _until(lambda: jobs.find("long").process is None)
        assert jobs.find("long").state == "interrupted"
        jobs.ask("next", "", _work(runs, "n"), "me")
        _until(lambda: jobs.find("next").state == "finished")
    finally:
        jobs.stop()


def test_a_job_that_fails_says_why(runs):
    jobs = Jobs(runs)
    jobs.ask("bad", "", ["mesotrial", "run", "no-such-trial"], "me")
    jobs.start()
    try:
        _until(lambda: jobs.find("bad").state == "failed")
    finally:
        jobs.stop()
    assert "no-such-trial" in jobs.find("bad").message


def test_a_new_server_finds_what_waits_and_what_was_interrupted(runs):
    jobs = Jobs(runs)
    jobs.ask("waits", "", _work(runs, "w"), "me")
    jobs.ask("ran", "", _work(runs, "r", 60), "me")
    record = runs / ".explorer" / "ran.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"state": "running", "process": 2**22 - 1}))
    (runs / ".explorer" / "nonsense.json").write_text('{"name": 1}')
    again = Jobs(runs)
    assert again.find("waits").state == "waiting"
    assert again.find("ran").state == "interrupted"
    assert again.find("nonsense") is None


def test_a_process_that_outlived_its_server_is_watched_again(runs):
    import subprocess

    jobs = Jobs(runs)
    job = jobs.ask("outlived", "", _work(runs, "o", 2), "me")
    process = subprocess.Popen([sys.executable, "-m", *job.arguments], cwd=runs.parent, start_new_session=True)
    record = runs / ".explorer" / "outlived.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"state": "running", "process": process.pid}))
    (runs / "outlived").mkdir()
    (runs / "outlived" / "status.json").write_text('{"state": "finished"}')
    again = Jobs(runs)
    if Path("/proc/self/cmdline").exists():
        assert again.find("outlived").state == "running"
    again.start()
    try:
        process.wait(30)
        _until(lambda: again.find("outlived").state == "finished")
    finally:
        again.stop()
