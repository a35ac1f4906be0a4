"""Adverse events by term and grade: when they begin, how bad they are, how long they last.

Every term of a drug has two processes, one for grade 3 or worse and one for lower grades. Hazards are scaled by the patient's proneness, and each process
begins at most once by itself; what happens when a drug is given again after an event is decided in `care`. How a hazard follows the drug is its driver
(`mesotrial.catalogue.Toxicity`). Immune-related terms follow a latent autoreactive activation Z, one a drug: it grows towards the drive of the blockade and
back, ``dZ/dt = k (drive - Z)``, steroids lower the drive, and tolerance makes the hazard of a given Z fall with the time on treatment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.catalogue.drug import ACTIVATION_PER_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Toxicity
    from mesotrial.population import Cohort

__all__ = ["FATAL_GRADE", "AdverseEvents", "Exposure", "Term", "Toxicities"]

FATAL_GRADE = 5

_DAYS_PER_YEAR = 365.25
_GRADE_4_SHARE = 0.2
_GRADE_2_SHARE = 0.5
_DURATION_SD = 0.6  # of the log of an event's duration between patients [guess]
_SEVERE, _LOWER = 0, 1


@dataclass(frozen=True)
class Term:
    """One term as one drug causes it; `drug` is empty for the background."""

    drug: str
    toxicity: Toxicity


@dataclass(frozen=True)
class Exposure:
    """What the patients of an interval meet; arrays of shape (n_rows,), per drug.

    ``at_risk`` is whether the last dose still counts (background: ''), ``since`` the first day (NaN: never), ``given`` whether a dose was given at the start.
    ``drive`` is the blockade relative to the reference of the drug's hazards; ``calm`` what steroids leave of it, whatever the drug.
    """

    at_risk: Mapping[str, NDArray[np.bool_]]
    since: Mapping[str, NDArray[np.float64]]
    given: Mapping[str, NDArray[np.bool_]]
    drive: Mapping[str, NDArray[np.float64]]
    calm: NDArray[np.float64]


@dataclass(frozen=True)
class AdverseEvents:
    """Events: arrays of shape (n_events,). `end_day` is NaN where an event does not resolve, `stops` whether it is one that ends treatment with its drug."""

    row: NDArray[np.int64]
    term: NDArray[np.int64]
    grade: NDArray[np.int64]
    onset_day: NDArray[np.float64]
    end_day: NDArray[np.float64]
    stops: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.row)

    def of(self, which: NDArray[np.bool_]) -> AdverseEvents:
        """Return some of these events."""
        return AdverseEvents(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def joined(self, other: AdverseEvents) -> AdverseEvents:
        """Return these events and the others."""
        return AdverseEvents(
            *(np.concatenate([getattr(self, name), getattr(other, name)]) for name in self.__dataclass_fields__)
        )


class Toxicities:
    """The adverse events to come of a group of patients."""

    def __init__(self, terms: Sequence[Term], cohort: Cohort, frailty_sd: float) -> None:
        """Draw every patient's proneness, thresholds, grades, durations, and whether an event ends treatment.

        Draws go by the names of drug and term, so that a patient meets the same fate from a drug whatever else is given.
        """
        from scipy.special import ndtri

        n = len(cohort)
        self.terms = tuple(terms)
        self.frailty = np.exp(frailty_sd * cohort.normals("proneness to toxicity", 1)[:, 0] - frailty_sd**2 / 2)
        draws = np.stack(
            [cohort.uniforms(f"toxicity/{one.drug}/{one.toxicity.term}", 8) for one in self.terms], axis=-1
        )  # (n_patients, 8, n_terms)
        self._threshold = -np.log(draws[:, 0:2])
        self._spent = np.zeros((n, 2, len(self.terms)))
        fatal = np.array([term.toxicity.fatal_fraction for term in self.terms])
        severe = np.where(draws[:, 2] < fatal, FATAL_GRADE, np.where(draws[:, 2] > 1 - _GRADE_4_SHARE, 4, 3))
        self._grade = np.stack([severe, np.where(draws[:, 3] < _GRADE_2_SHARE, 2, 1)], axis=1)
        self._stops = draws[:, 4:6] < np.array([term.toxicity.stop_fraction for term in self.terms])
        self.again = draws[:, 7]
        median = np.array(
            [np.nan if t.toxicity.duration_days is None else t.toxicity.duration_days for t in self.terms]
        )
        self._duration = median * np.exp(_DURATION_SD * ndtri(draws[:, 6]))
        self._rate = np.stack([_rates(one.toxicity) for one in self.terms], axis=1)
        self._activation = {one.drug: np.zeros(n) for one in self.terms if one.toxicity.is_immune}
        # Terms of one kernel share its integral.
        kernels = [_kernel(one) for one in self.terms]
        self._kernels = tuple(dict.fromkeys(kernels))
        self._kernel_of = np.array([self._kernels.index(one) for one in kernels])
        self._pool = {kernel: np.zeros(n) for kernel in self._kernels if kernel.driver == "dose"}

    def go_on_from(self, before: Toxicities) -> None:
        """Take over the autoreactive activation, and the doses whose events are still to come, of drugs that these patients had before."""
        self._activation |= {drug: level for drug, level in before._activation.items() if drug in self._activation}
        self._pool |= {kernel: level for kernel, level in before._pool.items() if kernel in self._pool}

    def interval(self, rows: NDArray[np.int64], start: float, end: float, exposure: Exposure) -> AdverseEvents:
        """Advance the patients `rows` from `start` to `end` and return what begins in between."""
        kernels = [self._days(kernel, rows, start, end, exposure) for kernel in self._kernels]
        days = np.stack(kernels, axis=-1)[:, :, self._kernel_of]
        for drug, level in self._activation.items():
            drive = exposure.drive[drug] * exposure.calm
            level[rows] = drive + (level[rows] - drive) * np.exp(-ACTIVATION_PER_DAY * (end - start))
        step = self.frailty[rows, None, None] * self._rate * days
        before = self._spent[rows]
        after = before + step
        self._spent[rows] = after
        threshold = self._threshold[rows]
        begins = (before < threshold) & (after >= threshold)
        where, process, term = np.nonzero(begins)
        share = (threshold - before)[begins] / step[begins]
        onset = start + self._when(share, term, end - start)
        return self._events(rows[where], term, process, onset)

    def once_more(
        self, row: NDArray[np.int64], term: NDArray[np.int64], severe: NDArray[np.bool_], day: NDArray[np.float64]
    ) -> AdverseEvents:
        """Return events that come again on `day`, of the grade they had; a severe one now ends treatment with its drug."""
        events = self._events(row, term, np.where(severe, _SEVERE, _LOWER), day)
        grade = np.minimum(events.grade, 4)
        return AdverseEvents(row, term, grade, day, events.end_day, np.asarray(severe))

    def graded(
        self,
        row: NDArray[np.int64],
        term: int,
        grade: NDArray[np.int64],
        onset: NDArray[np.float64],
        end: NDArray[np.float64],
    ) -> AdverseEvents:
        """Return events of `term` whose grade and duration something else decided; of grade 3-4 some are fatal and some end treatment."""
        place = np.full(len(row), term)
        severe = grade >= 3
        worst = np.where(severe & (self._grade[row, _SEVERE, term] == FATAL_GRADE), FATAL_GRADE, grade)
        return AdverseEvents(row, place, worst, onset, end, severe & self._stops[row, _SEVERE, term])

    def _events(
        self, row: NDArray[np.int64], term: NDArray[np.int64], process: NDArray[np.int64], onset: NDArray[np.float64]
    ) -> AdverseEvents:
        end = onset + self._duration[row, term]
        return AdverseEvents(row, term, self._grade[row, process, term], onset, end, self._stops[row, process, term])

    def _days(
        self, kernel: _Kernel, rows: NDArray[np.int64], start: float, end: float, exposure: Exposure
    ) -> NDArray[np.float64]:
        """Return the days between `start` and `end` weighted by the hazard, as a multiple of the term's own; shape (n_rows, 2)."""
        drug, long = kernel.drug, end - start
        if kernel.driver == "immune":
            since = np.nan_to_num(start - exposure.since[drug])
            drive, level = exposure.drive[drug] * exposure.calm, self._activation[drug][rows]
            known = ~np.isnan(exposure.since[drug])
            found = [known * _activated(rate, since, long, drive, level) for rate in kernel.numbers]
            return np.stack(found, axis=-1)
        if kernel.driver == "dose":
            (lag,) = kernel.numbers
            pool = self._pool[kernel][rows] + exposure.given[drug]
            self._pool[kernel][rows] = pool * np.exp(-long / lag)
            weighted = pool * -np.expm1(-long / lag)
        elif kernel.numbers:
            rate, since = np.log(2.0) / kernel.numbers[0], np.nan_to_num(exposure.since[drug])
            decayed = np.exp(-rate * (start - since)) - np.exp(-rate * (end - since))
            weighted = exposure.at_risk[drug] * decayed / rate
        else:
            weighted = exposure.at_risk[drug] * long
        return np.stack([weighted, weighted], axis=-1)

    def _when(
        self,
        share: NDArray[np.float64],
        term: NDArray[np.int64],
        long: float,
    ) -> NDArray[np.float64]:
        """Return the day of the interval on which `share` of its hazard is spent: even, except for what follows a dose."""
        day = share * long
        for kernel in self._pool:
            (lag,) = kernel.numbers
            mine = self._kernel_of[term] == self._kernels.index(kernel)
            day[mine] = -lag * np.log1p(share[mine] * np.expm1(-long / lag))
        return day


