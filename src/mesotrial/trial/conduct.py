"""The visit loop: the heart of a trial.

The engine advances a batch of patients from one visit to the next; between visits this module decides what a clinic would decide. Who died, what does the
scan show, who has toxicity, who stops, who gets which dose next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.trial.hazards import background_per_day, crossing_day, entry_selection, person_risk, tumour_risk
from mesotrial.trial.journal import Journal
from mesotrial.trial.plan import DAYS_PER_WEEK
from mesotrial.trial.recist import CODES, CONFIRMATION_DAYS, Response, measured_sum_mm
from mesotrial.trial.safety import EMERGENT_DAYS, Safety
from mesotrial.trial.toxicity import FATAL_GRADE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Drug, Scans
    from mesotrial.engine import Doses, Simulator, State
    from mesotrial.population import Cohort
    from mesotrial.trial.plan import ArmPlan
    from mesotrial.trial.scanning import ScanPlan
    from mesotrial.trial.toxicity import Term, Toxicities

__all__ = ["Clinic", "Course", "conduct"]

_GRID_DAYS = 7.0
_ONE_CELL_ML = 5e-9
OBSERVABLES = ("tumour_volume", "growth_smoothed", "risk_volume", "treatment_hazard", "tumour_escape", "tumour_live")


@dataclass(frozen=True)
class Clinic:
    """What the visit loop needs to know of the protocol and of the model."""

    scans: Scans
    enters: Callable[[str, str], tuple[str, ...]]
    concentrations: dict[str, str]
    drugs: dict[str, Drug]
    traced: int
    blunts: bool = False  # whether steroids reach the model


@dataclass
class Course:
    """What happened to each patient of an arm; arrays of shape (n_patients,), days from randomisation, NaN where it did not happen.

    `state` is that of the patients still followed at the end.
    """

    plan: ArmPlan
    scan_plan: ScanPlan
    terms: tuple[Term, ...]
    baseline_volume_ml: NDArray[np.float64]
    response: Response
    end_day: NDArray[np.float64]
    lost: NDArray[np.bool_]
    death_day: NDArray[np.float64]
    symptom_day: NDArray[np.float64]
    lesion_day: NDArray[np.float64]
    last_dose_day: NDArray[np.float64]
    doses: NDArray[np.int64]
    stopped: NDArray[np.str_]
    code: NDArray[np.int64]
    second: Response
    second_start: NDArray[np.float64]
    state: State
    safety: Safety
    scans: Journal = field(
        default_factory=lambda: Journal(
            "row", "scan", "day", "sum_mm", "nadir_mm", "new_lesion", "volume_ml", "escaped", "code"
        )
    )
    dosing: Journal = field(default_factory=lambda: Journal("row", "regimen", "dose", "day"))
    events: Journal = field(
        default_factory=lambda: Journal(
            "row", "term", "grade", "onset_day", "end_day", "action", "steroids", "emergent"
        )
    )
    traces: list[tuple[str, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=list)

    @property
    def progression_day(self) -> NDArray[np.float64]:
        """First progression, at a scan or by symptoms."""
        first: NDArray[np.float64] = np.fmin(self.response.progression_day, self.symptom_day)
        return first

    @property
    def second_missed_day(self) -> NDArray[np.float64]:
        """End of the window of the second scan planned after the last clear one; infinite where none is planned."""
        plan = self.scan_plan
        closing = np.append(plan.planned_day + plan.window_days, [np.inf, np.inf])
        after = np.searchsorted(plan.planned_day, self.response.last_clear_day + plan.window_days, side="right")
        days: NDArray[np.float64] = closing[np.minimum(after + 1, len(closing) - 1)]
        return days


def conduct(
    simulator: Simulator,
    state: State,
    cohort: Cohort,
    plan: ArmPlan,
    scan_plan: ScanPlan,
    toxicities: Toxicities,
    clinic: Clinic,
    *,
    cut_day: NDArray[np.float64],
    lost_day: NDArray[np.float64],
    before: Course | None = None,
) -> Course:
    """Take the patients of one arm through the trial, visit by visit.

    `state` is the patients' state at randomisation; `cut_day` the day of each patient's data cut and `lost_day` of loss to follow-up, shape (n_patients,).
    `before` is an earlier treatment of the same patients, whose last visit was on day 0 of this one.
    """
    ends = np.minimum(cut_day, lost_day)
    visits = _Visits(simulator, state, cohort, plan, scan_plan, toxicities, clinic, ends, lost_day < cut_day, before)
    for start, end in zip(plan.visit_day[:-1], plan.visit_day[1:], strict=True):
        if not visits.anybody():
            break
        visits.step(float(start), float(end))
    return visits.finish()


class _Visits:
    """The loop's memory: who is still in the trial, and what each hazard has used up."""

    def __init__(
        self,
        simulator: Simulator,
        state: State,
        cohort: Cohort,
        plan: ArmPlan,
        scan_plan: ScanPlan,
        toxicities: Toxicities,
        clinic: Clinic,
        end_day: NDArray[np.float64],
        lost: NDArray[np.bool_],
        before: Course | None,
    ) -> None:
        n = len(cohort)
        self.simulator, self.state, self.plan, self.scans, self.toxicities, self.clinic = (
            simulator,
            state,
            plan,
            scan_plan,
            toxicities,
            clinic,
        )
        self.readout = cohort.readout
        self.rows = np.arange(n)
        self.scan_day = scan_plan.day.copy()
        self.on_treatment = np.ones(n, dtype=bool)
        self.person = person_risk(cohort.covariates, self.readout)
        self.background = background_per_day(cohort.covariates["age_years"], cohort.covariates["female"])
        self.after_progression = plan.arm.after_progression.death_hazard_factor * np.exp(
            self._after_progression_log(cohort, before)
        )
        # death, symptoms, new lesion
        self.threshold = -np.log(
            np.stack([cohort.uniforms(f"hazard of {name}", 1)[:, 0] for name in ("death", "symptoms", "new lesion")])
        )
        self.spent = np.zeros((3, n))
        now = simulator.observe(state, OBSERVABLES)
        volume, self.growth = now["tumour_volume"].copy(), now["growth_smoothed"].copy()
        self.volume = volume.copy()
        self.risk_volume, self.added_risk = now["risk_volume"].copy(), now["treatment_hazard"].copy()
        baseline = measured_sum_mm(volume, scan_plan.geometry, scan_plan.reading_error[:, 0])
        nan = np.full(n, np.nan)
        response = Response(baseline, clinic.scans.criteria, clinic.scans.confirmation)
        self.safety = Safety(cohort, plan, toxicities, clinic)
        if before is not None:
            self.safety.go_on_from(before.safety, float(before.plan.visit_day[-1]))
        self.course = Course(
            plan,
            scan_plan,
            toxicities.terms,
            volume,
            response,
            end_day.copy(),
            lost.copy(),
            death_day=nan.copy(),
            symptom_day=nan.copy(),
            lesion_day=nan.copy(),
            last_dose_day=nan.copy(),
            doses=np.zeros(n, dtype=np.int64),
            stopped=np.full(n, "ONGOING", dtype="<U16"),
            code=np.zeros(n, dtype=np.int64),
            second=Response(nan.copy(), clinic.scans.criteria, clinic.scans.confirmation),
            second_start=nan.copy(),
            state=state,
            safety=self.safety,
        )
        self.on_second = np.zeros(n, dtype=bool)
        self._trace(np.zeros(1), volume[None, : clinic.traced].T, {}, np.arange(min(clinic.traced, n)))

    def anybody(self) -> bool:
        """Say whether anybody is still followed."""
        return len(self.rows) > 0

    def step(self, start: float, end: float) -> None:
        """Give the doses due at `start`, advance to `end`, and see what happened in between."""
        course = self.course
        self._begin_second_line(start)
        doses = self._give_doses(start)
        grid = np.linspace(start, end, max(1, int(np.ceil((end - start) / _GRID_DAYS))) + 1)
        scan_day = self.scan_day[self.rows]
        due = (scan_day > start) & (scan_day <= end)
        which = np.flatnonzero(due.any(axis=0))
        save_at = np.concatenate(
            [np.broadcast_to(grid[1:], (len(self.rows), len(grid) - 1)), np.where(due, scan_day, np.nan)[:, which]],
            axis=1,
        )
        self.state = self.simulator.advance(self.state, until=end, doses=doses, save_at=save_at)
        levels = tuple(self.clinic.concentrations.values())
        seen = self.simulator.observe_saved(self.state, (*OBSERVABLES, *levels))
        on_grid = {name: values[:, : len(grid) - 1] for name, values in seen.items()}
        scan_volume, live = (seen[name][:, len(grid) - 1 :] for name in ("tumour_volume", "tumour_live"))
        escaped = np.clip(seen["tumour_escape"][:, len(grid) - 1 :] / np.maximum(live, _ONE_CELL_ML), 0.0, 1.0)

        failed = self.state.code != 0
        death, symptoms, lesion = self._clinical_events(grid, on_grid, failed)
        fatal = self._adverse_events(start, end, on_grid, np.fmin(course.end_day[self.rows], death))
        death = np.fmin(death, fatal)
        limit = np.fmin(course.end_day[self.rows], death)
        fresh = np.isnan(course.progression_day[self.rows])
        felt = fresh & (symptoms < limit)
        new = np.isnan(course.lesion_day[self.rows]) & (lesion < limit)
        course.lesion_day[self.rows[new]] = lesion[new]
        before = fresh.copy()
        for column, scan in enumerate(which):
            readable = (
                due[:, scan] & (scan_day[:, scan] < limit) & fresh & ~(felt & (symptoms < scan_day[:, scan])) & ~failed
            )
            progressed = self._read_scan(
                readable, int(scan), scan_day[:, scan], scan_volume[:, column], escaped[:, column]
            )
            later = due[:, scan] & (scan_day[:, scan] < limit) & ~before & ~failed
            self._read_second(later, int(scan), scan_day[:, scan], scan_volume[:, column])
            fresh &= ~progressed
            felt &= ~(progressed & (scan_day[:, scan] <= symptoms))
        felt_rows = self.rows[felt]
        course.symptom_day[felt_rows] = symptoms[felt]

        dead = death <= course.end_day[self.rows]
        course.death_day[self.rows[dead]] = death[dead]
        self._trace(
            grid[1:],
            on_grid["tumour_volume"],
            {drug: on_grid[name] for drug, name in self.clinic.concentrations.items()},
            self.rows,
        )
        self._stop_treatment(end, dead)
        course.code[self.rows[failed]] = self.state.code[failed]
        course.end_day[self.rows[failed]] = np.minimum(course.end_day[self.rows[failed]], self.state.time_days[failed])
        self._keep(~dead & ~failed & (course.end_day[self.rows] > end))

    def finish(self) -> Course:
        """Return what happened."""
        course = self.course
        course.end_day = np.where(np.isnan(course.death_day), course.end_day, course.death_day)
        course.lost &= np.isnan(course.death_day)
        course.state = self.state
        return course

    def _after_progression_log(self, cohort: Cohort, before: Course | None) -> NDArray[np.float64]:
        """Return the log hazard ratio of death after progression: in first line, chemotherapy follows for those who have not had it."""
        # Where the design says what follows, nothing else is assumed to.
        had = self._chemotherapy(self.plan)
        if before is not None:
            np.logical_or(had, self._chemotherapy(before.plan), out=had)
        if self.plan.arm.second_line is not None:
            had[:] = True
        first = np.where(had, self.readout["progressed_first_log"], self.readout["progressed_naive_log"])
        return np.where(cohort.covariates["first_line"] > 0, first, 0.0)

    def _chemotherapy(self, plan: ArmPlan) -> NDArray[np.bool_]:
        """Say who is given a cytotoxic drug by a plan."""
        cytotoxic = [
            any(effect.on == "cytotoxic" for effect in self.clinic.drugs[regimen.drug].effects)
            for regimen in plan.regimens
        ]
        return np.asarray(plan.given[:, cytotoxic].any(axis=1))

    def _give_doses(self, start: float) -> Doses | None:
        from mesotrial.engine import Doses

        plan, course = self.plan, self.course
        patient, amount, duration, states = [], [], [], []
        for place, regimen in enumerate(plan.regimens):
            due = self._due(place, start)
            if not due.any():
                continue
            allowed = self.safety.may_have(regimen.drug, self.rows, start)
            position = np.flatnonzero(due & plan.given[self.rows, place] & allowed)
            rows = self.rows[position]
            dose = plan.dose[rows, place]
            course.last_dose_day[rows] = start
            self.safety.dose(place, rows, start)
            course.dosing.add(row=rows, regimen=np.full(len(rows), place), dose=dose, day=np.full(len(rows), start))
            for name in self.clinic.enters(regimen.drug, regimen.route):
                patient.append(position)
                amount.append(dose)
                duration.append(np.full(len(position), regimen.infusion_minutes / 1440.0))
                states.append(np.full(len(position), name, dtype=object))
        course.doses += course.last_dose_day == start
        if self.clinic.blunts and len(position := self.safety.begun_steroids(self.rows)):
            patient.append(position)
            amount.append(np.ones(len(position)))
            duration.append(np.zeros(len(position)))
            states.append(np.full(len(position), "steroids", dtype=object))
        if not patient:
            return None
        where = np.concatenate(patient)
        return Doses(
            where, np.full(len(where), start), np.concatenate(states), np.concatenate(amount), np.concatenate(duration)
        )

    def _due(self, place: int, start: float) -> NDArray[np.bool_]:
        """Say who of `rows` is on the line of the regimen at `place` and has a dose of it due now."""
        if not self.plan.second[place]:
            return self.on_treatment[self.rows] & (start in self.plan.due[place])
        since = start - self.course.second_start[self.rows]
        return self.on_second[self.rows] & np.isin(since, sorted(self.plan.due[place]))

    def _begin_second_line(self, start: float) -> None:
        """Start the next line for those whose progression is long enough ago; their tumour now is its baseline."""
        course, line = self.course, self.plan.arm.second_line
        if line is None or start % DAYS_PER_WEEK:
            return
        rows = self.rows
        ready = self.plan.offered[rows] & np.isnan(course.second_start[rows]) & ~self.on_treatment[rows]
        rows = rows[ready & (course.progression_day[rows] + line.delay_days <= start)]
        if not len(rows):
            return
        course.second_start[rows] = self.safety.second_start[rows] = start
        self.on_second[rows] = True
        total = measured_sum_mm(self.volume[rows], self.scans.geometry[rows], self.scans.reading_error[rows, 0])
        course.second.baseline_mm[rows] = course.second.nadir_mm[rows] = total

    def _read_second(
        self, later: NDArray[np.bool_], scan: int, day: NDArray[np.float64], volume: NDArray[np.float64]
    ) -> None:
        """Read scan number `scan` of those on a second line: it ends when their tumour is a fifth larger than at its smallest since."""
        course = self.course
        here = later & (course.second_start[self.rows] < day) & np.isnan(course.second.progression_day[self.rows])
        rows = self.rows[here]
        if not len(rows):
            return
        total = measured_sum_mm(volume[here], self.scans.geometry[rows], self.scans.reading_error[rows, scan + 1])
        code = course.second.read(rows, day[here], total, np.zeros(len(rows), dtype=bool))
        self.on_second[rows[code == CODES.index("PD")]] = False

    def _clinical_events(
        self, grid: NDArray[np.float64], on_grid: dict[str, NDArray[np.float64]], failed: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the days of death, of symptomatic progression and of a new lesion, NaN where not in this interval."""
        rows = self.rows
        volume = np.concatenate([self.risk_volume[rows, None], on_grid["risk_volume"]], axis=1)
        growth = np.concatenate([self.growth[rows, None], on_grid["growth_smoothed"]], axis=1)
        added = np.concatenate([self.added_risk[rows, None], on_grid["treatment_hazard"]], axis=1)
        volume[failed], growth[failed], added[failed] = self.risk_volume[rows[failed], None], 0.0, 0.0
        readout = {name: values[rows] for name, values in self.readout.items()}
        risk = tumour_risk(volume, growth, readout)
        progressed = ~np.isnan(self.course.progression_day[rows])
        personal = self.person[rows] * np.where(progressed, self.after_progression[rows], 1.0)
        hazards = (
            (readout["death_per_day"] * personal)[:, None] * risk * entry_selection(grid, readout)
            + self.background[rows, None]
            + added,
            readout["symptoms_per_day"][:, None] * risk,
            readout["new_lesion_per_day"][:, None] * tumour_risk(volume, growth, readout, "lesion_growth_log"),
        )
        found = []
        for place, hazard in enumerate(hazards):
            day, self.spent[place, self.rows] = crossing_day(
                grid, hazard, self.spent[place, self.rows], self.threshold[place, self.rows]
            )
            found.append(np.where(failed, np.nan, day))
        self.volume[rows] = np.where(failed, self.volume[rows], on_grid["tumour_volume"][:, -1])
        self.risk_volume[rows], self.growth[rows], self.added_risk[rows] = volume[:, -1], growth[:, -1], added[:, -1]
        return found[0], found[1], found[2]

    def _read_scan(
        self,
        readable: NDArray[np.bool_],
        scan: int,
        day: NDArray[np.float64],
        volume: NDArray[np.float64],
        escaped: NDArray[np.float64],
    ) -> NDArray[np.bool_]:
        """Read scan number `scan` of the patients it is readable for; return who progressed at it, shape of `rows`."""
        course, rows = self.course, self.rows[readable]
        progressed = np.zeros(len(self.rows), dtype=bool)
        if not len(rows):
            return progressed
        total = measured_sum_mm(volume[readable], self.scans.geometry[rows], self.scans.reading_error[rows, scan + 1])
        new_lesion = course.lesion_day[rows] <= day[readable]
        nadir = course.response.nadir_mm[rows]
        code = course.response.read(rows, day[readable], total, new_lesion)
        course.scans.add(
            row=rows,
            scan=np.full(len(rows), scan + 1),
            day=day[readable],
            sum_mm=total,
            nadir_mm=nadir,
            new_lesion=new_lesion,
            volume_ml=volume[readable],
            escaped=escaped[readable],
            code=code,
        )
        if scan + 1 < len(self.scans.confirms) and self.scans.confirms[scan + 1]:
            called = course.response.unconfirmed(rows)
            self.scan_day[rows[called], scan + 1] = day[readable][called] + CONFIRMATION_DAYS
        is_pd = ~np.isnan(course.response.progression_day[rows])
        progressed[np.flatnonzero(readable)[is_pd]] = True
        return progressed

    def _adverse_events(
        self, start: float, end: float, on_grid: dict[str, NDArray[np.float64]], limit: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Note the adverse events of the interval and act on them; return the day of a fatal one (NaN: none), shape of `rows`."""
        levels = {drug: np.nan_to_num(on_grid[name][:, -1]) for drug, name in self.clinic.concentrations.items()}
        events = self.safety.interval(self.rows, start, end, levels)
        position = np.searchsorted(self.rows, events.row)
        events, position = events.of(kept := events.onset_day < limit[position]), position[kept]
        action, steroids = self.safety.act(events)
        self.course.events.add(
            row=events.row,
            term=events.term,
            grade=events.grade,
            onset_day=events.onset_day,
            end_day=events.end_day,
            action=action,
            steroids=steroids,
            emergent=events.onset_day <= self.course.last_dose_day[events.row] + EMERGENT_DAYS,
        )
        fatal = np.full(len(self.rows), np.nan)
        deadly = events.grade == FATAL_GRADE
        np.fmin.at(fatal, position[deadly], events.onset_day[deadly])
        return fatal

    def _stop_treatment(self, end: float, dead: NDArray[np.bool_]) -> None:
        """Decide who gets no further dose, and why."""
        course, rows = self.course, self.rows
        stopped, last_due = self.safety.left(rows)
        reasons = (
            ("DEATH", dead),
            ("TOXICITY", stopped),
            ("PROGRESSION", ~np.isnan(course.progression_day[rows]) & (self.plan.arm.on_progression == "stop")),
            ("DROP-OUT", course.lost[rows] & (course.end_day[rows] <= end)),
            ("RESPONSE", self._responded(rows)),
            ("COMPLETED", last_due < end),
        )
        for reason, who in reasons:
            stopping = who & self.on_treatment[rows]
            course.stopped[rows[stopping]] = reason
            self.on_treatment[rows[stopping]] = False

    def _responded(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say who of `rows` has the response at which the arm stops treatment."""
        response, wanted = self.course.response, self.plan.arm.stop_at_response
        if wanted == "never":
            return np.zeros(len(rows), dtype=bool)
        return response.best[rows] <= CODES.index(wanted)

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        """Go on with the patients who are still followed."""
        if not kept.all():
            self.rows = self.rows[kept]
            self.state = self.state.take(np.flatnonzero(kept))

    def _trace(
        self,
        day: NDArray[np.float64],
        volume: NDArray[np.float64],
        levels: dict[str, NDArray[np.float64]],
        rows: NDArray[np.int64],
    ) -> None:
        """Keep the tumour and the drug levels of the first few patients."""
        few = np.flatnonzero(rows < self.clinic.traced)
        given = {regimen.drug for regimen in self.plan.regimens}
        for name, values in (("TUMVOL", volume), *((drug, values) for drug, values in levels.items() if drug in given)):
            if len(few):
                self.course.traces.append((name, rows[few], day, values[few]))
