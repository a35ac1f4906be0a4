"""The tables of a report of a trial: baseline, response, survival, toxicity, one column an arm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesotrial.report.counts import adverse_event_rows, baseline_rows

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.analysis import Outcomes, Proportion
    from mesotrial.catalogue import Design

__all__ = ["ResultTable", "result_tables"]

_DASH = "–"
_RESPONSES = {
    "CR": "Complete response",
    "PR": "Partial response",
    "SD": "Stable disease",
    "PD": "Progressive disease",
    "NE": "Not evaluable",
}
_MONTHS = (6, 12, 18, 24, 36, 48, 60)


@dataclass(frozen=True)
class ResultTable:
    """One table: the columns after the first, and rows of texts; a row without cells is a heading."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    note: str


def result_tables(design: Design, tables: Mapping[str, pl.DataFrame], control: str) -> list[ResultTable]:
    """Return the tables of a trial; `control` is the arm that hazard ratios compare with."""
    from mesotrial.analysis import Outcomes

    outcomes = Outcomes(tables)
    return [
        _baseline(design, tables),
        _response(design, tables, outcomes),
        _survival(design, outcomes, control),
        _toxicity(design, tables),
    ]


def _columns(design: Design, tables: Mapping[str, pl.DataFrame], *, treated: bool = False) -> tuple[str, ...]:
    adsl = tables["adsl"]
    chosen = adsl.filter(adsl["SAFFL"] == "Y") if treated else adsl
    return tuple(f"{arm.label} (N = {int((chosen['TRT01P'] == arm.name).sum())})" for arm in design.arms)


def _baseline(design: Design, tables: Mapping[str, pl.DataFrame]) -> ResultTable:
    rows = baseline_rows(tables["adsl"], [arm.name for arm in design.arms])
    note = "Medians with quartiles; patients with percentages. Everybody randomised."
    return ResultTable("baseline", "Patients at baseline", _columns(design, tables), _rows(rows), note)


def _response(design: Design, tables: Mapping[str, pl.DataFrame], outcomes: Outcomes) -> ResultTable:
    from mesotrial.analysis import kaplan_meier, proportion

    best = tables["adrs"].filter(tables["adrs"]["PARAMCD"] == "BOR")
    rows: list[tuple[str, tuple[str, ...]]] = []
    for name, code in (("Objective response", "ORR"), ("Disease control", "DCR")):
        found = [outcomes.outcome(code, arm.name) for arm in design.arms]
        rates = [None if one is None else proportion(one) for one in found]
        rows.append((f"{name}, n (%)", tuple(_count(rate) for rate in rates)))
        rows.append(("  95 % interval", tuple(_percents(rate) for rate in rates)))
    rows.append(("Best response, n (%)", ()))
    for code, word in _RESPONSES.items():
        cells = []
        for arm in design.arms:
            mine = best.filter(best["TRT01P"] == arm.name)
            cells.append(_share(int((mine["AVALC"] == code).sum()), mine.height))
        rows.append((f"  {word}", tuple(cells)))
    curves = []
    for arm in design.arms:
        lasting = outcomes.survival("DOR", arm.name)
        curves.append(kaplan_meier(lasting.months, lasting.event).median() if lasting.months.size else None)
    rows.append(("Duration of response, median (95 % interval), months", tuple(_median(curve) for curve in curves)))
    scans = design.scans
    confirmed = "confirmed" if scans.confirmation else "unconfirmed"
    note = f"{scans.criteria}, {confirmed}. Everybody randomised. Clopper-Pearson intervals; Kaplan-Meier with log-log intervals."
    return ResultTable("response", "Response", _columns(design, tables), tuple(rows), note)


