"""From a design to its power: simulate the patients once, then resample."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from mesotrial.analysis.power.bands import banded
from mesotrial.analysis.power.bank import bank_of_tables
from mesotrial.analysis.power.estimate import estimate_power
from mesotrial.analysis.power.one_arm import one_arm_power
from mesotrial.analysis.power.planning import LONGEST_MONTHS, arms_in_order, length_of, plan_of
from mesotrial.analysis.power.simulate import BANK_PER_ARM, StoreOf, Tables, of_draw, simulate_banks
from mesotrial.catalogue import AnalysisPlan, CatalogueError, Design, load_design

if TYPE_CHECKING:
    from mesotrial.catalogue.analysis_plan import AccrualPeriod
    from mesotrial.population import ParameterSet

__all__ = ["power"]

_YEAR = 12.0


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
    banks: Sequence[Tables] | None = None,
    draws: Sequence[ParameterSet] = (),
    seed: int = 1,
    threads: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    store_of: StoreOf | None = None,
) -> dict[str, Any]:
    """Return the power of a design, with assurance, type I error, duration, looks and what other tests would conclude.

    `bank_per_arm` patients are simulated in each arm (or taken from `banks`, those of `simulate_banks`), then resampled into `trials` trials. `draws` are
    parameter sets of the model's posterior, each of which gets a bank of a quarter of the size, of other people, for assurance. `patients` (all arms),
    `events`, `wanted` power and `accrual` replace what the design says; `solve` finds the fewest patients or events. The same `seed` gives the same answer
    on any number of `threads`. `store_of` is where simulated patients are kept, as in `simulate_banks`.

    Where an arm is given an exploratory drug nobody knows the power: `power` and what else depends on it are None, `power_band` and the like hold the least
    and the largest over the range of the drug's human-translation factor, and `exploratory` names the arms.

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
    unknown = _unknown(design, solve)
    if plan.one_arm is not None and (solve or patients or events):
        raise CatalogueError(
            "the size of a one-arm design follows from its rates: change null_rate, target_rate, alpha or power instead"
        )
    months = _months(design, plan, patients, events, solve)

    def simulated(per_arm: int, parameters: Sequence[ParameterSet] = ()) -> tuple[Tables, ...]:
        return simulate_banks(
            design,
            per_arm=per_arm,
            months=months,
            parameters=parameters,
            seed=seed,
            threads=threads,
            progress=progress,
            store_of=store_of,
        )

    levels = simulated(bank_per_arm) if banks is None else tuple(banks)
    size = max(bank_per_arm // 4, 50)
    other_levels = simulated(size * len(draws), draws) if draws else levels
    order, strata = arms_in_order(design, plan), design.randomisation.strata
    answers = []
    for tables, others in zip(levels, other_levels, strict=True):
        by_draw = [of_draw(others, draw, len(draws)) for draw in range(len(draws))]
        if plan.one_arm is not None:
            answers.append(one_arm_power(design, tables, draws=by_draw, trials=trials, seed=seed))
            continue
        answers.append(
            estimate_power(
                design,
                bank_of_tables(tables, order, plan.endpoint, strata),
                draws=[bank_of_tables(one, order, plan.endpoint, strata) for one in by_draw],
                trials=trials,
                patients=patients,
                events=events,
                solve=solve,
                seed=seed,
                threads=threads,
                progress=progress,
            )
        )
    known = [name for name in order if plan.comparator not in unknown and name not in unknown]
    found = banded(answers, known) if unknown else answers[0]
    return {**found, "exploratory": unknown, "seconds": sum(one["seconds"] for one in answers)}


def _unknown(design: Design, solve: str | None) -> list[str]:
    """Return the arms whose outcome nobody knows, because an exploratory drug is given there."""
    from mesotrial.trial import exploratory_arms

    unknown = [design.arms[place].name for place in exploratory_arms(design)]
    if unknown and solve:
        raise CatalogueError(
            f"no trial has shown that what is given in {', '.join(unknown)} helps people with mesothelioma, so no number of {solve} gives a known power; "
            "without solving, the power is shown as a band over what is not known"
        )
    return unknown


def _months(design: Design, plan: AnalysisPlan, patients: int | None, events: int | None, solve: str | None) -> float:
    """Return how long a bank follows its patients: in whole years, so that other questions can use it too; for any trial that solving may come to."""
    if plan.one_arm is not None:
        return design.accrual_months + design.follow_up_months
    needed = length_of(design, plan, patients=patients, events=events)
    if solve == "patients" and plan.accrual:
        return LONGEST_MONTHS
    return min(_YEAR * math.ceil(needed / _YEAR), LONGEST_MONTHS)


def _changed(plan: AnalysisPlan, wanted: float | None, accrual: Sequence[AccrualPeriod]) -> AnalysisPlan:
    if wanted is not None and not plan.alpha < wanted < 1:
        raise CatalogueError(f"the wanted power must lie between alpha ({plan.alpha:g}) and 1, not {wanted:g}")
    plan = plan if wanted is None else replace(plan, power=wanted)
    return replace(plan, accrual=tuple(accrual)) if accrual else plan
