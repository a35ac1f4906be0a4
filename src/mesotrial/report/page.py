"""The page of a run: one HTML file with its figures inside, nothing fetched, no script."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mesotrial.analysis import Outcomes, Predictor, hazard_ratio, kaplan_meier, log_rank
from mesotrial.report import words
from mesotrial.report.comparison import compare, tally
from mesotrial.report.counts import adverse_event_rows, baseline_rows, ending_rows
from mesotrial.report.course_figure import course_figure, course_words, patients_followed
from mesotrial.report.marks import one_hundred
from mesotrial.report.response_figures import (
    MOST_BARS,
    MOST_LINES,
    RESPONSE_WORDS,
    ArmScans,
    arm_scans,
    spider_figure,
    waterfall_figure,
)
from mesotrial.report.survival_figure import landmarks, survival_figure
from mesotrial.report.svg import drawing
from mesotrial.report.timeline_figure import timeline_figure

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.catalogue import Arm, Design

__all__ = ["CONTEXT_OF_USE", "render_report", "write_report"]

CONTEXT_OF_USE = "Hypothesis generation, education and trial-design exploration. Not for the care of an individual."

Tables = Mapping[str, "pl.DataFrame"]


def write_report(
    path: str | Path,
    design: Design,
    tables: Tables,
    bank: Tables,
    summary: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> Path:
    """Write the page of a run to `path` (a file; its folder must exist) and return it. The file appears whole or not at all.

    `tables` are those of the trial (figures, counts), `bank` those behind the prediction bands; `summary` is the object of summary.json and
    `provenance` that of provenance.json, shown as it is. The same arguments give the same bytes.
    """
    target = Path(path)
    text = render_report(design, tables, bank, summary, provenance)
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    draft.write_text(text, encoding="utf-8", newline="\n")
    draft.replace(target)
    return target


def render_report(
    design: Design, tables: Tables, bank: Tables, summary: Mapping[str, Any], provenance: Mapping[str, Any]
) -> str:
    """Return the page as text; see `write_report`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mesotrial.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = environment.loader.get_source(environment, "page.css")[0] if environment.loader else ""
    with drawing():
        content = _content(design, tables, bank, summary, provenance)
    return environment.get_template("page.html.j2").render(style=Markup(style), **content)


