"""What a design's parts must be together: regimens that fit their drug and each other, scans that meet treatment, covariates that a person can have.

Each check says one thing; the types of the single fields were checked before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mesotrial.catalogue import design as d
from mesotrial.catalogue._sources import packaged
from mesotrial.catalogue._yaml import Document, dotted
from mesotrial.catalogue._yaml import Path as FieldPath
from mesotrial.catalogue.errors import RegimenError
from mesotrial.catalogue.regimen import COUNTS, Regimen

__all__ = ["check_arms", "check_continuous", "check_lead_in", "check_scans", "check_strata"]

DAYS_PER_MONTH = 30.4375
_Treatment = d.Arm | d.SecondLine | d.LeadIn
# Beyond what any person has: they catch a slipped decimal point or another unit.
_LIMITS = {
    "age_years": (1.0, 120.0),
    "weight_kg": (20.0, 400.0),
    "height_cm": (80.0, 250.0),
    "albumin_g_per_l": (5.0, 80.0),
    "ldh_u_per_l": (20.0, 20_000.0),
    "egfr_ml_per_min": (5.0, 250.0),
}
_LONGEST_WITHOUT_SCAN_DAYS = 182.0


def check_continuous(document: Document, name: str, spec: d.Continuous) -> None:
    """Refuse a covariate's distribution that no group of people has."""
    path: FieldPath = ("population", name)
    least, most = _LIMITS[name]
    if (spec.sd is None) == (spec.cv_percent is None):
        raise document.error(path, "needs either sd (normal) or cv_percent (log-normal)")
    if spec.low >= spec.high:
        raise document.error(path, f"low {spec.low:g} must be less than high {spec.high:g}")
    if not spec.low < spec.median < spec.high:
        raise document.error(
            path, f"the median {spec.median:g} must lie between low {spec.low:g} and high {spec.high:g}"
        )
    if spec.low < least or spec.high > most:
        wrong = f"low {spec.low:g}" if spec.low < least else f"high {spec.high:g}"
        raise document.error(path, f"{wrong} is not possible; {name} lies between {least:g} and {most:g}")


def check_strata(document: Document, strata: Sequence[str], population: d.Population) -> None:
    """Refuse a stratum that nobody can be in."""
    for i, name in enumerate(strata):
        share = getattr(population, d.STRATA[name])
        if share in (0, 1):
            raise document.error(
                ("randomisation", "strata", i),
                f"a stratum of {name} has nobody in it: population.{d.STRATA[name]} is {share:g}; "
                f"take {name} out of the strata, or change the population",
            )


def check_arms(document: Document, arms: Sequence[d.Arm], follow_up_months: float) -> None:
    """Refuse arms of one name, a route that a drug does not have, and regimens that overlap or never begin."""
    horizon = follow_up_months * DAYS_PER_MONTH
    seen: dict[str, str] = {}
    for i, arm in enumerate(arms):
        key = " ".join(arm.name.casefold().split())
        if key in seen:
            called = repr(arm.name) if seen[key] == arm.name else f"{seen[key]!r} and {arm.name!r}"
            raise document.error(("arms", i, "name"), f"two arms are called {called}; give each its own name")
        seen[key] = arm.name
        for path, regimen in _all_regimens(("arms", i), arm):
            _check_route(document, path, regimen)
            if regimen.start_day >= min(horizon, arm.max_treatment_days or math.inf):
                until = "treatment" if regimen.start_day < horizon else "follow-up"
                raise _regimen_error(
                    document, path, regimen, f"starts on day {regimen.start_day:g}, after {until} has ended"
                )
        for together in _given_together(("arms", i), arm):
            _check_overlap(document, together)
        if arm.second_line is not None:
            _check_second_line(document, ("arms", i, "second_line"), arm.second_line)


def _check_second_line(document: Document, path: FieldPath, line: d.SecondLine) -> None:
    for place, regimen in _all_regimens(path, line):
        _check_route(document, place, regimen)
        _check_whole_weeks(document, place, regimen)
    for together in _given_together(path, line):
        _check_overlap(document, together)


def check_lead_in(document: Document, lead_in: d.LeadIn | None) -> None:
    """Refuse a lead-in with a route that a drug does not have, and regimens that overlap or of which something is still due at randomisation."""
    if lead_in is None:
        return
    for path, regimen in _all_regimens(("lead_in",), lead_in):
        _check_route(document, path, regimen)
        last = _last_day(regimen)
        late = regimen.start_day if math.isinf(last) else last
        if late >= lead_in.days:
            what = "starts" if math.isinf(last) else "has its last dose"
            message = f"{what} on day {late:g}, but the lead-in ends with day {lead_in.days:g}; make `lead_in.weeks` longer, or the regimen shorter"
            raise _regimen_error(document, path, regimen, message)
    for together in _given_together(("lead_in",), lead_in):
        _check_overlap(document, together)


