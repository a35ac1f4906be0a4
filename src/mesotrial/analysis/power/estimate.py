"""The chance that a design succeeds: power, assurance, type I error, duration and events, from banks of simulated patients."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mesotrial.analysis import codes
from mesotrial.analysis.cox import hazard_ratio
from mesotrial.analysis.power.bank import Bank, bootstrapped
from mesotrial.analysis.power.planning import LONGEST_MONTHS, LookPlan, check_follow_up, conduct_of, plan_of
from mesotrial.analysis.power.resampling import Conduct, Resampled, resample_trials
from mesotrial.analysis.survival import kaplan_meier
from mesotrial.catalogue import AnalysisPlan, CatalogueError, Design

__all__ = ["SCHEMA", "estimate_power", "monte_carlo_se"]

SCHEMA = "mesotrial/power/1"
_BOOTSTRAPS = 40
_TRIALS_EACH = 200  # of each bootstrapped bank: fewer would drown the difference between banks in the chance of trials
_SEARCH_STEPS = 12
_SEARCH_FACTOR = 30.0

Progress = Callable[[int, int, str], None]
Solve = Literal["patients", "events"]


def estimate_power(
    design: Design,
    bank: Bank,
    *,
    draws: Sequence[Bank] = (),
    trials: int = 5000,
    patients: int | None = None,
    events: int | None = None,
    solve: Solve | None = None,
    seed: int = 1,
    threads: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return what `mesotrial power` says of a comparative design (schema ``mesotrial/power/1``).

    `bank` holds the simulated patients of `arms_in_order`. `draws` are banks from single draws of the model's posterior: with them assurance is the mean over
    draws, without them it is over trial-level effects alone. `patients` (all arms) and `events` replace those of the design; `solve` finds the fewest that
    give the plan's power.

    Raises `CatalogueError` for a plan that cannot be.
    """
    began = time.perf_counter()
    plan = plan_of(design)
    answer: dict[str, Any] = {}
    if solve is not None:
        patients, events, answer = _solve(design, plan, bank, solve, patients, events, trials, seed, threads, progress)
    conduct, looks = conduct_of(design, plan, [bank], patients=patients, events=events, seed=seed)

    def run(message: str, one: Conduct = conduct, banks: Sequence[Bank] = (bank,), **options: Any) -> Resampled:
        return resample_trials(
            one, banks, trials, seed=seed, threads=threads, progress=progress, message=message, **options
        )

    null = replace(conduct, crossover=None)  # nothing to gain by changing treatment
    effect, nothing = run("Trials as the model has it"), run("Trials without effect", null, no_effect=True)
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "design": design.name,
        "seed": seed,
        "power": effect.power,
        "mc_se": monte_carlo_se(effect.power, trials),
        "bank_se": _bank_se(conduct, bank, trials, seed, threads),
        "type1": nothing.power,
        "type1_mc_se": monte_carlo_se(nothing.power, trials),
        "trials": trials,
        "assurance": _assurance(conduct, bank, draws, plan, trials, seed, run),
        "expected_duration_months": float(effect.months.mean()),
        "duration_months_90": _middle(effect.months),
        "expected_patients": float(effect.enrolled.mean()),
        "expected_events": float(effect.events.mean()),
        "patients": conduct.patients,
        "endpoint": plan.endpoint,
        "comparator": plan.comparator,
        "test": plan.test,
        "alpha": plan.alpha,
        "bank_per_arm": round(bank.patients_per_arm),
        "strata": list(bank.strata),
        "enroll_rate": conduct.accrual.enroll_rate(conduct.patients),
        "arms": _arms(bank, effect, nothing, plan, trials),
        "looks": _looks(looks, effect, nothing),
        "tests": _tests(conduct, effect, nothing, plan),
        "over_time": _over_time(effect),
        **answer,
    }
    if conduct.crossover is not None:
        found["crossover"] = _crossover(conduct, plan, effect, run)
    if conduct.reestimate is not None:
        grown = effect.patients > conduct.patients
        found["reestimated"] = {"share": float(grown.mean()), "mean_patients": float(effect.patients.mean())}
    return {**found, "seconds": time.perf_counter() - began}


