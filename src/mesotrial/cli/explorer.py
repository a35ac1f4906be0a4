"""``app``: the explorer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mesotrial.cli.options import JsonFlag, QuietFlag

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("app")(explorer)


def explorer(
    host: Annotated[
        str, typer.Option(metavar="HOST", help="The address to listen on; by default only this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="The port; 0 takes a free one.")] = 8765,
    runs: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder of runs. Nothing outside it is read or written.")
    ] = Path("runs"),
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    prepare: Annotated[
        bool,
        typer.Option(
            help="Compute some usual comparisons and the scoreboard in the background, once for each version of the model."
        ),
    ] = True,
    public_name: Annotated[
        list[str] | None,
        typer.Option(
            "--public-name", metavar="NAME", help="A name that a proxy in front of it is known by; may be given again."
        ),
    ] = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Explore in a browser: treatments, comparisons, one patient from the inside, trials, evidence.

    Runs started there are folders like those of `mesotrial run`, and stay when the explorer ends.

    Examples:

    - `mesotrial app`
    - `mesotrial app --port 9000 --no-browser`
    - `mesotrial app --runs /data/runs --public-name mesotrial.example.org`  (behind a proxy)
    """
    from mesotrial.app import Settings, exposure, serve
    from mesotrial.cli.output import console
    from mesotrial.run import RequestError

    def announce(where: str) -> None:
        if as_json:
            print(json.dumps({"url": where, "runs": str(runs.resolve())}), flush=True)
        else:
            print(where if quiet else f"The explorer is at {where}  (Ctrl-C ends it)", flush=True)

    if runs.exists() and not runs.is_dir():
        raise RequestError(f"{runs} is a file; give a folder for the runs (--runs)")
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"cannot make the folder {runs}: {error.strerror}; give another (--runs)") from None
    settings = Settings(runs.resolve(), host, port, tuple(public_name or ()), prepare)
    if warning := exposure(settings):
        console(error=True).print(f"Warning: {warning}", style="bold")
    try:
        serve(settings, announce, open_browser=not no_browser)
    except OSError as error:
        raise RequestError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}; give another (--port)"
        ) from None
