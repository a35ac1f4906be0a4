"""The main act: a design in, patient-level tables out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.catalogue.analysis_plan import entry_month
from mesotrial.population import ParameterSet, load_ensemble
from mesotrial.trial.enrol import enrol
from mesotrial.trial.lead_in import LeadInCounts, led_in
from mesotrial.trial.model import Level, Model, build_model, draw, handed_over, settled, translation_inputs
from mesotrial.trial.parts import CHUNK, NoStore, Part, Store, parts_of
from mesotrial.trial.plan import plan_arm
from mesotrial.trial.records import arm_tables, join_tables
from mesotrial.trial.scanning import plan_scans
from mesotrial.trial.tables import DAYS_PER_MONTH
from mesotrial.trial.treat import treat

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from mesotrial.catalogue import Design
    from mesotrial.population import Cohort

__all__ = [
    "BANK_PER_ARM",
    "CHUNK",
    "Level",
    "Model",
    "Trial",
    "build_model",
    "exploratory_arms",
    "simulate_chunk",
    "simulate_trial",
    "translation_inputs",
]

BANK_PER_ARM = 2000
_TRACED = 6
_TRIAL, _BANK, _LOW, _HIGH = 0, 1, 2, 3
_WORDS = ("Trial", "Bank", "Low end of what is not known", "High end of what is not known")
_DAYS_PER_YEAR = 365.25

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Trial:
    """A simulated trial.

    Attributes
    ----------
    tables
        The trial itself: ADaM tables by name (`mesotrial.trial.tables.TABLES`), Polars frames.
    bank
        The same tables for a larger group per arm, for expected values and intervals; the same object as `tables` where the arm sizes were given.
    status_counts
        Patients by result code of the integrator, trial and bank together; every patient is counted.
    timings
        Seconds by step.
    reused
        Patients of parts that a store had already.
    lead_in, bank_lead_in
        What became of those who began the lead-in, of the trial and of the bank; None where the design has none.

    """

    design: Design
    seed: int
    patients_per_arm: tuple[int, ...]
    bank_per_arm: int
    population: str
    tables: Mapping[str, pl.DataFrame]
    bank: Mapping[str, pl.DataFrame]
    status_counts: Mapping[str, int]
    timings: Mapping[str, float] = field(default_factory=dict)
    reused: int = 0
    ends: tuple[Mapping[str, pl.DataFrame], ...] = ()
    lead_in: LeadInCounts | None = None
    bank_lead_in: LeadInCounts | None = None

    @property
    def lead_in_counts(self) -> dict[str, dict[str, float]] | None:
        """What became of those who began the lead-in, as plain values, by `trial` and `bank`."""
        if self.lead_in is None or self.bank_lead_in is None:
            return None
        return {"trial": self.lead_in.to_dict(), "bank": self.bank_lead_in.to_dict()}


def simulate_trial(
    design: Design,
    *,
    patients_per_arm: int | None = None,
    seed: int = 1,
    threads: int | None = None,
    population: str | Path = "fitted",
    parameters: ParameterSet | Sequence[ParameterSet] | None = None,
    model: Model | None = None,
    progress: Progress | None = None,
    store: Store | None = None,
) -> Trial:
    """Simulate a trial.

    Without `patients_per_arm` the trial has the design's own arm sizes, and a bank of 2,000 patients per arm is simulated beside it; with it, the trial is
    its own bank. `population` is ``fitted``, ``typical`` or the folder of a calibration.
    The same seed gives the same patients and the same results whatever `threads` is. `parameters` replaces the population's parameter sets (for
    calibration), of which patient i has number i modulo their count, and `model` reuses a compiled model. `progress` is called with (patients done, patients in
    all, what is being done). `store` keeps the parts as they are finished and gives back those that it has; the result is the same.

    Raises `ValueError` for a number of patients below 1.
    """
    if patients_per_arm is not None and patients_per_arm < 1:
        raise ValueError(f"patients per arm must be at least 1, not {patients_per_arm}")
    parameters = parameters or load_ensemble(population)
    sets = (parameters,) if isinstance(parameters, ParameterSet) else tuple(parameters)
    report = progress or (lambda done, total, message: None)
    sizes = tuple(patients_per_arm or arm.n for arm in design.arms)
    groups = [_Group(_TRIAL, _TRIAL, sizes)]
    if patients_per_arm is None:
        groups.append(_Group(_BANK, _BANK, (BANK_PER_ARM,) * len(sizes)))
    open_arms = exploratory_arms(design)
    if open_arms:  # the same people once more at either end of what is not known
        same, bank_sizes = groups[-1].people, groups[-1].sizes
        groups.append(_Group(_LOW, same, bank_sizes, "low", open_arms))
        groups.append(_Group(_HIGH, same, bank_sizes, "high", open_arms))
    total = sum(group.count for group in groups)
    report(0, total, "Compiling the model")
    model = model or build_model(design, sets, threads=threads)
    began = time.perf_counter()
    store = store or NoStore()
    done, reused, results = 0, 0, []
    lead_ins = []
    for group in groups:
        parts = []
        if design.lead_in is not None:
            report(done, total, f"{_WORDS[group.number]}: the lead-in, to find who is randomised")
        enrolled, lead_in = enrol(
            design, model, sets, group.sizes, seed=seed, replicate=group.people, level=group.level
        )
        lead_ins.append(lead_in)
        for arm, numbers in enumerate(enrolled):
            if not group.has(arm):
                continue
            for part, kept in parts_of(group.number, arm, numbers, store, CHUNK):
                if kept is None:
                    report(done, total, f"{_WORDS[group.number]}: {design.arms[arm].label}")
                    kept = _simulate_part(design, part, seed, model, sets, group)
                    store.save(part, kept)
                else:
                    reused += len(part)
                parts.append(kept)
                done += len(part)
                report(done, total, "Simulating")
        results.append(join_tables(parts))
    ends = tuple(_completed(design, results[-3], end) for end in results[-2:]) if open_arms else ()
    tables, bank = results[0], results[-3 if open_arms else -1]
    counts: dict[str, int] = {}
    for result in results:
        for code, count in result["adsl"]["RCODE"].value_counts().iter_rows():
            counts[code] = counts.get(code, 0) + count
    return Trial(
        design,
        seed,
        sizes,
        max(groups[-1].sizes),
        str(population),
        tables,
        bank,
        counts,
        {**model.seconds, "simulate": time.perf_counter() - began},
        reused,
        ends,
        lead_ins[0],
        lead_ins[-3 if open_arms else -1],
    )


@dataclass(frozen=True)
class _Group:
    """Patients simulated together: the `number` of their parts, the replicate that their draws come from (`people`), and at which `level` of the
    human-translation factors; `arms` where only those are simulated.
    """

    number: int
    people: int
    sizes: tuple[int, ...]
    level: Level = "middle"
    arms: tuple[int, ...] | None = None

    def has(self, arm: int) -> bool:
        return self.arms is None or arm in self.arms

    @property
    def count(self) -> int:
        return sum(size for arm, size in enumerate(self.sizes) if self.has(arm))


def exploratory_arms(design: Design) -> tuple[int, ...]:
    """Return the places of the arms whose outcome nobody knows: an exploratory drug is given in them."""
    from mesotrial.catalogue import load_drug

    unknown = {name for name in design.drugs if load_drug(name).exploratory}
    before = set() if design.lead_in is None else unknown & set(design.lead_in.drugs)
    return tuple(place for place, arm in enumerate(design.arms) if before or unknown & set(arm.drugs))


def _completed(
    design: Design, whole: Mapping[str, pl.DataFrame], end: Mapping[str, pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """Return tables of all arms: those of `end`, and of `whole` where `end` has none."""
    import polars as pl

    there = [design.arms[place].name for place in exploratory_arms(design)]
    return {name: pl.concat([end[name], whole[name].filter(~pl.col("TRT01P").is_in(there))]) for name in whole}


def _simulate_part(
    design: Design, part: Part, seed: int, model: Model, parameters: Sequence[ParameterSet], group: _Group
) -> dict[str, pl.DataFrame]:
    cohort = draw(design, model.drugs, parameters, seed=seed, replicate=group.people, numbers=part.numbers)
    cohort = replace(cohort, inputs={**cohort.inputs, **translation_inputs(model, len(cohort), group.level)})
    # Enrolment is in no order of the numbers, so that nobody's month depends on how many there are.
    enrolment = entry_months(design, cohort.uniforms("enrolment", 1)[:, 0])
    return simulate_chunk(
        design, part.arm, cohort, enrolment, model, traced=max(0, min(_TRACED - part.first, len(part)))
    )


def entry_months(design: Design, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return when patients enter, by the share of all patients who came before them: steadily, or as `analysis.accrual` says."""
    if design.analysis is None or not design.analysis.accrual:
        return shares * design.accrual_months
    patients = shares * sum(arm.n for arm in design.arms)
    return np.array([entry_month(design.analysis.accrual, float(before)) for before in patients])


