"""From the ``analysis`` of a design file to an `AnalysisPlan`, with what its parts must be together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mesotrial.catalogue import analysis_plan as a
from mesotrial.catalogue._build import build
from mesotrial.catalogue._yaml import Document
from mesotrial.catalogue._yaml import Path as FieldPath
from mesotrial.catalogue.design import Arm, Randomisation
from mesotrial.catalogue.errors import CatalogueError, UnknownNameError, nearest
from mesotrial.catalogue.evidence import published_results

__all__ = ["read_analysis"]

_TOP: FieldPath = ("analysis",)


def read_analysis(document: Document, arms: Sequence[Arm], randomisation: Randomisation) -> a.AnalysisPlan | None:
    """Read the plan, None where the file has none. Raises `DataError` with file, line and path for what cannot be."""
    data: Mapping[str, Any] | None = document.data.get("analysis")
    if data is None:
        return None
    names = [arm.name for arm in arms]
    looks = tuple(build(a.Look, item) for item in data.get("looks", []))
    plan: a.AnalysisPlan = build(
        a.AnalysisPlan,
        data,
        comparator=_arm(document, (*_TOP, "comparator"), data.get("comparator") or names[-1], names),
        test=_test(document, (*_TOP, "test"), data.get("test", a.AnalysisPlan.test)),
        also=tuple(_test(document, (*_TOP, "also", i), text) for i, text in enumerate(data.get("also", []))),
        looks=looks,
        efficacy=build(a.Efficacy, data.get("efficacy") or {}),
        futility=_part(a.Futility, data.get("futility")),
        prior=build(a.Prior, data.get("prior") or {}),
        reestimate=_part(a.Reestimation, data.get("reestimate")),
        drop_arms=_part(a.DropArms, data.get("drop_arms")),
        crossover=_part(a.Crossover, data.get("crossover")),
        accrual=tuple(build(a.AccrualPeriod, item) for item in data.get("accrual", [])),
        one_arm=_one_arm(document, data.get("one_arm")),
    )
    if plan.power <= plan.alpha:
        raise document.error((*_TOP, "power"), f"must be more than alpha ({plan.alpha:g}), not {plan.power:g}")
    if plan.events is not None and plan.events >= (total := sum(arm.n for arm in arms)):
        raise document.error(
            (*_TOP, "events"), f"{plan.events} cannot come from {total} patients; give fewer events or more patients"
        )
    if plan.one_arm is None and len(arms) < 2:
        raise document.error(
            _TOP,
            "compares two arms, but the design has one; add a comparator, or judge the arm by a rate with `one_arm`",
        )
    stratified = any(a.read_test(text).stratified for text in (plan.test, *plan.also))
    if stratified and not randomisation.strata:
        raise document.error(
            (*_TOP, "test"), "is stratified, but the randomisation has no strata; give `randomisation.strata`"
        )
    _check_looks(document, plan)
    _check_rules(document, plan)
    _check_changes(document, plan, names)
    return plan


def _part(cls: Any, data: Mapping[str, Any] | None) -> Any:
    return None if data is None else build(cls, data)


def _arm(document: Document, path: FieldPath, name: str, names: Sequence[str]) -> str:
    if name not in names:
        near = nearest(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"the arms are {', '.join(names)}"
        raise document.error(path, f"no arm is called {name!r}; {hint}")
    return name


def _test(document: Document, path: FieldPath, text: str) -> str:
    try:
        return a.read_test(text).text
    except CatalogueError as error:
        raise document.error(path, str(error)) from None


def _check_looks(document: Document, plan: a.AnalysisPlan) -> None:
    last = {"events": 0.0, "month": 0.0}
    for i, look in enumerate(plan.looks):
        path: FieldPath = (*_TOP, "looks", i)
        if sum(one is not None for one in (look.events, look.fraction, look.month)) != 1:
            raise document.error(path, "needs one of events, fraction or month")
        if look.fraction is not None and plan.events is None:
            raise document.error((*path, "fraction"), "is a fraction of `events`, which the analysis does not give")
        kind = "month" if look.month is not None else "events"
        value = look.month if look.month is not None else look.at_events(plan.events)
        if value <= last[kind]:
            raise document.error(
                path,
                f"comes at {value:g} {kind}, not after the look before it, at {last[kind]:g}; give the looks in order",
            )
        last[kind] = value
    if plan.events is not None and last["events"] >= plan.events:
        raise document.error(
            (*_TOP, "looks", len(plan.looks) - 1),
            f"comes at {last['events']:g} events, but the final analysis already at {plan.events}",
        )


def _check_rules(document: Document, plan: a.AnalysisPlan) -> None:
    for name, part in (("efficacy", plan.efficacy), ("futility", plan.futility)):
        if part is None:
            continue
        path: FieldPath = (*_TOP, name)
        if part.rule == "spending":
            if part.value is not None:
                raise document.error((*path, "value"), "has no meaning where the rule is spending")
        elif part.value is None:
            raise document.error(path, f"the rule {part.rule} needs a `value`")
        elif part.rule != "z" and not 0 < part.value < 1:
            raise document.error((*path, "value"), f"is a probability, between 0 and 1, not {part.value:g}")
        if part.spending == "power" and not (part.parameter or 1) > 0:
            raise document.error((*path, "parameter"), f"must be more than 0, not {part.parameter:g}")
        if part.parameter is not None and abs(part.parameter) > 40:
            raise document.error((*path, "parameter"), f"must lie between -40 and 40, not {part.parameter:g}")
    if plan.futility is not None and not plan.looks:
        raise document.error((*_TOP, "futility"), "needs at least one interim look under `looks`")


def _check_changes(document: Document, plan: a.AnalysisPlan, names: Sequence[str]) -> None:
    for name, part in (("reestimate", plan.reestimate), ("drop_arms", plan.drop_arms)):
        if part is not None and part.look > len(plan.looks):
            raise document.error(
                (*_TOP, name, "look"), f"is look {part.look}, but there are {len(plan.looks)} interim looks"
            )
    if (rule := plan.reestimate) is not None:
        if rule.low >= rule.high:
            raise document.error((*_TOP, "reestimate", "low"), f"must be less than high ({rule.high:g})")
        if rule.look != len(plan.looks):
            raise document.error((*_TOP, "reestimate", "look"), "must be the last look before the final analysis")
        if len(names) > 2:
            raise document.error((*_TOP, "reestimate"), "is for two arms")
        test = a.read_test(plan.test)
        if test.kind != "logrank":
            raise document.error((*_TOP, "reestimate"), "combines log-rank statistics; the test is another")
    if (drop := plan.drop_arms) is not None and drop.keep >= len(names) - 1:
        raise document.error(
            (*_TOP, "drop_arms", "keep"), f"must be fewer than the {len(names) - 1} arms beside the comparator"
        )
    if plan.crossover is not None:
        _arm(document, (*_TOP, "crossover", "arm"), plan.crossover.arm, names)
        if plan.endpoint != "OS":
            raise document.error(
                (*_TOP, "crossover"), "at progression changes OS, not PFS; leave it out, or give `endpoint: OS`"
            )


def _one_arm(document: Document, data: Mapping[str, Any] | None) -> a.OneArm | None:
    if data is None:
        return None
    path: FieldPath = (*_TOP, "one_arm")
    one: a.OneArm = build(a.OneArm, data, control=_part(a.HistoricalTrial, data.get("control")))
    if one.endpoint == "DCR_AT" and one.time_months is None:
        raise document.error(path, "DCR_AT needs `time_months`")
    if one.method == "bayesian":
        if one.control is None:
            raise document.error(path, "a bayesian design needs `control: {trial, arm}`")
        _historical(document, (*path, "control"), one)
    elif one.null_rate is None or one.target_rate is None:
        raise document.error(path, f"{one.method} needs `null_rate` and `target_rate`")
    elif one.null_rate >= one.target_rate:
        raise document.error(
            (*path, "target_rate"), f"must be more than null_rate ({one.null_rate:g}), not {one.target_rate:g}"
        )
    return one


def _historical(document: Document, path: FieldPath, one: a.OneArm) -> None:
    """Refuse a control of which the rate was not published."""
    assert one.control is not None
    try:
        rows = published_results(one.control.trial)
    except UnknownNameError as error:
        raise document.error((*path, "trial"), str(error)) from None
    arms = list(dict.fromkeys(row.arm for row in rows))
    if one.control.arm not in arms:
        raise document.error(
            (*path, "arm"),
            f"no arm of {one.control.trial} is called {one.control.arm!r}; its arms are {', '.join(arms)}",
        )
    if not one.historical_rates():
        raise document.error(
            (*path, "trial"),
            f"{one.endpoint} of all patients was not published for this arm, with the number of patients",
        )