def _survival(design: Design, outcomes: Outcomes, control: str) -> ResultTable:
    from mesotrial.analysis import hazard_ratio, kaplan_meier

    rows: list[tuple[str, tuple[str, ...]]] = []
    for parameter, title in (("OS", "Overall survival"), ("PFS", "Progression-free survival")):
        groups = [outcomes.survival(parameter, arm.name) for arm in design.arms]
        curves = [kaplan_meier(group.months, group.event) if group.months.size else None for group in groups]
        rows.append((title, ()))
        rows.append(
            ("  Events, n (%)", tuple(_share(int(group.event.sum()), int(group.event.size)) for group in groups))
        )
        rows.append(
            (
                "  Median (95 % interval), months",
                tuple(_median(None if one is None else one.median()) for one in curves),
            )
        )
        for months in (m for m in _MONTHS if m <= design.accrual_months + design.follow_up_months):
            ends = [None if one is None else one.at(months) for one in curves]
            if any(end is not None and not math.isnan(end[0]) for end in ends):
                rows.append((f"  At {months} months (95 % interval), %", tuple(_rate(end) for end in ends)))
        reference = next(g for g, arm in zip(groups, design.arms, strict=True) if arm.name == control)
        ratios = []
        for group, arm in zip(groups, design.arms, strict=True):
            if arm.name == control or not group.months.size or not reference.months.size:
                ratios.append("reference" if arm.name == control else _DASH)
                continue
            found = hazard_ratio(
                [*group.months, *reference.months],
                [*group.event, *reference.event],
                [True] * group.months.size + [False] * reference.months.size,
            )
            ends_known = not math.isnan(found.value)
            ratios.append(f"{found.value:.2f} ({found.lower:.2f} to {found.upper:.2f})" if ends_known else _DASH)
        if len(design.arms) > 1:
            rows.append(("  Hazard ratio (95 % interval)", tuple(ratios)))
    sizes = [outcomes.survival("OS", arm.name).months.size for arm in design.arms]
    columns = tuple(f"{arm.label} (N = {size})" for arm, size in zip(design.arms, sizes, strict=True))
    note = (
        f"Kaplan-Meier with log-log intervals; hazard ratios by Cox's model, unstratified, Efron's ties. Censoring: {design.censoring.upper()} rules. "
        "Everybody randomised."
    )
    return ResultTable("survival", "Survival", columns, tuple(rows), note)


def _toxicity(design: Design, tables: Mapping[str, pl.DataFrame]) -> ResultTable:
    found = adverse_event_rows(tables, [arm.name for arm in design.arms])
    columns = tuple(
        f"{column}, {degree}"
        for column in _columns(design, tables, treated=True)
        for degree in ("any grade", "grade 3 or worse")
    )
    rows = [
        (row.title, tuple(cell for pair in row.cells for cell in pair))
        for row in (*found.overall, *found.common, *found.rare)
    ]
    note = "Treated patients with at least one treatment-emergent event, CTCAE terms."
    return ResultTable("toxicity", "Adverse events, n (%)", columns, _rows(rows), note)


def _rows(rows: Sequence[tuple[str, Sequence[str]]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((name, tuple(cells)) for name, cells in rows)


def _share(count: int, total: int) -> str:
    return f"{count} ({100 * count / total:.1f})" if total else _DASH


def _count(rate: Proportion | None) -> str:
    return _DASH if rate is None else _share(rate.events, rate.n)


def _percents(rate: Proportion | None) -> str:
    return _DASH if rate is None or rate.n == 0 else f"{100 * rate.lower:.1f} to {100 * rate.upper:.1f}"


def _median(found: tuple[float, float, float] | None) -> str:
    if found is None:
        return _DASH
    middle, low, high = ("NR" if math.isnan(value) else f"{value:.1f}" for value in found)
    return f"{middle} ({low} to {high})"


def _rate(found: tuple[float, float, float] | None) -> str:
    if found is None or math.isnan(found[0]):
        return _DASH
    low, high = (_DASH if math.isnan(end) else f"{100 * end:.1f}" for end in found[1:])
    return f"{100 * found[0]:.1f} ({low} to {high})"
