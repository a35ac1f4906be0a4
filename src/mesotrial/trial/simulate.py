"""The main act: a design in, patient-level tables out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from mesotrial.catalogue.analysis_plan import entry_month
from mesotrial.catalogue.design import STRATA
from mesotrial.population import Cohort, ParameterSet, draw_cohort, load_ensemble
from mesotrial.trial.conduct import OBSERVABLES, Clinic, conduct
from mesotrial.trial.parts import NoStore, Part, Store, parts_of
from mesotrial.trial.plan import plan_arm
from mesotrial.trial.randomise import randomise
from mesotrial.trial.records import arm_tables, join_tables
from mesotrial.trial.scanning import plan_scans
from mesotrial.trial.tables import DAYS_PER_MONTH
from mesotrial.trial.toxicity import Term, Toxicities

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from mesotrial.biology import Assembly
    from mesotrial.catalogue import Design, Drug
    from mesotrial.engine import Simulator, State
    from mesotrial.trial.plan import ArmPlan

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
CHUNK = 1000
_RUN_IN_DAYS = 150.0
_TRACED = 6
_TRIAL, _BANK, _LOW, _HIGH = 0, 1, 2, 3
_WORDS = ("Trial", "Bank", "Low end of what is not known", "High end of what is not known")
_DAYS_PER_YEAR = 365.25
_IMMUNE_STATES = ("cd8_circulating", "cd8_tumour", "cd8_exhausted", "antigen")
_RTOL = 1e-5

Progress = Callable[[int, int, str], None]
Level = Literal["low", "middle", "high"]


@dataclass(frozen=True)
class Model:
    """A design's compiled model and the drugs it holds."""

    assembly: Assembly
    drugs: tuple[Drug, ...]
    simulator: Simulator
    concentrations: Mapping[str, str]
    seconds: Mapping[str, float]


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


