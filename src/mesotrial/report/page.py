"""The page of a run: one HTML file with its figures inside, nothing fetched, no script."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mesotrial.analysis import hazard_ratio, log_rank
from mesotrial.report import words
from mesotrial.report.colours import arm_style
from mesotrial.report.comparison import compare, tally
from mesotrial.report.conclusions import test_lines
from mesotrial.report.counts import baseline_rows, ending_rows
from mesotrial.report.course_figure import course_figure, course_words, patients_followed
from mesotrial.report.figure_data import FigureData, figure_data
from mesotrial.report.figure_files import FILES, FOLDER, write_figure_files
from mesotrial.report.forest_figure import Forest, compared_arms, forest_figure
from mesotrial.report.incidence_figure import incidence_figure
from mesotrial.report.lead_in import lead_in_counts, lead_in_words
from mesotrial.report.marks import one_hundred
from mesotrial.report.relapse import relapse_claims, relapse_rows
from mesotrial.report.response_figures import (
    MOST_BARS,
    MOST_LINES,
    RESPONSE_WORDS,
    ArmScans,
    spider_figure,
    waterfall_figure,
)
from mesotrial.report.survival_figure import MOST_TICKS, SurvivalCurves, survival_figure
from mesotrial.report.svg import drawing
from mesotrial.report.swimmer_figure import MOST_LANES, Lanes, swimmer_figure
from mesotrial.report.timeline_figure import timeline_figure
from mesotrial.report.unknown_figure import unknown_figure

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
    """Write the page of a run to `path` (a file; its folder must exist) and return it, and the numbers behind its figures
    as CSV files into the folder `figures` beside it. Each file appears whole or not at all.

    `tables` are those of the trial (figures, counts), `bank` those behind the prediction bands; `summary` is the object of summary.json and
    `provenance` that of provenance.json, shown as it is. The same arguments give the same bytes.
    """
    target = Path(path)
    known = _known(design, tables, bank, summary)
    text = _page(design, tables, summary, provenance, known)
    if known is not None:
        write_figure_files(target.parent / FOLDER, known.design, known.data)
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return target


def render_report(
    design: Design, tables: Tables, bank: Tables, summary: Mapping[str, Any], provenance: Mapping[str, Any]
) -> str:
    """Return the page as text; see `write_report`."""
    return _page(design, tables, summary, provenance, _known(design, tables, bank, summary))


@dataclass(frozen=True)
class _Known:
    """The part of a trial whose outcomes may be drawn: arms without an exploratory drug."""

    design: Design
    tables: Tables
    data: FigureData


def _known(design: Design, tables: Tables, bank: Tables, summary: Mapping[str, Any]) -> _Known | None:
    """Return what outcomes may be drawn of; None where the outcome of no arm is known."""
    import polars as pl

    unknown = {row["arm"] for row in summary["endpoints"] if row.get("exploratory") and not row["comparator"]}
    if not unknown:
        return _Known(design, tables, figure_data(design, tables, bank, summary))
    arms = tuple(arm for arm in design.arms if arm.name not in unknown)
    if not arms:
        return None
    names = [arm.name for arm in arms]
    mine, whole = (
        {name: frame.filter(pl.col("TRT01P").is_in(names)) for name, frame in one.items()} for one in (tables, bank)
    )
    rows = [row for row in summary["endpoints"] if not row.get("exploratory")]
    seen = replace(design, arms=arms)
    return _Known(seen, mine, figure_data(seen, mine, whole, {**summary, "endpoints": rows}))


def _page(
    design: Design, tables: Tables, summary: Mapping[str, Any], provenance: Mapping[str, Any], known: _Known | None
) -> str:
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
        content = _content(design, tables, summary, provenance, known)
    return environment.get_template("page.html.j2").render(style=Markup(style), **content)


def _content(
    design: Design, tables: Tables, summary: Mapping[str, Any], provenance: Mapping[str, Any], known: _Known | None
) -> dict[str, Any]:
    from mesotrial.catalogue import PATIENT_PAGE

    rows = summary["endpoints"]
    arms = [arm.name for arm in design.arms]
    shown = [] if known is None else [arm.name for arm in known.design.arms]
    return {
        "unknown": [arm.label for arm in design.arms if arm.name not in shown],
        "known_arms": () if known is None else known.design.arms,
        "tests": test_lines(summary, design),
        "lead_in": None if design.lead_in is None else lead_in_words(design.lead_in),
        "lead_in_counts": lead_in_counts(found["trial"]) if (found := summary.get("lead_in")) else "",
        **({} if known is None else _outcomes(known, [row for row in rows if not row.get("exploratory")])),
        "design": design,
        "arm_style": Markup(
            arm_style([arm.drugs for arm in design.arms], [i for i, name in enumerate(arms) if name in shown])
        ),
        "unknown_bands": [
            {"title": title, "figure": Markup(unknown_figure(name, title, design, summary["bands"], rows))}
            for name, title in _CURVES
            if any(band["parameter"] == name for band in summary.get("bands", ()))
        ],
        "context_of_use": CONTEXT_OF_USE,
        "patient_page": PATIENT_PAGE,
        "sizes": summary["patients_per_arm"],
        "bank_sizes": summary["bank"],
        "people": words.listed([f"{summary['patients_per_arm'][arm.name]} on {arm.label}" for arm in design.arms]),
        "tally": tally(rows),
        "role": next((row["role"] for row in rows if row["scored"] == "yes"), None),
        "comparison": compare(rows, design),
        "one_year": [card for i, arm in enumerate(design.arms) if (card := _one_year(rows, arm, i)) is not None],
        "relapse": relapse_rows(design, found) if (found := summary.get("relapse")) else None,
        "relapse_claims": list(relapse_claims()),
        "timeline": Markup(timeline_figure(design)),
        "baseline": baseline_rows(tables["adsl"], arms),
        "provenance": [(key, _plain(value)) for key, value in _flat(provenance)],
        "reader": _READERS[design.scans.assessor],
        "rules": _RULES[design.censoring],
        "command": _command(provenance),
        "design_text": design.to_yaml(),
        "folder": FOLDER,
        "files": FILES,
        "failed": sum(count for code, count in summary.get("bank_status_counts", {}).items() if code != "OK"),
        "seed": summary["seed"],
    }


def _outcomes(known: _Known, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures and tables of what became of the patients."""
    design, tables, data = known.design, known.tables, known.data
    last_month = max(lanes.last_month for lanes in data.lanes)
    return {
        "survival": [_survival(data.curves[name], title, design, rows) for name, title in _CURVES],
        "response": [
            _response(scans, lanes, arm, i, design.follow_up_months, last_month)
            for i, (arm, scans, lanes) in enumerate(zip(design.arms, data.scans, data.lanes, strict=True))
        ],
        "duration": _duration(data.curves["DOR"], data.lanes),
        "forests": [_forest(forest, design, i) for i, forest in enumerate(data.forests)],
        "courses": [card for i, arm in enumerate(design.arms) if (card := _course(tables, arm, i)) is not None],
        "adverse": data.adverse,
        "incidence": [
            {"figure": Markup(incidence_figure(one)), "grade": one.grade, "sentences": one.sentences}
            for one in data.incidence
        ],
        "ending": ending_rows(tables["adsl"], [arm.name for arm in design.arms]),
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


def _survival(curves: SurvivalCurves, title: str, design: Design, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "title": title,
        "figure": Markup(survival_figure(curves, title)),
        "ticks": f"Ticks of {MOST_TICKS} patients of an arm are drawn, evenly spread." if curves.has_more_ticks else "",
        "event": "died" if curves.parameter == "OS" else "progressed or died",
        "sentences": [
            f"{arm.label}: half by {_median(arm.curve.median())}."
            if not math.isnan(arm.curve.median()[0])
            else f"{arm.label}: more than half had no event by the end of follow-up."
            for arm in curves.arms
            if arm.patients.months.size
        ],
        "ratio": _ratio(curves, design, rows),
    }


def _median(found: tuple[float, float, float]) -> str:
    """Write a median time with its 95 % interval."""
    middle, low, high = found
    lower = words.DASH if math.isnan(low) else f"{low:.1f}"
    upper = words.NOT_REACHED if math.isnan(high) else words.months(high)
    return f"{words.months(middle)} (95{words.NO_BREAK}% interval {lower} to {upper})"


def _ratio(curves: SurvivalCurves, design: Design, rows: Sequence[Mapping[str, Any]]) -> str:
    """Say the hazard ratio in the trial's own patients, where arms are compared; empty where they are not."""
    pair = compared_arms(curves.parameter, design, rows)
    if pair is None:
        return ""
    arm, other = (next(one for one in curves.arms if one.name == name) for name in pair)
    months = [*arm.patients.months, *other.patients.months]
    event = [*arm.patients.event, *other.patients.event]
    first = [True] * arm.patients.months.size + [False] * other.patients.months.size
    found = hazard_ratio(months, event, first)
    if math.isnan(found.value):
        return ""
    test = log_rank(months, event, first)
    p = "under 0.001" if test.p < 0.001 else f"{test.p:.3f}"
    return (
        f"Hazard ratio in this simulated trial, {arm.label} against {other.label}: {found.value:.2f} "
        f"(95{words.NO_BREAK}% interval {found.lower:.2f} to {found.upper:.2f}; log-rank p {p})."
    )


def _response(
    scans: ArmScans, lanes: Lanes, arm: Arm, place: int, follow_up_months: float, last_month: float
) -> dict[str, Any]:
    return {
        "arm": arm.label,
        "waterfall": Markup(waterfall_figure(scans, arm.label, place)),
        "spider": Markup(spider_figure(scans, arm.label, place, follow_up_months)),
        "swimmer": Markup(swimmer_figure(lanes, arm.label, place, last_month)),
        "words": _response_words(scans),
        "bars": _sampled(scans.best.size, MOST_BARS),
        "lines": _sampled(scans.best.size, MOST_LINES),
        "lanes": _sampled(lanes.table.height, MOST_LANES, "the length of follow-up"),
    }


def _duration(curves: SurvivalCurves, lanes: Sequence[Lanes]) -> dict[str, Any] | None:
    """Return the figure and the facts of how long responses last; None where nobody responded."""
    if curves.is_empty:
        return None
    arms = []
    for i, (arm, mine) in enumerate(zip(curves.arms, lanes, strict=True)):
        responders = arm.patients.months.size
        facts = [("Responders", f"{responders} of {mine.table.height}")]
        if responders:
            middle = arm.curve.median()
            facts.append(("Duration, median", words.NOT_REACHED if math.isnan(middle[0]) else _median(middle)))
            facts += [
                (f"Still in response after {months} months", words.percent(share, rounded=True))
                for months in (6, 12)
                if not math.isnan(share := arm.curve.at(months)[0])
            ]
            began = mine.table["responded"].median()
            facts.append(("Response first seen, median", words.months(float(str(began)))))
        arms.append({"arm": arm.label, "colour": f"arm-{i % 4}", "facts": facts})
    return {"figure": Markup(survival_figure(curves, "Duration of response")), "arms": arms}


def _forest(forest: Forest, design: Design, place: int) -> dict[str, Any]:
    return {
        "figure": Markup(forest_figure(forest, design, place)),
        "is_ratio": forest.is_ratio,
        "has_published": any(line.published is not None for line in forest.lines),
    }


def _response_words(scans: ArmScans) -> str:
    counts = [f"{RESPONSE_WORDS[name]} ({name}) {n}" for name, n in scans.counts.items() if n]
    text = f"Best response of {sum(scans.counts.values())} patients: {words.listed(counts)}."
    if scans.unscanned:
        text += f" {scans.unscanned} had no scan after the first and so no bar."
    return text


def _sampled(size: int, most: int, order: str = "best change") -> str:
    return "" if size <= most else f"{most} of {size} patients are shown, evenly spread over the order of {order}."


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
    if isinstance(item, float):
        return f"{item:.3g}"
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)


def _command(provenance: Mapping[str, Any]) -> str:
    command = provenance.get("command", "")
    return command if isinstance(command, str) else " ".join(map(str, command))
