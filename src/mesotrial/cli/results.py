"""The table at the end of a run: simulated beside published, arm by arm, in 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mesotrial.cli.output import console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from mesotrial.catalogue import Design

__all__ = ["show_results"]

Row = Mapping[str, Any]

_DASH = "–"
_NUMBERS = {"Simulated": 9, "90 %": 10, "Published": 9, "95 %": 10, "Page": 5, "z": 8}  # columns and their widths
_NAMES = {
    "ORR": "Response",
    "DCR": "Disease control",
    "DCR_AT": "Disease control",
    "PD_BEST": "Progression as best response",
    "TRAE": "Related events",
    "IRAE": "Immune-related events",
    "DISC_TOX": "Stopped for side effects",
    "DEATH_TOX": "Deaths from side effects",
    "OS": "OS",
    "PFS": "PFS",
    "TTP": "Time to progression",
    "DOR": "Duration of response",
    "TTR": "Time to response",
}
_ENDINGS = {"MEDIAN": ", median months", "HR": " hazard ratio", "ANY": ", any grade", "G34": ", grade 3 or worse"}


def show_results(design: Design, summary: Mapping[str, Any], *, all_rows: bool) -> None:
    """Print the endpoints of a run: those that are scored or on the patient page; all where asked for, or where there are no such."""
    from mesotrial.report import CONTEXT_OF_USE
    from mesotrial.report.lead_in import lead_in_counts

    everything = summary["endpoints"]
    rows = everything if all_rows else list(_shown(everything)) or everything
    out = console()
    for arm in design.arms:
        if mine := [row for row in rows if row["arm"] == arm.name]:
            out.print(_table(f"{arm.label} ({arm.name})", mine, out.width))
            out.print()
    _show_relapse(out, design, summary)
    for line in _legend(rows):
        out.print(line)
    if lead_in := summary.get("lead_in"):
        out.print(lead_in_counts(lead_in["trial"]))
    if failed := {code: count for code, count in summary["bank_status_counts"].items() if code != "OK"}:
        counts = ", ".join(f"{count} {code}" for code, count in failed.items())
        out.print(f"Patients whose simulation failed: {counts}", style="bold")
    out.print(CONTEXT_OF_USE)


def _show_relapse(out: Console, design: Design, summary: Mapping[str, Any]) -> None:
    """Print how many relapse after treatment has ended, and beside it what the patient page says and what was published."""
    from mesotrial.cli.output import table
    from mesotrial.report.relapse import relapse_claims, relapse_rows

    if not (relapse := summary.get("relapse")):
        return
    headings, rows = relapse_rows(design, relapse)
    made = table("Relapse after treatment ended with the disease under control", *headings)
    for column in made.columns[1:]:
        column.justify = "right"
    made.columns[0].min_width = 10  # the longest word of an arm's label
    for row in rows:
        made.add_row(*row)
    out.print(made)
    for name, claim, known, source in relapse_claims():
        out.print(f"Patient page ({name}): {claim} Published: {known} {source}")
    out.print()


def _shown(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the scored rows, and one row for each figure of the patient page that no scored row carries."""
    said = {_key(row) for row in rows if row["z"] is not None}
    for row in rows:
        if row["z"] is not None:
            yield row
        elif row["page"] is not None and _key(row) not in said:
            said.add(_key(row))
            yield row


def _key(row: Row) -> tuple[Any, ...]:
    return row["arm"], row["comparator"], row["subgroup"], row["code"], row["time_months"]