def simulate_trial(
    design: Design,
    *,
    patients_per_arm: int | None = None,
    seed: int = 1,
    threads: int | None = None,
    population: Literal["fitted", "typical"] = "fitted",
    parameters: ParameterSet | Sequence[ParameterSet] | None = None,
    model: Model | None = None,
    progress: Progress | None = None,
    store: Store | None = None,
) -> Trial:
    """Simulate a trial.

    Without `patients_per_arm` the trial has the design's own arm sizes, and a bank of 2,000 patients per arm is simulated beside it; with it, the trial is
    its own bank. The same seed gives the same patients and the same results whatever `threads` is. `parameters` replaces the population's parameter sets (for
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
    for group in groups:
        parts = []
        for arm, numbers in enumerate(_enrolled(design, model, sets, group.sizes, seed, group.people)):
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
        population,
        tables,
        bank,
        counts,
        {**model.seconds, "simulate": time.perf_counter() - began},
        reused,
        ends,
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
    return tuple(place for place, arm in enumerate(design.arms) if unknown & set(arm.drugs))


def _completed(
    design: Design, whole: Mapping[str, pl.DataFrame], end: Mapping[str, pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """Return tables of all arms: those of `end`, and of `whole` where `end` has none."""
    import polars as pl

    there = [design.arms[place].name for place in exploratory_arms(design)]
    return {name: pl.concat([end[name], whole[name].filter(~pl.col("TRT01P").is_in(there))]) for name in whole}


def build_model(design: Design, parameters: Sequence[ParameterSet], *, threads: int | None = None) -> Model:
    """Assemble and compile the model for all drugs of a design: one model, the union of its arms."""
    from mesotrial.biology import assemble
    from mesotrial.catalogue import load_drug
    from mesotrial.engine import compile_model

    began = time.perf_counter()
    drugs = tuple(load_drug(name) for name in design.drugs)
    steroids = any(arm.stop_rules.steroid_blunting > 0 for arm in design.arms)
    assembly = assemble(drugs, ("steroids",) if steroids else ())
    antibodies = {drug.name for drug in drugs if drug.pk is not None and drug.pk.model == "antibody"}
    concentrations = {drug: name for drug, name in assembly.concentrations.items() if drug in antibodies}
    cohort = _draw(design, drugs, parameters, seed=0, replicate=_TRIAL, numbers=np.arange(1))
    flags = [flag for flags in assembly.flags.values() for flag in flags]
    inputs = ("tumour_clock", *cohort.inputs, *flags, *(f"translation_{name}" for name in assembly.translation))
    inputs += ("steroid_blunting",) if steroids else ()
    inputs += tuple(name for name in design.biology if name not in inputs)
    assembled = time.perf_counter()
    simulator = compile_model(
        assembly.sbml,
        observables=(*OBSERVABLES, *_IMMUNE_STATES, *concentrations.values()),
        inputs=inputs,
        dosed=(
            *(state for states in assembly.dosed.values() for state in states),
            *(("steroids",) if steroids else ()),
        ),
        rtol=_RTOL,
        threads=threads,
    )
    seconds = {"assemble": assembled - began, "compile": time.perf_counter() - assembled}
    return Model(assembly, drugs, simulator, concentrations, seconds)


def _draw(
    design: Design,
    drugs: Sequence[Drug],
    parameters: Sequence[ParameterSet],
    *,
    seed: int,
    replicate: int,
    numbers: NDArray[np.int64],
) -> Cohort:
    return draw_cohort(
        design.population, parameters, drugs, line=design.line, seed=seed, replicate=replicate, numbers=numbers
    )


def _enrolled(
    design: Design, model: Model, parameters: Sequence[ParameterSet], sizes: Sequence[int], seed: int, replicate: int
) -> list[NDArray[np.int64]]:
    """Return the numbers of each arm's patients; memory does not grow with what a patient carries."""

    def strata(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        stratum = np.zeros(len(numbers), dtype=np.int64)
        if design.randomisation.strata:
            people = _draw(design, model.drugs, parameters, seed=seed, replicate=replicate, numbers=numbers)
            for name in design.randomisation.strata:
                stratum = 2 * stratum + people.covariates[STRATA[name]].astype(np.int64)
        return stratum

    ratio = design.randomisation.ratio if len(set(sizes)) > 1 else [1] * len(sizes)
    return randomise(strata, sizes, ratio, design.randomisation.block, seed, replicate)


def _simulate_part(
    design: Design, part: Part, seed: int, model: Model, parameters: Sequence[ParameterSet], group: _Group
) -> dict[str, pl.DataFrame]:
    cohort = _draw(design, model.drugs, parameters, seed=seed, replicate=group.people, numbers=part.numbers)
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
    """Simulate some patients of one arm and return their tables; the first `traced` with their course over time."""
    from mesotrial.catalogue import TOXICITY_FRAILTY_SD, background_toxicity
    from mesotrial.engine import ResultCode

    # One horizon for everybody, so that the visits do not depend on who is simulated together.
    horizon = (design.accrual_months + design.follow_up_months) * DAYS_PER_MONTH
    cut_day = horizon - enrolment_month * DAYS_PER_MONTH
    plan = plan_arm(design.arms[arm], cohort, horizon)
    rate = design.arms[arm].stop_rules.dropout_per_year / _DAYS_PER_YEAR
    lost_day = -np.log(cohort.uniforms("drop-out", 1)[:, 0]) / rate if rate > 0 else np.full(len(cohort), np.inf)
    terms = [Term("", one) for one in background_toxicity()]
    given = {regimen.drug for regimen in plan.regimens}
    terms += [Term(drug.name, one) for drug in model.drugs if drug.name in given for one in drug.toxicity]
    course = conduct(
        model.simulator,
        _settled(design, model, cohort, plan),
        cohort,
        plan,
        plan_scans(design.scans, cohort, horizon),
        Toxicities(terms, cohort, TOXICITY_FRAILTY_SD),
        Clinic(
            design.scans,
            model.assembly.enters,
            dict(model.concentrations),
            {drug.name: drug for drug in model.drugs},
            traced,
            blunts=design.arms[arm].stop_rules.steroid_blunting > 0,
        ),
        cut_day=cut_day,
        lost_day=lost_day,
    )
    return arm_tables(design, arm, cohort, course, enrolment_month, [code.name for code in ResultCode])


def _settled(design: Design, model: Model, cohort: Cohort, plan: ArmPlan) -> State:
    """Return the patients at randomisation: the immune system settled for 150 days beside a tumour held still."""
    simulator = model.simulator
    columns = {**translation_inputs(model, len(cohort), "middle"), **cohort.inputs, **_flags(model, plan)}
    columns["steroid_blunting"] = np.full(len(cohort), plan.arm.stop_rules.steroid_blunting)
    columns |= {name: np.full(len(cohort), value) for name, value in design.biology.items()}
    table = np.stack(
        [np.zeros(len(cohort)) if name == "tumour_clock" else columns[name] for name in simulator.inputs], axis=1
    )
    settled = simulator.advance(simulator.start(table), until=_RUN_IN_DAYS)
    initial = simulator.observe(settled, _IMMUNE_STATES)
    table[:, simulator.inputs.index("tumour_clock")] = 1.0
    return simulator.start(table, initial=initial)


def translation_inputs(model: Model, n: int, level: Level) -> dict[str, NDArray[np.float64]]:
    """Return the human-translation factors of the model's drugs at one level, one value a patient."""
    factors = {drug.translation.name: drug.translation for drug in model.drugs if drug.translation is not None}
    return {f"translation_{name}": np.full(n, getattr(one, level)) for name, one in factors.items()}


def _flags(model: Model, plan: ArmPlan) -> dict[str, NDArray[np.float64]]:
    """Return the regimen flags of each patient: 1 where the regimens given together are those a drug's model names."""
    flags = {}
    for drug in model.drugs:
        if drug.pk is None:
            continue
        for flag in drug.pk.flags:
            values = np.zeros(len(plan.given))
            for line in (plan.in_line(second=False), plan.in_line(second=True)):
                for combination in np.unique(line, axis=0):
                    together = [regimen for regimen, on in zip(plan.regimens, combination, strict=True) if on]
                    if flag.holds(together) and any(regimen.drug == drug.name for regimen in together):
                        values[(line == combination).all(axis=1)] = 1.0
            flags[f"{drug.symbol}_{flag.name}"] = values
    return flags
