"""What a protocol does about an adverse event: hold, resume, stop, steroids; and what follows when a drug is given again.

Rules, by the arm's `StopRules`: an event that is one to end treatment (`Toxicity.stop_fraction`, from grade ``toxicity_grade`` on) stops the drug it is
put down to, and every drug where it is put down to none. Another immune-related event of grade ``hold_grade`` or more holds every drug that drives
autoreactivity until it has resolved; an event of another kind holds its own drug from grade 3 on. Immune-related events from ``steroid_grade`` on are
treated with steroids, which leave ``1 - steroid_effect`` of the autoreactive drive and, where ``steroid_blunting`` is set, less priming of the T cells that
fight the tumour. After a hold the same event comes again in about three of ten
(Dolladille 2020, doi:10.1001/jamaoncol.2020.0726, 28.8 % of rechallenges; recalled); if it was severe, that ends treatment with the drug.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.trial.toxicity import FATAL_GRADE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import StopRules
    from mesotrial.trial.toxicity import AdverseEvents, Term, Toxicities

__all__ = ["ACTIONS", "Care"]

ACTIONS = ("NONE", "DRUG INTERRUPTED", "DRUG WITHDRAWN")
_NONE, _HELD, _STOPPED = range(3)
_OTHER_HOLD_GRADE = 3
_STEROID_DAYS = 42.0  # four weeks or more of taper (guidelines of ASCO and ESMO; recalled), six here [guess]
_AGAIN = 0.288
_AGAIN_DAYS = 30.0  # mean time from the resumed dose to the event [guess]


class Care:
    """Holds, stops and steroids of a group of patients; arrays of shape (n_patients,) per drug."""

    def __init__(self, terms: Sequence[Term], drugs: Sequence[str], n: int, rules: StopRules) -> None:
        """Start with nobody held or stopped."""
        self._terms, self._rules = tuple(terms), rules
        self.stopped = {drug: np.zeros(n, dtype=bool) for drug in drugs}
        self.held_until = {drug: np.full(n, -np.inf) for drug in drugs}
        self.steroids_until = np.full(n, -np.inf)
        self.begun = np.zeros(n, dtype=bool)  # steroids, since somebody last asked
        self._immune = np.array([one.toxicity.is_immune for one in self._terms])
        self._drivers = tuple(dict.fromkeys(one.drug for one in self._terms if one.toxicity.is_immune))
        self._again_day = np.full((n, len(self._terms)), np.nan)
        self._again_severe = np.zeros((n, len(self._terms)), dtype=bool)

    def go_on_from(self, before: Care, days: float) -> None:
        """Take over steroids, and the holds and stops of drugs that are given again, from the care of these patients that began `days` ago."""
        self.steroids_until = before.steroids_until - days
        for drug in set(self.stopped) & set(before.stopped):
            self.stopped[drug], self.held_until[drug] = before.stopped[drug], before.held_until[drug] - days

    def may_have(self, drug: str, rows: NDArray[np.int64], day: float) -> NDArray[np.bool_]:
        """Say who of `rows` may have a dose of `drug` on `day`."""
        allowed: NDArray[np.bool_] = ~self.stopped[drug][rows] & (self.held_until[drug][rows] <= day)
        return allowed

    def calm(self, rows: NDArray[np.int64], day: float) -> NDArray[np.float64]:
        """Return what steroids leave of the autoreactive drive."""
        return np.where(self.steroids_until[rows] > day, 1.0 - self._rules.steroid_effect, 1.0)

    def due_again(
        self, rows: NDArray[np.int64], start: float, end: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
        """Return the events that come again between `start` and `end` with those whose drug was taken up again: patient, term, severe, day."""
        day = self._again_day[rows]
        where, term = np.nonzero((day >= start) & (day < end))
        row = rows[where]
        on = np.array([not self.stopped[self._terms[t].drug][r] for r, t in zip(row, term, strict=True)], dtype=bool)
        row, term = row[on], term[on]
        return row, term, self._again_severe[row, term], self._again_day[row, term]

    def act(self, events: AdverseEvents, toxicities: Toxicities) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Apply the rules to `events`; return the action taken for each (a place in ACTIONS), and whether steroids were given."""
        immune = self._immune[events.term]
        fatal = events.grade == FATAL_GRADE
        stop = events.stops & (events.grade >= self._rules.toxicity_grade) & ~fatal
        from_grade = np.where(immune, self._rules.hold_grade, _OTHER_HOLD_GRADE)
        hold = (events.grade >= from_grade) & ~np.isnan(events.end_day) & ~stop & ~fatal
        steroids = immune & (events.grade >= self._rules.steroid_grade) & ~fatal
        action = np.where(stop, _STOPPED, np.where(hold, _HELD, _NONE))
        for place in np.flatnonzero(stop):
            drug = self._terms[events.term[place]].drug
            for one in (drug,) if drug else tuple(self.stopped):
                self.stopped[one][events.row[place]] = True
        for place in np.flatnonzero(hold):
            drug, row = self._terms[events.term[place]].drug, events.row[place]
            held = self._drivers if immune[place] else (drug,) if drug else ()
            for one in held:
                self.held_until[one][row] = max(self.held_until[one][row], events.end_day[place])
            if not held:
                action[place] = _NONE
        afresh = steroids & (events.onset_day > self.steroids_until[events.row])
        self.begun[events.row[afresh]] = True
        np.maximum.at(self.steroids_until, events.row[steroids], events.onset_day[steroids] + _STEROID_DAYS)
        self._plan_again(events, immune & hold, toxicities)
        return action, steroids

    def _plan_again(self, events: AdverseEvents, held: NDArray[np.bool_], toxicities: Toxicities) -> None:
        """Let the event come again in some of those who are held for the first time, once the drug is given again."""
        row, term = events.row[held], events.term[held]
        draw = toxicities.again[row, term]
        first = np.isnan(self._again_day[row, term]) & (draw < _AGAIN)
        delay = -_AGAIN_DAYS * np.log1p(-draw / _AGAIN * (1 - 1e-9), where=first, out=np.zeros(len(draw)))
        self._again_day[row[first], term[first]] = events.end_day[held][first] + delay[first]
        self._again_severe[row[first], term[first]] = events.grade[held][first] >= _OTHER_HOLD_GRADE