@dataclass(frozen=True)
class _Kernel:
    """How hazards of a drug follow it: the driver, and its numbers."""

    drug: str
    driver: str
    numbers: tuple[float, ...]


def _kernel(term: Term) -> _Kernel:
    one = term.toxicity
    if one.is_immune:
        return _Kernel(term.drug, "immune", one.tolerance_per_day)
    if one.driver == "dose":
        assert one.lag_days is not None
        return _Kernel(term.drug, "dose", (one.lag_days,))
    return _Kernel(term.drug, "constant", () if one.onset_days is None else (one.onset_days,))


def _rates(one: Toxicity) -> NDArray[np.float64]:
    """Return the hazards of the severe and the lower grades: per day, or per dose."""
    if one.driver == "dose":
        severe, every = one.g34_per_dose or 0.0, one.any_per_dose or 0.0
        return np.array([severe, every - severe])
    severe, every = one.g34_hazard_per_year / _DAYS_PER_YEAR, one.any_hazard_per_year / _DAYS_PER_YEAR
    return np.array([severe, max(every - severe, 0.0)])


def _activated(
    tolerance: float,
    since: NDArray[np.float64],
    long: float,
    drive: NDArray[np.float64],
    level: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Integrate Z(t) exp(-tolerance t) over an interval of `long` days that begins `since` days after the first dose."""
    faster = tolerance + ACTIVATION_PER_DAY
    steady = drive * -np.expm1(-tolerance * long) / tolerance
    fading = (level - drive) * -np.expm1(-faster * long) / faster
    found: NDArray[np.float64] = np.exp(-tolerance * since) * (steady + fading)
    return found
