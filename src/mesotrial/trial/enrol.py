"""Who is randomised to which arm: the first of an endless list of people, without those whom the lead-in leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.catalogue import CatalogueError
from mesotrial.catalogue.design import STRATA
from mesotrial.trial.lead_in import RANDOMISED, LeadInCounts, led_in, outcomes
from mesotrial.trial.model import draw, translation_inputs
from mesotrial.trial.parts import CHUNK
from mesotrial.trial.randomise import NOT_RANDOMISED, randomise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Design
    from mesotrial.population import Cohort, ParameterSet
    from mesotrial.trial.model import Level, Model

__all__ = ["enrol"]

_MOST_TRIED, _LEAST_SHARE = 20_000, 0.05


def enrol(
    design: Design,
    model: Model,
    parameters: Sequence[ParameterSet],
    sizes: Sequence[int],
    *,
    seed: int,
    replicate: int,
    level: Level = "middle",
) -> tuple[list[NDArray[np.int64]], LeadInCounts | None]:
    """Return the numbers of each arm's patients, and what became of those who began the lead-in where there is one.

    Memory does not grow with what a patient carries. A number is a person for good: who is not randomised leaves a gap, and others keep their draws.

    Raises `CatalogueError` where hardly anybody is randomised: fewer than 5 % of 20,000.
    """
    people = _People(design, model, parameters, seed, replicate, level)
    ratio = design.randomisation.ratio if len(set(sizes)) > 1 else [1] * len(sizes)
    arms = randomise(people.strata, sizes, ratio, design.randomisation.block, seed, replicate)
    if design.lead_in is None:
        return arms, None
    last = max(int(numbers[-1]) for numbers in arms)
    return arms, LeadInCounts.of(np.concatenate(people.outcomes)[: last + 1])


class _People:
    """The people who present themselves, in the order of their numbers."""

    def __init__(
        self,
        design: Design,
        model: Model,
        parameters: Sequence[ParameterSet],
        seed: int,
        replicate: int,
        level: Level,
    ) -> None:
        self._design, self._model, self._parameters = design, model, parameters
        self._seed, self._replicate, self._level = seed, replicate, level
        self.outcomes: list[NDArray[np.int64]] = []  # of the lead-in, for all numbers so far

    def strata(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the stratum of each of `numbers`, negative for those who are not randomised."""
        design, stratum = self._design, np.zeros(len(numbers), dtype=np.int64)
        if not design.randomisation.strata and design.lead_in is None:
            return stratum
        for start in range(0, len(numbers), CHUNK):
            mine = slice(start, start + CHUNK)
            cohort = draw(
                design, self._model.drugs, self._parameters,
                seed=self._seed, replicate=self._replicate, numbers=numbers[mine],
            )  # fmt: skip
            for name in design.randomisation.strata:
                stratum[mine] = 2 * stratum[mine] + cohort.covariates[STRATA[name]].astype(np.int64)
            if design.lead_in is not None:
                stratum[mine][self._lead_in(cohort) != RANDOMISED] = NOT_RANDOMISED
        return stratum

    def _lead_in(self, cohort: Cohort) -> NDArray[np.int64]:
        """Take people through the lead-in and return what became of them."""
        inputs = {**cohort.inputs, **translation_inputs(self._model, len(cohort), self._level)}
        course = led_in(self._design, self._model, replace(cohort, inputs=inputs))
        assert course is not None and self._design.lead_in is not None
        self.outcomes.append(outcomes(self._design.lead_in, course))
        tried = np.concatenate(self.outcomes)
        fit = int((tried == RANDOMISED).sum())
        if len(tried) >= _MOST_TRIED and fit < _LEAST_SHARE * len(tried):
            message = f"{self._design.name}: lead_in: of the first {len(tried):,} people only {fit} could be randomised"
            raise CatalogueError(
                f"{message}; make `lead_in.weeks` shorter, change its regimens, or ask for less by `lead_in.require`"
            )
        return self.outcomes[-1]
