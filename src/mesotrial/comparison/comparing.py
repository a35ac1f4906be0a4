"""The same virtual people through each of several treatments."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mesotrial.comparison.nearest import Nearest, nearest_arm, nearest_design
from mesotrial.comparison.outcomes import (
    CURVE_MONTHS,
    Band,
    Difference,
    DifferenceBand,
    Outcome,
    bands_of,
    curve_bands_of,
    difference_bands_of,
    differences_of,
    had_outcomes,
    outcomes_of,
)
from mesotrial.comparison.patient import Person, person_from_text
from mesotrial.comparison.people import check_people, outside_of, people_like
from mesotrial.run import RequestError

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.catalogue import Design, Therapy
    from mesotrial.comparison.outcomes import Had
    from mesotrial.population import ParameterSet
    from mesotrial.trial.simulate import Level

__all__ = ["PEOPLE", "SCHEMA", "Comparison", "Option", "check_comparison", "compare"]

SCHEMA = "mesotrial/comparison/1"
PEOPLE = 1000  # an outcome of 40 in 100 is then known to within 1.5 in 100
_FOLLOW_UP_MONTHS = 40.0  # the third year and one more scan
_MOST_OPTIONS, _MOST_PEOPLE = 6, 100_000
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Option:
    """One treatment: what is given, what was published nearest to it, and what the model finds.

    ``curves`` holds OS and PFS, the share of people at each of `CURVE_MONTHS`. ``exploratory`` names the drugs without evidence of benefit in people with
    mesothelioma: outcomes are then not known, `outcomes` and `curves` are empty, and ``bands`` and ``curve_bands`` (lower edge, upper edge) say between what
    they lie over the whole range of the human-translation factor.
    """

    therapy: Therapy
    exploratory: tuple[str, ...]
    nearest: Nearest | None
    extrapolation: tuple[str, ...]
    outcomes: tuple[Outcome, ...] = ()
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    bands: tuple[Band, ...] = ()
    curve_bands: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """What `compare` found; ``people`` virtual patients went through every option.

    ``failed`` counts people left out because their simulation failed with some option; ``population`` is the design whose patients they were drawn like.
    ``differences`` are between options whose outcomes are known, ``difference_bands`` where those of one or both are not.
    """

    person: Person
    population: str
    people: int
    seed: int
    posterior_draws: int
    failed: int
    extrapolation: tuple[str, ...]
    options: tuple[Option, ...]
    differences: tuple[Difference, ...]
    difference_bands: tuple[DifferenceBand, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``mesotrial compare --json``: plain values only, fractions for rates."""
        from mesotrial.comparison.plain import comparison_dict

        return comparison_dict(self)

    def picture(self, path: str | Path) -> Path:
        """Draw the comparison to `path`, an .svg or .png file, and return the path.

        Raises `RequestError` for another ending, or a folder that is not there.
        """
        from mesotrial.comparison.picture import write_picture

        return write_picture(self, Path(path))


