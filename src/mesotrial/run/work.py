"""The main job: simulate a trial into a folder."""

from __future__ import annotations

import contextlib
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesotrial.run.errors import RequestError
from mesotrial.run.files import (
    BANK,
    DESIGN,
    PROVENANCE,
    SCHEMA,
    STATUS,
    SUMMARY,
    file_hash,
    sweep,
    write_json,
    write_table,
    write_whole,
)
from mesotrial.run.folder import INTERRUPTED, Run, save_report
from mesotrial.run.identity import identity_of, is_finished_in
from mesotrial.run.lock import locked
from mesotrial.run.parts import PartFiles

if TYPE_CHECKING:
    from mesotrial.catalogue import Design
    from mesotrial.trial import Trial

__all__ = ["run_trial"]

Progress = Callable[[int, int, str], None]

_KEPT = "What was finished is kept: mend this, and the same run goes on from there"
_STATUS_EVERY_SECONDS = 0.5
_LIBRARIES = ("numpy", "scipy", "numba", "llvmlite", "sympy", "antimony", "python-libsbml", "polars", "pyarrow")


def run_trial(
    design: Design | str | Path,
    *,
    out: str | Path | None = None,
    patients_per_arm: int | None = None,
    seed: int = 1,
    threads: int | None = None,
    population: str | Path = "fitted",
    progress: Progress | None = None,
    command: str = "",
) -> Run:
    """Simulate a trial into a folder and return the run.

    `design` is a `Design`, a name of the catalogue or a YAML file. Without `patients_per_arm` the trial has the design's arm sizes, beside a bank of 2,000
    patients per arm. `population` is ``fitted``, ``typical`` or the folder of a calibration.
    `out` is by default ``runs/<design>``, with what differs from the defaults added. `progress` is called with (patients done, patients in
    all, what is being done). The same run, finished in that folder, is returned as it is (`Run.reused`); one that was cut off or damaged goes on with the parts
    that are whole, and one with fewer patients per arm is extended (`Run.kept`); the result is that of a run that nothing disturbed. Ctrl-C, and SIGTERM in the
    main thread, end the run with KeyboardInterrupt and the state `interrupted`.

    Raises
    ------
    CatalogueError
        The design is unknown or cannot be read.
    RequestError
        Patients, threads, seed or population that cannot be.
    RunFolderError
        The folder holds another run, or files that are no run, or (RunBusyError) another process is working on it.
    OSError
        A file could not be written, as on a full disk; finished parts are kept.

    """
    from mesotrial.catalogue import Design, load_design

    clock = _Clock()
    if not isinstance(design, Design):
        design = load_design(design)
    _check_request(patients_per_arm, seed, threads, population)
    identity = identity_of(design, patients_per_arm=patients_per_arm, seed=seed, population=population)
    default = _default_folder(design.name, patients_per_arm, seed, identity["population"])
    folder = default if out is None else Path(out)
    if is_finished_in(folder, identity):
        return Run(folder, reused=True)
    clock.stop("prepare")
    source = {"schema": SCHEMA, **identity, "command": command, "versions": _versions()}
    with locked(folder), _ended_by_sigterm():
        if is_finished_in(folder, identity):  # by another process, in between
            return Run(folder, reused=True)
        work = _Work(folder, design, source, PartFiles(folder, identity), progress)
        work.do(clock, patients_per_arm=patients_per_arm, seed=seed, threads=threads, population=population)
    return Run(folder, kept=work.kept)


def _check_request(patients_per_arm: int | None, seed: int, threads: int | None, population: str | Path) -> None:
    if patients_per_arm is not None and patients_per_arm < 1:
        raise RequestError(f"patients per arm must be at least 1, not {patients_per_arm}")
    if threads is not None and threads < 1:
        raise RequestError(f"threads must be at least 1, not {threads}")
    if not 0 <= seed < 2**63:
        raise RequestError(f"the seed must be a whole number from 0 to 2^63 - 1, not {seed}")
    from mesotrial.population import load_ensemble

    try:
        load_ensemble(population)
    except ValueError as error:
        raise RequestError(str(error)) from None


def _default_folder(name: str, patients_per_arm: int | None, seed: int, population: str) -> Path:
    parts = [re.sub(r"[^\w.+-]+", "-", name).strip(".-") or "design"]
    parts += [f"n{patients_per_arm}"] if patients_per_arm is not None else []
    parts += [f"seed{seed}"] if seed != 1 else []
    parts += [population] if population != "fitted" else []
    return Path("runs") / "-".join(parts)


