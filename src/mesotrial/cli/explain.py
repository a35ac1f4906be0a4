"""``explain``: the trial as a timeline, before it runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mesotrial.cli.options import DesignName, JsonFlag, QuietFlag

if TYPE_CHECKING:
    from rich.table import Table

    from mesotrial.catalogue import Arm, Continuous, Design, LeadIn, Regimen

__all__ = ["register", "timeline"]

_INDENT = 22
_MARGIN = 14  # for what follows the last week drawn
_CENSORING = {
    "ema": "progression at a scan or by symptoms, or death, ends PFS whenever it is seen; otherwise PFS is censored at the last scan",
    "fda": "as the EMA's rules, but symptoms without a scan do not count, and an event after two or more missed scans is censored at the last scan before",
}
_ASSESSORS = {
    "bicr": "read by an independent review",
    "investigator": "read by the investigator",
    "unknown": "reader not known",
}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("explain")(explain)


def explain(
    design: DesignName,
    fast: Annotated[
        bool, typer.Option("--fast", help="Without the quick simulation: no expected counts, and fewer misgivings.")
    ] = False,
    patients: Annotated[
        int, typer.Option("--patients", "-n", metavar="N", help="Patients an arm of the quick simulation.")
    ] = 200,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Draw a trial as a timeline before it runs, say what to expect of it (from a quick simulation), and what looks wrong.

    Drawn are arms, doses, scans, caps, the calendar, population and rules. Expected are doses, scans and events. The quick
    simulation is rough; `mesotrial run` gives intervals.

    Examples:

    - `mesotrial explain maps2`
    - `mesotrial explain my-trial.yaml --fast`
    - `mesotrial explain my-trial.yaml --json`
    """
    from mesotrial.analysis.misgivings import misgivings, misgivings_simulated
    from mesotrial.catalogue import load_design
    from mesotrial.cli.expecting import counts, expect, said, wrongs
    from mesotrial.cli.output import console, print_json
    from mesotrial.trial import exploratory_arms

    trial = load_design(design)
    wrong = misgivings(trial)
    expected = None
    unknown = [trial.arms[place].label for place in exploratory_arms(trial)]
    if not fast and not unknown:
        expected = expect(trial, patients, quiet=quiet or as_json)
        wrong += misgivings_simulated(trial, expected)
    if as_json:
        found = {
            "expected": list(expected.arms) if expected else [],
            "contrasts": list(expected.contrasts) if expected else [],
            "looks": list(expected.looks) if expected else [],
            "lead_in": expected.lead_in if expected else None,
            "events": {one.parameter: one.by_quarter() for one in expected.events} if expected else {},
        }
        print_json(_as_dict(trial) | found | {"misgivings": wrong})
        return
    out = console()
    for line in _ranges(design):
        out.print(line)
    for line in timeline(trial, weeks=12 * min(10, max(2, (out.width - _INDENT - _MARGIN) // 12))):
        out.print(line, soft_wrap=True)
    if not quiet:
        for line in _words(trial):
            out.print(line)
        out.print(_population(trial))
    if unknown and not quiet:
        out.print(f"What to expect is not known: no trial has shown what is given in {', '.join(unknown)}.")
    if expected:
        out.print(counts(expected))
        for line in said(expected):
            out.print(line)
    for line in wrongs(wrong, fast=fast):
        out.print(line)


def _ranges(design: str) -> Iterator[str]:
    """Say what varies in a design file with a `search:` block, which is drawn with its defaults."""
    from mesotrial.catalogue import ranges_of

    if variables := ranges_of(design):
        yield f"{design} has ranges (see mesotrial optimise); this is the design with their defaults:"
        for one in variables:
            yield f"  {one.name} {one.default}, of {', '.join(map(str, one.values[:12]))}{', ...' if len(one.values) > 12 else ''}"
        yield ""


def timeline(design: Design, weeks: int = 60) -> Iterator[str]:
    """Draw the first weeks of treatment, one column a week: `|` a dose, `S` a scan, `x` the end of treatment."""
    yield design.title
    yield _headline(design)
    yield ""
    if design.lead_in is not None:
        yield from _before(design.lead_in)
    yield f"{'Week':<{_INDENT}}" + "".join(f"{week:<12}" for week in range(0, weeks, 12)).rstrip()
    for arm in design.arms:
        yield f"{arm.name}: {arm.label}, {arm.n} patients"
        for share, regimen in _regimens(arm):
            days = regimen.dose_days(_until(arm, design))
            yield f"  {share}{regimen.text}: {_doses(days)}"
            yield f"{f'    {regimen.drug}':<{_INDENT}}{_drawn(days, '|', arm.max_treatment_days, weeks)}"
    days = design.scans.scan_days(_horizon(design))
    yield f"Scans at baseline, then every {_scan_words(design.scans.every_weeks)}"
    yield f"{'    scans':<{_INDENT}}{_drawn(days, 'S', None, weeks)}"


def _before(lead_in: LeadIn) -> Iterator[str]:
    """Draw the lead-in, its weeks counted back from randomisation."""
    weeks = math.ceil(lead_in.weeks)
    heads = "".join(f"{f'-{week}':<12}" for week in range(weeks, 0, -12)).rstrip()
    yield f"{'Week':<{_INDENT}}{heads}"
    yield f"Lead-in: {lead_in.weeks:g} weeks, counted from its start"
    for share, regimen in _regimens(lead_in):
        days = regimen.dose_days(lead_in.days)
        yield f"  {share}{regimen.text}: {_doses(days)}"
        yield f"{f'    {regimen.drug}':<{_INDENT}}{_drawn(days, '|', None, weeks)}"
    yield ""


def _headline(design: Design) -> str:
    ratio = ":".join(str(part) for part in design.randomisation.ratio)
    arms = f"{len(design.arms)} arms, {ratio}" if len(design.arms) > 1 else "one arm"
    disease = "first line" if design.line == "first" else "relapsed disease"
    parts = (design.registry, disease, f"{sum(arm.n for arm in design.arms)} patients", arms)
    return "; ".join(part for part in parts if part)


def _words(design: Design) -> Iterator[str]:
    """Say in words what the drawing does not show."""
    from mesotrial.report.lead_in import lead_in_words

    scans, randomisation = design.scans, design.randomisation
    yield ""
    if design.lead_in is not None:
        yield f"Lead-in: {lead_in_words(design.lead_in)} Others take the places of the rest. The last day's scan is the baseline scan."
    for arm in design.arms:
        yield f"{arm.name}: {'; '.join(_arm_rules(arm))}."
    if len(design.arms) > 1:
        strata = f"within strata of {', '.join(randomisation.strata)}" if randomisation.strata else "without strata"
        yield f"Randomisation: permuted blocks of {randomisation.block} {strata}."
    confirmation = "response confirmed by a second scan" if scans.confirmation else "response without confirmation"
    yield (
        f"Reading: {scans.criteria}, {confirmation}, {_ASSESSORS[scans.assessor]}; each scan within {scans.window_days:g} days of its date, "
        f"{_percent(scans.missed_rate)} missed."
    )
    yield f"Censoring ({design.censoring}): {_CENSORING[design.censoring]}."
    end = design.accrual_months + design.follow_up_months
    yield (
        f"Calendar: first patient in month 0, last in month {design.accrual_months:g}, data cut in month {end:g}, after {design.follow_up_months:g} months of "
        "follow-up of the last patient."
    )
    yield f"Endpoints: {', '.join(design.endpoints)}."
    if design.notes:
        yield design.notes.strip()


def _regimens(arm: Arm | LeadIn) -> Iterator[tuple[str, Regimen]]:
    for regimen in arm.regimens:
        yield "", regimen
    for choice in arm.one_of:
        for regimen in choice.regimens:
            yield f"{_percent(choice.share)} ", regimen


def _horizon(design: Design) -> float:
    from mesotrial.trial.tables import DAYS_PER_MONTH

    return (design.accrual_months + design.follow_up_months) * DAYS_PER_MONTH


def _until(arm: Arm, design: Design) -> float:
    return min(_horizon(design), arm.max_treatment_days or _horizon(design))


def _drawn(days: Sequence[float], mark: str, cap: float | None, weeks: int) -> str:
    drawn = ["."] * weeks
    for day in days:
        if (week := int(day // 7)) < weeks:
            drawn[week] = mark
    if cap is not None and (end := int(cap // 7)) < weeks:
        drawn[end:] = ["x"]
    more = f" > week {int(days[-1] // 7)}" if days and days[-1] >= 7 * weeks else ""
    return "".join(drawn) + more


def _doses(days: Sequence[float]) -> str:
    if not days:
        return "no dose falls within the trial"
    return f"at most {len(days)} doses, the last in week {int(days[-1] // 7)}"


def _scan_words(every_weeks: str) -> str:
    first, _, rest = every_weeks.partition(" to ")
    until, _, second = rest.partition(" then ")
    return f"{first} weeks" + (f" up to week {until.rstrip('w')}, then every {second} weeks" if rest else "")


def _arm_rules(arm: Arm) -> Iterator[str]:
    if arm.max_treatment_days is not None:
        yield f"treatment for at most {arm.max_treatment_days / 7:g} weeks"
    yield "treatment stops at progression" if arm.on_progression == "stop" else "treatment continues after progression"
    yield f"and for a side effect of grade {arm.stop_rules.toxicity_grade} or more that calls for it, of the drug that causes it"
    if arm.stop_at_response != "never":
        yield f"or once a {'complete ' if arm.stop_at_response == 'CR' else ''}response is confirmed"
    if (line := arm.second_line) is not None:
        given = [regimen.text for regimen in line.regimens]
        given += [f"{_percent(choice.share)} {regimen.text}" for choice in line.one_of for regimen in choice.regimens]
        yield (
            f"{_percent(line.share)} of those who progress go on, {line.delay_days:g} days later or more, to "
            f"{' + '.join(given)}"
        )
    if arm.stop_rules.dropout_per_year:
        yield f"{_percent(arm.stop_rules.dropout_per_year)} a year are lost to follow-up"
    after = arm.after_progression
    if after.death_hazard_factor != 1 or after.note:
        yield f"after progression the hazard of death is multiplied by {after.death_hazard_factor:g}"


def _population(design: Design) -> Table:
    from dataclasses import fields

    from mesotrial.catalogue import Continuous
    from mesotrial.cli.output import table

    made = table("Population", "Covariate", "Distribution", "Source")
    for field in fields(design.population):
        value = getattr(design.population, field.name)
        if field.name != "sources":
            text = _distribution(value) if isinstance(value, Continuous) else _percent(value)
            made.add_row(field.name, text, design.population.sources.get(field.name, ""))
    return made


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _distribution(value: Continuous) -> str:
    spread = f"SD {value.sd:g}" if value.sd is not None else f"CV {value.cv_percent:g} %"
    return f"median {value.median:g}, {spread}, {value.low:g} to {value.high:g}"


def _as_dict(design: Design) -> dict[str, Any]:
    """Return the design with the days of its doses and scans."""
    from mesotrial.cli.output import plain

    def days_of(treatment: Arm | LeadIn, until: float) -> list[dict[str, Any]]:
        return [
            {"share": share.strip(), "regimen": one.text, "dose_days": one.dose_days(until)}
            for share, one in _regimens(treatment)
        ]

    days = {arm.name: days_of(arm, _until(arm, design)) for arm in design.arms}
    before = None if design.lead_in is None else days_of(design.lead_in, design.lead_in.days)
    return {
        "design": {**plain(design), "source_text": None},
        "timeline": plain(
            {
                "lead_in": before,
                "arms": days,
                "scan_days": design.scans.scan_days(_horizon(design)),
                "horizon_days": _horizon(design),
            }
        ),
    }
