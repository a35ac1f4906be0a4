"""``export``: a run for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mesotrial.cli.options import JsonFlag, QuietFlag

__all__ = ["register"]


class Form(StrEnum):
    """The formats of other programs."""

    ADAM = "adam"
    XPT = "xpt"
    DATASET_JSON = "dataset-json"
    SIMTRIAL = "simtrial"
    RTF = "rtf"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("export")(export)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.", show_default=False)],
    form: Annotated[
        Form,
        typer.Option(
            "--format",
            "-f",
            help="adam: CSV and a list of columns. xpt: SAS transport (v5) and define.xml. dataset-json: Dataset-JSON 1.1 and define.xml. "
            "simtrial: for R's simtrial and gsDesign2. rtf: tables as RTF and HTML.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Folder; without it RUN/export/FORMAT.", show_default=False),
    ] = None,
    bank: Annotated[
        bool, typer.Option("--bank", help="The larger group behind the intervals instead of the trial's patients.")
    ] = False,
    control: Annotated[
        str | None,
        typer.Option(
            metavar="ARM",
            help="Arm that others are compared with (simtrial, rtf); without it the published comparator, else the first arm.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Write a run for other programs: ADaM tables, SAS transport, Dataset-JSON, R's simtrial and gsDesign2, tables for a report.

    Every file says that the data are simulated.

    Examples:

    - `mesotrial export runs/maps2 --format xpt`
    - `mesotrial export runs/maps2 --format simtrial --bank --control nivo`
    - `mesotrial export runs/maps2 --format rtf --out tables`
    """
    from mesotrial.cli.output import print_json
    from mesotrial.export import export_run

    done = export_run(run, form.value, out=out, bank=bank, control=control)
    if as_json:
        about = {"run": run, "format": form.value, "folder": done.folder, "files": list(done.files)}
        print_json(about | {"control": done.control})
    elif quiet:
        print(done.folder)
    else:
        for path in done.files:
            print(path)