def _table(title: str, rows: Iterable[Row], width: int) -> Table:
    from rich import box
    from rich.table import Table

    gap = 0 if width < 100 else 1
    left = width - sum(_NUMBERS.values()) - len(_NUMBERS) - 2 * gap * (len(_NUMBERS) + 1)
    made = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_edge=False, padding=(0, gap)
    )
    made.add_column("Endpoint", width=max(20, min(44, left)))
    for heading, columns in _NUMBERS.items():
        made.add_column(heading, justify="right", no_wrap=True, min_width=columns)
    for row in rows:
        made.add_row(
            _name(row),
            _value(row, "simulated"),
            _interval(row, "lo90", "hi90"),
            _value(row, "published"),
            _interval(row, "published_lo", "published_hi"),
            _page(row),
            "" if row["z"] is None else f"{row['z']:+.2f} {'✓' if _is_covered(row) else '✗'}",
        )
    return made


def _name(row: Row) -> str:
    """Return a short name: the endpoint, when, of whom, against what, and which publication where the row is not scored."""
    code, time = row["code"], row["time_months"]
    stem, _, ending = code.rpartition("_")
    if code in _NAMES:
        name = _NAMES[code]
    elif stem in _NAMES:
        name = _NAMES[stem] + _ENDINGS.get(ending, "")
    elif code.startswith("AE_"):
        name = stem.removeprefix("AE_").replace("_", " ").capitalize() + _ENDINGS.get(ending, "")
    else:
        name = row["label"] or code
    if time is not None:
        name += f" at {_time(time)}"
    if row["subgroup"] != "all":
        name += f", {row['subgroup'].replace('_', ' ')}"
    if row["comparator"]:
        name += f" against {row['comparator']}"
    return f"{name} [{row['label']}]" if row["label"] and row["z"] is None else name


def _time(months: float) -> str:
    from mesotrial.trial.tables import DAYS_PER_MONTH

    weeks = months * DAYS_PER_MONTH / 7
    return f"{round(weeks)} weeks" if months % 1 and abs(weeks - round(weeks)) < 0.05 else f"{months:g} months"


def _value(row: Row, key: str) -> str:
    from mesotrial.analysis.codes import is_rate

    number = row[key]
    if key == "simulated" and row.get("exploratory"):
        return "not known"
    if number is None:
        return _DASH
    return f"{100 * number:.1f} %" if is_rate(row["code"]) else _bare(row["code"], number)


def _page(row: Row) -> str:
    """Return the patient page's figure as it is written there."""
    from mesotrial.analysis.codes import is_rate

    if row["page"] is None:
        return ""
    return f"{100 * row['page']:g} %" if is_rate(row["code"]) else f"{row['page']:g}"


def _bare(code: str, number: float) -> str:
    from mesotrial.analysis.codes import is_hazard_ratio, is_rate

    return f"{number:.2f}" if is_hazard_ratio(code) else f"{100 * number if is_rate(code) else number:.1f}"


def _interval(row: Row, low: str, high: str) -> str:
    if row[low] is None:
        return ""
    return f"{_bare(row['code'], row[low])}{_DASH}{'n.r.' if row[high] is None else _bare(row['code'], row[high])}"


def _is_covered(row: Row) -> bool:
    from mesotrial.analysis.codes import COVERED

    return bool(abs(row["z"]) <= COVERED)


def _legend(rows: Iterable[Row]) -> Iterator[str]:
    from mesotrial.analysis.codes import COVERED

    rows = list(rows)
    if any(row.get("exploratory") for row in rows):
        yield (
            "Not known: no trial in mesothelioma has shown what such a treatment does. "
            "90 % then holds new trials over the whole range that its effect might have."
        )
    yield "90 %: holds 90 % of new trials of the published size. 95 %: interval of the publication. Page: the patient page's figure. n.r.: not reached."
    if levels := {row["published_level"] for row in rows if row["published_lo"] is not None} - {None, 95}:
        yield f"Some published intervals are of another level ({', '.join(f'{level:g} %' for level in sorted(levels))}): see the report."
    if scored := [row for row in rows if row["z"] is not None]:
        covered = sum(map(_is_covered, scored))
        yield f"{covered} of {len(scored)} scored endpoints are covered (✓: |z| at most {COVERED})."
    else:
        yield "Nothing was published that these endpoints can be scored against."
