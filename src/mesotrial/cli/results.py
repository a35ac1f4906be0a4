"""The table at the end of a run: simulated beside published, arm by arm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mesotrial.cli.output import console, table

if TYPE_CHECKING:
    from mesotrial.catalogue import Design

__all__ = ["show_results"]


def show_results(design: Design, summary: Mapping[str, Any], *, all_rows: bool) -> None:
    """Print the endpoints of a run: those that are scored or on the patient page; all where asked for, or where there are no such."""
    from mesotrial.report.page import CONTEXT_OF_USE

    everything = summary["endpoints"]
    rows = everything if all_rows else list(_shown(everything)) or everything
    out = console()
    out.print(_table(design, rows))
    if any(row["z"] is not None for row in rows):
        out.print(_verdict(rows))
    else:
        out.print("Nothing was published that these endpoints can be scored against.")
    if failed := {code: count for code, count in summary["bank_status_counts"].items() if code != "OK"}:
        out.print(
            f"Patients whose simulation failed: {', '.join(f'{count} {code}' for code, count in failed.items())}",
            style="bold",
        )
    out.print(CONTEXT_OF_USE)


def _shown(rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the scored rows, and one row for each figure of the patient page that no scored row carries."""
    rows = list(rows)
    said = {_key(row) for row in rows if row["z"] is not None}
    for row in rows:
        if row["z"] is not None:
            yield row
        elif row["page"] is not None and _key(row) not in said:
            said.add(_key(row))
            yield row


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["arm"], row["comparator"], row["subgroup"], row["code"], row["time_months"]


def _table(design: Design, rows: Iterable[Mapping[str, Any]]) -> Any:
    from mesotrial.analysis.codes import COVERED
    from mesotrial.report.words import endpoint_name, interval, subgroup_name, value

    numbers = ("Simulated", "Published", "Patient page", "z")
    headings = (
        "Endpoint",
        "Simulated",
        "90 % prediction",
        "Published",
        "95 % interval",
        "Patient page",
        "z",
        "Covered",
    )
    made = table("", *headings, right=numbers)
    for arm in design.arms:
        made.add_row(f"{arm.label} ({arm.name})", style="bold")
        for row in (row for row in rows if row["arm"] == arm.name):
            code = row["code"]
            against = f"against {row['comparator']}" if row["comparator"] else ""
            words = ", ".join(filter(None, (subgroup_name(row["subgroup"]), against, _publication(row))))
            made.add_row(
                f"  {endpoint_name(row)}" + (f" ({words})" if words else ""),
                value(code, row["simulated"]),
                interval(code, row["lo90"], row["hi90"]),
                value(code, row["published"]),
                interval(code, row["published_lo"], row["published_hi"]) + _level(row),
                "" if row["page"] is None else value(code, row["page"]),
                "" if row["z"] is None else f"{row['z']:+.2f}",
                "" if row["z"] is None else "yes" if abs(row["z"]) <= COVERED else "no",
            )
    return made


def _publication(row: Mapping[str, Any]) -> str:
    """Return what tells a published number that is not scored from the one that is."""
    return str(row["label"]) if row["label"] and row["z"] is None else ""


def _level(row: Mapping[str, Any]) -> str:
    """Return the level of a published interval that is not the usual 95 %."""
    level = row["published_level"]
    return f" ({level:g} %)" if row["published_lo"] is not None and level not in (None, 95) else ""


def _verdict(rows: Iterable[Mapping[str, Any]]) -> str:
    from mesotrial.analysis.codes import COVERED

    scores = [abs(row["z"]) for row in rows if row["z"] is not None]
    covered = sum(score <= COVERED for score in scores)
    return f"{covered} of {len(scores)} scored endpoints are covered (|z| at most {COVERED}). Intervals hold 90 % of new trials of the published size."
