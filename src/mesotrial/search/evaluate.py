"""One candidate after another on the same virtual patients: common random numbers, so that differences are the candidates'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.catalogue import CatalogueError, Design, SearchSpace
from mesotrial.search.objectives import Objective, Patients, patients_of

if TYPE_CHECKING:
    from mesotrial.catalogue import Arm
    from mesotrial.population import ParameterSet
    from mesotrial.trial import Model

__all__ = ["Evaluator", "Score", "union_design", "unknown_of"]

_BANK = 1  # the group of patients that a run uses for its intervals
Choice = Mapping[str, float | int | str]


@dataclass(frozen=True)
class Score:
    """The benefit of a candidate and its cost, at the number of patients simulated."""

    benefit: float
    cost: float


class Evaluator:
    """Scores candidates; keeps the outcomes of arms that do not vary."""

    def __init__(
        self,
        space: SearchSpace,
        aim: Objective,
        *,
        arm: int,
        control: int | None,
        model: Model,
        parameters: Sequence[ParameterSet],
        patients: int,
        seed: int,
    ) -> None:
        """Prepare; `arm` is the place of the arm that is judged, `control` that of the arm it is compared with."""
        self.space, self.aim, self.arm, self.control = space, aim, arm, control
        self.model, self.parameters, self.size, self.seed = model, parameters, patients, seed
        self._kept: dict[tuple[object, ...], Patients] = {}

    def score(self, choice: Choice) -> Score:
        """Simulate a candidate; raises `CatalogueError` where the choice makes no design, or one whose outcome nobody knows."""
        design = self.space.fill(choice)
        if unknown := unknown_of(design, self.arm, self.control):
            raise CatalogueError(unknown)
        return self.score_of(*self.outcomes(design))

    def outcomes(self, design: Design) -> tuple[Patients, Patients | None, tuple[int, int]]:
        """Return what became of the patients of the judged arm and of the control, and the planned sizes of both."""
        sizes = (design.arms[self.arm].n, 0 if self.control is None else design.arms[self.control].n)
        control = None if self.control is None else self.simulated(design, self.control)
        return self.simulated(design, self.arm), control, sizes

    def score_of(self, patients: Patients, control: Patients | None, sizes: tuple[int, int]) -> Score:
        """Return benefit and cost of outcomes."""
        return Score(self.aim.benefit(patients, control, sizes), self.aim.cost(patients, sizes))

    def simulated(self, design: Design, place: int) -> Patients:
        """Take the patients through one arm; the number planned for the arm changes nothing."""
        arm: Arm = replace(design.arms[place], n=1)
        key = (
            arm,
            repr(design.population),
            design.line,
            design.lead_in,
            design.scans,
            design.censoring,
            design.accrual_months,
            () if design.analysis is None else design.analysis.accrual,
            design.follow_up_months,
        )
        if key not in self._kept:
            if len(self._kept) > 64:
                self._kept.clear()
            self._kept[key] = self._simulate(design, place)
        return self._kept[key]

    def _simulate(self, design: Design, place: int) -> Patients:
        from mesotrial.population import draw_cohort
        from mesotrial.trial.enrol import enrol
        from mesotrial.trial.records import join_tables
        from mesotrial.trial.simulate import CHUNK, entry_months, simulate_chunk

        parts, draws, numbers = [], [], np.arange(self.size)
        if design.lead_in is not None:
            (numbers,), _ = enrol(design, self.model, self.parameters, (self.size,), seed=self.seed, replicate=_BANK)
        for start in range(0, self.size, CHUNK):
            cohort = draw_cohort(
                design.population,
                self.parameters,
                self.model.drugs,
                line=design.line,
                seed=self.seed,
                replicate=_BANK,
                numbers=numbers[start : start + CHUNK],
            )
            # power depends on how long patients are followed; other objectives look at everybody from the first day on
            shares = cohort.uniforms("enrolment", 1)[:, 0]
            enrolment = entry_months(design, shares) if self.aim.needs_control else np.zeros(len(cohort))
            parts.append(simulate_chunk(design, place, cohort, enrolment, self.model, traced=0))
            draws.append(cohort.draw)
        return patients_of(join_tables(parts), np.concatenate(draws))


def unknown_of(design: Design, *arms: int | None) -> str:
    """Say that nobody knows the outcome of one of the arms at these places, because an exploratory drug is given there; empty where all are known."""
    from mesotrial.trial import exploratory_arms

    open_arms = [design.arms[place].name for place in exploratory_arms(design) if place in arms]
    return (
        f"no trial has shown what is given in {' and '.join(open_arms)}: its benefit is not known" if open_arms else ""
    )


def union_design(space: SearchSpace) -> Design:
    """Return a design that holds every drug of every candidate: the model of it serves them all."""
    first = space.fill(space.default)
    arms = list(first.arms)
    for variable in space.variables:
        for value in variable.values if isinstance(variable.values[0], str) else ():
            try:
                arms += space.fill({variable.name: value}).arms
            except CatalogueError:
                continue
    return replace(first, arms=tuple(arms))
