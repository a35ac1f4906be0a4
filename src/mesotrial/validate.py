"""Every trial that can be run, simulated once and scored against what was published.

One trial is in memory at a time. The result is the object of ``mesotrial validate --json`` ("mesotrial/scoreboard/1").
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mesotrial.run import RequestError

if TYPE_CHECKING:
    from mesotrial.analysis import CarryOver, Outcomes, Predictor
    from mesotrial.catalogue import Design, DigitisedCurve, PublishedResult
    from mesotrial.population import ParameterSet

__all__ = ["PATIENTS", "Role", "validate"]

PATIENTS = 2000  # of each arm: a rate of 20 % is then known to within 0.9 points
_STEP_MONTHS, _LAST_MONTH = 1.5, 60.0
Role = Literal["calibration", "validation", "all"]
Progress = Callable[[int, int, str], None]


def validate(
    *,
    role: Role = "all",
    trials: Sequence[str] = (),
    patients_per_arm: int = PATIENTS,
    seed: int = 1,
    threads: int | None = None,
    population: str | Path = "fitted",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Simulate each design of the catalogue with scored published results once, and return the scoreboard.

    `trials` limits it to those (any of their names), `role` to the rows of that role; `population` is ``fitted``, ``typical`` or the folder of a
    calibration. `progress` is called with
    (patients done, patients in all, what is being done). The object has `schema`, `roles` (scores of each, overall and
    by family, the carry-over baseline and the skill beside them), `rows` (one a scored published result; those without
    a prediction say why in `not_predicted`), `not_predicted` (the same by trial and arm), `trials` (what was simulated,
    with the result codes of its patients, the simulated survival `curves` of each arm with their distance from digitised ones, and the `shape` of its tumour
    courses), `seed`, `patients_per_arm`, and the versions of the `population` and the program. Equal arguments give equal scores, whatever
    `threads` is.

    Raises:
        RequestError: no scored row is asked for, or patients, seed, role or population that cannot be.
        UnknownNameError: no trial has a name of `trials`.
    """
    from mesotrial.analysis import CarryOver
    from mesotrial.analysis.scoreboard import SCHEMA, roles_of, scored_row, unpredicted
    from mesotrial.catalogue import published_results

    roles = _roles(role)
    _check(patients_per_arm, seed, threads)
    parameters = _parameters(population)
    published = published_results()
    asked = _asked(published, roles, trials)
    designs = dict(_designs({result.trial for result in asked}))
    carry_over = CarryOver(published)
    report = _Counter(progress, sum(len(design.arms) for design in designs.values()) * patients_per_arm)
    rows: list[dict[str, Any]] = []
    simulated: list[dict[str, Any]] = []
    for trial in dict.fromkeys(result.trial for result in asked):
        mine = [result for result in asked if result.trial == trial]
        if (design := designs.get(trial)) is None:
            rows += [scored_row(result, carry_over, None, "the trial has no design that can be run") for result in mine]
            continue
        found, about = _simulated(design, mine, carry_over, parameters, patients_per_arm, seed, threads, report)
        rows += found
        simulated.append(about)
    return {
        "schema": SCHEMA,
        "seed": seed,
        "patients_per_arm": patients_per_arm,
        "population": parameters[0].version,
        "version": version("mesotrial"),
        "roles": roles_of(rows, roles),
        "not_predicted": unpredicted(rows),
        "trials": simulated,
        "rows": rows,
    }


def _roles(role: str) -> tuple[str, ...]:
    known = ("calibration", "validation")
    if role not in (*known, "all"):
        raise RequestError(f"no role is called {role!r}; known: calibration, validation, all")
    return known if role == "all" else (role,)


def _check(patients_per_arm: int, seed: int, threads: int | None) -> None:
    if patients_per_arm < 1:
        raise RequestError(f"patients per arm must be at least 1, not {patients_per_arm}")
    if threads is not None and threads < 1:
        raise RequestError(f"threads must be at least 1, not {threads}")
    if not 0 <= seed < 2**63:
        raise RequestError(f"the seed must be a whole number from 0 to 2^63 - 1, not {seed}")


def _parameters(population: str | Path) -> Sequence[ParameterSet]:
    from mesotrial.population import load_ensemble

    try:
        return load_ensemble(population)
    except ValueError as error:
        raise RequestError(str(error)) from None


