"""``optimise``: a search over the ranges of a design file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mesotrial.cli.options import JsonFlag, QuietFlag

if TYPE_CHECKING:
    from rich.table import Table

    from mesotrial.search import Search

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("optimise")(optimise)


def optimise(
    design: Annotated[
        Path,
        typer.Argument(metavar="DESIGN", help="A design file (.yaml) with a `search:` block.", show_default=False),
    ],
    objective: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="os_rate_24, pfs_rate_12, ... (alive after so many months), os_rmst_24, rmst (mean months alive), orr, dcr, "
            "utility (months alive minus toxicity), power.",
        ),
    ] = "os_rate_24",
    budget: Annotated[
        int, typer.Option(metavar="N", help="Candidates to try, those of an interrupted search included.")
    ] = 30,
    patients: Annotated[
        int, typer.Option("--patients", "-n", metavar="N", help="Patients of each candidate, the same for all.")
    ] = 400,
    final_patients: Annotated[
        int, typer.Option(metavar="N", help="Other patients, on whom the best are compared anew.")
    ] = 2000,
    cost_at_most: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="The winner costs no more: share of patients with a related event of grade 3 or worse; for power, patients.",
            show_default=False,
        ),
    ] = None,
    toxicity_weight: Annotated[
        float, typer.Option(metavar="MONTHS", help="For utility: months of life that a severe event counts for.")
    ] = 3.0,
    arm: Annotated[
        str | None,
        typer.Option(
            metavar="ARM", help="The arm that is judged; by default the first that varies.", show_default=False
        ),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            metavar="ARM", help="For power: the arm it is compared with; by default the last other.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed gives the same search.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Folder; without it searches/DESIGN-OBJECTIVE.", show_default=False
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(metavar="T", help="Threads; by default all. Results do not depend on it.", show_default=False),
    ] = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Search the ranges of a design file (`search:`) for regimens or designs that do better.

    Candidates are tried on the same virtual patients; the best are compared anew on others, and the result says how often
    the winner wins where parameters differ. Ctrl-C keeps what is done: the same command goes on.

    Examples:

    - `mesotrial optimise examples/search_ipilimumab.yaml --objective os_rate_24 --budget 24`
    - `mesotrial optimise my-trial.yaml --objective utility --toxicity-weight 6`
    - `mesotrial optimise my-trial.yaml --objective power --cost-at-most 300`
    """  # fmt: skip
    from mesotrial.cli.progress import Reporter
    from mesotrial.search import optimise as search

    try:
        with Reporter(f"Searching {design} for {objective}", quiet=quiet, unit="candidates") as reporter:
            found = search(
                design,
                aim=objective,
                budget=budget,
                patients=patients,
                final_patients=final_patients,
                seed=seed,
                out=out,
                arm=arm,
                control=control,
                most_cost=cost_at_most,
                toxicity_weight=toxicity_weight,
                threads=threads,
                progress=reporter.progress,
            )
    except KeyboardInterrupt:
        print("Interrupted: the candidates finished are kept; the same command goes on from there.", file=sys.stderr)
        raise
    if as_json:
        _print_search(found)
        return
    if not quiet:
        _show(found)
    print(found.folder)


def _print_search(found: Search) -> None:
    import json

    from mesotrial.cli.output import print_json

    result = json.loads((found.folder / "result.json").read_text(encoding="utf-8"))
    print_json({"folder": found.folder, "resumed": found.resumed, "files": list(found.files), **result})


def _show(found: Search) -> None:
    from mesotrial.cli.output import console
    from mesotrial.search.outputs import CAVEATS, words_of

    out = console()
    out.print(_table(found))
    winner, finals = found.finals.finalists[0], found.finals
    for name, score in found.references.items():
        out.print(
            f"Arm {name}, as it is: {_value(score.benefit, found.aim.is_share)}; cost {_value(score.cost, not found.aim.needs_control)}."
        )
    out.print(
        f"Winner: {words_of(winner.choice)}. Over resampled patients and parameter sets it is the best of the finalists in {winner.wins:.0%}."
    )
    if winner.wins_draws is not None:
        out.print(f"Asked one by one, it wins in {winner.wins_draws:.0%} of the {finals.draws} parameter sets.")
    elif finals.draws > 1:
        out.print(
            f"So few patients ({finals.patients}) do not say who wins in each of the {finals.draws} parameter sets; take more --final-patients."
        )
    else:
        out.print(
            "The model has one parameter set here: what is unknown of its parameters is not in these numbers, and they look surer than they are."
        )
    out.print("Gain: against the design as written (its defaults), in the same patients; of a share, in points.")
    out.print("The rows' benefit is that of fresh patients: in the search itself the best looks better than it is.")
    if refused := sum(bool(one.refused) for one in found.candidates):
        out.print(f"{refused} choices of values made no design; candidates.csv says why.")
    if found.resumed:
        out.print(f"{found.resumed} candidates were there from before.")
    out.print(CAVEATS)


def _table(found: Search) -> Table:
    from mesotrial.cli.output import table

    names = [variable.name for variable in found.space.variables]
    heads = ("Benefit", "90 %", "Gain", "90 %", "Cost", "Wins")
    tried = sum(one.benefit is not None for one in found.candidates)
    title = f"{found.aim.label}; cost: {found.aim.cost_label.lower()}. {tried} of {found.space.size} candidates tried"
    made = table(title, *names, *heads, right=(*names, *heads))
    for one in found.finals.finalists:
        share = found.aim.is_share
        made.add_row(
            *(_word(one.choice[name]) for name in names),
            _value(one.benefit, share),
            f"{_value(one.lo90, share)} to {_value(one.hi90, share)}",
            _gain(one.gain, share),
            f"{_gain(one.gain_lo90, share)} to {_gain(one.gain_hi90, share)}",
            _value(one.cost, not found.aim.needs_control),
            f"{one.wins:.0%}",
            style="bold" if one is found.finals.finalists[0] else None,
        )
    return made


def _gain(number: float, is_share: bool) -> str:
    return f"{100 * number if is_share else number:+.1f}"


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _value(number: float, is_share: bool) -> str:
    return f"{100 * number:.1f} %" if is_share else f"{number:.1f}" if number < 1000 else f"{number:,.0f}"