def check_scans(
    document: Document, design_arms: Sequence[d.Arm], scans: d.Scans, accrual: float, follow_up: float
) -> None:
    """Refuse scans of which none, or none of the later ones, falls into the trial."""
    path: FieldPath = ("scans", "every_weeks")
    if not scans.scan_days(follow_up * DAYS_PER_MONTH):
        raise document.error(path, f"the first scan comes after the follow-up of {follow_up:g} months has ended")
    horizon = (accrual + follow_up) * DAYS_PER_MONTH
    last_scan = scans.scan_days(horizon)[-1]
    for i, arm in enumerate(design_arms):
        end = min(
            max(_last_day(regimen) for _, regimen in _all_regimens(("arms", i), arm)),
            arm.max_treatment_days or math.inf,
            horizon,
        )
        if end > last_scan + _LONGEST_WITHOUT_SCAN_DAYS:
            raise document.error(
                path,
                f"the last scan, in week {last_scan / 7:g}, comes before the end of treatment in arm {arm.name!r}, about week {end / 7:.0f}",
            )


def _all_regimens(path: FieldPath, treatment: _Treatment) -> Iterator[tuple[FieldPath, Regimen]]:
    """Give every regimen of a treatment with its path in the file."""
    for k, regimen in enumerate(treatment.regimens):
        yield (*path, "regimens", k), regimen
    for j, choice in enumerate(treatment.one_of):
        for k, regimen in enumerate(choice.regimens):
            yield (*path, "one_of", j, "regimens", k), regimen


def _given_together(path: FieldPath, treatment: _Treatment) -> Iterator[list[tuple[FieldPath, Regimen]]]:
    """Give the regimens that one patient may get, for every choice."""
    every, at = list(_all_regimens(path, treatment)), len(path)
    common = [item for item in every if item[0][at] == "regimens"]
    for j in range(max(1, len(treatment.one_of))):
        yield common + [item for item in every if item[0][at : at + 2] == ("one_of", j)]


def _check_whole_weeks(document: Document, path: FieldPath, regimen: Regimen) -> None:
    """Refuse doses between the weekly visits of a second line."""
    off = [day for day in regimen.days_in_cycle if (day - 1) % 7]
    lengths = [phase.cycle_days for phase in regimen.phases if phase.cycle_days % 7]
    if off or lengths or regimen.start_day % 7:
        what = f"day {off[0]}" if off else f"a cycle of {lengths[0]:g} days" if lengths else "its start"
        message = f"a second line is given on whole weeks from its start (d1, d8, d15, q1w, q2w, ...), not {what}"
        raise _regimen_error(document, path, regimen, message)


def _check_route(document: Document, path: FieldPath, regimen: Regimen) -> None:
    drug: Mapping[str, Any] = packaged("drugs", regimen.drug)[0].data
    if regimen.route not in drug["routes"]:
        message = f"{regimen.drug} is not given {regimen.route} here; its routes: {', '.join(drug['routes'])}"
        raise _regimen_error(document, path, regimen, message, regimen.route)
    counted, meant = COUNTS[regimen.unit.partition("/")[0]][0], drug.get("dose_unit", "mg")
    if counted != meant and regimen.amount:
        message = (
            f"{regimen.drug} is given in {meant}, not in {counted}; as in `{(drug.get('regimens') or ['...'])[0]}`"
        )
        raise _regimen_error(document, path, regimen, message)


def _check_overlap(document: Document, together: list[tuple[FieldPath, Regimen]]) -> None:
    """Refuse two regimens of one drug that run at the same time; one after the other is fine."""
    for later, (path, regimen) in enumerate(together):
        for other_path, other in together[:later]:
            if regimen.drug != other.drug or regimen.amount == 0:
                continue
            if regimen.start_day <= _last_day(other) and other.start_day <= _last_day(regimen):
                raise _regimen_error(
                    document,
                    path,
                    regimen,
                    f"overlaps with {dotted(other_path)}, {other.text!r}: one drug is given by one regimen at a time; "
                    "end the first with `x N` and begin the second with `from week N`",
                )


def _last_day(regimen: Regimen) -> float:
    """Give the day of the last planned dose, infinite where the last phase has no end."""
    last, *before = reversed(regimen.phases)
    if last.cycles is None:
        return math.inf
    start = regimen.start_day + sum(phase.cycle_days * (phase.cycles or 0) for phase in before)
    return start + last.cycle_days * (last.cycles - 1) + max(regimen.days_in_cycle) - 1


def _regimen_error(
    document: Document, path: FieldPath, regimen: Regimen, message: str, word: str | None = None
) -> RegimenError:
    """Make an error that quotes the regimen, with a caret under ``word``, else under its drug."""
    words = regimen.text.split(" ")
    at = next((k for k, one in enumerate(words) if word is not None and one.lower() == word.lower()), 0)
    start = sum(len(one) + 1 for one in words[:at])
    error = RegimenError(regimen.text, start, start + len(words[at]), message)
    return error.at(document.file, document.line(path), dotted(path))
