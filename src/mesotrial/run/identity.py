"""When two runs are the same, and whether a folder holds this one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesotrial.run.errors import RunFolderError
from mesotrial.run.files import PROVENANCE, REPORT, SCHEMA, STATUS, TEMPORARY, file_hash, folder_hash, read_json
from mesotrial.run.lock import LOCK

if TYPE_CHECKING:
    from mesotrial.catalogue import Design

__all__ = ["identity_of", "is_finished_in", "program_hash", "refuse_foreign"]

# What makes two runs the same, and the words for it.
_WORDS = {
    "design_hash": "design",
    "seed": "seed",
    "patients_per_arm": "patients per arm",
    "population": "population",
    "version": "version of mesotrial",
    "program_hash": "simulation code",
    "model_hash": "model",
    "population_hash": "population parameters",
    "catalogue_hash": "catalogue",
}
_SIMULATING = (
    "catalogue",
    "engine",
    "biology",
    "population",
    "trial",
)  # the rooms that decide what happens to a patient


def identity_of(design: Design, *, patients_per_arm: int | None, seed: int, population: str | Path) -> dict[str, Any]:
    """Return what decides the results of a run: the request, and hashes of all that goes in."""
    from importlib.metadata import version

    from mesotrial.biology import assemble
    from mesotrial.catalogue import load_drug, own_folder
    from mesotrial.population import load_ensemble

    model = assemble([load_drug(name) for name in design.drugs])
    parameters = load_ensemble(population)
    package = Path(__file__).parents[1]
    return {
        "design": design.name,
        "design_hash": _hash(design.to_yaml()),
        "seed": seed,
        "patients_per_arm": patients_per_arm,
        # a calibration goes by its version, wherever its folder is
        "population": population if population in ("fitted", "typical") else parameters[0].version,
        "version": version("mesotrial"),
        "program_hash": program_hash(),
        "model_hash": _hash(model.sbml),
        "population_version": parameters[0].version,
        "population_hash": _hash(repr(parameters)),
        "catalogue_hash": folder_hash(package / "catalogue" / "data")
        + (folder_hash(own) if (own := own_folder()) else ""),
    }


def program_hash(*rooms: str) -> str:
    """Return a hash of the files, code and data, that decide what happens to a patient, and of the further `rooms` of the package."""
    package = Path(__file__).parents[1]
    return _hash("".join(folder_hash(package / room) for room in (*_SIMULATING, *rooms)))


def is_finished_in(folder: Path, identity: Mapping[str, Any]) -> bool:
    """Say whether the folder holds this very run, finished and whole; raise RunFolderError where it holds anything else.

    A run for fewer patients in each arm is no other run: it can be extended.
    """
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise RunFolderError(f"{folder} is a file; give the name of a folder")
    held = read_json(folder / PROVENANCE)
    if held is None or held.get("schema") != SCHEMA:
        refuse_foreign(folder, "run")
        return False
    different = [key for key in _WORDS if held.get(key) != identity[key]]
    if different == ["patients_per_arm"] and _grows(held["patients_per_arm"], identity["patients_per_arm"]):
        return False
    if differences := [_difference(held, identity, key) for key in different]:
        raise RunFolderError(
            f"{folder} holds another run: {'; '.join(differences)}. "
            "Nothing was changed. Give another folder (--out), or move this one away"
        )
    files = held.get("files")
    if (read_json(folder / STATUS) or {}).get("state") != "finished" or not isinstance(files, dict):
        return False
    return (folder / REPORT).is_file() and all(file_hash(folder / name) == digest for name, digest in files.items())


def _grows(there: object, asked: object) -> bool:
    return isinstance(there, int) and isinstance(asked, int) and there < asked


def refuse_foreign(folder: Path, kind: str) -> None:
    """Raise RunFolderError where a folder that holds no `kind` holds anything else."""
    names = sorted(path.name for path in folder.iterdir())
    if others := [name for name in names if name != LOCK and not name.endswith(TEMPORARY)]:
        shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        raise RunFolderError(
            f"{folder} holds files that are no {kind} ({shown}). Nothing was changed. Give another folder (--out)"
        )


def _difference(held: Mapping[str, Any], identity: Mapping[str, Any], key: str) -> str:
    if key.endswith("_hash"):
        return f"different {_WORDS[key]}"
    there, asked = ("the design's own" if value is None else value for value in (held.get(key), identity[key]))
    return f"{_WORDS[key]}: {there} there, {asked} asked for"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
