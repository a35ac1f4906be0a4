"""``export-model`` and ``schema``: what other programs read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mesotrial.cli.options import JsonFlag, OutFile, QuietFlag, complete_name

if TYPE_CHECKING:
    from mesotrial.catalogue import Drug

__all__ = ["register"]

_SUMMARY_SCHEMA = Path(__file__).with_name("summary.schema.json")


class Format(StrEnum):
    """A language for models."""

    SBML = "sbml"
    ANTIMONY = "antimony"


class Schema(StrEnum):
    """A kind of file."""

    DESIGN = "design"
    SUMMARY = "summary"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("export-model")(export_model)
    app.command("schema")(schema)


def export_model(
    therapies: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help="Drugs or therapies, by any of their names; without it the disease alone.",
            autocompletion=complete_name,
        ),
    ] = "",
    language: Annotated[Format, typer.Option("--format", help="SBML Level 3 Version 2, or Antimony.")] = Format.SBML,
    out: OutFile = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Write the model that some therapies need.

    Doses are no part of it: a dose in mg enters the states that `--json` lists under `dosed`.

    Examples:

    - `mesotrial export-model --therapies nivolumab,ipilimumab --format antimony`
    - `mesotrial export-model --therapies "nivo + ipi" --format sbml --out model.xml`
    """
    from mesotrial.biology import assemble
    from mesotrial.cli.output import console, print_json

    drugs = _drugs(therapies)
    assembly = assemble(drugs)
    text = assembly.sbml if language is Format.SBML else assembly.antimony
    if out is not None:
        _save(out, text)
    if as_json:
        about: dict[str, Any] = {
            "format": language.value,
            "drugs": [drug.name for drug in drugs],
            "dosed": assembly.dosed,
        }
        print_json(
            about | {"concentrations": assembly.concentrations} | ({"model": text} if out is None else {"file": out})
        )
    elif out is None:
        print(text)
    elif not quiet:
        console(error=True).print(
            f"Wrote {out}: {', '.join(drug.name for drug in drugs) or 'the disease alone'}, {language.value}"
        )


def schema(
    name: Annotated[Schema, typer.Argument(help="Which file.", show_default=False)],
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Print the JSON Schema of a file that people or programs write and read.

    Examples:

    - `mesotrial schema design > design.schema.json`  (an editor can check and complete a design with it)
    - `mesotrial schema summary`
    """
    import json

    from mesotrial.catalogue import design_schema
    from mesotrial.cli.output import print_json

    print_json(design_schema() if name is Schema.DESIGN else json.loads(_SUMMARY_SCHEMA.read_text(encoding="utf-8")))


def _save(path: Path, text: str) -> None:
    from mesotrial.run import RequestError
    from mesotrial.run.files import write_whole

    if path.is_dir():
        raise RequestError(f"{path} is a folder; give the name of a file (--out)")
    if not path.parent.is_dir():
        raise RequestError(f"there is no folder {path.parent} to write {path.name} to")
    write_whole(path, lambda file: file.write_text(text, encoding="utf-8"))


def _drugs(therapies: str) -> tuple[Drug, ...]:
    """Return the drugs of a comma-separated list of drugs and therapies."""
    from mesotrial.catalogue import entries, find, load_drug
    from mesotrial.run import RequestError

    names: dict[str, None] = {}
    for asked in filter(None, (part.strip() for part in therapies.split(","))):
        entry = find(asked)
        parts = (entry.key,) if entry.kind == "drug" else entry.drugs if entry.kind == "therapy" else ()
        if not entry.runnable or not parts:
            known = ", ".join(one.name for kind in ("drug", "therapy") for one in entries(kind) if one.runnable)
            if entry.kind not in ("drug", "therapy"):
                raise RequestError(f"{entry.name} is a {entry.kind}, no therapy; give drugs or therapies: {known}")
            raise RequestError(f"{entry.name} ({entry.kind}) cannot be simulated yet; these can: {known}")
        names.update(dict.fromkeys(parts))
    return tuple(load_drug(name) for name in names)