def _content(
    design: Design, tables: Tables, bank: Tables, summary: Mapping[str, Any], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    from mesotrial.catalogue import PATIENT_PAGE

    rows = summary["endpoints"]
    trial = Outcomes(tables)
    predictor = Predictor(Outcomes(bank), summary["seed"], {arm.name: arm.n for arm in design.arms})
    arms = [arm.name for arm in design.arms]
    return {
        "design": design,
        "context_of_use": CONTEXT_OF_USE,
        "patient_page": PATIENT_PAGE,
        "sizes": summary["patients_per_arm"],
        "bank_sizes": summary["bank"],
        "people": words.listed([f"{summary['patients_per_arm'][arm.name]} on {arm.label}" for arm in design.arms]),
        "tally": tally(rows),
        "role": next((row["role"] for row in rows if row["scored"] == "yes"), None),
        "comparison": compare(rows, design),
        "one_year": [card for i, arm in enumerate(design.arms) if (card := _one_year(rows, arm, i)) is not None],
        "timeline": Markup(timeline_figure(design)),
        "survival": [_survival(name, title, design, trial, predictor, rows) for name, title in _CURVES],
        "response": [_response(tables, arm, i, design.follow_up_months) for i, arm in enumerate(design.arms)],
        "courses": [card for i, arm in enumerate(design.arms) if (card := _course(tables, arm, i)) is not None],
        "baseline": baseline_rows(tables["adsl"], arms),
        "adverse": adverse_event_rows(tables, arms),
        "ending": ending_rows(tables["adsl"], arms),
        "provenance": [(key, _plain(value)) for key, value in _flat(provenance)],
        "reader": _READERS[design.scans.assessor],
        "rules": _RULES[design.censoring],
        "command": _command(provenance),
        "seed": summary["seed"],
    }


_READERS = {"bicr": "blinded central review", "investigator": "the investigators", "unknown": "readers not stated"}
_RULES = {
    "fda": "FDA style: symptoms without a scan do not count, an event after two or more missed scans is censored",
    "ema": "EMA style: progression or death counts whenever it is seen",
}
_CURVES = (("OS", "Overall survival"), ("PFS", "Progression-free survival"))


def _one_year(rows: Sequence[Mapping[str, Any]], arm: Arm, place: int) -> dict[str, Any] | None:
    """Say how many of one hundred are alive after a year: simulated, published, on the patient page."""
    found = [
        row
        for row in rows
        if (row["arm"], row["code"], row["time_months"], row["subgroup"]) == (arm.name, "OS_RATE", 12.0, "all")
        and row["simulated"] is not None
    ]
    if not found:
        return None
    row = max(found, key=lambda row: row["scored"] == "yes")
    count = round(100 * row["simulated"])
    label = f"{count} of 100 simulated people on {arm.label} are alive after one year"
    return {
        "arm": arm.label,
        "colour": f"arm-{place % 4}",
        "picture": Markup(one_hundred(count, f"arm-{place % 4}", Markup.escape(label))),
        "count": count,
        "range": None
        if row["lo90"] is None or row["hi90"] is None
        else (round(100 * row["lo90"]), round(100 * row["hi90"])),
        "size": row["published_n"] or arm.n,
        "published": None if row["published"] is None else round(100 * row["published"]),
        "page": None if row["page"] is None else round(100 * row["page"]),
        "statement": row["page_statement"],
    }


def _survival(
    parameter: str, title: str, design: Design, trial: Outcomes, predictor: Predictor, rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    sentences = []
    for arm in design.arms:
        patients = trial.survival(parameter, arm.name)
        if patients.months.size == 0:
            continue
        middle, low, high = kaplan_meier(patients.months, patients.event).median()
        if not math.isnan(middle):
            upper = words.NOT_REACHED if math.isnan(high) else words.months(high)
            lower = words.DASH if math.isnan(low) else f"{low:.1f}"
            sentences.append(
                f"{arm.label}: half by {words.months(middle)} (95{words.NO_BREAK}% interval {lower} to {upper})."
            )
        else:
            sentences.append(f"{arm.label}: more than half had no event by the end of follow-up.")
    return {
        "title": title,
        "figure": Markup(survival_figure(parameter, design, trial, predictor, landmarks(rows, parameter), title)),
        "event": "died" if parameter == "OS" else "progressed or died",
        "sentences": sentences,
        "ratio": _ratio(parameter, design, trial, rows),
    }


def _ratio(parameter: str, design: Design, trial: Outcomes, rows: Sequence[Mapping[str, Any]]) -> str:
    """Say the hazard ratio in the trial's own patients, of the pair of arms that was published; empty where none was.

    A design that nobody ran compares its first arm with its last.
    """
    code = f"{parameter}_HR"
    pairs = [(row["arm"], row["comparator"]) for row in rows if row["code"] == code and row["subgroup"] == "all"]
    if not design.evidence_trial and len(design.arms) > 1:
        pairs.append((design.arms[0].name, design.arms[-1].name))
    if not pairs:
        return ""
    labels = {arm.name: arm.label for arm in design.arms}
    groups = [trial.survival(parameter, arm) for arm in pairs[0]]
    months = [time for group in groups for time in group.months]
    event = [happened for group in groups for happened in group.event]
    first = [i == 0 for i, group in enumerate(groups) for _ in group.months]
    found = hazard_ratio(months, event, first)
    if math.isnan(found.value):
        return ""
    test = log_rank(months, event, first)
    p = "under 0.001" if test.p < 0.001 else f"{test.p:.3f}"
    return (
        f"Hazard ratio in this simulated trial, {labels[pairs[0][0]]} against {labels[pairs[0][1]]}: {found.value:.2f} "
        f"(95{words.NO_BREAK}% interval {found.lower:.2f} to {found.upper:.2f}; log-rank p {p})."
    )


def _response(tables: Tables, arm: Arm, place: int, follow_up_months: float) -> dict[str, Any]:
    scans = arm_scans(tables, arm.name)
    return {
        "arm": arm.label,
        "waterfall": Markup(waterfall_figure(scans, arm.label, place)),
        "spider": Markup(spider_figure(scans, arm.label, place, follow_up_months)),
        "words": _response_words(scans),
        "bars": _sampled(scans.best.size, MOST_BARS),
        "lines": _sampled(scans.best.size, MOST_LINES),
    }


def _response_words(scans: ArmScans) -> str:
    counts = [f"{RESPONSE_WORDS[name]} ({name}) {n}" for name, n in scans.counts.items() if n]
    text = f"Best response of {sum(scans.counts.values())} patients: {words.listed(counts)}."
    if scans.unscanned:
        text += f" {scans.unscanned} had no scan after the first and so no bar."
    return text


def _sampled(size: int, most: int) -> str:
    return "" if size <= most else f"{most} of {size} patients are shown, evenly spread over the order of best change."


def _course(tables: Tables, arm: Arm, place: int) -> dict[str, Any] | None:
    drawn = course_figure(tables, arm.name, arm.label, place)
    if drawn is None:
        return None
    return {
        "arm": arm.label,
        "figure": Markup(drawn),
        "sentences": course_words(tables, patients_followed(tables, arm.name)),
    }


def _flat(content: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """List nested entries by dotted name."""
    found: list[tuple[str, Any]] = []
    for key, item in content.items():
        if isinstance(item, Mapping) and item:
            found += _flat(item, f"{before}{key}.")
        else:
            found.append((f"{before}{key}", item))
    return found


def _plain(item: Any) -> str:
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)


def _command(provenance: Mapping[str, Any]) -> str:
    command = provenance.get("command", "")
    return command if isinstance(command, str) else " ".join(map(str, command))
