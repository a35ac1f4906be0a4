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
from mesotrial.catalogue.analysis_plan import Prior
from mesotrial.trial.tables import DAYS_PER_MONTH

__all__ = [
    *("LONGEST_MONTHS", "LookPlan"),
    *("accrual_of", "arms_in_order", "check_follow_up", "conduct_of", "length_of", "plan_of"),
]

_PILOT = 400
_MARK_MONTHS = 24.0
LONGEST_MONTHS = 240.0  # 20 years: nearly nobody of the model lives longer


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


def length_of(design: Design, plan: AnalysisPlan, *, patients: int | None = None, events: int | None = None) -> float:
    """Return for how many months a bank must follow its patients, for the trial that is asked for.

    Raises `CatalogueError` for a trial of more than `LONGEST_MONTHS`.
    """
    conduct = _at_most(_planned(design, plan, patients, events)[0], plan)
    if conduct.longest_months > LONGEST_MONTHS:
        raise CatalogueError(
            f"{conduct.patients} patients would enter for about {conduct.accrual.expected_months(conduct.patients):.0f} months and the trial last more than "
            f"{LONGEST_MONTHS / 12:.0f} years; give fewer patients, or more a month (analysis.accrual, --enroll-rate)"
        )
    return conduct.longest_months


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

    Raises `CatalogueError` for a plan that cannot be, or one that outlasts the follow-up of a bank.
    """
    conduct, final = _planned(design, plan, patients, events)
    check_follow_up(_at_most(conduct, plan), banks)
    return _with_boundaries(conduct, plan, banks, final, seed)


def check_follow_up(conduct: Conduct, banks: Sequence[Bank]) -> None:
    """Raise `CatalogueError` where trials may outlast the follow-up of a bank: its patients would be censored too early."""
    until, needed = min(bank.until for bank in banks), conduct.longest_months
    if until < needed - 1e-6:
        raise CatalogueError(
            f"the bank follows its patients for {until:.4g} months, and trials of {conduct.patients} patients may last {needed:.4g}; simulate a longer bank "
            f"(simulate_banks with months={math.ceil(needed)})"
        )


def _at_most(conduct: Conduct, plan: AnalysisPlan) -> Conduct:
    """Return the trial as large as a re-estimation may make it."""
    return conduct if plan.reestimate is None else conduct.sized(math.ceil(conduct.patients * plan.reestimate.most))


def _planned(
    design: Design, plan: AnalysisPlan, patients: int | None, events: int | None
) -> tuple[Conduct, int | None]:
    """Return the conduct without boundaries, and the events of the final analysis."""
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
    return conduct, final


def _scan_months(design: Design) -> tuple[float, ...]:
    return tuple(day / DAYS_PER_MONTH for day in design.scans.scan_days(LONGEST_MONTHS * DAYS_PER_MONTH))


def _with_boundaries(
    conduct: Conduct, plan: AnalysisPlan, banks: Sequence[Bank], final: int | None, seed: int
) -> tuple[Conduct, tuple[LookPlan, ...]]:
    alpha = plan.alpha_of_each(len(conduct.ratio))
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
    """Return the prior of the hazard ratio as one of the drift of each comparison; `events` are those of all arms."""
    control, treated = conduct.ratio[0], conduct.ratio[1]
    if len(set(conduct.ratio[1:])) > 1 and plan.prior != Prior():
        raise CatalogueError(
            "analysis.prior: with arms of different sizes beside the comparator a prior means another boundary for each; make them equal, or leave it out"
        )
    share, both = treated / (control + treated), (control + treated) / sum(conduct.ratio)
    root = math.sqrt(events * both * share * (1 - share))
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
