"""The analysis plan of a design file: what it reads, and one clear message for each thing that cannot be."""

from dataclasses import replace

import pytest

from mesotrial.catalogue import CatalogueError, DataError, design_from_text, read_test
from mesotrial.catalogue.analysis_plan import AccrualPeriod, HistoricalTrial, Look, OneArm

HEAD = """
name: two-arms
line: relapsed
population: {like: maps2}
arms:
  - {name: nivo, n: 100, regimens: [nivolumab 240 mg IV over 30 min q2w x 26]}
  - {name: chemo, n: 100, regimens: [pemetrexed 500 mg/m2 IV over 10 min q3w x 6]}
scans: {every_weeks: "6"}
follow_up_months: 24
"""
ALONE = HEAD.replace("  - {name: chemo, n: 100, regimens: [pemetrexed 500 mg/m2 IV over 10 min q3w x 6]}\n", "")


def test_a_plan_is_read_and_written() -> None:
    text = HEAD + (
        "analysis: {endpoint: PFS, comparator: chemo, test: Log-Rank, also: ['fh(0, 1)', maxcombo], events: 140, looks: [{events: 70}, {fraction: 0.75}],"
        " efficacy: {spending: hwang_shih_decani, parameter: -4}, futility: {rule: z, value: 0}, accrual: [{months: 3, per_month: 5}]}\n"
    )
    design = design_from_text(text)
    plan = design.analysis
    assert plan is not None
    assert (plan.endpoint, plan.comparator, plan.events, plan.also) == ("PFS", "chemo", 140, ("fh(0, 1)", "maxcombo"))
    assert plan.looks == (Look(events=70), Look(fraction=0.75))
    assert [look.at_events(140) for look in plan.looks] == [70, 105]
    assert plan.accrual == (AccrualPeriod(3, 5),)
    assert design_from_text(design.to_yaml()) == replace(design, source_text="")
    assert design_from_text(HEAD).analysis is None
    assert "analysis" not in design_from_text(HEAD).to_yaml()


def test_tests_are_read() -> None:
    assert read_test("logrank").numbers == (0, 0)
    assert read_test("stratified FH(0.5, 1)").stratified
    assert read_test("stratified fh(0.5, 1)").numbers == (0.5, 1)
    assert (read_test("rmst 24").kind, read_test("rmst 24").numbers[0]) == ("rmst", 24)
    for wrong in ("t-test", "rmst", "milestone -3", "stratified rmst 3", "fh(1)", "fh(1.2.3,0)", "rmst 1e9", ""):
        with pytest.raises(CatalogueError, match="expected logrank"):
            read_test(wrong)


