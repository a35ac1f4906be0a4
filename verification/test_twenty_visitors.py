"""Twenty people at one explorer while a trial runs: nobody is turned away, and pages stay about as quick as for one alone.

Machines differ and are busy; what is held is that nothing fails, and the ratio to one visitor alone in the same minutes.
"""

from __future__ import annotations

import random
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

_VISITORS, _SECONDS, _PAUSE = 20, 25.0, 2.0
_PAGES = (
    "/",
    "/treatments?q=nivolumab",
    "/treatments/nivolumab-ipilimumab",
    "/compare",
    "/trials",
    "/trials/confirm",
    "/statements",
    "/patient",
    "/evidence",
    "/runs",
)
_SLIDER = (
    "/patient/course.json?treatment=nivolumab+%2B+ipilimumab&line=first&histology=epithelioid&priming_strength={:.0f}"
)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    command = [
        sys.executable,
        "-m",
        "mesotrial",
        "app",
        "--port",
        "0",
        "--no-browser",
        "--no-prepare",
        "--runs",
        str(tmp_path / "runs"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r"http://\S+?(?=/)", process.stdout.readline())
    assert found is not None
    yield found[0]
    process.send_signal(signal.SIGINT)
    process.wait(60)
    process.stdout.close()


def _seconds(address: str) -> float:
    began = time.perf_counter()
    with urlopen(address, timeout=600) as answer:
        answer.read()
    return time.perf_counter() - began


def _visit(url: str, number: int, until: float, took: dict[str, list[float]], failed: list[str]) -> None:
    chance = random.Random(number)
    while time.monotonic() < until:
        slider = chance.random() < 0.4
        path = _SLIDER.format(chance.uniform(100, 900)) if slider else chance.choice(_PAGES)
        try:
            took["slider" if slider else "page"].append(_seconds(url + path))
        except (HTTPError, OSError) as error:
            failed.append(f"{path}: {error}")
        time.sleep(chance.uniform(0, _PAUSE))


def _crowd(url: str, visitors: int) -> tuple[dict[str, list[float]], list[str]]:
    took: dict[str, list[float]] = {"page": [], "slider": []}
    failed: list[str] = []
    until = time.monotonic() + _SECONDS
    threads = [threading.Thread(target=_visit, args=(url, number, until, took, failed)) for number in range(visitors)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return took, failed


def test_twenty_visitors_while_a_trial_runs(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (*_PAGES, _SLIDER.format(300)):  # compiles and loads what the first visitor waits for
        _seconds(url + path)
    form = {"design": "checkmate743", "size": "chosen", "patients": "3000"}
    with urlopen(Request(f"{url}/runs", urlencode(form).encode()), timeout=60) as answer:
        run = answer.url
    alone, _ = _crowd(url, 1)
    crowd, failed = _crowd(url, _VISITORS)
    with capsys.disabled():
        for kind in ("page", "slider"):
            for words, took in (("alone", alone[kind]), ("of twenty", crowd[kind])):
                at95 = sorted(took)[int(0.95 * (len(took) - 1))]
                print(
                    f"\n{kind}, {words}: median {statistics.median(took):.2f} s, 95th percentile {at95:.2f} s, {len(took)} requests",
                    end="",
                )
        with urlopen(f"{run}/status.json", timeout=60) as answer:
            print(f"\nthe trial meanwhile: {answer.read().decode()}")
    assert failed == []
    assert len(crowd["page"]) + len(crowd["slider"]) > 5 * _VISITORS
    for kind in ("page", "slider"):
        assert statistics.median(crowd[kind]) < max(1.0, 12 * statistics.median(alone[kind])), kind
