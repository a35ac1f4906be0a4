"""Adverse events: hazards by term while a patient is exposed, scaled by the patient's proneness.

Each term has two processes, one for grade 3 or worse and one for lower grades; each happens at most once to a patient. Terms come from the drugs' entries
in the catalogue, plus the background that investigators report without any drug.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Toxicity
    from mesotrial.population import Cohort

__all__ = ["FATAL_GRADE", "AdverseEvents", "Term", "Toxicities"]

FATAL_GRADE = 5

_DAYS_PER_YEAR = 365.25
_GRADE_4_SHARE = 0.2
_GRADE_2_SHARE = 0.5


@dataclass(frozen=True)
class Term:
    """One term as one drug causes it; `drug` is empty for the background."""

    drug: str
    toxicity: Toxicity


@dataclass(frozen=True)
class AdverseEvents:
    """Events of one interval: arrays of shape (n_events,)."""

    row: NDArray[np.int64]
    term: NDArray[np.int64]
    grade: NDArray[np.int64]
    onset_day: NDArray[np.float64]
    withdraws: NDArray[np.bool_]


class Toxicities:
    """The adverse events to come of a group of patients."""

    def __init__(self, terms: Sequence[Term], cohort: Cohort, frailty_sd: float, toxicity_grade: int) -> None:
        """Draw every patient's proneness, thresholds, grades and whether an event ends treatment."""
        n, count = len(cohort), len(terms)
        self.terms = tuple(terms)
        self._frailty = np.exp(frailty_sd * cohort.normals("proneness to toxicity", 1)[:, 0] - frailty_sd**2 / 2)
        # (n_patients, 2 processes, n_terms): severe first
        self._threshold = -np.log(cohort.uniforms("toxicity onset", 2 * count)).reshape(n, 2, count)
        self._spent = np.zeros((n, 2, count))
        choice = cohort.uniforms("toxicity grade", 2 * count).reshape(n, 2, count)
        fatal = np.array([term.toxicity.fatal_fraction for term in terms])
        severe = np.where(choice[:, 0] < fatal, FATAL_GRADE, np.where(choice[:, 0] > 1 - _GRADE_4_SHARE, 4, 3))
        self._grade = np.stack([severe, np.where(choice[:, 1] < _GRADE_2_SHARE, 2, 1)], axis=1)
        stop = np.array([term.toxicity.stop_fraction for term in terms])
        self._withdraws = (cohort.uniforms("toxicity withdrawal", 2 * count).reshape(n, 2, count) < stop) & (
            self._grade >= toxicity_grade
        )
        severe_rate = np.array([term.toxicity.g34_hazard_per_year for term in terms]) / _DAYS_PER_YEAR
        any_rate = np.array([term.toxicity.any_hazard_per_year for term in terms]) / _DAYS_PER_YEAR
        self._rate = np.stack([severe_rate, np.maximum(any_rate - severe_rate, 0.0)])

    def interval(
        self,
        rows: NDArray[np.int64],
        start: float,
        end: float,
        first_dose: Mapping[str, NDArray[np.float64]],
        concentration: Mapping[str, NDArray[np.float64]],
    ) -> AdverseEvents:
        """Advance the patients `rows` from `start` to `end` and return what begins in between.

        `first_dose` holds per drug (background: '') the day of the first dose of those who are at risk now, NaN for the others; `concentration` each
        antibody's plasma level at the end, mg/L; both have the shape of `rows`.
        """
        days = [self._days_at_risk(term, start, end, first_dose, concentration) for term in self.terms]
        step = self._frailty[rows, None, None] * self._rate * np.array(days).reshape(-1, len(rows)).T[:, None, :]
        before = self._spent[rows]
        after = before + step
        self._spent[rows] = after
        threshold = self._threshold[rows]
        begins = (before < threshold) & (after >= threshold)
        where, process, term = np.nonzero(begins)
        share = (threshold - before)[begins] / step[begins]
        row = rows[where]
        onset = start + share * (end - start)
        return AdverseEvents(row, term, self._grade[row, process, term], onset, self._withdraws[row, process, term])

    @staticmethod
    def _days_at_risk(
        term: Term,
        start: float,
        end: float,
        first_dose: Mapping[str, NDArray[np.float64]],
        concentration: Mapping[str, NDArray[np.float64]],
    ) -> NDArray[np.float64]:
        """Return the days between `start` and `end` weighted by the hazard, as a multiple of the term's own.

        The hazard halves every ``onset_days`` after the first dose; with the driver ``ctla4_trough`` it follows the plasma level.
        """
        one = term.toxicity
        since = first_dose[term.drug]
        days = np.where(np.isnan(since), 0.0, end - start)
        if one.onset_days is not None:
            rate = np.log(2.0) / one.onset_days
            days = np.nan_to_num((np.exp(-rate * (start - since)) - np.exp(-rate * (end - since))) / rate)
        if (
            one.driver == "ctla4_trough"
            and one.reference_trough_mg_per_l is not None
            and one.trough_exponent is not None
        ):
            level = np.maximum(concentration[term.drug], 0.0) / one.reference_trough_mg_per_l
            days = days * level**one.trough_exponent
        return days
