"""The safety side of a visit: what drugs do to people beside the tumour, joined from `toxicity`, `myelosuppression` and `care`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.trial.care import Care
from mesotrial.trial.myelosuppression import FIT_FOR_A_DOSE, Marrow, relative_exposure
from mesotrial.trial.toxicity import AdverseEvents, Exposure, Toxicities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Toxicity
    from mesotrial.population import Cohort
    from mesotrial.trial.conduct import Clinic
    from mesotrial.trial.plan import ArmPlan

__all__ = ["EMERGENT_DAYS", "Safety"]

_FORGOTTEN_DAYS = 365.0  # after the last dose, when antibodies are gone: nothing of treatment begins later
EMERGENT_DAYS = (
    30.0  # an event later than this after the last dose is not counted as one of treatment (the rule of most trials)
)


class Safety:
    """Exposure, adverse events and what is done about them, for the patients of one arm; arrays of shape (n_patients,)."""

    def __init__(self, cohort: Cohort, plan: ArmPlan, toxicities: Toxicities, clinic: Clinic) -> None:
        """Start with nobody dosed."""
        n = len(cohort)
        self._plan, self._clinic, self._toxicities = plan, clinic, toxicities
        self._drugs = tuple(dict.fromkeys(regimen.drug for regimen in plan.regimens))
        self._care = Care(toxicities.terms, self._drugs, n, plan.arm.stop_rules)
        self._first = {drug: np.full(n, np.nan) for drug in self._drugs}
        self._last = {drug: np.full(n, np.nan) for drug in self._drugs}
        self._last_before = np.full(n, -np.inf)  # dose of an earlier treatment, whatever the drug
        self._last_due = np.array([max(days, default=-np.inf) for days in plan.due])
        self._first_line = plan.in_line(second=False)
        self.second_start = np.full(n, np.nan)  # of the second line
        self._marrow: Marrow | None = None
        self._log_kill: dict[int, NDArray[np.float64]] = {}
        self._neutropenia = {
            one.drug: place
            for place, one in enumerate(toxicities.terms)
            if one.toxicity.driver == "myelosuppression" and one.drug in self._drugs
        }
        if self._neutropenia:
            self._marrow = Marrow(cohort)
            for place, regimen in enumerate(plan.regimens):
                if (term := self._neutropenia.get(regimen.drug)) is not None:
                    drug = clinic.drugs[regimen.drug]
                    log_kill = toxicities.terms[term].toxicity.log_kill
                    assert log_kill is not None
                    self._log_kill[place] = log_kill * relative_exposure(drug, cohort, plan.dose[:, place])

    def go_on_from(self, before: Safety, days: float) -> None:
        """Take over from another treatment of these patients that began `days` ago: neutrophils, steroids, and what its drugs have done if given again."""
        if self._marrow is not None and before._marrow is not None:
            self._marrow = before._marrow
            self._marrow.count_days_anew()
        self._last_before = np.fmax.reduce([before._last_before, *before._last.values()]) - days
        for drug in set(self._drugs) & set(before._drugs):
            self._first[drug], self._last[drug] = before._first[drug] - days, before._last[drug] - days
        self._care.go_on_from(before._care, days)
        self._toxicities.go_on_from(before._toxicities)

    def may_have(self, drug: str, rows: NDArray[np.int64], day: float) -> NDArray[np.bool_]:
        """Say who of `rows` may have a dose of `drug` on `day`: not stopped, not held, and with enough neutrophils for what lowers them."""
        allowed = self._care.may_have(drug, rows, day)
        if self._marrow is not None and drug in self._neutropenia:
            allowed &= self._marrow.count[rows] >= np.minimum(FIT_FOR_A_DOSE, 0.8 * self._marrow.baseline[rows])
        return allowed

    def dose(self, place: int, rows: NDArray[np.int64], day: float) -> None:
        """Note a dose of the regimen at `place`."""
        drug = self._plan.regimens[place].drug
        self._last[drug][rows] = day
        self._first[drug][rows] = np.fmin(self._first[drug][rows], day)
        if self._marrow is not None and place in self._log_kill:
            self._marrow.dose(rows, self._log_kill[place][rows])

    def interval(
        self, rows: NDArray[np.int64], start: float, end: float, levels: Mapping[str, NDArray[np.float64]]
    ) -> AdverseEvents:
        """Return the adverse events of `rows` between `start` and `end`; `levels` are plasma concentrations at the end, mg/L, shape of `rows`."""
        recent = np.fmax.reduce([self._last_before, *self._last.values()])[rows] + _FORGOTTEN_DAYS >= start
        rows, levels = rows[recent], {drug: level[recent] for drug, level in levels.items()}
        since = {drug: first[rows] for drug, first in self._first.items()}
        at_risk = {drug: start <= last[rows] + self._interval_days(drug) for drug, last in self._last.items()}
        now = {drug: at_risk[drug] & ~np.isnan(since[drug]) for drug in self._drugs}
        at_risk[""] = np.logical_or.reduce(list(now.values()))
        since[""] = np.fmin.reduce([np.where(now[drug], since[drug], np.nan) for drug in self._drugs])
        given = {drug: last[rows] == start for drug, last in self._last.items()}
        troughs = {
            drug: np.maximum(level, 0.0) * self._share_left_at_trough(drug, rows, end) for drug, level in levels.items()
        }
        exposure = Exposure(at_risk, since, given, self._drives(troughs, at_risk), self._care.calm(rows, start))
        events = self._toxicities.interval(rows, start, end, exposure)
        events = events.joined(self._toxicities.once_more(*self._care.due_again(rows, start, end)))
        return events.joined(self._neutropenic(rows, start, end))

    def act(self, events: AdverseEvents) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Apply the protocol's rules; return the action for each event and whether steroids were given."""
        return self._care.act(events, self._toxicities)

    def begun_steroids(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places in `rows` of those who began steroids since this was last asked."""
        places = np.flatnonzero(self._care.begun[rows])
        self._care.begun[rows] = False
        return places

    def left(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Return who of `rows` has had every drug of the first line stopped for toxicity, and the last day of a dose of it still due."""
        stopped = np.stack([self._care.stopped[regimen.drug][rows] for regimen in self._plan.regimens], axis=1)
        open_ = self._first_line[rows] & ~stopped
        return ~open_.any(axis=1), np.where(open_, self._last_due, -np.inf).max(axis=1)

    def _drives(
        self, troughs: Mapping[str, NDArray[np.float64]], at_risk: Mapping[str, NDArray[np.bool_]]
    ) -> dict[str, NDArray[np.float64]]:
        """Return the drive of autoreactivity of each drug: blockade of PD-1 or PD-L1, or the CTLA-4 antibody's trough."""
        blockade = {}
        for drug in self._drugs:
            for effect in self._clinic.drugs[drug].effects:
                if effect.on in ("pd1", "pdl1") and effect.ec50_mg_per_l:
                    blockade[drug] = troughs[drug] / (troughs[drug] + effect.ec50_mg_per_l)
        beside = np.maximum.reduce(list(blockade.values())) if blockade else 0.0
        drives = {}
        for drug in self._drugs:
            one = next(
                (term.toxicity for term in self._toxicities.terms if term.drug == drug and term.toxicity.is_immune),
                None,
            )
            if one is None:
                continue
            if one.driver == "ctla4_trough":
                drives[drug] = _trough_drive(one, troughs[drug], beside)
            else:  # where there is no level to follow, the drive lasts until the next dose would be due
                drives[drug] = blockade.get(drug, at_risk[drug].astype(float))
        return drives

    def _neutropenic(self, rows: NDArray[np.int64], start: float, end: float) -> AdverseEvents:
        """Return the neutropenia that ended in the interval, put down to the drug of the arm that lowers neutrophils most."""
        nothing = np.zeros(0)
        row, grade, first, last = (nothing.astype(np.int64), nothing.astype(np.int64), nothing, nothing)
        place = 0
        if self._marrow is not None:
            row, grade, first, last = self._marrow.advance(rows, start, end)
            place = self._neutropenia[max(self._neutropenia, key=self._kill_of)]
        return self._toxicities.graded(row, place, grade, first, last)

    def _kill_of(self, drug: str) -> float:
        return self._toxicities.terms[self._neutropenia[drug]].toxicity.log_kill or 0.0

    def _share_left_at_trough(self, drug: str, rows: NDArray[np.int64], day: float) -> NDArray[np.float64]:
        """Return what the half-life leaves of today's plasma level when the drug is due next: the trough to come."""
        pk = self._clinic.drugs[drug].pk if drug in self._clinic.drugs else None
        if pk is None or not pk.label_half_life_days:
            return np.ones(len(rows))
        wait = np.full(len(rows), np.inf)
        for place, regimen in enumerate(self._plan.regimens):
            if regimen.drug == drug:
                since = day - self.second_start[rows] if self._plan.second[place] else np.full(len(rows), day)
                due = np.append(sorted(self._plan.due[place]), np.inf)
                wait = np.fmin(wait, due[np.searchsorted(due, np.nan_to_num(since, nan=np.inf))] - since)
        return np.where(np.isfinite(wait), 2.0 ** (-np.nan_to_num(wait, posinf=0.0) / pk.label_half_life_days), 1.0)

    def _interval_days(self, drug: str) -> float:
        return max(
            (regimen.phases[0].cycle_days for regimen in self._plan.regimens if regimen.drug == drug), default=0.0
        )


def _trough_drive(
    one: Toxicity, trough: NDArray[np.float64], beside: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Return (trough / reference)^exponent, less where PD-1 and PD-L1 are free."""
    assert one.reference_trough_mg_per_l is not None and one.trough_exponent is not None
    relative = (trough / one.reference_trough_mg_per_l) ** one.trough_exponent
    found: NDArray[np.float64] = relative * (one.alone_factor + (1.0 - one.alone_factor) * beside)
    return found
