"""The SBML semantic test suite: every case on the reference twin, a sample of them compiled (all with MESOTRIAL_LONG=1).

What is refused is stated in sbml_suite_refused.txt, one case a line with the reason; every other case passes. A case that
newly passes, fails or is refused for another reason fails the test, which prints the line to change. The cases are dealt
out over several tests, so that they run side by side.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sbml_suite import ARCHIVE, outcome, read_cases

REFUSED = Path(__file__).with_name("sbml_suite_refused.txt")
SAMPLE = Path(__file__).with_name("sbml_suite_compiled.txt").read_text(encoding="utf-8").split()
LONG = os.environ.get("MESOTRIAL_LONG") == "1"
HANDS = 8
UNCOMPILED = {"EventNoDelay", "EventWithDelay", "CSymbolDelay", "FastReaction"}

pytestmark = pytest.mark.skipif(not ARCHIVE.exists(), reason=f"there is no {ARCHIVE.name} beside the repository")


@pytest.fixture(scope="module")
def cases():
    return [case for case in read_cases() if not case.flux_balance]


def stated():
    lines = REFUSED.read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))


def test_the_suite_is_whole(cases):
    names = {case.name for case in cases}
    assert len(names) == 1787
    assert stated().keys() <= names
    assert len(names) - len(stated()) >= 1576
    assert set(SAMPLE) <= names - stated().keys()


@pytest.mark.parametrize("hand", range(HANDS))
def test_every_case_on_the_twin(cases, hand):
    mine = cases[hand::HANDS]
    expected = {case.name: "passes" for case in mine} | stated()
    found = {case.name: outcome(case) for case in mine}
    assert [f"{name} {found[name]}" for name in found if found[name] != expected[name]] == []


@pytest.mark.parametrize("hand", range(HANDS))
def test_a_sample_compiled(cases, hand, tmp_path, monkeypatch):
    monkeypatch.setenv("MESOTRIAL_CACHE_DIR", str(tmp_path))
    refused = stated()
    chosen = [case for case in cases if (case.name not in refused if LONG else case.name in SAMPLE)]
    bad = []
    for case in chosen[hand::HANDS]:
        found = outcome(case, backend="numba")
        if case.tags & UNCOMPILED and found.startswith("refused: The compiled backend does not support"):
            continue
        if found != "passes":
            bad.append(f"{case.name} {found}")
    assert not bad, "\n".join(bad)


@pytest.mark.skipif(not LONG, reason="reads 100,000 mutated models for an hour: set MESOTRIAL_LONG=1")
@pytest.mark.parametrize("hand", range(HANDS))
def test_mutated_models(hand):
    program = Path(__file__).with_name("fuzz_models.py")
    command = [sys.executable, str(program), "--files", "12500", "--seed", str(hand), "--suite", str(ARCHIVE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert sum(found["counts"].values()) == 12_500
    assert found["faults"] == []
