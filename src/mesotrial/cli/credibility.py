"""``credibility``: how far the model may be trusted, on one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mesotrial.cli.options import JsonFlag, QuietFlag

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("credibility")(credibility)


def credibility(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the page.")] = Path("credibility"),
    scoreboard: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Output of `mesotrial validate --json`; by default scored anew.", show_default=False
        ),
    ] = None,
    tests: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JUnit report of the tests (pytest --junit-xml).", show_default=False),
    ] = None,
    patients: Annotated[
        int, typer.Option("--patients", "-n", metavar="N", help="Simulated patients of each arm, where scored anew.")
    ] = 2000,
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed gives the same scores.")] = 1,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Write the credibility page: the headings of ICH M15 and ASME V&V 40, filled from the catalogue, the tests and the scoreboard; and a model card.

    Examples:

    - `mesotrial credibility`
    - `mesotrial validate --json > board.json; mesotrial credibility --scoreboard board.json --out page`
    """
    from mesotrial.cli.progress import Reporter
    from mesotrial.credibility import write_credibility
    from mesotrial.run import RequestError
    from mesotrial.validate import validate

    for place in (out, *out.parents):  # before minutes of scoring
        if place.exists() and not place.is_dir():
            raise RequestError(f"{place} is a file; give the name of a folder (--out)")
    if scoreboard is not None:
        board = _read(scoreboard)
    else:
        with Reporter("Scoring the model against published results", quiet=quiet) as reporter:
            board = validate(patients_per_arm=patients, seed=seed, progress=reporter.progress)
    try:
        written = write_credibility(out, board, tests)
    except ValueError as error:
        raise RequestError(str(error)) from None
    if as_json:
        from mesotrial.cli.output import print_json

        print_json({"files": [str(path) for path in written]})
        return
    from mesotrial.cli.output import console

    for path in written:
        console().print(str(path))


def _read(path: Path) -> dict[str, Any]:
    from mesotrial.run import RequestError

    try:
        board = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(board, dict) or board.get("schema") != "mesotrial/scoreboard/1":
        raise RequestError(f"{path} is no scoreboard; make one with: mesotrial validate --json > scoreboard.json")
    return board