def monte_carlo_se(share: float, trials: int) -> float:
    """Return the standard error of a share of `trials`, half a trial added to either side so that 0 and 1 have one too."""
    p = (share * trials + 0.5) / (trials + 1)
    return math.sqrt(p * (1 - p) / trials)


def _bank_se(conduct: Conduct, bank: Bank, trials: int, seed: int, threads: int | None) -> float:
    """Return the standard error of the power that comes from the bank having so many patients and no more (bootstrap of the bank)."""
    each = max(trials // _BOOTSTRAPS, _TRIALS_EACH)
    banks = bootstrapped(bank, _BOOTSTRAPS, seed)
    which = np.repeat(np.arange(_BOOTSTRAPS), each)
    shares = (
        resample_trials(conduct, banks, which.size, seed=seed, bank_of_trial=which, threads=threads)
        .won.reshape(_BOOTSTRAPS, each)
        .mean(axis=1)
    )
    within = float((shares * (1 - shares)).mean()) / (each - 1)
    return math.sqrt(max(float(shares.var(ddof=1)) - within, 0.0))


def _assurance(
    conduct: Conduct,
    bank: Bank,
    draws: Sequence[Bank],
    plan: AnalysisPlan,
    trials: int,
    seed: int,
    run: Callable[..., Resampled],
) -> dict[str, Any]:
    """Return the chance of success where the effect itself is uncertain: posterior draws of the model, and a trial-level effect of known spread.

    `draws_se` is the standard error that comes from having so many draws, each with a bank of so many patients, and no more.
    """
    from mesotrial.population.randomness import normals

    tau = codes.tau(f"{plan.endpoint}_HR")
    shift = normals(seed, "trial effect", 0, np.arange(trials), len(conduct.ratio) - 1)
    factor = np.concatenate([np.ones((trials, 1)), np.exp(tau * shift)], axis=1)
    banks = list(draws) or [bank]
    check_follow_up(conduct, banks)
    which = np.arange(trials) % len(banks)
    result = run("Trials with an uncertain effect", banks=banks, bank_of_trial=which, hazard_factor=factor)
    by_draw = [float(result.won[which == one].mean()) for one in range(len(banks))]
    return {
        "value": result.power,
        "mc_se": monte_carlo_se(result.power, trials),
        "trial_effect_sd": tau,
        "posterior_draws": len(draws),
        "draws_se": float(np.std(by_draw, ddof=1)) / math.sqrt(len(by_draw)) if len(draws) > 1 else None,
        "by_draw_90": _middle(np.array(by_draw)) if len(draws) > 1 else None,
    }


def _middle(values: npt.NDArray[Any]) -> list[float]:
    return [float(one) for one in np.quantile(values, [0.05, 0.95])]


def _arms(bank: Bank, effect: Resampled, nothing: Resampled, plan: AnalysisPlan, trials: int) -> list[dict[str, Any]]:
    """Return for each arm its own curve in the bank, and beside the comparator its hazard ratio and chance to win."""
    rows: list[dict[str, Any]] = []
    control = bank.of_arm(bank.arms[0])
    for place, name in enumerate(bank.arms):
        months, event = bank.of_arm(name)
        row: dict[str, Any] = {"arm": name, "median_months": kaplan_meier(months, event).median()[0]}
        if place:
            treated = np.arange(months.size + control[0].size) < months.size
            ratio = hazard_ratio(np.concatenate([months, control[0]]), np.concatenate([event, control[1]]), treated)
            logs = effect.log_ratios[:, place - 1]
            seen = logs[~np.isnan(logs)]
            won, false = float(effect.won_by[:, place - 1].mean()), float(nothing.won_by[:, place - 1].mean())
            row |= {
                "hazard_ratio_bank": ratio.value,
                "hazard_ratio_90": [math.exp(one) for one in _middle(seen)] if seen.size else None,
                "power": won,
                "mc_se": monte_carlo_se(won, trials),
                "type1": false,
                "type1_mc_se": monte_carlo_se(false, trials),
            }
        rows.append(row)
    return rows


def _looks(looks: Sequence[LookPlan], effect: Resampled, nothing: Resampled) -> list[dict[str, Any]]:
    from scipy.special import ndtr

    rows = []
    for place, look in enumerate(looks):
        here, here_nothing = effect.stop_look == place, nothing.stop_look == place
        rows.append(
            {
                "when": look.when,
                "fraction": look.fraction,
                "z_efficacy": look.efficacy,
                "p_efficacy": float(ndtr(-look.efficacy)),
                "z_futility": look.futility if place < len(looks) - 1 else None,
                "expected_month": _mean(effect.look_months[:, place]),
                "expected_events": _mean(effect.look_events[:, place]),
                "stops_for_efficacy": float((here & effect.won).mean()),
                "stops_for_futility": float((here & ~effect.won).mean()) if place < len(looks) - 1 else None,
                "stops_for_efficacy_no_effect": float((here_nothing & nothing.won).mean()),
                "stops_for_futility_no_effect": float((here_nothing & ~nothing.won).mean())
                if place < len(looks) - 1
                else None,
            }
        )
    return rows


def _mean(values: npt.NDArray[Any]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def _tests(conduct: Conduct, effect: Resampled, nothing: Resampled, plan: AnalysisPlan) -> list[dict[str, Any]]:
    """Return what each test would have concluded at the final analysis at the same level, without looks."""
    from scipy.special import ndtri

    limit = float(ndtri(1 - plan.alpha_of_each(len(conduct.ratio))))
    rows: list[dict[str, Any]] = []
    for place, test in enumerate(conduct.tests):
        row: dict[str, Any] = {"test": test.text, "decides": place == 0}
        for result, share, error in ((effect, "concludes", "mc_se"), (nothing, "type1", "type1_mc_se")):
            z = result.final_z[:, :, place]
            reached = (~np.isnan(np.hstack([result.log_ratios, z]))).any(axis=1)
            count = int(reached.sum())
            concluded = int(np.count_nonzero(np.any(np.nan_to_num(z, nan=-np.inf) >= limit, axis=1)))
            found = concluded / count if count else math.nan
            row |= {share: found, error: monte_carlo_se(found, count) if count else None}
        rows.append(row)
    return rows


def _over_time(effect: Resampled) -> list[dict[str, float]]:
    rows = []
    for place, month in enumerate(effect.grid):
        low, high = _middle(effect.grid_events[:, place])
        running = float((effect.months > month).mean())
        rows.append(
            {
                "month": float(month),
                "enrolled": float(effect.grid_enrolled[:, place].mean()),
                "events": float(effect.grid_events[:, place].mean()),
                "events_lo90": low,
                "events_hi90": high,
                "still_running": running,
            }
        )
        if running == 0.0:
            break
    return rows


def _crossover(
    conduct: Conduct, plan: AnalysisPlan, effect: Resampled, run: Callable[..., Resampled]
) -> dict[str, Any]:
    """Return both estimands: treatment policy (as it happens, with the change of treatment), and hypothetical (had nobody changed)."""
    without = run("Trials without crossover", one=replace(conduct, crossover=None))
    assert plan.crossover is not None
    rows: dict[str, Any] = {
        "arm": plan.crossover.arm,
        "share": plan.crossover.share,
        "remaining_time_factor": plan.crossover.remaining_time_factor,
        "source": plan.crossover.source,
    }
    for name, result in (("treatment_policy", effect), ("hypothetical_no_crossover", without)):
        logs = result.log_ratios[~np.isnan(result.log_ratios)]
        rows[name] = {
            "power": result.power,
            "mc_se": monte_carlo_se(result.power, result.trials),
            "hazard_ratio_median": math.exp(float(np.median(logs))) if logs.size else None,
        }
    return rows


def _solve(
    design: Design, plan: AnalysisPlan, bank: Bank, solve: Solve, patients: int | None, events: int | None, trials: int, seed: int,
    threads: int | None, progress: Progress | None,
) -> tuple[int, int | None, dict[str, Any]]:  # fmt: skip
    """Return the fewest patients (events growing with them) or events that give the wanted power, and a note of it."""
    start = patients or sum(arm.n for arm in design.arms)
    first_events = events or plan.events
    if solve == "events" and first_events is None:
        raise CatalogueError("to solve for events the analysis needs `events`, a first guess")
    conduct, _ = conduct_of(design, plan, [bank], patients=start, events=first_events, seed=seed)
    step = sum(conduct.ratio)
    known: dict[int, float] = {}

    def power_at(size: int) -> float:
        if size not in known:
            if solve == "patients":
                one = _sized(conduct, plan, size)
            else:
                one = conduct.sized(start, size / first_events) if first_events else conduct
            known[size] = resample_trials(
                one, [bank], trials, seed=seed, threads=threads, progress=progress, message=f"Solving: {size} {solve}"
            ).power
        return known[size]

    first, limit = (
        (start, _most_patients(conduct, plan, bank)) if solve == "patients" else (int(first_events or 1), start - 1)
    )
    found = _smallest(power_at, first, plan, step if solve == "patients" else 1, limit)
    note: dict[str, Any] = {
        "solved": solve,
        "wanted_power": plan.power,
        "found": found,
        "tried": [{solve: size, "power": power} for size, power in sorted(known.items())],
    }
    if found is None:
        note["why_not"] = (
            f"no number of {solve} up to {max(known)} gives a power of {plan.power:g}; the most was {max(known.values()):.3f}"
        )
        if solve == "patients" and limit == max(known):
            note["why_not"] += (
                f" (with more patients the trial would last for more than {LONGEST_MONTHS / 12:.0f} years)"
            )
        return start, first_events, {"solution": note}
    if solve == "events":
        return start, found, {"solution": note}
    return found, None if first_events is None else max(1, round(first_events * found / start)), {"solution": note}


def _sized(conduct: Conduct, plan: AnalysisPlan, size: int) -> Conduct:
    """Return the trial with `size` patients, its events in proportion; they enter in the same time, or as fast as `analysis.accrual` says."""
    factor = size / conduct.patients
    accrual = conduct.accrual
    if not plan.accrual:
        accrual = replace(accrual, per_month=tuple(rate * factor for rate in accrual.per_month))
    return replace(conduct.sized(size, factor), accrual=accrual)


def _most_patients(conduct: Conduct, plan: AnalysisPlan, bank: Bank) -> int | None:
    """Return with how many patients the trial still ends before the bank's follow-up and the longest that is simulated; None where any number does."""
    step = sum(conduct.ratio)

    def fits(size: int) -> bool:
        return _sized(conduct, plan, size).longest_months <= min(bank.until, LONGEST_MONTHS)

    low, high = conduct.patients // step, 2 * math.ceil(_SEARCH_FACTOR * conduct.patients / step)
    if fits(high * step):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle * step) else (low, middle)
    return low * step


def _smallest(
    power_at: Callable[[int], float], start: int, plan: AnalysisPlan, step: int, limit: int | None
) -> int | None:
    """Return the smallest multiple of `step` whose power reaches the wanted one; power rises with size but for chance."""

    def rounded(size: float) -> int:
        whole = max(step, step * math.ceil(size / step - 1e-9))
        return min(whole, limit) if limit is not None else whole

    low, high = 0, None
    size = rounded(start)
    for _ in range(_SEARCH_STEPS):
        if power_at(size) >= plan.power:
            high = size
            break
        low = size
        if size >= (limit or math.inf) or size > _SEARCH_FACTOR * start:
            return None
        size = rounded(size * 1.6)
    if high is None:
        return None
    while high - low > max(step, round(0.004 * high)):
        middle = rounded((low + high) / 2)
        if middle in (low, high):
            break
        if power_at(middle) >= plan.power:
            high = middle
        else:
            low = middle
    return high
