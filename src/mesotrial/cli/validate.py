"""``validate``: every trial simulated once and scored against what was published, a baseline without a model beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mesotrial.cli.options import JsonFlag, QuietFlag, names_in

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["register"]

Row = Mapping[str, Any]

_DASH = "–"
_MISSES = 12  # rows shown with the largest misses
_FAMILIES = {"all": "All", "response": "Response", "pfs": "Progression", "os": "Survival", "toxicity": "Toxicity"}


class Role(StrEnum):
    """What a published result may be used for."""

    CALIBRATION = "calibration"
    VALIDATION = "validation"
    ALL = "all"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("validate")(validate)


def validate(
    role: Annotated[
        Role, typer.Option(help="Score results that the model may be fitted to, those it never sees, or both.")
    ] = Role.ALL,
    trials: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Only these trials, by any of their names.", show_default=False),
    ] = None,
    patients: Annotated[
        int, typer.Option("--patients", "-n", metavar="N", help="Simulated patients of each arm.")
    ] = 2000,
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed gives the same scores.")] = 1,
    threads: Annotated[
        int | None,
        typer.Option(metavar="T", help="Threads; by default all. Scores do not depend on it.", show_default=False),
    ] = None,
    population: Annotated[
        str, typer.Option(metavar="fitted|typical|DIR", help="As in `mesotrial run`; DIR: the folder of a calibration.")
    ] = "fitted",
    all_rows: Annotated[bool, typer.Option("--all-rows", help="Show every scored row, not only the misses.")] = False,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Score the model: simulate every trial once, and compare it with what was published.

    Beside every figure stands that of a baseline without a model, the published result of the nearest trial. `mesotrial credibility` makes pages of
    the scores, with pictures.

    Examples:

    - `mesotrial validate`
    - `mesotrial validate --role validation --json`
    - `mesotrial validate --trials maps2,confirm --patients 500`
    """
    from mesotrial.cli.progress import Reporter
    from mesotrial.run import RequestError
    from mesotrial.validate import validate

    names = () if trials is None else names_in("--trials", trials)
    with Reporter("Scoring the model against published results", quiet=quiet) as reporter:
        board = validate(
            role=role.value,
            trials=names,
            patients_per_arm=patients,
            seed=seed,
            threads=threads,
            population=population,
            progress=reporter.progress,
        )
    if not board["trials"]:
        why = "; ".join(f"{item['trial']}, {item['arm']}: {item['why']}" for item in board["not_predicted"])
        raise RequestError(f"nothing of {', '.join(names) or 'the catalogue'} can be scored ({why})")
    if as_json:
        from mesotrial.cli.output import print_json

        print_json(board)
    else:
        _show(board, all_rows=all_rows)


def _show(board: Mapping[str, Any], *, all_rows: bool) -> None:
    from mesotrial.cli.output import console
    from mesotrial.report import CONTEXT_OF_USE

    out = console()
    for role, scores in board["roles"].items():
        mine = [row for row in board["rows"] if row["role"] == role]
        if mine:
            out.print(_scores(role, scores))
            out.print(_misses(role, mine, all_rows=all_rows))
    for line in _remarks(board):
        out.print(line)
    out.print(CONTEXT_OF_USE)


def _scores(role: str, scores: Mapping[str, Any]) -> Table:
    from mesotrial.cli.output import table

    missing = f", {scores['unpredicted']} not predicted" if scores["unpredicted"] else ""
    title = f"{role.capitalize()}: {scores['rows']} results of {scores['trials']} trials{missing}"
    columns = ("Rows", "Covered", "In 90 %", "Mean |z|", "Points", "Percent", "Interval", "Skill")
    made = table(title, "Family", *columns, right=columns)
    for name, heading in _FAMILIES.items():
        group = scores if name == "all" else scores["families"][name]
        if group["rows"] + group["unpredicted"] == 0:
            continue
        made.add_row(heading, *_figures(group), _percent(group["skill"], sign=True))
        if group["carry_over"]["rows"]:
            made.add_row("  carried over", *_figures(group["carry_over"]), "", style="dim")
    return made


def _figures(group: Mapping[str, Any]) -> list[str]:
    return [
        str(group["rows"]),
        _percent(group["z_coverage"]),
        _percent(group["inside90"]),
        _number(group["mean_abs_z"], 2),
        _number(group["rate_points_mae"], 1),
        _number(group["median_percent_mae"], 1),
        _number(group["interval_score"], 2),
    ]


def _misses(role: str, rows: Sequence[Row], *, all_rows: bool) -> Table:
    from mesotrial.cli.output import table
    from mesotrial.report.words import endpoint_name, interval, subgroup_name, value

    judged = [row for row in rows if row["not_predicted"] is None]
    judged.sort(key=lambda row: -abs(row["z"]) if row["z"] is not None else -100.0)
    shown = judged if all_rows else judged[:_MISSES]
    columns = ("Simulated", "90 %", "Published", "z", "Carried", "its z")
    title = f"{role.capitalize()}: {'every row' if all_rows else 'the largest misses'}, the largest first"
    made = table(title, "Trial", "Arm", "Endpoint", *columns, right=columns)
    for row in shown:
        name = endpoint_name(row) + (f", {subgroup_name(row['subgroup'])}" if row["subgroup"] != "all" else "")
        arm = f"{row['arm']} v {row['comparator']}" if row["comparator"] else row["arm"]
        is_beyond = row["simulated"] is None
        made.add_row(
            row["trial"].partition(" (")[0],
            arm,
            name,
            "not reached" if is_beyond else value(row["code"], row["simulated"], rounded=True),
            interval(row["code"], row["lo90"], row["hi90"], rounded=True),
            value(row["code"], row["published"]),
            _number(row["z"], 2, sign=True),
            value(row["code"], row["carry_over"], rounded=True),
            _number(row["carry_over_z"], 2, sign=True),
        )
    return made


def _remarks(board: Mapping[str, Any]) -> Iterable[str]:
    from mesotrial.analysis.codes import COVERED

    if board["not_predicted"]:
        yield "Not predicted:"
        for item in board["not_predicted"]:
            rows = f"{item['rows']} row{'s' if item['rows'] > 1 else ''}"
            yield f"  {item['trial']}, {item['arm']}: {rows} of {item['role']}; {item['why']}"
    for about in board["trials"]:
        if failed := {code: count for code, count in about["status_counts"].items() if code != "OK"}:
            counts = ", ".join(f"{count} {code}" for code, count in failed.items())
            yield f"Patients whose simulation failed, {about['design']}: {counts}"
    yield (
        f"Covered: |z| at most {COVERED}. In 90 %: inside the prediction interval for a new trial of the published size. Points, percent: median absolute "
        "errors of rates and of median times. Interval: mean interval score, smaller is better. Carried over: the published result of the nearest calibration "
        "arm, no model; its interval is the score's own tolerance. Skill: 1 - mean |z| of the model / mean |z| carried over, on the rows that both predict."
    )


def _percent(share: float | None, *, sign: bool = False) -> str:
    return _DASH if share is None else f"{100 * share:{'+' if sign else ''}.0f} %"


def _number(value: float | None, digits: int, *, sign: bool = False) -> str:
    return _DASH if value is None else f"{value:{'+' if sign else ''}.{digits}f}"
