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

__all__ = ["SIZE_NEAR", "check_people", "outside_of", "people_like"]

SIZE_NEAR = 0.10  # a tumour is as large as said within a tenth: two readers of one scan differ by as much
_BLOCK = 5_000  # candidates in memory at a time, some 10 MB
_SAMPLE = 20_000  # the first candidates, which say whether there are enough such people: a share of 1 in 200 to within a tenth
_RAREST = 1 / 200  # share of candidates that fit, below which nobody is looked for
_MOST_TRIED = 5_000_000  # candidates, more than which are not drawn
_USUAL = (2.5, 97.5)  # percentiles of the tumour's size between which nobody is unusual


def people_like(
    person: Person, population: Population, parameters: Sequence[ParameterSet], drugs: Any, *, seed: int, wanted: int
) -> tuple[Cohort, tuple[str, ...]]:
    """Draw `wanted` people like `person`, and say what about them is unusual in the population.

    Measured values are conditioned on; those of another ECOG or PD-L1 group, or with a tumour of another size, are passed over. Candidates are drawn in
    blocks, of which the numbers of those who fit are kept. Who is drawn does not depend on how many are tried.

    Raises:
        RequestError: hardly anybody in the population is like this, or so many people like this take too many candidates.
    """
    from mesotrial.population import draw_cohort

    kept, strange = _first(person, population, parameters, seed, wanted)
    start = _SAMPLE
    while len(kept) < wanted:
        if start >= _MOST_TRIED:
            raise _too_many(person, wanted)
        numbers = np.arange(start, start + _BLOCK)
        kept = np.concatenate([kept, numbers[_fitting(person, population, parameters, seed, numbers)[0]]])
        start += _BLOCK
    cohort = draw_cohort(
        population,
        parameters,
        drugs,
        line=person.line,
        seed=seed,
        replicate=0,
        numbers=kept[:wanted],
        given=person.continuous,
    )
    return cohort, strange


def check_people(
    person: Person, population: Population, parameters: Sequence[ParameterSet], *, seed: int, wanted: int
) -> None:
    """Find out from at most 20,000 candidates whether `people_like` can draw so many people; raises as that does."""
    _first(person, population, parameters, seed, wanted)


def _first(
    person: Person, population: Population, parameters: Sequence[ParameterSet], seed: int, wanted: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the numbers of those who fit among the first candidates, and what is unusual; refuse where they are too few."""
    if person.tumour_mm is None and not _groups(person):
        return np.arange(wanted), ()
    kept: list[NDArray[np.int64]] = []
    sizes: list[NDArray[np.float64]] = []
    for start in range(0, _SAMPLE, _BLOCK):
        numbers = np.arange(start, start + _BLOCK)
        fits, measured = _fitting(person, population, parameters, seed, numbers)
        kept.append(numbers[fits])
        sizes.append(measured)
        if person.tumour_mm is None and sum(map(len, kept)) >= wanted:
            break  # what is unusual in a tumour's size is asked of the whole sample
    found = np.concatenate(kept)
    if len(found) < wanted:
        share = len(found) / _SAMPLE
        if share < _RAREST:
            raise RequestError(
                f"hardly anyone in the trial's population is like this person ({person.text}); leave out one of the traits"
            )
        if wanted / share > _MOST_TRIED:
            raise _too_many(person, wanted)
    strange = () if person.tumour_mm is None else _unusual(person.tumour_mm, np.concatenate(sizes))
    return found, strange


def _fitting(
    person: Person,
    population: Population,
    parameters: Sequence[ParameterSet],
    seed: int,
    numbers: NDArray[np.int64],
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Say which candidates fit, and how large the tumours of those are, in mm, who fit in all but its size (none where no size is asked for)."""
    from mesotrial.population import draw_cohort

    cohort = draw_cohort(
        population, parameters, (), line=person.line, seed=seed, replicate=0, numbers=numbers, given=person.continuous
    )
    fits = np.ones(len(cohort), dtype=bool)
    for name, value in _groups(person).items():
        fits &= cohort.covariates[name] == value
    if person.tumour_mm is None:
        return fits, np.empty(0)
    sizes = _sizes_mm(cohort)
    return fits & (np.abs(np.log(sizes / person.tumour_mm)) <= np.log1p(SIZE_NEAR)), sizes[fits]


def _groups(person: Person) -> dict[str, float]:
    return {name: value for name, value in person.groups.items() if name in ("ecog_ge1", "pdl1_ge1")}


def _too_many(person: Person, wanted: int) -> RequestError:
    return RequestError(
        f"{wanted:,} people like this person ({person.text}) take more than {_MOST_TRIED:,} draws from the trial's population; "
        "ask for fewer people, or leave out one of the traits"
    )


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
