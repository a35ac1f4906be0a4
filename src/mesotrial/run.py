"""A run is a folder: the frozen design, the tables, the summary, the page, and where it all came from.

Command line, notebook and web page call the same `run_trial`. A folder belongs to one run: the same request finds the finished run again, an interrupted
one is done anew, and anything else in the folder is refused and left alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mesotrial._run_files import (
    TEMPORARY,
    file_hash,
    folder_hash,
    read_json,
    read_table,
    write_json,
    write_table,
    write_whole,
)
from mesotrial.trial.tables import TABLES

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.catalogue import Design
    from mesotrial.trial import Trial

__all__ = ["RequestError", "Run", "RunFolderError", "load_run", "remake_report", "run_trial"]

Population = Literal["fitted", "typical"]
Progress = Callable[[int, int, str], None]

_DESIGN, _STATUS, _SUMMARY, _REPORT, _PROVENANCE = (
    "design.yaml", "status.json", "summary.json", "report.html", "provenance.json",
)  # fmt: skip
_BANK = "bank"
_SCHEMA = "mesotrial/provenance/1"
_STATUS_EVERY_SECONDS = 0.5
_LIBRARIES = ("numpy", "scipy", "numba", "llvmlite", "sympy", "antimony", "python-libsbml", "polars", "pyarrow")
# What makes two runs the same, and the words for it.
_IDENTITY = {
    "design_hash": "design",
    "seed": "seed",
    "patients_per_arm": "patients per arm",
    "population": "population",
    "version": "version of mesotrial",
    "model_hash": "model",
    "population_hash": "population parameters",
    "catalogue_hash": "catalogue",
}


class RequestError(ValueError):
    """A run that cannot be asked for: the message says what is wrong and what to give instead."""


class RunFolderError(RequestError):
    """A folder that is not, or not only, the run asked for. Nothing in it was touched."""


@dataclass(frozen=True)
class Run:
    """A run on disk. What is read from it is read when first asked for.

    Attributes
    ----------
    path
        The folder.
    reused
        Whether `run_trial` found it finished, and simulated nothing.

    """

    path: Path
    reused: bool = False

    @property
    def report(self) -> Path:
        """The page of the run."""
        return self.path / _REPORT

    @property
    def status(self) -> dict[str, Any]:
        """How far the run is, read anew each time: state, done, total, started, finished, message."""
        return self._object(_STATUS)

    @cached_property
    def design(self) -> Design:
        """The design as frozen."""
        from mesotrial.catalogue import load_design

        return load_design(self.path / _DESIGN)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The endpoints beside what was published ("mesotrial/summary/1")."""
        return self._object(_SUMMARY)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Versions, seed, command, hashes and timings."""
        return self._object(_PROVENANCE)

    @cached_property
    def tables(self) -> dict[str, pl.DataFrame]:
        """The tables of the trial, by name."""
        return self._tables(self.path)

    @cached_property
    def bank(self) -> dict[str, pl.DataFrame]:
        """The tables of the bank of patients behind the intervals; those of the trial where it is its own bank."""
        return self._tables(self.path / _BANK) if (self.path / _BANK).is_dir() else self.tables

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


def run_trial(
    design: Design | str | Path,
    *,
    out: str | Path | None = None,
    patients_per_arm: int | None = None,
    seed: int = 1,
    threads: int | None = None,
    population: Population = "fitted",
    progress: Progress | None = None,
    command: str = "",
) -> Run:
    """Simulate a trial into a folder and return the run.

    `design` is a `Design`, a name of the catalogue or a YAML file. Without `patients_per_arm` the trial has the design's arm sizes, beside a bank of 2,000
    patients per arm. `out` is by default ``runs/<design>``, with what differs from the defaults added. `progress` is called with (patients done, patients in
    all, what is being done). The same run, finished in that folder, is returned as it is (`Run.reused`); an interrupted or damaged one is done anew.

    Raises
    ------
    CatalogueError
        The design is unknown or cannot be read.
    RequestError
        Patients, threads, seed or population that cannot be.
    RunFolderError
        The folder holds another run, or files that are no run.

    """
    from mesotrial.catalogue import Design, load_design

    if not isinstance(design, Design):
        design = load_design(design)
    _check_request(patients_per_arm, seed, threads, population)
    folder = Path(out) if out is not None else _default_folder(design.name, patients_per_arm, seed, population)
    identity = _identity(design, patients_per_arm, seed, population)
    if _is_there(folder, identity):
        return Run(folder, reused=True)
    return _Work(folder, design, identity, progress, command).do(patients_per_arm, seed, threads, population)


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
    if (read_json(run.path / _PROVENANCE) or {}).get("schema") != _SCHEMA:
        raise RunFolderError(f"{run.path} is not the folder of a run: it has no readable {_PROVENANCE}")
    return run


def remake_report(path: str | Path) -> Path:
    """Write the page of a run anew from its own files, and return its path; raises as `load_run` does."""
    run = load_run(path)
    _write_report(run.path, run.design, run.tables, run.bank, run.summary, run.provenance)
    return run.report


def _check_request(patients_per_arm: int | None, seed: int, threads: int | None, population: str) -> None:
    if patients_per_arm is not None and patients_per_arm < 1:
        raise RequestError(f"patients per arm must be at least 1, not {patients_per_arm}")
    if threads is not None and threads < 1:
        raise RequestError(f"threads must be at least 1, not {threads}")
    if not 0 <= seed < 2**63:
        raise RequestError(f"the seed must be a whole number from 0 to 2^63 - 1, not {seed}")
    if population not in ("fitted", "typical"):
        raise RequestError(f"no population is called {population!r}; known: fitted, typical")


def _default_folder(name: str, patients_per_arm: int | None, seed: int, population: str) -> Path:
    parts = [re.sub(r"[^\w.+-]+", "-", name).strip(".-") or "design"]
    parts += [f"n{patients_per_arm}"] if patients_per_arm is not None else []
    parts += [f"seed{seed}"] if seed != 1 else []
    parts += [population] if population != "fitted" else []
    return Path("runs") / "-".join(parts)


def _identity(design: Design, patients_per_arm: int | None, seed: int, population: Population) -> dict[str, Any]:
    """Return what decides the results of a run."""
    from importlib.metadata import version

    import mesotrial.catalogue
    from mesotrial.biology import assemble
    from mesotrial.catalogue import load_drug
    from mesotrial.population import load_parameters

    model = assemble([load_drug(name) for name in design.drugs])
    parameters = load_parameters(population)
    return {
        "design": design.name,
        "design_hash": _hash(design.to_yaml()),
        "seed": seed,
        "patients_per_arm": patients_per_arm,
        "population": population,
        "version": version("mesotrial"),
        "model_hash": _hash(model.sbml),
        "population_version": parameters.version,
        "population_hash": _hash(repr(parameters)),
        "catalogue_hash": folder_hash(Path(mesotrial.catalogue.__file__).parent / "data"),
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _is_there(folder: Path, identity: Mapping[str, Any]) -> bool:
    """Say whether the folder holds this very run, finished and whole; raise RunFolderError where it holds anything else."""
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise RunFolderError(f"{folder} is a file; give the name of a folder")
    held = read_json(folder / _PROVENANCE)
    if held is None or held.get("schema") != _SCHEMA:
        if others := sorted(path.name for path in folder.iterdir() if not path.name.endswith(TEMPORARY)):
            shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
            raise RunFolderError(
                f"{folder} holds files that are no run ({shown}); nothing was changed. Give another folder (--out)"
            )
        return False
    if differences := [_difference(held, identity, key) for key in _IDENTITY if held.get(key) != identity[key]]:
        raise RunFolderError(
            f"{folder} holds another run: {'; '.join(differences)}. Nothing was changed. Give another folder (--out), or move this one away"
        )
    finished = (read_json(folder / _STATUS) or {}).get("state") == "finished" and (folder / _REPORT).is_file()
    files = held.get("files")
    return (
        finished
        and isinstance(files, dict)
        and all(file_hash(folder / name) == digest for name, digest in files.items())
    )


def _difference(held: Mapping[str, Any], identity: Mapping[str, Any], key: str) -> str:
    if key.endswith("_hash"):
        return f"different {_IDENTITY[key]}"
    there, asked = ("the design's own" if value is None else value for value in (held.get(key), identity[key]))
    return f"{_IDENTITY[key]}: {there} there, {asked} asked for"


class _Work:
    """One run being done: it writes the folder and keeps its status file up to date."""

    def __init__(
        self, folder: Path, design: Design, identity: Mapping[str, Any], progress: Progress | None, command: str
    ) -> None:
        self.folder = folder
        self.design = design
        self.source = {"schema": _SCHEMA, **identity, "command": command, "versions": _versions()}
        self.progress = progress or (lambda done, total, message: None)
        self.status: dict[str, Any] = {
            "state": "running", "done": 0, "total": 0, "started": _now(), "finished": None, "message": "",
        }  # fmt: skip
        self.written = 0.0

    def do(self, patients_per_arm: int | None, seed: int, threads: int | None, population: Population) -> Run:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(self.folder / _PROVENANCE, self.source)
        except OSError as error:
            raise RunFolderError(f"cannot write to {self.folder}: {error.strerror}") from None
        design_text = self.design.to_yaml()
        write_whole(self.folder / _DESIGN, lambda file: file.write_text(design_text, encoding="utf-8"))
        try:
            self.simulate(patients_per_arm, seed, threads, population)
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            with contextlib.suppress(OSError):
                self.end("interrupted" if interrupted else "failed", str(error) or type(error).__name__)
            raise
        return Run(self.folder)

    def simulate(self, patients_per_arm: int | None, seed: int, threads: int | None, population: Population) -> None:
        from mesotrial.analysis import summarise
        from mesotrial.catalogue import page_figures, published_results
        from mesotrial.trial import simulate_trial

        clock = _Clock()
        trial = simulate_trial(
            self.design,
            patients_per_arm=patients_per_arm,
            seed=seed,
            threads=threads,
            population=population,
            progress=self.report,
        )
        clock.stop("import", measured=trial.timings)
        self.step("Writing the tables")
        files = self.write_tables(trial)
        clock.stop("write")
        self.step("Analysing")
        evidence = self.design.evidence_trial
        summary = summarise(
            self.design,
            trial.tables,
            trial.bank,
            published_results(evidence) if evidence else (),
            page_figures(evidence) if evidence else {},
            seed,
        )
        write_json(self.folder / _SUMMARY, summary)
        files.append(_SUMMARY)
        clock.stop("analyse")
        self.step("Writing the report")
        provenance = {
            **self.source,
            "started": self.status["started"],
            "bank_per_arm": trial.bank_per_arm,
            "timings": clock.parts,
        }
        _write_report(self.folder, self.design, trial.tables, trial.bank, summary, provenance)
        clock.stop("report")
        hashes = {name: file_hash(self.folder / name) for name in (_DESIGN, *files)}
        write_json(self.folder / _PROVENANCE, {**provenance, "timings": clock.total(), "files": hashes})
        self.end("finished", "Finished")

    def write_tables(self, trial: Trial) -> list[str]:
        groups = {"": trial.tables}
        if trial.bank is not trial.tables:
            groups[f"{_BANK}/"] = trial.bank
            (self.folder / _BANK).mkdir(exist_ok=True)
        names = []
        for prefix, tables in groups.items():
            for name, frame in tables.items():
                names.append(f"{prefix}{name}.parquet")
                write_table(self.folder / names[-1], name, frame, self.source)
        return names

    def report(self, done: int, total: int, message: str) -> None:
        """Pass progress on, and to the status file where the step is new or the last note is old."""
        fresh = message != self.status["message"]
        self.status |= {"done": done, "total": total, "message": message}
        if fresh or done == total or time.monotonic() - self.written > _STATUS_EVERY_SECONDS:
            self.note()
        self.progress(done, total, message)

    def step(self, message: str) -> None:
        self.report(self.status["total"], self.status["total"], message)

    def note(self) -> None:
        write_json(self.folder / _STATUS, self.status)
        self.written = time.monotonic()

    def end(self, state: str, message: str) -> None:
        self.status |= {"state": state, "finished": _now(), "message": message}
        self.note()


class _Clock:
    """Seconds by part of the work."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self.began = time.perf_counter()
        self.part_began = self.began

    def stop(self, part: str, measured: Mapping[str, float] | None = None) -> None:
        """End a part; what was `measured` inside it stands for itself, and the part for the rest."""
        now = time.perf_counter()
        self.parts[part] = now - self.part_began - sum((measured or {}).values())
        self.parts.update(measured or {})
        self.part_began = now

    def total(self) -> dict[str, float]:
        return {**self.parts, "total": time.perf_counter() - self.began}


def _write_report(
    folder: Path,
    design: Design,
    tables: Mapping[str, pl.DataFrame],
    bank: Mapping[str, pl.DataFrame],
    summary: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> None:
    from mesotrial.report import write_report

    write_report(folder / _REPORT, design, tables, bank, summary, provenance)


def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import version

    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        **{name: version(name) for name in _LIBRARIES},
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
