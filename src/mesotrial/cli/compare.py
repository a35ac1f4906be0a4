"""``compare``: the same virtual people through several treatments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mesotrial.cli.options import JsonFlag, QuietFlag

if TYPE_CHECKING:
    from rich.console import Console

    from mesotrial.comparison import Comparison, Option

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("compare")(compare)


def compare(
    therapies: Annotated[
        list[str],
        typer.Argument(
            metavar="THERAPY...",
            help="Treatments: drugs joined by +, given as labels and trials give them, or full regimens.",
            show_default=False,
        ),
    ],
    patient: Annotated[
        str,
        typer.Option(
            "--patient",
            "-p",
            metavar="TEXT",
            help="The person: 'age 70, male, epithelioid, ECOG 1, PD-L1 5%, first line'. The line of treatment is needed.",
            show_default=False,
        ),
    ],
    people: Annotated[
        int, typer.Option("--people", "-n", metavar="N", help="Virtual people to take through every option.")
    ] = 1000,
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed gives the same people and results.")] = 1,
    threads: Annotated[
        int | None,
        typer.Option(metavar="T", help="Threads; by default all. Results do not depend on it.", show_default=False),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the comparison to this .svg or .png.", show_default=False)
    ] = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Take the same virtual people through several treatments, beside what was published.

    The people are like the person described; what is not said is drawn as in the nearest trial. Every option meets the same people
    with the same random draws. This informs and explores; it does not tell what will happen to a person.

    Examples:

    - `mesotrial compare nivolumab "nivolumab + ipilimumab" "cisplatin + pemetrexed" --patient "age 70, male, epithelioid, ECOG 1, PD-L1 5%, first line"`
    - `mesotrial compare pembrolizumab placebo --patient "woman, tumour 80 mm, relapsed" --picture comparison.svg`
    - `mesotrial compare "nivolumab 240 mg IV q2w" "nivolumab 480 mg IV q4w" -p "relapsed" --json`
    """  # fmt: skip
    from mesotrial.cli.output import console, print_json
    from mesotrial.cli.progress import Reporter
    from mesotrial.comparison import compare as run_comparison
    from mesotrial.comparison.picture import check_picture

    if picture is not None:
        check_picture(picture)
    with Reporter(f"{people:,} people through {len(therapies)} options; seed {seed}", quiet=quiet) as reporter:
        found = run_comparison(
            *therapies, patient=patient, people=people, seed=seed, threads=threads, progress=reporter.progress
        )
    if picture is not None:
        found.picture(picture)
    if as_json:
        print_json({**found.to_dict(), "picture": picture})
        return
    out = console()
    for option in found.options:
        _show_published(out, option)
    _show_outcomes(out, found)
    _show_differences(out, found)
    _show_certainty(out, found)
    if picture is not None:
        out.print(f"Picture: {picture}")


def _show_published(out: Console, option: Option) -> None:
    """Print what was given and what was published."""
    from mesotrial.cli.output import table

    out.print(f"{option.therapy.text}", style="bold")
    out.print(f"  given as: {'; '.join(regimen.text for regimen in option.therapy.regimens)} ({option.therapy.source})")
    if (nearest := option.nearest) is None:
        out.print("  published: no trial of this or a like treatment is in the catalogue\n")
        return
    made = table(
        f"  Published: {nearest.trial}, {nearest.label} ({nearest.words})",
        "Result",
        "Value",
        "Interval",
        "Patients",
        "Source",
    )
    for row in nearest.rows:
        subgroup = "" if row["subgroup"] == "all" else f", {row['subgroup'].replace('_', ' ')}"
        made.add_row(
            _published_name(row) + subgroup,
            _published_value(row, "published"),
            _interval(row),
            "" if row["published_n"] is None else f"{row['published_n']}",
            row["source"] + ("" if row["checked"] else " (not yet checked at source)"),
        )
    out.print(made)


def _show_outcomes(out: Console, found: Comparison) -> None:
    from mesotrial.cli.output import table
    from mesotrial.comparison.outcomes import OUTCOMES

    options = found.options
    title = f"Simulated: of 100 people like this ({found.person.text})"
    made = table(title, "Outcome", *(option.therapy.text for option in options))
    for (code, time), label in OUTCOMES.items():
        cells = []
        for option in options:
            results = option.bands if option.exploratory else option.outcomes
            one: Any = next(one for one in results if (one.code, one.time_months) == (code, time))
            value = "not known" if option.exploratory else f"{100 * one.value:.0f}"
            cells.append(f"{value} ({100 * one.lo90:.0f}–{100 * one.hi90:.0f})")
        made.add_row(label, *cells)
    out.print(made)
    for option in options:
        if option.exploratory:
            out.print(
                f"{option.therapy.text}: outcomes are not known. {' and '.join(option.exploratory)} is exploratory: "
                "no evidence of benefit in people with mesothelioma. In brackets: the range over all that its effect might be."
            )


def _show_differences(out: Console, found: Comparison) -> None:
    from mesotrial.cli.output import table
    from mesotrial.comparison.outcomes import Difference, DifferenceBand

    pairs: dict[tuple[str, str], list[Difference | DifferenceBand]] = {}
    every: list[Difference | DifferenceBand] = [*found.differences, *found.difference_bands]
    for one in every:
        pairs.setdefault((one.first, one.second), []).append(one)
    for (first, second), rows in pairs.items():
        made = table(
            f"Per 100 people: {first} minus {second}",
            "Outcome",
            "Difference",
            "90 %",
            "only with the first",
            "only with the second",
            right=("Difference", "90 %"),
        )
        for one in rows:
            known = ("not known", "", "")
            if isinstance(one, Difference):
                known = (f"{one.per_100:+.0f}", f"{one.only_first:.0f}", f"{one.only_second:.0f}")
            made.add_row(one.label, known[0], f"{one.lo90:+.0f} to {one.hi90:+.0f}", *known[1:])
        out.print(made)


def _show_certainty(out: Console, found: Comparison) -> None:
    from mesotrial.comparison.plain import certainty
    from mesotrial.report import CONTEXT_OF_USE

    outside = [*found.extrapolation]
    outside += [f"{option.therapy.text}: {text}" for option in found.options for text in option.extrapolation]
    for text in outside:
        out.print(f"Extrapolation: {text}", style="bold")
    for text in (*found.person.notes, *certainty(found)):
        out.print(text)
    out.print(f"People drawn like those of the design {found.population}. {CONTEXT_OF_USE}")


def _published_name(row: Mapping[str, Any]) -> str:
    names = {
        "ORR": "response",
        "PFS_MEDIAN": "PFS, median months",
        "OS_MEDIAN": "OS, median months",
        "TRAE_G34": "related events, grade 3 or worse",
    }
    if row["code"] in names:
        return names[row["code"]]
    return f"{row['code'].removesuffix('_RATE')} at {row['time_months']:g} months"


def _published_value(row: Mapping[str, Any], key: str) -> str:
    from mesotrial.analysis.codes import is_rate

    number = row[key]
    if number is None:
        return "n.r."
    return f"{100 * number:.1f} %" if is_rate(row["code"]) else f"{number:g}"


def _interval(row: Mapping[str, Any]) -> str:
    if row["published_lo"] is None:
        return ""
    return f"{_published_value(row, 'published_lo')}–{_published_value(row, 'published_hi')}"
