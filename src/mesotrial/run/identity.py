"""When two runs are the same, and whether a folder holds this one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mesotrial.run.errors import RunFolderError
from mesotrial.run.files import PROVENANCE, REPORT, SCHEMA, STATUS, TEMPORARY, file_hash, folder_hash, read_json

if TYPE_CHECKING:
    from mesotrial.catalogue import Design

__all__ = ["identity_of", "is_finished_in"]

# What makes two runs the same, and the words for it.
_WORDS = {
    "design_hash": "design",
    "seed": "seed",
    "patients_per_arm": "patients per arm",
    "population": "population",
    "version": "version of mesotrial",
    "model_hash": "model",
    "population_hash": "population parameters",
    "catalogue_hash": "catalogue",
}


def identity_of(
    design: Design, *, patients_per_arm: int | None, seed: int, population: Literal["fitted", "typical"]
) -> dict[str, Any]:
    """Return what decides the results of a run: the request, and hashes of all that goes in."""
    from importlib.metadata import version

    import mesotrial.catalogue
    from mesotrial.biology import assemble
    from mesotrial.catalogue import load_drug
    from mesotrial.population import load_ensemble

    model = assemble([load_drug(name) for name in design.drugs])
    parameters = load_ensemble(population)
    return {
        "design": design.name,
        "design_hash": _hash(design.to_yaml()),
        "seed": seed,
        "patients_per_arm": patients_per_arm,
        "population": population,
        "version": version("mesotrial"),
        "model_hash": _hash(model.sbml),
        "population_version": parameters[0].version,
        "population_hash": _hash(repr(parameters)),
        "catalogue_hash": folder_hash(Path(mesotrial.catalogue.__file__).parent / "data"),
    }


def is_finished_in(folder: Path, identity: Mapping[str, Any]) -> bool:
    """Say whether the folder holds this very run, finished and whole; raise RunFolderError where it holds anything else."""
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise RunFolderError(f"{folder} is a file; give the name of a folder")
    held = read_json(folder / PROVENANCE)
    if held is None or held.get("schema") != SCHEMA:
        _refuse_foreign(folder)
        return False
    if differences := [_difference(held, identity, key) for key in _WORDS if held.get(key) != identity[key]]:
        raise RunFolderError(
            f"{folder} holds another run: {'; '.join(differences)}. "
            "Nothing was changed. Give another folder (--out), or move this one away"
        )
    files = held.get("files")
    if (read_json(folder / STATUS) or {}).get("state") != "finished" or not isinstance(files, dict):
        return False
    return (folder / REPORT).is_file() and all(file_hash(folder / name) == digest for name, digest in files.items())


def _refuse_foreign(folder: Path) -> None:
    if others := sorted(path.name for path in folder.iterdir() if not path.name.endswith(TEMPORARY)):
        shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        raise RunFolderError(
            f"{folder} holds files that are no run ({shown}). Nothing was changed. Give another folder (--out)"
        )


def _difference(held: Mapping[str, Any], identity: Mapping[str, Any], key: str) -> str:
    if key.endswith("_hash"):
        return f"different {_WORDS[key]}"
    there, asked = ("the design's own" if value is None else value for value in (held.get(key), identity[key]))
    return f"{_WORDS[key]}: {there} there, {asked} asked for"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
