"""People like a person: drawn from a trial's population, and kept where they fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mesotrial.run import RequestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Continuous, Design, Population
    from mesotrial.comparison.patient import Person
    from mesotrial.population import Cohort, ParameterSet

__all__ = ["SIZE_NEAR", "outside_of", "people_like"]

SIZE_NEAR = 0.10  # a tumour is as large as said within a tenth: two readers of one scan differ by as much
_RATIO_TRIED = 200  # candidates drawn for each person wanted, before giving up
_DRAWN_FIRST = 4  # candidates for each person wanted, at the first try
_USUAL = (2.5, 97.5)  # percentiles of the tumour's size between which nobody is unusual


def people_like(
    person: Person, population: Population, parameters: Sequence[ParameterSet], drugs: Any, *, seed: int, wanted: int
) -> tuple[Cohort, tuple[str, ...]]:
    """Draw `wanted` people like `person`, and say what about them is unusual in the population.

    Measured values are conditioned on; those of another ECOG or PD-L1 group, or with a tumour of another size, are passed over. Who is drawn does not depend
    on how many are tried.

    Raises:
        RequestError: hardly anybody in the population is like this.
    """
    from mesotrial.population import draw_cohort

    groups = {name: value for name, value in person.groups.items() if name in ("ecog_ge1", "pdl1_ge1")}
    tried = wanted if not groups and person.tumour_mm is None else _DRAWN_FIRST * wanted
    while True:
        numbers = np.arange(min(tried, _RATIO_TRIED * wanted))
        given = person.continuous
        cohort = draw_cohort(
            population, parameters, drugs, line=person.line, seed=seed, replicate=0, numbers=numbers, given=given
        )
        fits = np.ones(len(cohort), dtype=bool)
        for name, value in groups.items():
            fits &= cohort.covariates[name] == value
        strange: tuple[str, ...] = ()
        if person.tumour_mm is not None:
            sizes = _sizes_mm(cohort)
            strange = _unusual(person.tumour_mm, sizes[fits])
            fits &= np.abs(np.log(sizes / person.tumour_mm)) <= np.log1p(SIZE_NEAR)
        rows = np.flatnonzero(fits)[:wanted]
        if len(rows) == wanted:
            return cohort.take(rows), strange
        if tried >= _RATIO_TRIED * wanted:
            raise RequestError(
                f"hardly anyone in the trial's population is like this person ({person.text}); leave out one of the traits"
            )
        tried *= 4


def _sizes_mm(cohort: Cohort) -> NDArray[np.float64]:
    """Return what a reader without error measures on each person's first scan, the sum in mm."""
    from mesotrial.trial.recist import measured_sum_mm
    from mesotrial.trial.scanning import geometry_of

    return measured_sum_mm(cohort.inputs["initial_volume"], geometry_of(cohort), np.zeros(len(cohort)))


def _unusual(wanted_mm: float, sizes_mm: NDArray[np.float64]) -> tuple[str, ...]:
    low, high = np.percentile(sizes_mm, _USUAL) if len(sizes_mm) else (0.0, 0.0)
    if low <= wanted_mm <= high:
        return ()
    return (
        f"a tumour of {wanted_mm:g} mm is unusual: 95 of 100 such people have between {low:.0f} and {high:.0f} mm in the model",
    )


def outside_of(person: Person, base: Design) -> tuple[str, ...]:
    """Name measured values beyond those of the trial's population."""
    found = []
    for name, value in person.continuous.items():
        spec: Continuous = getattr(base.population, name)
        if not spec.low <= value <= spec.high:
            words = name.partition("_")[0]
            found.append(
                f"{words} {value:g} lies outside the population of {base.title.split(':')[0]} ({spec.low:g} to {spec.high:g})"
            )
    return tuple(found)