def compare(
    *therapies: str,
    patient: str,
    people: int = PEOPLE,
    seed: int = 1,
    threads: int | None = None,
    parameters: Sequence[ParameterSet] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Take the same virtual people through each of `therapies`.

    A therapy is written as names of drugs joined by + (``nivolumab + ipilimumab``: dose and schedule as labels and trials give them) or as full regimens;
    `patient` as ``age 70, male, epithelioid, ECOG 1, PD-L1 5%, first line``. What the text leaves open is drawn as in the trial nearest to the options.
    Each parameter set (by default `load_ensemble`: draws of the posterior) serves an equal part of the people, and intervals hold their spread.
    `progress` is called with (done, total, message).

    Raises:
        RequestError: a person, a number of people or a set of therapies that cannot be.
        CatalogueError: a therapy that cannot be read or simulated.
    """
    from mesotrial.catalogue import therapy_from_text
    from mesotrial.population import load_ensemble
    from mesotrial.trial import build_model, simulate_paired

    person = person_from_text(patient)
    options = tuple(_option(therapy_from_text(text), person) for text in therapies)
    sets = tuple(parameters or load_ensemble())
    _check(options, people, seed, threads, len(sets))
    base = nearest_design([option.therapy.drugs for option in options], person.line)
    design = _design(base, person, options)
    report = progress or (lambda done, total, message: None)
    passes = _passes(options)
    report(0, people * len(passes), "Compiling the model")
    model = build_model(design, sets, threads=threads)
    cohort, strange = people_like(person, design.population, sets, model.drugs, seed=seed, wanted=people)
    tables = simulate_paired(design, cohort, model=model, passes=passes, progress=report)
    sound = _sound(tables)
    everyone: list[list[Had]] = [[] for _ in options]
    for (place, _), found in zip(passes, tables, strict=True):
        everyone[place].append(had_outcomes(found, sound))
    blocks = cohort.draw[sound]
    named = [(option.therapy.text, levels) for option, levels in zip(options, everyone, strict=True)]
    known = [(name, levels[0]) for name, levels in named if len(levels) == 1]
    pairs = [pair for pair in itertools.combinations(named, 2) if any(len(levels) > 1 for _, levels in pair)]
    return Comparison(
        person,
        base.name,
        people,
        seed,
        len(sets) if len(sets) > 1 else 0,
        int((~sound).sum()),
        (*person.extrapolation, *outside_of(person, base), *strange),
        tuple(replace(option, **_results(levels, blocks)) for option, levels in zip(options, everyone, strict=True)),
        differences_of(known, blocks),
        tuple(band for pair in pairs for band in difference_bands_of(*pair, blocks)),
    )


def check_comparison(*therapies: str, patient: str, people: int = PEOPLE, seed: int = 1) -> None:
    """Find out whether `compare` could do this, without simulating: some tenths of a second, whatever the number of people.

    Raises:
        RequestError: a person, a number of people or a set of therapies that cannot be.
        CatalogueError: a therapy that cannot be read.
    """
    from mesotrial.catalogue import therapy_from_text
    from mesotrial.population import load_ensemble

    person = person_from_text(patient)
    options = tuple(_option(therapy_from_text(text), person) for text in therapies)
    sets = tuple(load_ensemble())
    _check(options, people, seed, None, len(sets))
    base = nearest_design([option.therapy.drugs for option in options], person.line)
    check_people(person, _design(base, person, options).population, sets, seed=seed, wanted=people)


def _passes(options: Sequence[Option]) -> list[tuple[int, Level]]:
    """Return what to simulate: each option once, or where nobody knows what it does, at every level of what is not known."""
    levels: tuple[Level, ...] = ("low", "middle", "high")
    return [
        (place, level)
        for place, option in enumerate(options)
        for level in (levels if option.exploratory else levels[1:2])
    ]


def _results(levels: Sequence[Had], blocks: Any) -> dict[str, Any]:
    if len(levels) > 1:
        return {"bands": bands_of(levels, blocks), "curve_bands": curve_bands_of(levels, blocks)}
    (found,) = levels
    curves = {
        name: tuple(float((~(found[name, None] <= month)).mean()) for month in CURVE_MONTHS) for name in ("OS", "PFS")
    }
    return {"outcomes": outcomes_of(found, blocks), "curves": curves}


def _option(therapy: Therapy, person: Person) -> Option:
    from mesotrial.catalogue import load_drug

    exploratory = tuple(name for name in therapy.drugs if load_drug(name).exploratory)
    nearest = nearest_arm(therapy.drugs, person)
    outside: tuple[str, ...]
    if nearest is None:
        outside = ("no trial of this or a like treatment is in the catalogue",)
    elif nearest.same_drugs and nearest.same_line:
        outside = ()
    else:
        outside = (f"nearest trial: {nearest.trial}, {nearest.label}: {nearest.words}",)
    return Option(therapy, exploratory, nearest, outside)


def _check(options: Sequence[Option], people: int, seed: int, threads: int | None, draws: int) -> None:
    if not 1 <= len(options) <= _MOST_OPTIONS:
        raise RequestError(f"give 1 to {_MOST_OPTIONS} treatments to compare, not {len(options)}")
    seen: dict[tuple[str, ...], str] = {}
    for option in options:
        key = (*sorted(regimen.text for regimen in option.therapy.regimens), str(option.therapy.max_treatment_days))
        if key in seen:
            raise RequestError(f"{option.therapy.text!r} is the same treatment as {seen[key]!r}; give each once")
        seen[key] = option.therapy.text
    if not max(1, draws) <= people <= _MOST_PEOPLE:
        raise RequestError(f"the number of people must be from {max(1, draws)} to {_MOST_PEOPLE:,}, not {people}")
    if not 0 <= seed < 2**63:
        raise RequestError(f"the seed must be a whole number from 0 to 2^63 - 1, not {seed}")
    if threads is not None and threads < 1:
        raise RequestError(f"threads must be at least 1, not {threads}")


def _design(base: Design, person: Person, options: Sequence[Option]) -> Design:
    """Return the design with one arm an option: the base's scans and people, nobody lost, everybody followed for three years."""
    from mesotrial.catalogue import Arm

    people = base.population
    people = replace(
        people,
        female=person.groups.get("female", people.female),
        epithelioid=person.groups.get("epithelioid", people.epithelioid),
    )
    arms = tuple(
        Arm(
            name=option.therapy.text,
            label=option.therapy.text,
            n=1,
            regimens=option.therapy.regimens,
            max_treatment_days=option.therapy.max_treatment_days,
        )
        for option in options
    )
    return replace(
        base,
        name="comparison",
        title="Comparison",
        line=person.line,
        population=people,
        lead_in=None,
        arms=arms,
        randomisation=replace(base.randomisation, ratio=(1,) * len(arms), strata=()),
        censoring="ema",
        accrual_months=0.0,
        follow_up_months=_FOLLOW_UP_MONTHS,
        evidence_trial="",
    )


def _sound(tables: Sequence[Mapping[str, pl.DataFrame]]) -> Any:
    """Say for each person whether every option could be simulated to the end."""
    return np.all([(one["adsl"]["RCODE"] == "OK").to_numpy() for one in tables], axis=0)