@pytest.mark.parametrize(
    ("analysis", "path", "message"),
    [
        ("{alpha: 1.2}", "analysis.alpha", "must be less than 0.5"),
        ("{alpha: 0}", "analysis.alpha", "must be more than 0"),
        ("{events: 200}", "analysis.events", "cannot come from 200 patients"),
        ("{power: 0.01}", "analysis.power", "must be more than alpha"),
        ("{power: 1}", "analysis.power", "must be less than 1"),
        ("{comparator: chem}", "analysis.comparator", "did you mean chemo"),
        ("{test: ttest}", "analysis.test", "cannot read the test"),
        ("{also: [logrank, wilcoxon]}", "analysis.also[1]", "cannot read the test"),
        ("{test: stratified logrank}", "analysis.test", "no strata"),
        ("{looks: [{events: 50}, {events: 40}]}", "analysis.looks[1]", "give the looks in order"),
        ("{looks: [{month: 12}, {month: 12}]}", "analysis.looks[1]", "give the looks in order"),
        ("{events: 100, looks: [{events: 120}]}", "analysis.looks[0]", "the final analysis already at 100"),
        ("{looks: [{fraction: 0.5}]}", "analysis.looks[0].fraction", "does not give"),
        ("{events: 100, looks: [{fraction: 1.5}]}", "analysis.looks[0].fraction", "must be less than 1"),
        ("{looks: [{}]}", "analysis.looks[0]", "needs one of events, fraction or month"),
        ("{events: 100, looks: [{events: 50, month: 12}]}", "analysis.looks[0]", "needs one of"),
        ("{futility: {rule: z, value: 0}}", "analysis.futility", "at least one interim look"),
        ("{looks: [{events: 50}], futility: {rule: conditional_power}}", "analysis.futility", "needs a `value`"),
        (
            "{looks: [{events: 50}], futility: {rule: conditional_power, value: 20}}",
            "analysis.futility.value",
            "is a probability",
        ),
        ("{efficacy: {rule: spending, value: 0.9}}", "analysis.efficacy.value", "has no meaning"),
        ("{efficacy: {spending: power, parameter: -1}}", "analysis.efficacy.parameter", "must be more than 0"),
        ("{efficacy: {parameter: 90}}", "analysis.efficacy.parameter", "between -40 and 40"),
        ("{efficacy: {spending: obf}}", "analysis.efficacy.spending", "obrien_fleming"),
        ("{reestimate: {look: 1}}", "analysis.reestimate.look", "there are 0 interim looks"),
        (
            "{looks: [{events: 50}], reestimate: {look: 1, low: 0.9, high: 0.5}}",
            "analysis.reestimate.low",
            "less than high",
        ),
        ("{looks: [{events: 50}, {events: 60}], reestimate: {look: 1}}", "analysis.reestimate.look", "last look"),
        ("{test: maxcombo, looks: [{events: 50}], reestimate: {look: 1}}", "analysis.reestimate", "log-rank"),
        ("{looks: [{events: 50}], drop_arms: {look: 1, keep: 1}}", "analysis.drop_arms.keep", "fewer than the 1 arms"),
        (
            "{crossover: {arm: chemi, share: 0.3, remaining_time_factor: 2}}",
            "analysis.crossover.arm",
            "did you mean chemo",
        ),
        (
            "{endpoint: PFS, crossover: {arm: chemo, share: 0.3, remaining_time_factor: 2}}",
            "analysis.crossover",
            "changes OS",
        ),
        ("{accrual: [{months: 3, per_month: 0}]}", "analysis.accrual[0].per_month", "must be more than 0"),
        ("{one_arm: {method: simon}}", "analysis.one_arm", "needs `null_rate`"),
        (
            "{one_arm: {method: a_hern, null_rate: 0.4, target_rate: 0.3}}",
            "analysis.one_arm.target_rate",
            "more than null_rate",
        ),
        (
            "{one_arm: {method: fleming, endpoint: DCR_AT, null_rate: 0.4, target_rate: 0.6}}",
            "analysis.one_arm",
            "time_months",
        ),
        ("{one_arm: {method: bayesian}}", "analysis.one_arm", "needs `control"),
        (
            "{one_arm: {method: bayesian, control: {trial: MAPS9, arm: nivo}}}",
            "analysis.one_arm.control.trial",
            "MAPS9",
        ),
        (
            "{one_arm: {method: bayesian, control: {trial: MAPS2, arm: placebo}}}",
            "analysis.one_arm.control.arm",
            "its arms are",
        ),
        ("{endpiont: OS}", "analysis.endpiont", "did you mean endpoint"),
    ],
)
def test_a_bad_plan_gets_one_message_with_its_place(analysis: str, path: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        design_from_text(f"{HEAD}analysis: {analysis}\n", "trial.yaml")
    text = str(caught.value)
    assert text.startswith("trial.yaml, line ")
    assert f", {path}: " in text
    assert message in text
    assert "\n" not in text


def test_an_arm_without_patients_is_refused() -> None:
    with pytest.raises(DataError, match=r"arms\[0\]\.n: must be at least 1"):
        design_from_text(HEAD.replace("n: 100", "n: 0", 1))


def test_one_arm_needs_a_rate_to_be_judged_by() -> None:
    with pytest.raises(DataError, match="the design has one; add a comparator"):
        design_from_text(ALONE + "analysis: {alpha: 0.05}\n")
    plan = design_from_text(ALONE + "analysis: {one_arm: {method: simon, null_rate: 0.2, target_rate: 0.4}}\n").analysis
    assert plan is not None
    assert plan.one_arm == OneArm("simon", null_rate=0.2, target_rate=0.4)


def test_a_historical_control_is_what_was_published() -> None:
    rule = OneArm("bayesian", "ORR", control=HistoricalTrial("CONFIRM", "nivo"))
    assert rule.historical_rates() == [(0.11, 221)]
