"""Thousands of trials resampled from banks of patients, shared out among threads; the results do not depend on their number."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mesotrial.analysis.power.bank import Bank
from mesotrial.catalogue import TestSpec
from mesotrial.catalogue.analysis_plan import AccrualPeriod, entry_month

__all__ = ["Accrual", "Conduct", "Resampled", "resample_trials"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Progress = Callable[[int, int, str], None]

_CHUNK = 100
_MONTHS_PER_YEAR = 12.0
_SLOW = 4.0  # standard deviations of the patients who enter in a given time


@dataclass(frozen=True)
class Accrual:
    """Patients a month in periods that end at `ends` (months); the last period goes on until the trial is full."""

    ends: tuple[float, ...]
    per_month: tuple[float, ...]

    def expected_months(self, patients: float) -> float:
        """Return when the last of `patients` is expected to enter."""
        begins = (0.0, *self.ends)
        periods = (
            AccrualPeriod(end - begun, rate)
            for begun, end, rate in zip(begins, self.ends, self.per_month, strict=False)
        )
        return entry_month(tuple(periods), patients)

    def enroll_rate(self, patients: int) -> list[dict[str, float | str]]:
        """Return gsDesign2's table: `stratum`, `duration` (months) and `rate` (a month), up to the last patient expected."""
        last, begun = self.expected_months(patients), 0.0
        rows: list[dict[str, float | str]] = []
        for place, (end, rate) in enumerate(zip(self.ends, self.per_month, strict=True)):
            until = last if place == len(self.ends) - 1 else min(end, last)
            if until > begun:
                rows.append({"stratum": "All", "duration": until - begun, "rate": rate})
            begun = end
        return rows


@dataclass(frozen=True)
class Conduct:
    """How trials are conducted. Arms are in the bank's order, the comparator first.

    `looks` are (kind, value): kind 0 a number of events, 1 a month; the last is the final analysis, at the latest `horizon` months after the last patient.
    `efficacy` and `futility` are Z for each look. `scan_months` are the planned scans where the endpoint is read from them. `crossover` is (place of the
    arm, share, factor of remaining time). `reestimate` is (place of the look, low, high, target, most, critical Z, fraction planned) and `drop` (place of
    the look, arms kept).
    """

    patients: int
    ratio: tuple[int, ...]
    block: int
    accrual: Accrual
    horizon: float
    looks: tuple[tuple[int, float], ...]
    efficacy: tuple[float, ...]
    futility: tuple[float, ...]
    tests: tuple[TestSpec, ...]
    dropout_per_year: tuple[float, ...]
    scan_months: tuple[float, ...] = ()
    crossover: tuple[int, float, float] | None = None
    reestimate: tuple[int, float, float, float, float, float, float] | None = None
    drop: tuple[int, int] | None = None

    @property
    def longest_months(self) -> float:
        """How long patients may have to be followed: to the end of the trial, with all patients that it may come to have and an accrual by chance as slow as
        about 1 in 10,000 is; longer where a crossover shortens the time that is left.
        """
        most = math.ceil(self.patients * (self.reestimate[4] if self.reestimate else 1.0))
        end = self.accrual.expected_months(math.ceil(most + _SLOW * math.sqrt(most))) + self.horizon
        return end / min(1.0, self.crossover[2] if self.crossover else 1.0)

    def sized(self, patients: int, events_factor: float = 1.0) -> Conduct:
        """Return the same trial with other `patients`, its event targets multiplied by `events_factor`."""
        looks = tuple(
            (kind, max(1.0, round(value * events_factor)) if kind == 0 else value) for kind, value in self.looks
        )
        return replace(self, patients=patients, looks=looks)


@dataclass(frozen=True)
class Resampled:
    """What happened in each trial (first axis). Months count from the start of accrual.

    `won_by` (trials, arms beside the comparator); `final_z` (trials, arms, tests) and `log_ratios` (trials, arms) at the final analysis as if no look had
    stopped the trial (NaN where it could not go on so); `look_months`, `look_events` (trials, looks); `grid_events`, `grid_enrolled` (trials, grid).
    """

    stop_look: IntArray
    months: FloatArray
    enrolled: IntArray
    events: IntArray
    won: npt.NDArray[np.bool_]
    won_by: npt.NDArray[np.bool_]
    final_z: FloatArray
    log_ratios: FloatArray
    look_months: FloatArray
    look_events: FloatArray
    grid: FloatArray
    grid_events: IntArray
    grid_enrolled: IntArray
    patients: IntArray

    @property
    def trials(self) -> int:
        """The number of trials."""
        return self.won.size

    @property
    def power(self) -> float:
        """The share of trials in which an arm won."""
        return float(self.won.mean())


