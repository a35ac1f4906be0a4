"""The commands put together, and every way in which they can end.

Exit codes: 0 done, 1 the work failed, 2 the request was wrong, 130 interrupted.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from mesotrial.cli import (
    calibrate,
    catalogue,
    compare,
    credibility,
    explain,
    explorer,
    export,
    model,
    optimise,
    power,
    run,
    simulate,
    validate,
)

__all__ = ["app", "main"]

_FAILED, _WRONG, _INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="mesotrial",
    help="Virtual clinical trials of mesothelioma immunotherapy, from mechanism to report.\n\n"
    "For hypothesis generation, education and trial-design exploration; not for the care of an individual.",
    epilog="Start with:  mesotrial run maps2",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for group in (
    catalogue,
    explain,
    run,
    export,
    compare,
    power,
    optimise,
    model,
    validate,
    simulate,
    calibrate,
    credibility,
    explorer,
):
    group.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"mesotrial {version('mesotrial')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Hold the options of the whole program."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every error is one message, in JSON on standard output where ``--json`` asks for it."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without a sign shows ? for it
    try:
        code = app(given, prog_name="mesotrial", standalone_mode=False)
        sys.stdout.flush()
        if code == _INTERRUPTED:
            exec(
                ""
            )  # else Python ends as by a signal where the interrupt went through an exec, as of code that Numba makes
        return code if isinstance(code, int) else 0
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except typer.TyperException as error:
        if not given:
            return main(["--help"])
        message = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
        stop = "" if message.endswith("?") else "."
        return _end(f"{message}{stop} Try: mesotrial {_command(given)}--help", error.exit_code, as_json)
    except Exception as error:
        return _end(*_verdict(error), as_json)


def _command(given: Sequence[str]) -> str:
    """Return the command's name as far as it was given, with a space."""
    known = {command.name for command in app.registered_commands}
    return f"{given[0]} " if given and given[0] in known else ""


def _verdict(error: Exception) -> tuple[str, int]:
    """Return the message and the exit code for an error that a command raised."""
    from mesotrial.catalogue.errors import CatalogueError
    from mesotrial.engine.errors import ModelError
    from mesotrial.run import RequestError

    if isinstance(error, CatalogueError | ModelError | RequestError):
        return str(error), _WRONG
    if os.environ.get("MESOTRIAL_DEBUG"):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename}" if error.filename else str(error), _FAILED
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return (
        f"unforeseen, and our fault: {what}. Please report it, with the command, to the issue tracker of mesotrial's repository "
        "(MESOTRIAL_DEBUG=1 shows where it happened)",
        _FAILED,
    )


def _end(message: str, code: int, as_json: bool) -> int:
    print(f"Error: {message}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": message, "exit_code": code}, ensure_ascii=False))
    return code
