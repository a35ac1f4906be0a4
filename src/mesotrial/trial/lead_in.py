"""Treatment before randomisation: the same people through the same visit loop, and who of them is randomised.

The lead-in is pure: what it makes of a patient depends on his or her number alone, so it is done once to find who is randomised and again, for those, where
their part of the trial begins. What a person is (geometry of the tumour, proneness to side effects, marrow) stays; what chance brings is drawn anew after
randomisation. Hazards have no memory, so that starting them afresh at randomisation is the same as going on with them. The selection of those expected to
live for months (`hazards.entry_selection`) works twice: chemotherapy, like a trial, is given to people who are expected to live to have it, and
randomisation is a second judgement of the same kind.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.population import Cohort
from mesotrial.trial.model import settled
from mesotrial.trial.plan import plan_arm
from mesotrial.trial.scanning import plan_scans
from mesotrial.trial.treat import treat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Design, LeadIn
    from mesotrial.trial.conduct import Course
    from mesotrial.trial.model import Model
    from mesotrial.trial.scanning import ScanPlan

__all__ = ["LeadInCounts", "led_in", "outcomes"]

_TRAITS = ("geometry", "proneness to toxicity", "marrow")
_LAST_SCAN_DAYS = 28.0  # a scan planned in the last four weeks is the one at the end
RANDOMISED, _DIED, _PROGRESSED, _CAME_OFF, _FAILED = range(5)


@dataclass(frozen=True)
class LeadInCounts:
    """What became of those who began the lead-in, up to the last who was randomised; each is counted once.

    `fit` met what the design requires: all of them are randomised but those whose turn came when their arm was full.
    """

    fit: int
    died: int
    progressed: int
    came_off: int
    failed: int

    @property
    def began(self) -> int:
        """All of them."""
        return self.fit + self.died + self.progressed + self.came_off + self.failed

    @classmethod
    def of(cls, outcome: NDArray[np.int64]) -> LeadInCounts:
        """Count outcomes as `outcomes` gives them."""
        return cls(*np.bincount(outcome, minlength=5).tolist())

    def to_dict(self) -> dict[str, float]:
        """Return plain values, with `share_fit`."""
        return {"began": self.began, **vars(self), "share_fit": self.fit / self.began}


def led_in(design: Design, model: Model, cohort: Cohort) -> Course | None:
    """Take people through the lead-in of a design, days counting from its start; None where there is none."""
    lead_in = design.lead_in
    if lead_in is None:
        return None
    from mesotrial.catalogue import Arm

    earlier = _Earlier(**{field.name: getattr(cohort, field.name) for field in fields(cohort)})
    arm = Arm("lead-in", "Lead-in", len(cohort), lead_in.regimens, lead_in.one_of)
    plan = plan_arm(arm, earlier, lead_in.days)
    never = np.full(len(cohort), np.inf)
    state = settled(design, model, earlier, plan)
    return treat(
        design, model, earlier, state, plan, _scans(design, lead_in, cohort, earlier), cut_day=never, lost_day=never
    )


def outcomes(lead_in: LeadIn, course: Course) -> NDArray[np.int64]:
    """Return what became of each person, as the place of a field in `LeadInCounts`; shape (n_patients,)."""
    strict = lead_in.require == "completed"
    found = np.where(strict & (course.stopped == "TOXICITY"), _CAME_OFF, RANDOMISED)
    found[~np.isnan(course.progression_day) & (lead_in.require != "none")] = _PROGRESSED
    found[~np.isnan(course.death_day)] = _DIED
    found[course.code != 0] = _FAILED
    return found


class _Earlier(Cohort):
    """The same people before the trial: their traits are what they are, their luck has draws of its own."""

    def uniforms(self, purpose: str, count: int) -> NDArray[np.float64]:
        return super().uniforms(_own(purpose), count)

    def normals(self, purpose: str, count: int) -> NDArray[np.float64]:
        return super().normals(_own(purpose), count)


def _own(purpose: str) -> str:
    return purpose if purpose in _TRAITS else f"lead-in/{purpose}"


def _scans(design: Design, lead_in: LeadIn, cohort: Cohort, earlier: Cohort) -> ScanPlan:
    """Return the design's scans within the lead-in, and one at its end that nobody misses: the baseline scan, read once for both."""
    during = plan_scans(replace(design.scans, confirmation=False), earlier, max(lead_in.days - _LAST_SCAN_DAYS, 0.0))
    baseline = cohort.readout["reading_sd"] * cohort.normals("reading", 1)[:, 0]
    last = np.full((len(cohort), 1), lead_in.days)
    return replace(
        during,
        planned_day=np.append(during.planned_day, lead_in.days),
        day=np.concatenate([during.day, last], axis=1),
        confirms=np.append(during.confirms, False),
        reading_error=np.concatenate([during.reading_error, baseline[:, None]], axis=1),
    )
