"""From a design's analysis plan to the conduct of resampled trials: sizes, accrual, when the looks come, and their boundaries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mesotrial.analysis import monitoring
from mesotrial.analysis.power.bank import Bank
from mesotrial.analysis.power.resampling import Accrual, Conduct, resample_trials
from mesotrial.analysis.sequential import Spending, boundaries
from mesotrial.catalogue import AnalysisPlan, CatalogueError, Design, read_test
from mesotrial.trial.tables import DAYS_PER_MONTH

__all__ = ["LookPlan", "accrual_of", "arms_in_order", "conduct_of", "plan_of"]

_PILOT = 400
_MARK_MONTHS = 24.0


@dataclass(frozen=True)
class LookPlan:
    """One analysis: when, the fraction of the final events expected there, and the Z at or beyond which it stops."""

    when: str
    fraction: float
    efficacy: float
    futility: float


def plan_of(design: Design) -> AnalysisPlan:
    """Return the design's plan, or what is usual where it has none: OS by (stratified) log-rank against the last arm, one-sided 2.5 %.

    Raises `CatalogueError` for a design of one arm without `analysis.one_arm`.
    """
    if design.analysis is not None:
        return design.analysis
    if len(design.arms) < 2:
        raise CatalogueError(
            f"{design.name} has one arm and nothing to compare it with; give `analysis: one_arm:` with a method and rates, or a second arm"
        )
    months = min(_MARK_MONTHS, math.floor(design.follow_up_months))
    also = ("fh(0,1)", "maxcombo", f"rmst {months:g}", f"milestone {months:g}")
    test = "stratified logrank" if design.randomisation.strata else "logrank"
    return AnalysisPlan(
        comparator=design.arms[-1].name,
        test=test,
        also=also if design.randomisation.strata == () else ("logrank", *also),
    )


def arms_in_order(design: Design, plan: AnalysisPlan) -> tuple[str, ...]:
    """Return the names of the arms, the comparator first."""
    others = tuple(arm.name for arm in design.arms if arm.name != plan.comparator)
    return (plan.comparator, *others)


def accrual_of(design: Design, plan: AnalysisPlan, patients: int) -> Accrual:
    """Return the accrual written, or an even rate that brings `patients` in during `accrual_months` (a month where that is 0)."""
    if plan.accrual:
        ends = np.cumsum([period.months for period in plan.accrual])
        return Accrual(tuple(float(end) for end in ends), tuple(period.per_month for period in plan.accrual))
    months = max(design.accrual_months, 1.0)
    return Accrual((months,), (patients / months,))


def conduct_of(
    design: Design,
    plan: AnalysisPlan,
    banks: Sequence[Bank],
    *,
    patients: int | None = None,
    events: int | None = None,
    seed: int = 1,
) -> tuple[Conduct, tuple[LookPlan, ...]]:
    """Return how the trials are conducted and the plan of the looks.

    `patients` (all arms) and `events` replace those of the design. Where looks come by the calendar, or the final analysis at the end of follow-up, the
    fractions of events are those expected in a few hundred resampled trials.
    """
    names = arms_in_order(design, plan)
    by_name = {arm.name: arm for arm in design.arms}
    ratio_of = dict(zip((arm.name for arm in design.arms), design.randomisation.ratio, strict=True))
    total = patients or sum(arm.n for arm in design.arms)
    final = events or plan.events
    if final is not None and final >= total:
        raise CatalogueError(f"{final} events cannot come from {total} patients; give fewer events or more patients")
    looks = [
        (1, float(look.month))
        if look.month is not None
        else (
            0,
            look.at_events(final) * (1.0 if look.events is None or not events else events / (plan.events or events)),
        )
        for look in plan.looks
    ]
    looks.append((0, float(final)) if final is not None else (1, math.inf))
    tests = tuple(read_test(text) for text in dict.fromkeys((plan.test, *plan.also)))
    open_ended = [math.inf] * len(looks)
    conduct = Conduct(
        patients=total,
        ratio=tuple(ratio_of[name] for name in names),
        block=design.randomisation.block,
        accrual=accrual_of(design, plan, total),
        horizon=design.follow_up_months,
        looks=tuple(looks),
        efficacy=tuple(open_ended),
        futility=tuple(-one for one in open_ended),
        tests=tests,
        dropout_per_year=tuple(
            by_name[name].stop_rules.dropout_per_year if plan.dropout_per_year is None else plan.dropout_per_year
            for name in names
        ),
        scan_months=_scan_months(design) if plan.endpoint == "PFS" else (),
        crossover=None
        if plan.crossover is None
        else (names.index(plan.crossover.arm), plan.crossover.share, plan.crossover.remaining_time_factor),
    )
    return _with_boundaries(conduct, plan, banks, final, seed)


def _scan_months(design: Design) -> tuple[float, ...]:
    months = design.accrual_months + design.follow_up_months
    return tuple(day / DAYS_PER_MONTH for day in design.scans.scan_days(2 * months * DAYS_PER_MONTH))


def _with_boundaries(
    conduct: Conduct, plan: AnalysisPlan, banks: Sequence[Bank], final: int | None, seed: int
) -> tuple[Conduct, tuple[LookPlan, ...]]:
    alpha = plan.alpha / (len(conduct.ratio) - 1)  # Bonferroni over the arms compared with one control
    fractions, expected = _fractions(conduct, banks, final, seed)
    efficacy = _efficacy(conduct, plan, fractions, expected, alpha)
    futility = _futility(conduct, plan, fractions, expected, alpha, efficacy)
    found = replace(conduct, efficacy=efficacy, futility=futility)
    if (rule := plan.reestimate) is not None:
        place = rule.look - 1
        found = replace(
            found, reestimate=(place, rule.low, rule.high, rule.target, rule.most, efficacy[-1], fractions[place])
        )
    if plan.drop_arms is not None:
        found = replace(found, drop=(plan.drop_arms.look - 1, plan.drop_arms.keep))
    words = [f"{value:g} events" if kind == 0 else f"month {value:g}" for kind, value in conduct.looks[:-1]]
    words.append(f"{final} events" if final is not None else "end of follow-up")
    return found, tuple(LookPlan(*one) for one in zip(words, fractions, efficacy, futility, strict=True))


def _fractions(
    conduct: Conduct, banks: Sequence[Bank], final: int | None, seed: int
) -> tuple[tuple[float, ...], float]:
    """Return the fraction of the final events at each analysis, and the final events."""
    if final is not None and all(kind == 0 for kind, _ in conduct.looks):
        return tuple(value / final for _, value in conduct.looks), float(final)
    pilot = resample_trials(conduct, banks, _PILOT, seed=seed, message="Timing the looks")
    means = pilot.look_events.mean(axis=0)
    if not means[-1] > 0:
        raise CatalogueError("no events are expected by the final analysis; give a longer follow_up_months")
    fractions = means / means[-1]
    if np.any(np.diff(fractions, prepend=0.0) <= 0.005):
        listed = ", ".join(f"{one:.0f}" for one in means)
        raise CatalogueError(
            f"the looks come too close together or out of order: {listed} events are expected at them; move or remove one"
        )
    return tuple(float(one) for one in fractions), float(means[-1])


def _prior(conduct: Conduct, plan: AnalysisPlan, events: float) -> monitoring.Prior:
    """Return the prior of the hazard ratio as one of the drift."""
    share = conduct.ratio[1] / (conduct.ratio[0] + conduct.ratio[1])
    root = math.sqrt(events * share * (1 - share))
    sd = math.inf if plan.prior.sd_log is None else plan.prior.sd_log * root
    return monitoring.Prior(-math.log(plan.prior.hazard_ratio) * root, sd)


def _efficacy(
    conduct: Conduct, plan: AnalysisPlan, fractions: Sequence[float], events: float, alpha: float
) -> tuple[float, ...]:
    rule = plan.efficacy
    if rule.rule == "spending":
        return boundaries(fractions, alpha=alpha, spending=Spending(rule.spending, rule.parameter)).efficacy
    prior, value = _prior(conduct, plan, events), rule.value or 0.0
    if rule.rule == "posterior_probability":
        return tuple(monitoring.z_for_posterior(value, t, prior) for t in fractions)
    critical = boundaries([1.0], alpha=alpha).efficacy[0]
    return (*(monitoring.z_for_predictive_power(value, t, critical, prior) for t in fractions[:-1]), critical)


def _futility(
    conduct: Conduct,
    plan: AnalysisPlan,
    fractions: Sequence[float],
    events: float,
    alpha: float,
    efficacy: tuple[float, ...],
) -> tuple[float, ...]:
    rule = plan.futility
    if rule is None:
        return (-math.inf,) * len(fractions)
    value, critical, before = rule.value or 0.0, efficacy[-1], fractions[:-1]
    match rule.rule:
        case "spending":
            spending = Spending(plan.efficacy.spending, plan.efficacy.parameter)
            return boundaries(
                fractions,
                alpha=alpha,
                spending=spending,
                power=plan.power,
                futility=Spending(rule.spending, rule.parameter),
            ).futility
        case "z":
            found = [value for _ in before]
        case "conditional_power":
            found = [monitoring.z_for_conditional_power(value, t, critical) for t in before]
        case "predictive_probability":
            prior = _prior(conduct, plan, events)
            found = [monitoring.z_for_predictive_power(value, t, critical, prior) for t in before]
    return (*found, critical)
