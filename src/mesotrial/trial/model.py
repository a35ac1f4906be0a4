"""A design's compiled model, and patients as it starts with them: drawn, settled, or as another treatment left them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mesotrial.population import Cohort, ParameterSet, draw_cohort
from mesotrial.trial.conduct import OBSERVABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.biology import Assembly
    from mesotrial.catalogue import Design, Drug
    from mesotrial.engine import Simulator, State
    from mesotrial.trial.plan import ArmPlan

__all__ = ["Level", "Model", "build_model", "draw", "handed_over", "settled", "translation_inputs"]

Level = Literal["low", "middle", "high"]

_RUN_IN_DAYS = 150.0
_IMMUNE_STATES = ("cd8_circulating", "cd8_tumour", "cd8_exhausted", "antigen")
_RTOL = 1e-5


@dataclass(frozen=True)
class Model:
    """A design's compiled model and the drugs it holds."""

    assembly: Assembly
    drugs: tuple[Drug, ...]
    simulator: Simulator
    concentrations: Mapping[str, str]
    seconds: Mapping[str, float]


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
    cohort = draw(design, drugs, parameters, seed=0, replicate=0, numbers=np.arange(1))
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


def draw(
    design: Design,
    drugs: Sequence[Drug],
    parameters: Sequence[ParameterSet],
    *,
    seed: int,
    replicate: int,
    numbers: NDArray[np.int64],
) -> Cohort:
    """Draw the patients `numbers` of a design, with what the model of `drugs` needs."""
    return draw_cohort(
        design.population, parameters, drugs, line=design.line, seed=seed, replicate=replicate, numbers=numbers
    )


def settled(design: Design, model: Model, cohort: Cohort, plan: ArmPlan) -> State:
    """Return the patients at their start: the immune system settled for 150 days beside a tumour held still."""
    simulator, table = model.simulator, _inputs(design, model, cohort, plan)
    clock = simulator.inputs.index("tumour_clock")
    table[:, clock] = 0.0
    still = simulator.advance(simulator.start(table), until=_RUN_IN_DAYS)
    initial = simulator.observe(still, _IMMUNE_STATES)
    table[:, clock] = 1.0
    return simulator.start(table, initial=initial)


def handed_over(design: Design, model: Model, cohort: Cohort, plan: ArmPlan, state: State) -> State:
    """Return the patients as `state` left them, on day 0 of another treatment; all that changes are the constants that go with its regimens."""
    initial = dict(zip(model.simulator.states, state.values.T, strict=True))
    return model.simulator.start(_inputs(design, model, cohort, plan), initial=initial)


def _inputs(design: Design, model: Model, cohort: Cohort, plan: ArmPlan) -> NDArray[np.float64]:
    """Return the patients' inputs of the model, shape (n_patients, n_inputs)."""
    columns = {**translation_inputs(model, len(cohort), "middle"), **cohort.inputs, **_flags(model, plan)}
    columns["steroid_blunting"] = np.full(len(cohort), plan.arm.stop_rules.steroid_blunting)
    columns |= {name: np.full(len(cohort), value) for name, value in design.biology.items()}
    columns["tumour_clock"] = np.ones(len(cohort))
    return np.stack([columns[name] for name in model.simulator.inputs], axis=1)


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
