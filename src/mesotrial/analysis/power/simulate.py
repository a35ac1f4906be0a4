"""Patients for a bank, simulated once: everybody in on the first day and followed for the whole length of any trial that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mesotrial.catalogue import Design

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.population import ParameterSet
    from mesotrial.trial import Store

__all__ = ["BANK_PER_ARM", "StoreOf", "Tables", "follow_up_design", "of_draw", "simulate_banks"]

BANK_PER_ARM = 4000

Tables = Mapping[str, "pl.DataFrame"]
StoreOf = Callable[[Design, Sequence["ParameterSet"]], "Store"]


def follow_up_design(design: Design, months: float) -> Design:
    """Return the design with everybody in on the first day and followed for `months`, without drop-out, sizes or analysis."""
    arms = tuple(replace(arm, n=1, stop_rules=replace(arm.stop_rules, dropout_per_year=0.0)) for arm in design.arms)
    return replace(design, arms=arms, accrual_months=0.0, follow_up_months=months, analysis=None)


def simulate_banks(
    design: Design,
    *,
    per_arm: int = BANK_PER_ARM,
    months: float | None = None,
    parameters: Sequence[ParameterSet] = (),
    seed: int = 1,
    threads: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    store_of: StoreOf | None = None,
) -> tuple[Tables, ...]:
    """Simulate the patient-level tables of a bank, followed for `months` (by default as long as the trial of the design may last).

    One bank; where an arm is given an exploratory drug three, of the same people: with its human-translation factor in the middle, and at the low and the
    high end of what is not known. `parameters` replaces the model's parameter sets: patient i has number i modulo their count (`of_draw`). `store_of` gives
    the store in which finished parts of a design, with such parameter sets, are kept.
    """
    from mesotrial.analysis.power.planning import length_of, plan_of
    from mesotrial.population import load_ensemble
    from mesotrial.trial import simulate_trial

    longer = follow_up_design(design, length_of(design, plan_of(design)) if months is None else months)
    sets = tuple(parameters) or load_ensemble()
    trial = simulate_trial(
        longer,
        patients_per_arm=per_arm,
        seed=seed,
        threads=threads,
        parameters=sets,
        progress=progress,
        store=None if store_of is None else store_of(longer, sets),
    )
    return (trial.bank, *trial.ends)


def of_draw(tables: Tables, draw: int, draws: int) -> Tables:
    """Return the patients of tables who have parameter set number `draw` of `draws`."""
    import polars as pl

    mine = tables["adsl"].filter(pl.col("SUBJID") % draws == draw).select("USUBJID")
    return {name: table.join(mine, on="USUBJID", how="semi") for name, table in tables.items()}