def resample_trials(
    conduct: Conduct,
    banks: Sequence[Bank],
    trials: int,
    *,
    seed: int = 1,
    bank_of_trial: IntArray | None = None,
    no_effect: bool = False,
    hazard_factor: FloatArray | None = None,
    threads: int | None = None,
    first_trial: int = 0,
    progress: Progress | None = None,
    message: str = "Resampling trials",
) -> Resampled:
    """Resample `trials` trials from banks with the same arms and strata.

    `bank_of_trial` (trials,) says which bank a trial draws from, by default the first. With `no_effect` all arms draw from the comparator's patients.
    `hazard_factor` (trials, arms) multiplies the hazard of an arm's patients (a trial-level effect). Draws are keyed by seed, trial and patient:
    trials numbered from `first_trial` on.

    Raises `ValueError` for banks that differ in arms or strata, and for numbers that do not fit.
    """
    from mesotrial.analysis.power import _kernel as kernel

    arms, strata = len(banks[0].arms), len(banks[0].strata)
    if any(bank.arms != banks[0].arms or bank.strata != banks[0].strata for bank in banks):
        raise ValueError("the banks must have the same arms and strata")
    if len(conduct.ratio) != arms or len(conduct.dropout_per_year) != arms:
        raise ValueError(f"the bank has {arms} arms; give as many ratios and drop-out rates")
    if conduct.block % sum(conduct.ratio):
        raise ValueError(f"a block of {conduct.block} patients is no multiple of the ratio's sum, {sum(conduct.ratio)}")
    looks = len(conduct.looks)
    if not looks == len(conduct.efficacy) == len(conduct.futility):
        raise ValueError("give efficacy and futility boundaries for every look")
    which = np.zeros(trials, np.int64) if bank_of_trial is None else np.asarray(bank_of_trial, np.int64)
    source = which[:, None] * arms + (np.zeros(arms, np.int64) if no_effect else np.arange(arms))
    warp = np.ones((trials, arms)) if hazard_factor is None else np.asarray(hazard_factor, float)
    most = conduct.reestimate[4] if conduct.reestimate else 1.0
    n_most = math.ceil(conduct.patients * most)
    grid = _grid(conduct, n_most)
    out = (
        np.zeros(trials, np.int64), np.zeros(trials), np.zeros(trials, np.int64), np.zeros(trials, np.int64), np.zeros(trials, np.bool_),
        np.zeros((trials, arms - 1), np.bool_), np.full((trials, arms - 1, len(conduct.tests)), np.nan), np.full((trials, arms - 1), np.nan),
        np.zeros((trials, looks)), np.zeros((trials, looks)), np.zeros((trials, grid.size), np.int64), np.zeros((trials, grid.size), np.int64),
        np.zeros(trials, np.int64),
    )  # fmt: skip
    fixed = (
        _key(seed), np.array([*zip(conduct.accrual.ends, conduct.accrual.per_month, strict=True)], float), np.mean([bank.mix for bank in banks], axis=0),
        np.array(conduct.ratio, np.int64) * (conduct.block // sum(conduct.ratio)), conduct.block, *_joined(banks, strata),
    )  # fmt: skip
    rules = (
        np.array(conduct.dropout_per_year, float) / _MONTHS_PER_YEAR, np.array(conduct.crossover or (-1, 0, 1), float), conduct.patients, n_most,
        np.array(conduct.looks, float), float(conduct.horizon), np.array(conduct.scan_months, float),
        np.array([conduct.efficacy, conduct.futility], float).T.copy(), np.array(conduct.reestimate or (-1, 0, 0, 0, 0, 0, 0), float),
        np.array(conduct.drop or (-1, 0), np.int64), np.array([_encoded(test) for test in conduct.tests], float), grid,
    )  # fmt: skip

    def work(first: int) -> int:
        last = min(first + _CHUNK, trials)
        part = tuple(one[first:last] for one in out)
        kernel.simulate_trials(
            last - first, first + first_trial, *fixed, source[first:last], warp[first:last], *rules, *part
        )
        return last - first

    _share_out(work, range(0, trials, _CHUNK), threads or _cores(), trials, progress, message)
    return Resampled(*out[:10], grid, *out[10:])


def _share_out(
    work: Callable[[int], int], firsts: range, threads: int, trials: int, progress: Progress | None, message: str
) -> None:
    """Do the parts on threads, with progress; an interruption ends after the parts in hand."""
    done = 0
    pool = ThreadPoolExecutor(max(threads, 1))
    try:
        for size in pool.map(work, firsts):
            done += size
            if progress is not None:
                progress(done, trials, message)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _grid(conduct: Conduct, n_most: int) -> FloatArray:
    end = conduct.accrual.expected_months(n_most) + conduct.horizon
    step = max(1.0, math.ceil(end / 60))
    return np.arange(0.0, end + step, step)


def _joined(banks: Sequence[Bank], strata: int) -> tuple[IntArray, FloatArray, IntArray, FloatArray]:
    """Put banks one after another; the groups of bank b begin at b * arms * strata."""
    offsets = np.cumsum([0, *(bank.times.size for bank in banks)])
    starts = np.concatenate(
        [*(bank.starts[:-1] + offset for bank, offset in zip(banks, offsets[:-1], strict=True)), offsets[-1:]]
    )
    times, events, progressions = (
        np.concatenate([getattr(bank, name) for bank in banks]) for name in ("times", "events", "progressions")
    )
    return starts.astype(np.int64), times, events, progressions


def _encoded(test: TestSpec) -> tuple[float, float, float, float]:
    from mesotrial.analysis.power import _kernel as kernel

    kinds = {
        "logrank": kernel.LOG_RANK,
        "maxcombo": kernel.MAX_COMBO,
        "rmst": kernel.RMST,
        "milestone": kernel.MILESTONE,
    }
    return float(kinds[test.kind]), float(test.stratified), *test.numbers


def _key(seed: int) -> npt.NDArray[np.uint64]:
    """Return the key of these draws, as `population.randomness.uniforms` makes it."""
    digest = hashlib.sha256(f"{seed}/power".encode()).digest()
    return np.array([int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")], np.uint64)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
