"""A run as it lies on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesotrial.run.errors import RunFolderError
from mesotrial.run.files import BANK, DESIGN, PROVENANCE, REPORT, SCHEMA, STATUS, SUMMARY, read_json, read_table
from mesotrial.run.lock import is_held
from mesotrial.trial.tables import TABLES

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.catalogue import Design

__all__ = ["INTERRUPTED", "Run", "load_run", "remake_report", "save_report"]

INTERRUPTED = "Interrupted. What was finished is kept: the same run again goes on from there"


@dataclass(frozen=True)
class Run:
    """A run on disk. What is read from it is read when first asked for.

    Attributes
    ----------
    path
        The folder.
    reused
        Whether `run_trial` found it finished, and simulated nothing.
    kept
        Patients that `run_trial` found finished and took up, of a run that had been cut off or is extended.

    """

    path: Path
    reused: bool = False
    kept: int = 0

    @property
    def report(self) -> Path:
        """The page of the run."""
        return self.path / REPORT

    @property
    def status(self) -> dict[str, Any]:
        """How far the run is, read anew each time: state, done, total, started, finished, message.

        A run whose process ended without a word, as at a power cut, is interrupted, though its file says running.
        """
        status = self._object(STATUS)
        if status.get("state") == "running" and not is_held(self.path):
            status = self._object(STATUS)  # it may have come to its end in between
            if status.get("state") == "running":
                status |= {"state": "interrupted", "message": INTERRUPTED}
        return status

    @cached_property
    def design(self) -> Design:
        """The design as frozen."""
        from mesotrial.catalogue import load_design

        return load_design(self.path / DESIGN)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The endpoints beside what was published ("mesotrial/summary/1")."""
        return self._object(SUMMARY)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Versions, seed, command, hashes and timings."""
        return self._object(PROVENANCE)

    @cached_property
    def tables(self) -> dict[str, pl.DataFrame]:
        """The tables of the trial, by name (`mesotrial.TABLES`)."""
        return self._tables(self.path)

    @cached_property
    def bank(self) -> dict[str, pl.DataFrame]:
        """The tables of the bank of patients behind the intervals; those of the trial where it is its own bank."""
        return self._tables(self.path / BANK) if (self.path / BANK).is_dir() else self.tables

    def _object(self, name: str) -> dict[str, Any]:
        value = read_json(self.path / name)
        if value is None:
            raise RunFolderError(f"{self.path} has no readable {name}: the run is not finished; run it again")
        return value

    def _tables(self, folder: Path) -> dict[str, pl.DataFrame]:
        missing = [name for name in TABLES if not (folder / f"{name}.parquet").is_file()]
        if missing:
            raise RunFolderError(f"{folder} has no {missing[0]}.parquet: the run is not finished; run it again")
        return {name: read_table(folder / f"{name}.parquet") for name in TABLES}


def load_run(path: str | Path) -> Run:
    """Open a run's folder, finished or not.

    Raises
    ------
    RunFolderError
        The folder is no run.

    """
    run = Run(Path(path))
    if not run.path.is_dir():
        raise RunFolderError(f"there is no folder {run.path}")
    if (read_json(run.path / PROVENANCE) or {}).get("schema") != SCHEMA:
        raise RunFolderError(f"{run.path} is not the folder of a run: it has no readable {PROVENANCE}")
    return run


def remake_report(path: str | Path) -> Path:
    """Write the page of a run anew from its own files, and return its path; raises as `load_run` does."""
    run = load_run(path)
    if "files" not in run.provenance:
        raise RunFolderError(f"{run.path} is not finished: run it again")
    return save_report(run.path, run.design, run.tables, run.bank, run.summary, run.provenance)


def save_report(
    folder: Path,
    design: Design,
    tables: Mapping[str, pl.DataFrame],
    bank: Mapping[str, pl.DataFrame],
    summary: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> Path:
    """Write the page; what provenance learns only afterwards is left out, so that the page is the same when made anew."""
    from mesotrial.report import write_report

    timings = {part: seconds for part, seconds in provenance["timings"].items() if part not in ("report", "total")}
    known = {key: value for key, value in provenance.items() if key != "files"} | {"timings": timings}
    return write_report(folder / REPORT, design, tables, bank, summary, known)
