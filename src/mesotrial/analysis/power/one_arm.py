"""The chance that arms judged one by one, each by a rate, pass: exact for the bank's rate, and over the spread between trials."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mesotrial.analysis import codes
from mesotrial.analysis.endpoints import Outcomes
from mesotrial.analysis.one_arm import HistoricalControl, OneStage, TwoStage, a_hern, bayesian_least, fleming, simon
from mesotrial.analysis.power.estimate import SCHEMA, monte_carlo_se
from mesotrial.analysis.power.planning import accrual_of
from mesotrial.catalogue import AnalysisPlan, Arm, CatalogueError, Design
from mesotrial.catalogue.analysis_plan import OneArm

if TYPE_CHECKING:
    import polars as pl

__all__ = ["one_arm_power"]


def one_arm_power(
    design: Design,
    tables: Mapping[str, pl.DataFrame],
    *,
    draws: Sequence[Mapping[str, pl.DataFrame]] = (),
    trials: int = 5000,
    seed: int = 1,
) -> dict[str, Any]:
    """Return what `mesotrial power` says of a design whose arms are judged one by one (`analysis.one_arm`).

    Responses are drawn from `tables`, those of a bank; for the assurance from `draws` where there are any, tables from single draws of the model's posterior
    (and with an effect of each trial in either case). An arm has the size that the method gives, or its own in the design for a Bayesian comparison.
    `power` and `type1` are the chances that at least one arm passes; each arm has its own. The type I error is at the null rate (for a Bayesian design, at
    the historical control's).

    Raises `CatalogueError` for rates too close to tell apart, or an endpoint that the bank does not hold.
    """
    began = time.perf_counter()
    plan = design.analysis
    if plan is None or plan.one_arm is None:
        raise CatalogueError(f"{design.name} has no analysis.one_arm")
    rule, outcomes = plan.one_arm, Outcomes(tables)
    others = [Outcomes(one) for one in draws]
    rows, passed, nothing, months = [], [], [], []
    for place, arm in enumerate(design.arms):
        had = _had(outcomes, plan.one_arm, arm)
        rate = float(had.mean())
        rates = np.array([float(_had(one, plan.one_arm, arm).mean()) for one in others] or [rate])
        stages, null = _stages(plan, arm)
        tau = codes.tau(rule.endpoint)
        uncertain = _shifted(rates[np.arange(trials) % rates.size], tau, seed, place)
        true, false, assured = (
            _passes(stages, one, trials, seed, f"{arm.name}/{what}")
            for what, one in (
                ("model", np.full(trials, rate)),
                ("null", np.full(trials, null)),
                ("uncertain", uncertain),
            )
        )
        passed.append(true[0])
        nothing.append(false[0])
        wait = rule.time_months or design.follow_up_months
        months.append(_months(design, plan, true[1], trials, seed, wait))
        rows.append(
            {
                "arm": arm.name,
                "rate_bank": rate,
                "rate_bank_se": math.sqrt(rate * (1 - rate) / had.size),
                **_described(stages),
                "null_rate": null,
                "power": float(true[0].mean()),
                "mc_se": monte_carlo_se(float(true[0].mean()), trials),
                "power_exact": stages.passes(rate),
                "type1": float(false[0].mean()),
                "type1_mc_se": monte_carlo_se(float(false[0].mean()), trials),
                "type1_exact": stages.passes(null),
                "assurance": float(assured[0].mean()),
                "expected_patients": float(true[1].mean()),
                "n_in_design": arm.n,
            }
        )
    power, type1 = (float(np.any(one, axis=0).mean()) for one in (passed, nothing))
    return {
        "schema": SCHEMA,
        "design": design.name,
        "seed": seed,
        "method": rule.method,
        "endpoint": rule.endpoint,
        "time_months": rule.time_months,
        "power": power,
        "mc_se": monte_carlo_se(power, trials),
        "type1": type1,
        "type1_mc_se": monte_carlo_se(type1, trials),
        "trials": trials,
        "expected_duration_months": float(np.max(months, axis=0).mean()),
        "posterior_draws": len(draws),
        "bank_per_arm": round(tables["adsl"].height / len(design.arms)),
        "arms": rows,
        "seconds": time.perf_counter() - began,
    }


def _stages(plan: AnalysisPlan, arm: Arm) -> tuple[OneStage | TwoStage, float]:
    """Return the stages of an arm and the rate of no interest."""
    rule = plan.one_arm
    assert rule is not None
    try:
        if rule.method == "bayesian":
            assert rule.control is not None
            rate, n = rule.historical_rates()[0]
            control = HistoricalControl(rate * n, n, rule.control.weight)
            least = bayesian_least(arm.n, control, certainty=rule.certainty, margin=rule.margin)
            if least is None:
                raise ValueError(
                    f"even {arm.n} responses of {arm.n} patients would not be certain enough; ask for less certainty, or take more patients"
                )
            stage = OneStage(arm.n, least, 0.0, 0.0)
            return OneStage(
                arm.n, least, stage.passes(rate), stage.passes(min(rate + max(rule.margin, 0.0), 1.0))
            ), rate
        assert rule.null_rate is not None and rule.target_rate is not None
        rates = rule.null_rate, rule.target_rate
        if rule.method == "simon":
            return simon(*rates, alpha=plan.alpha, power=plan.power, kind=rule.kind), rates[0]
        made = a_hern if rule.method == "a_hern" else fleming
        return made(*rates, alpha=plan.alpha, power=plan.power), rates[0]
    except ValueError as error:
        raise CatalogueError(f"analysis.one_arm: {error}") from None


def _described(stages: OneStage | TwoStage) -> dict[str, Any]:
    if isinstance(stages, OneStage):
        return {"n": stages.n, "least": stages.least}
    return {"n": stages.n, "least": stages.r + 1, "first_stage_n": stages.n1, "first_stage_least": stages.r1 + 1}


def _had(outcomes: Outcomes, rule: OneArm, arm: Arm) -> npt.NDArray[np.bool_]:
    """Return which patients of an arm had what counts."""
    had = outcomes.outcome(rule.endpoint, arm.name, "all", rule.time_months)
    if had is None or had.size == 0:
        raise CatalogueError(f"the simulated patients of arm {arm.name!r} have no {rule.endpoint}")
    return had


def _shifted(rates: npt.NDArray[np.float64], tau: float, seed: int, place: int) -> npt.NDArray[np.float64]:
    """Return the rate of each trial: the bank's, moved on the logit by a trial-level effect."""
    from scipy.special import expit, logit

    from mesotrial.population.randomness import normals

    moved = expit(logit(rates) + tau * normals(seed, "one-arm effect", place, np.arange(rates.size), 1)[:, 0])
    return np.asarray(moved)


def _passes(
    stages: OneStage | TwoStage, rate: npt.NDArray[np.float64], trials: int, seed: int, what: str
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return whether each trial passes, and its patients."""
    from mesotrial.population.randomness import uniforms

    had = uniforms(seed, f"one arm/{what}", 0, np.arange(trials), stages.n) < rate[:, None]
    if isinstance(stages, OneStage):
        return had.sum(axis=1) >= stages.least, np.full(trials, stages.n)
    goes_on = had[:, : stages.n1].sum(axis=1) > stages.r1
    return goes_on & (had.sum(axis=1) > stages.r), np.where(goes_on, stages.n, stages.n1)


def _months(
    design: Design, plan: AnalysisPlan, patients: npt.NDArray[np.int64], trials: int, seed: int, wait: float
) -> npt.NDArray[np.float64]:
    """Return how long each trial takes: entry at even gaps drawn from a Poisson process, then the wait for the last response (twice for two stages)."""
    from mesotrial.population.randomness import uniforms

    most = int(patients.max())
    share = 1 / len(design.arms)
    accrual = accrual_of(design, plan, sum(arm.n for arm in design.arms))
    work = np.cumsum(-np.log(uniforms(seed, "one-arm entry", 0, np.arange(trials), most)), axis=1) / share
    grid = np.concatenate([[0.0], np.cumsum(np.diff([0.0, *accrual.ends[:-1]]) * np.array(accrual.per_month[:-1]))])
    starts = np.array([0.0, *accrual.ends[:-1]])
    piece = np.searchsorted(grid, work, side="right") - 1
    entry = starts[piece] + (work - grid[piece]) / np.array(accrual.per_month)[piece]
    last = entry[np.arange(trials), patients - 1]
    two = plan.one_arm is not None and plan.one_arm.method == "simon"
    pause = np.where(two & (patients == most), wait, 0.0)  # the first stage is read before the second begins
    return np.asarray(last + wait + pause)