def _asked(
    published: Iterable[PublishedResult], roles: Sequence[str], trials: Sequence[str]
) -> tuple[PublishedResult, ...]:
    from mesotrial.catalogue import published_results

    wanted = {row.trial for name in trials for row in published_results(name)}
    asked = tuple(
        row for row in published if row.scored and row.se and row.role in roles and (not trials or row.trial in wanted)
    )
    if not asked:
        of = f" of {', '.join(trials)}" if trials else ""
        raise RequestError(f"no published result{of} with the role {' or '.join(roles)} is scored")
    return asked


def _designs(trials: set[str]) -> Iterator[tuple[str, Design]]:
    """Yield the first design of the catalogue for each of `trials` that has one."""
    from mesotrial.catalogue import entries, load_design

    for entry in entries("trial"):
        if entry.runnable:
            design = load_design(entry.key)
            if design.evidence_trial in trials:
                trials = trials - {design.evidence_trial}
                yield design.evidence_trial, design


def _simulated(
    design: Design,
    results: Sequence[PublishedResult],
    carry_over: CarryOver,
    parameters: Sequence[ParameterSet],
    patients_per_arm: int,
    seed: int,
    threads: int | None,
    report: _Counter,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the scored rows of a design's trial, and what its simulation was."""
    from mesotrial.analysis import Outcomes, Predictor, tumour_shape
    from mesotrial.analysis.scoreboard import scored_row
    from mesotrial.catalogue import CatalogueError, digitised_curves
    from mesotrial.engine import ModelError
    from mesotrial.trial import simulate_trial

    began = time.perf_counter()
    refused, counts, curves, shapes, lead_in = "", {}, [], {}, None
    predictor: Predictor | None = None
    try:
        trial = simulate_trial(
            design,
            patients_per_arm=patients_per_arm,
            seed=seed,
            threads=threads,
            parameters=parameters,
            progress=report.of(design),
        )
    except (CatalogueError, ModelError) as error:
        refused = f"its design cannot be run: {error}".splitlines()[0]
    else:
        outcomes = Outcomes(trial.bank)
        predictor = Predictor(outcomes, seed, {arm.name: arm.n for arm in design.arms})
        counts, lead_in = dict(trial.status_counts), trial.lead_in
        published = {name: digitised_curves(design.evidence_trial, name) for name in ("PFS", "OS")}
        curves = [
            _curve(outcomes, name, arm.name, drawn.get(arm.name))
            for arm in design.arms
            for name, drawn in published.items()
        ]
        shapes = {arm.name: tumour_shape(trial.bank["adtr"], arm.name) for arm in design.arms}
    report.finish(len(design.arms) * patients_per_arm)
    arms = {arm.name for arm in design.arms}
    rows = []
    for result in results:
        missing = [name for name in (result.arm, result.comparator) if name and name not in arms]
        why = refused or (f"the design {design.name} has no arm {missing[0]}" if missing else "")
        rows.append(scored_row(result, carry_over, None if why else predictor, why))
    return rows, {
        "trial": design.evidence_trial,
        "design": design.name,
        "arms": len(design.arms),
        "status_counts": counts,
        "lead_in": None if lead_in is None else lead_in.to_dict(),
        "curves": curves,
        "shape": shapes,
        "seconds": time.perf_counter() - began,
    }


def _curve(outcomes: Outcomes, parameter: str, arm: str, published: DigitisedCurve | None) -> dict[str, Any]:
    """Return the share of an arm without the event at steps of `_STEP_MONTHS`, as far as anybody is followed.

    Where there is a digitised curve of the arm, `published` has the distance from it: see `analysis.curve_distance`.
    """
    from mesotrial.analysis import curve_distance, kaplan_meier

    patients = outcomes.survival(parameter, arm)
    end = float(patients.months.max()) if patients.months.size else 0.0
    fitted = kaplan_meier(patients.months, patients.event)
    months = [_STEP_MONTHS * step for step in range(int(min(end, _LAST_MONTH) / _STEP_MONTHS) + 1)]
    shares = [round(fitted.at(month)[0], 4) for month in months]
    found: dict[str, Any] = {"arm": arm, "parameter": parameter, "months": months, "share": shares, "published": None}
    if published is not None and end:
        found["published"] = asdict(curve_distance(fitted, kaplan_meier(published.months, published.event)))
    return found


class _Counter:
    """Progress over several trials as one: patients done so far, of all."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress or (lambda done, total, message: None)
        self._total = total
        self._before = 0

    def of(self, design: Design) -> Progress:
        """Return what one trial reports to."""
        return lambda done, total, message: self._progress(self._before + done, self._total, design.name)

    def finish(self, patients: int) -> None:
        """End a trial of so many patients."""
        self._before += patients