class _Work:
    """One run being done: it writes the folder and keeps its status file up to date."""

    def __init__(
        self, folder: Path, design: Design, source: dict[str, Any], parts: PartFiles, progress: Progress | None
    ) -> None:
        self.folder = folder
        self.design = design
        self.source = source
        self.parts = parts
        self.kept = 0
        self.progress = progress or (lambda done, total, message: None)
        self.status: dict[str, Any] = {
            "state": "running", "done": 0, "total": 0, "started": _now(), "finished": None, "message": "",
        }  # fmt: skip
        self.written = 0.0

    def do(self, clock: _Clock, **request: Any) -> None:
        """Do all of it; `request` goes to `simulate_trial`."""
        try:
            sweep(self.folder)
            write_json(self.folder / PROVENANCE, self.source)
            design_text = self.design.to_yaml()
            write_whole(self.folder / DESIGN, lambda file: file.write_text(design_text, encoding="utf-8"))
            self.simulate(clock, request)
            self.end("finished", "Finished")
        except KeyboardInterrupt:
            self.give_up("interrupted", INTERRUPTED)
            raise KeyboardInterrupt(INTERRUPTED) from None
        except OSError as error:
            message = f"{error.strerror or error}. {_KEPT}"
            self.give_up("failed", message)
            raise OSError(error.errno, message, error.filename or str(self.folder)) from error
        except BaseException as error:
            self.give_up("failed", str(error) or type(error).__name__)
            raise

    def simulate(self, clock: _Clock, request: Mapping[str, Any]) -> None:
        from mesotrial.trial import simulate_trial

        trial = simulate_trial(self.design, **request, progress=self.report, store=self.parts)
        self.kept = trial.reused
        clock.stop("other", measured=trial.timings)
        self.step("Writing the tables")
        files = [DESIGN, *self.write_tables(trial), SUMMARY]
        clock.stop("write")
        self.step("Analysing")
        summary = self.analyse(trial)
        write_json(self.folder / SUMMARY, summary)
        clock.stop("analyse")
        self.step("Writing the report")
        about = {
            **self.source,
            "started": self.status["started"],
            "bank_per_arm": trial.bank_per_arm,
            "patients_kept": trial.reused,
            "timings": clock.parts,
        }
        save_report(self.folder, self.design, trial.tables, trial.bank, summary, about)
        clock.stop("report")
        about |= {"timings": clock.total(), "files": {name: file_hash(self.folder / name) for name in files}}
        write_json(self.folder / PROVENANCE, about)
        self.parts.tidy()

    def analyse(self, trial: Trial) -> dict[str, Any]:
        from mesotrial.analysis import summarise
        from mesotrial.catalogue import page_figures, published_results
        from mesotrial.trial import exploratory_arms

        name = self.design.evidence_trial
        published = (published_results(name), page_figures(name)) if name else ((), {})
        unknown = [self.design.arms[place].name for place in exploratory_arms(self.design)]
        return summarise(
            self.design,
            trial.tables,
            trial.bank,
            *published,
            trial.seed,
            ends=trial.ends,
            exploratory=unknown,
            lead_in=trial.lead_in_counts,
        )

    def write_tables(self, trial: Trial) -> list[str]:
        groups = {"": trial.tables}
        if trial.bank is not trial.tables:
            groups[f"{BANK}/"] = trial.bank
            (self.folder / BANK).mkdir(exist_ok=True)
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
        write_json(self.folder / STATUS, self.status)
        self.written = time.monotonic()

    def end(self, state: str, message: str) -> None:
        self.status |= {"state": state, "finished": _now(), "message": message}
        self.note()

    def give_up(self, state: str, message: str) -> None:
        with contextlib.suppress(OSError):  # on a full disk the file stays as it was
            self.end(state, message)


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the work as Ctrl-C does, where they would end the process."""
    wanted = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    here = threading.current_thread() is threading.main_thread()
    changed = [one for one in wanted if here and signal.getsignal(one) is signal.SIG_DFL]
    try:
        for one in changed:
            signal.signal(one, signal.default_int_handler)
        yield
    finally:
        for one in changed:
            signal.signal(one, signal.SIG_DFL)


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
