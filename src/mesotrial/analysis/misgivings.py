"""Everything in a design that looks wrong before the trial runs: each check says one thing, where, and why it matters.

None of this is an error: a design with misgivings runs. Thresholds are rules of thumb [guess], named where they stand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from mesotrial.catalogue.design import STRATA
from mesotrial.trial.tables import DAYS_PER_MONTH

if TYPE_CHECKING:
    from mesotrial.analysis.expected import Contrast, Expectation, ExpectedArm
    from mesotrial.catalogue import Arm, Design, Regimen

__all__ = ["Misgiving", "misgivings", "misgivings_simulated"]

_FEW_A_BLOCK = 2.0  # full blocks a stratum should see
_FEW_IN_A_STRATUM = 5.0
_LITTLE_POWER = 0.5
_MANY_STOP = 1 / 3
_FAR_DOSE = 2.0  # times the largest dose of the catalogue's trials, or this part of the smallest
_CONFIRMATION_DAYS = 28.0


@dataclass(frozen=True)
class Misgiving:
    """Something that looks wrong: `where` is the field's dotted path, `code` a name for programs."""

    code: str
    where: str
    message: str


def misgivings(design: Design) -> list[Misgiving]:
    """Return what looks wrong without simulating anything."""
    return [one for check in (_same_arms, _sizes, _strata, _caps, _doses, _few_scans) for one in check(design)]


def misgivings_simulated(design: Design, expected: Expectation) -> list[Misgiving]:
    """Return what a quick simulation shows to be wrong."""
    arms = expected.arms
    return [
        *_sparse_scans(design, arms),
        *_short_follow_up(design, arms),
        *_toxic(arms),
        *_failures(arms),
        *_never_reached(expected),
        *_no_power(expected.contrasts),
    ]


def _same_arms(design: Design) -> Iterator[Misgiving]:
    """Two arms that never differ."""
    for place, arm in enumerate(design.arms):
        for other in design.arms[:place]:
            if _treatment(arm) == _treatment(other):
                yield Misgiving(
                    "same_arms",
                    f"arms[{place}]",
                    f"arm {arm.name!r} never differs from arm {other.name!r}: same regimens, same rules",
                )


def _treatment(arm: Arm) -> tuple[object, ...]:
    def plain(regimen: Regimen) -> tuple[object, ...]:
        about = (regimen.drug, regimen.amount, regimen.unit, regimen.route, regimen.infusion_minutes)
        return (*about, regimen.days_in_cycle, regimen.phases, regimen.start_day)

    given = (
        frozenset(map(plain, arm.regimens)),
        frozenset((one.share, frozenset(map(plain, one.regimens))) for one in arm.one_of),
    )
    return (*given, arm.on_progression, arm.max_treatment_days, arm.stop_rules, arm.after_progression)


def _sizes(design: Design) -> Iterator[Misgiving]:
    ratio = design.randomisation.ratio
    whole = [arm.n / part for arm, part in zip(design.arms, ratio, strict=True)]
    if max(whole) > 1.25 * min(whole):
        sizes = ":".join(str(arm.n) for arm in design.arms)
        yield Misgiving(
            "ratio",
            "randomisation.ratio",
            f"{':'.join(map(str, ratio))} does not fit the arms' sizes, {sizes}",
        )


def _strata(design: Design) -> Iterator[Misgiving]:
    """Strata with nobody or hardly anybody in them, and blocks that are never filled."""
    names = design.randomisation.strata
    total = sum(arm.n for arm in design.arms)
    smallest = float(total)
    for place, name in enumerate(names):
        share = getattr(design.population, STRATA[name])
        least = min(share, 1 - share)
        smallest *= least
        if least * total < 0.5:
            yield Misgiving("empty_stratum", f"randomisation.strata[{place}]", f"one side of {name} has nobody in it")
        elif least * total < _FEW_IN_A_STRATUM:
            yield Misgiving(
                "small_stratum",
                f"randomisation.strata[{place}]",
                f"one side of {name} has about {least * total:.0f} of {total} patients in it",
            )
    count = 2 ** len(names)
    if names and total / count < _FEW_A_BLOCK * design.randomisation.block:
        yield Misgiving(
            "blocks",
            "randomisation.block",
            f"{count} strata of {total} patients hold about {total / count:.0f} each: blocks of {design.randomisation.block} are hardly filled, "
            "and the arms can come out uneven",
        )


def _caps(design: Design) -> Iterator[Misgiving]:
    """Planned doses that the end of treatment cuts off."""
    for path, arm, regimen in _regimens(design):
        cap = arm.max_treatment_days
        last = regimen.phases[-1]
        if cap is None or last.cycles is None:
            continue
        horizon = regimen.start_day + sum(phase.cycle_days * (phase.cycles or 0) for phase in regimen.phases) + 1
        planned, given = len(regimen.dose_days(horizon)), len(regimen.dose_days(cap))
        if given < planned:
            yield Misgiving(
                "capped",
                path,
                f"{regimen.text!r} plans {planned} doses, but max_treatment_days {cap:g} of arm {arm.name!r} leaves {given}",
            )