def simulate_chunk(
    design: Design,
    arm: int,
    cohort: Cohort,
    enrolment_month: NDArray[np.float64],
    model: Model,
    *,
    traced: int = _TRACED,
) -> dict[str, pl.DataFrame]:
    """Simulate some patients of one arm and return their tables; the first `traced` with their course over time.

    Where the design has a lead-in, `cohort` are people who are randomised after it (`enrol`).
    """
    from mesotrial.engine import ResultCode

    # One horizon for everybody, so that the visits do not depend on who is simulated together.
    horizon = (design.accrual_months + design.follow_up_months) * DAYS_PER_MONTH
    cut_day = horizon - enrolment_month * DAYS_PER_MONTH
    plan = plan_arm(design.arms[arm], cohort, horizon)
    rate = design.arms[arm].stop_rules.dropout_per_year / _DAYS_PER_YEAR
    lost_day = -np.log(cohort.uniforms("drop-out", 1)[:, 0]) / rate if rate > 0 else np.full(len(cohort), np.inf)
    before = led_in(design, model, cohort)
    if before is None:
        state = settled(design, model, cohort, plan)
    else:
        state = handed_over(design, model, cohort, plan, before.state)
    course = treat(
        design, model, cohort, state, plan, plan_scans(design.scans, cohort, horizon),
        cut_day=cut_day, lost_day=lost_day, traced=traced, before=before,
    )  # fmt: skip
    return arm_tables(design, arm, cohort, course, enrolment_month, [code.name for code in ResultCode])
