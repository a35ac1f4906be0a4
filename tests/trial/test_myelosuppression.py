"""Neutrophils under chemotherapy."""

import os
import subprocess
import sys

import numpy as np
import pytest

from mesotrial.population import Cohort
from mesotrial.trial import myelosuppression
from mesotrial.trial.myelosuppression import Marrow


def counts(marrow, until, step=1.0):
    rows = np.arange(len(marrow.baseline))
    found = []
    for start in np.arange(0.0, until, step):
        marrow.advance(rows, start, start + step)
        found.append(marrow.count.copy())
    return np.array(found)


def marrow(n=3):
    return Marrow(Cohort(1, 0, np.arange(n), {}, {}, {}, np.zeros(n, dtype=int)))


def test_without_a_dose_nothing_changes():
    one = marrow()
    np.testing.assert_array_equal(counts(one, 20)[-1], one.baseline)


def test_a_dose_lowers_the_count_in_a_week_or_two_and_it_comes_back():
    one = marrow()
    one.dose(np.arange(3), np.full(3, 1.5))
    course = counts(one, 120)
    lowest = course.argmin(axis=0) + 1
    assert ((lowest > 5) & (lowest < 16)).all()
    assert (course.min(axis=0) < 0.6 * one.baseline).all()
    np.testing.assert_allclose(course[-1], one.baseline, rtol=0.1)
    assert (course > 0).all()


def test_more_kills_more():
    lowest = []
    for kill in (0.5, 1.0, 2.0, 6.0):
        one = marrow()
        one.dose(np.arange(3), np.full(3, kill))
        lowest.append(counts(one, 40).min(axis=0))
    assert (np.diff(lowest, axis=0) < 0).all()


def test_the_step_is_short_enough(monkeypatch):
    def nadir():
        one = marrow()
        one.dose(np.arange(3), np.full(3, 2.0))
        return counts(one, 21)

    coarse = nadir()
    monkeypatch.setattr(myelosuppression, "_STEP_DAYS", 0.05)
    np.testing.assert_allclose(coarse, nadir(), rtol=2e-3)


def test_an_episode_has_the_grade_of_its_lowest_count():
    one = marrow(400)
    rows = np.arange(400)
    one.dose(rows, np.full(400, 2.0))
    lowest, found = one.count.copy(), []
    for start in np.arange(0.0, 60.0, 0.5):
        found.append(one.advance(rows, start, start + 0.5))
        lowest = np.minimum(lowest, one.count)
    row, grade, first, last = (np.concatenate(part) for part in zip(*found, strict=True))
    np.testing.assert_array_equal(np.sort(row), np.flatnonzero(lowest < 1.5))
    np.testing.assert_array_equal(grade, 2 + (lowest[row] < 1.0) + (lowest[row] < 0.5))
    assert ((last > first) & (first > 2)).all()


def test_results_do_not_depend_on_the_visits():
    one, other = marrow(), marrow()
    for each in (one, other):
        each.dose(np.arange(3), np.full(3, 1.0))
    assert counts(one, 42, 7.0)[-1] == pytest.approx(counts(other, 42, 21.0)[-1], rel=1e-6)


def test_a_damaged_cache_of_compiled_code_is_no_loss(tmp_path):
    """Numba's files cut short: the code is compiled anew."""
    script = "from mesotrial.trial.marrow_course import course; print(course.__name__)"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        kept = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert kept
        for path in kept:
            path.write_bytes(path.read_bytes()[:10])