def _doses(design: Design) -> Iterator[Misgiving]:
    """Doses far from what the catalogue's trials gave."""
    known = _known_doses()
    for path, _, regimen in _regimens(design):
        some = known.get((regimen.drug, regimen.unit, regimen.route), ())
        if not some or not regimen.amount:
            continue
        if regimen.amount > _FAR_DOSE * max(some) or regimen.amount < min(some) / _FAR_DOSE:
            seen = f"{min(some):g}" if min(some) == max(some) else f"{min(some):g} to {max(some):g}"
            yield Misgiving(
                "unusual_dose",
                path,
                f"{regimen.amount:g} {regimen.unit} of {regimen.drug} is far from what the catalogue's trials gave ({seen} {regimen.unit}): the model is not "
                "anchored there",
            )


@lru_cache
def _known_doses() -> dict[tuple[str, str, str], tuple[float, ...]]:
    from mesotrial.catalogue import entries, load_design

    found: dict[tuple[str, str, str], tuple[float, ...]] = {}
    for entry in entries("trial"):
        if entry.runnable:
            for _, _, one in _regimens(load_design(entry.key)):
                key = (one.drug, one.unit, one.route)
                found[key] = (*found.get(key, ()), one.amount)
    return found


def _few_scans(design: Design) -> Iterator[Misgiving]:
    days = design.scans.scan_days(design.follow_up_months * DAYS_PER_MONTH)
    if design.scans.confirmation and (len(days) < 2 or days[-1] - days[0] < _CONFIRMATION_DAYS):
        yield Misgiving(
            "no_confirmation",
            "scans.confirmation",
            "the last patient has no second scan at least 4 weeks after the first: his response cannot be confirmed",
        )


def _sparse_scans(design: Design, arms: Sequence[ExpectedArm]) -> Iterator[Misgiving]:
    first = design.scans.scan_days(design.follow_up_months * DAYS_PER_MONTH)[0]
    for arm in arms:
        if arm.pfs_median * DAYS_PER_MONTH <= first + design.scans.window_days:
            yield Misgiving(
                "sparse_scans",
                "scans.every_weeks",
                f"half of arm {arm.arm!r} have progressed or died by {arm.pfs_median:.1f} months, about the first scan (week {first / 7:g}): PFS will say more "
                "of the scans' dates than of the treatment",
            )


def _short_follow_up(design: Design, arms: Sequence[ExpectedArm]) -> Iterator[Misgiving]:
    for arm in arms:
        for name, median in (("OS", arm.os_median), ("PFS", arm.pfs_median)):
            if name in design.endpoints and math.isnan(median):
                yield Misgiving(
                    "short_follow_up",
                    "follow_up_months",
                    f"fewer than half of arm {arm.arm!r} have the event of {name} by the end: its median will not be reached",
                )


def _toxic(arms: Sequence[ExpectedArm]) -> Iterator[Misgiving]:
    for place, arm in enumerate(arms):
        if arm.stopped_for_toxicity > _MANY_STOP * arm.patients:
            yield Misgiving(
                "toxic",
                f"arms[{place}]",
                f"about {arm.stopped_for_toxicity:.0f} of {arm.patients} patients of arm {arm.arm!r} stop for side effects",
            )


def _failures(arms: Sequence[ExpectedArm]) -> Iterator[Misgiving]:
    for place, arm in enumerate(arms):
        if arm.failed:
            share = arm.failed / arm.patients
            yield Misgiving(
                "failures", f"arms[{place}]", f"the simulation fails for {share:.1%} of the patients of arm {arm.arm!r}"
            )


def _never_reached(expected: Expectation) -> Iterator[Misgiving]:
    """Looks that wait for more events than the trial has."""
    for place, look in enumerate(expected.looks):
        if math.isnan(look.month):
            most = expected.events[0].by(math.inf)
            is_final = place == len(expected.looks) - 1
            yield Misgiving(
                "never_reached",
                "analysis.events" if is_final else f"analysis.looks[{place}]",
                f"the {look.name} waits for {look.events:.0f} events of {expected.events[0].parameter}, and about {most:.0f} come by the end of follow-up",
            )


def _no_power(contrasts: Sequence[Contrast]) -> Iterator[Misgiving]:
    for one in contrasts:
        if one.power < _LITTLE_POWER:
            worse = (
                f"; {one.arm!r} does worse: if it is the comparator, say so (analysis.comparator)"
                if one.lower > 1
                else ""
            )
            yield Misgiving(
                "no_power",
                "arms",
                f"{one.parameter}, {one.arm!r} against {one.other!r}: about {one.events:.0f} events find a hazard ratio of {one.detectable:.2f} four times in "
                f"five; the simulated one is {one.ratio:.2f} ({one.lower:.2f} to {one.upper:.2f}), found in {one.power:.0%} of trials{worse}",
            )


def _regimens(design: Design) -> Iterator[tuple[str, Arm, Regimen]]:
    for i, arm in enumerate(design.arms):
        for k, regimen in enumerate(arm.regimens):
            yield f"arms[{i}].regimens[{k}]", arm, regimen
        for j, choice in enumerate(arm.one_of):
            for k, regimen in enumerate(choice.regimens):
                yield f"arms[{i}].one_of[{j}].regimens[{k}]", arm, regimen
