"""From a design to its power: simulate the patients once, then resample."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from mesotrial.analysis.power.bank import bank_of_tables
from mesotrial.analysis.power.estimate import BANK_PER_ARM, estimate_power, simulate_banks
from mesotrial.analysis.power.one_arm import one_arm_power
from mesotrial.analysis.power.planning import arms_in_order, plan_of
from mesotrial.catalogue import AnalysisPlan, CatalogueError, Design, load_design

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.catalogue.analysis_plan import AccrualPeriod
    from mesotrial.population import ParameterSet

__all__ = ["power"]


def power(
    design: Design | str,
    *,
    trials: int = 5000,
    patients: int | None = None,
    events: int | None = None,
    solve: Literal["patients", "events"] | None = None,
    wanted: float | None = None,
    accrual: Sequence[AccrualPeriod] = (),
    bank_per_arm: int = BANK_PER_ARM,
    tables: Mapping[str, pl.DataFrame] | None = None,
    draws: Sequence[ParameterSet] = (),
    seed: int = 1,
    threads: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Any]:
    """Return the power of a design, with assurance, type I error, duration, looks and what other tests would conclude.

    `bank_per_arm` patients are simulated in each arm (or taken from `tables`, those of `simulate_banks`), then resampled into `trials` trials. `draws` are
    parameter sets of the model's posterior, each of which gets a bank of a quarter of the size, for assurance. `patients` (all arms), `events`, `wanted`
    power and `accrual` replace what the design says; `solve` finds the fewest patients or events. The same `seed` gives the same answer on any number of
    `threads`.

    Raises `CatalogueError` for a design or a request that cannot be.
    """
    if not isinstance(design, Design):
        design = load_design(design)
    plan = _changed(plan_of(design), wanted, accrual)
    design = replace(design, analysis=plan)
    for name, number in (
        ("trials", trials),
        ("bank_per_arm", bank_per_arm),
        ("patients", patients),
        ("events", events),
        ("threads", threads),
    ):
        if number is not None and number < (50 if name in ("trials", "bank_per_arm") else 1):
            raise CatalogueError(
                f"{name} must be at least {50 if name in ('trials', 'bank_per_arm') else 1}, not {number}"
            )
    if tables is None:
        tables = simulate_banks(design, per_arm=bank_per_arm, seed=seed, threads=threads, progress=progress)[0]
    if plan.one_arm is not None:
        if solve or patients or events:
            raise CatalogueError(
                "the size of a one-arm design follows from its rates: change null_rate, target_rate, alpha or power instead"
            )
        return one_arm_power(design, tables, trials=trials, seed=seed)
    order, strata = arms_in_order(design, plan), design.randomisation.strata
    bank = bank_of_tables(tables, order, plan.endpoint, strata)
    size = max(bank_per_arm // 4, 50)
    others = (
        simulate_banks(design, per_arm=size, parameters=draws, seed=seed, threads=threads, progress=progress)
        if draws
        else []
    )
    return estimate_power(
        design,
        bank,
        draws=[bank_of_tables(one, order, plan.endpoint, strata) for one in others],
        trials=trials,
        patients=patients,
        events=events,
        solve=solve,
        seed=seed,
        threads=threads,
        progress=progress,
    )


def _changed(plan: AnalysisPlan, wanted: float | None, accrual: Sequence[AccrualPeriod]) -> AnalysisPlan:
    if wanted is not None and not plan.alpha < wanted < 1:
        raise CatalogueError(f"the wanted power must lie between alpha ({plan.alpha:g}) and 1, not {wanted:g}")
    plan = plan if wanted is None else replace(plan, power=wanted)
    return replace(plan, accrual=tuple(accrual)) if accrual else plan
