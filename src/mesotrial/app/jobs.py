"""Jobs: a bounded, fair queue of work in processes of their own, each of which fills one folder.

A job is known by the name of its folder. What was asked for lies in ``.explorer/<name>.json`` beside the folders, so that a server that starts again
finds what waits, what still runs in a process that outlived it, and what was interrupted.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from mesotrial.app.bounds import Refused

__all__ = ["MOST_WAITING", "MOST_WAITING_EACH", "Job", "Jobs"]

MOST_WAITING, MOST_WAITING_EACH = 20, 3
_GRACE_SECONDS = 15.0
_POLL_SECONDS = 0.2
_LOG_BYTES = 4000
_HOUSE = "house"
_ENDED = ("finished", "failed", "interrupted")

State = Literal["waiting", "running", "finished", "failed", "interrupted"]


@dataclass(frozen=True)
class Job:
    """One job: ``arguments`` follow ``python -m`` and are run in the folder that holds the runs folder; ``owner`` is a hash of the visitor."""

    name: str
    title: str
    arguments: tuple[str, ...]
    owner: str
    asked: float
    state: State = "waiting"
    process: int | None = None
    message: str = ""


class Jobs:
    """The queue: one job runs at a time; visitors take turns."""

    def __init__(self, runs: Path) -> None:
        """Find the jobs that an earlier server left."""
        self.runs = runs
        self.records = runs / ".explorer"
        self._jobs: dict[str, Job] = {}
        self._turns: dict[str, int] = {}
        self._count = itertools.count()
        self._changed = threading.Condition()
        self._live: set[int | None] = set()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._load()

    def start(self) -> None:
        """Begin to work."""
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Interrupt what runs; what waits stays in the queue of the next server."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_GRACE_SECONDS)

    def ask(self, name: str, title: str, arguments: Sequence[str], visitor: str, *, house: bool = False) -> Job:
        """Put a job into the queue and return it; one that waits or runs already is returned as it is. A job of the house itself comes after all others.

        Raises `Refused` where the queue, or this visitor's part of it, is full.
        """
        owner = _HOUSE if house else _hash(visitor)
        with self._changed:
            held = self._jobs.get(name)
            if (
                held is not None
                and held.state in ("waiting", "running")
                and (house or held.owner != _HOUSE or held.state == "running")
            ):
                return held
            waiting = [job for job in self._jobs.values() if job.state == "waiting" and job.owner != _HOUSE]
            if not house and sum(job.owner == owner for job in waiting) >= MOST_WAITING_EACH:
                raise Refused(
                    f"{MOST_WAITING_EACH} of your runs wait already; cancel one, or come back when one is done",
                    status=429,
                )
            if not house and len(waiting) >= MOST_WAITING:
                raise Refused(f"{MOST_WAITING} runs wait already; please come back later", status=503)
            job = Job(name, title, tuple(arguments), owner, time.time())
            self._keep(job)
            self._changed.notify_all()
            return job

    def cancel(self, name: str, visitor: str) -> None:
        """Interrupt a job of this visitor; what is finished of it stays. Raises `Refused` for the job of another."""
        with self._changed:
            job = self._jobs.get(name)
            if job is None or job.state in _ENDED:
                return
            if job.owner != _hash(visitor):
                raise Refused("only who started a run can cancel it", status=403)
            self._end(job)

    def find(self, name: str) -> Job | None:
        """Return the job of a folder, None where nobody asked for it here."""
        with self._changed:
            return self._jobs.get(name)

    def is_owner(self, job: Job, visitor: str) -> bool:
        """Say whether this visitor asked for the job."""
        return job.owner == _hash(visitor)

    def place(self, name: str) -> int:
        """Return how many jobs are before this one."""
        with self._changed:
            job = self._jobs.get(name)
            if job is None or job.state != "waiting":
                return 0
            running = sum(one.state == "running" for one in self._jobs.values())
            return running + sorted(self._waiting(), key=self._turn).index(job)

    def _work(self) -> None:
        while True:
            with self._changed:
                job = self._running() or self._next()
                if self._stopping:
                    if job is not None and job.state == "running":
                        self._end(job)
                    return
                if job is None:
                    self._changed.wait(1.0)
                    continue
            try:
                self._run(job)
            except Exception as error:  # a job that cannot be started must not end the queue
                with self._changed:
                    self._keep(replace(job, state="failed", process=None, message=str(error)[:300]))

    def _running(self) -> Job | None:
        return next((job for job in self._jobs.values() if job.state == "running"), None)

    def _waiting(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.state == "waiting"]

    def _turn(self, job: Job) -> tuple[bool, int, float]:
        """Whose last job began longest ago comes first; the house comes last."""
        return job.owner == _HOUSE, self._turns.get(job.owner, -1), job.asked

    def _next(self) -> Job | None:
        return min(self._waiting(), key=self._turn, default=None)

    def _run(self, job: Job) -> None:
        """Do a job, or watch one whose process outlived an earlier server."""
        if job.process is not None:
            self._live.add(job.process)
            while _alive(job.process):
                if self._pause():
                    return
            self._conclude(job, None)
            return
        log = self.records / f"{job.name}.log"
        quietly = ["nice", "-n", "5"] if shutil.which("nice") else []
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [*quietly, sys.executable, "-m", *job.arguments],
                cwd=self.runs.parent,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        with self._changed:
            if self._jobs[job.name].state != "waiting":  # cancelled meanwhile
                process.kill()
                process.wait()
                return
            self._turns[job.owner] = next(self._count)
            self._live.add(process.pid)
            job = replace(job, state="running", process=process.pid)
            self._keep(job)
        while process.poll() is None:
            if self._pause():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._interrupt(process.pid)
                    process.wait(_GRACE_SECONDS)
                break
        self._conclude(job, process.poll())

    def _pause(self) -> bool:
        """Wait a little; say whether the server is stopping."""
        with self._changed:
            return self._stopping or self._changed.wait_for(lambda: self._stopping, _POLL_SECONDS)

    def _conclude(self, job: Job, code: int | None) -> None:
        from mesotrial.run.files import STATUS, read_json

        state = str((read_json(self.runs / job.name / STATUS) or {}).get("state", ""))
        with self._changed:
            self._live.discard(job.process)
            if self._jobs[job.name].state == "waiting":  # asked for again meanwhile
                return
            if self._jobs[job.name].state == "interrupted":
                state = "interrupted"
            elif code == 0 or (code is None and state == "finished"):
                state = "finished"
            elif state != "interrupted":
                state = (
                    "failed"
                    if code not in (None, 130, -signal.SIGINT, -signal.SIGKILL, -signal.SIGTERM)
                    else "interrupted"
                )
            message = _last_words(self.records / f"{job.name}.log") if state == "failed" else ""
            kept: Any = state
            self._keep(replace(job, state=kept, process=None, message=message))
            self._changed.notify_all()

    def _end(self, job: Job) -> None:
        if job.state == "running" and job.process is not None:
            self._interrupt(job.process)
        self._keep(replace(job, state="interrupted"))

    def _interrupt(self, process: int) -> None:
        """Ask a process to end as Ctrl-C does, and make it where it does not."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process, signal.SIGINT)

        def insist() -> None:
            if process in self._live and _alive(process):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process, signal.SIGKILL)

        timer = threading.Timer(_GRACE_SECONDS, insist)
        timer.daemon = True
        timer.start()

    def _keep(self, job: Job) -> None:
        from mesotrial.run.files import write_json

        self._jobs[job.name] = job
        self.records.mkdir(parents=True, exist_ok=True)
        write_json(self.records / f"{job.name}.json", asdict(job))

    def _load(self) -> None:
        from mesotrial.run.files import STATUS, read_json

        for path in sorted(self.records.glob("*.json")):
            record = read_json(path) or {}
            try:
                job = Job(**{**record, "arguments": tuple(record["arguments"])})
            except (KeyError, TypeError):
                continue
            if job.name != path.stem:
                continue
            if job.state == "running" and (job.process is None or not _is_ours(job)):
                done = (read_json(self.runs / job.name / STATUS) or {}).get("state") == "finished"
                job = replace(job, state="finished" if done else "interrupted", process=None)
            self._jobs[job.name] = job


def _is_ours(job: Job) -> bool:
    """Say whether the process of a job is still there, and still that job: numbers of processes are used again."""
    assert job.process is not None
    if not _alive(job.process):
        return False
    try:
        words = Path(f"/proc/{job.process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False  # where this cannot be told, the job counts as interrupted and can be resumed
    return [word.encode() for word in job.arguments] == words[-len(job.arguments) - 1 : -1]


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:
        return False
    try:  # a dead child that nobody waited for is not alive
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return True


def _last_words(log: Path) -> str:
    try:
        lines = log.read_bytes()[-_LOG_BYTES:].decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    wanted = [line for line in lines if line.strip()]
    return (next((line for line in wanted if line.startswith("Error:")), wanted[-1] if wanted else ""))[:600]


def _hash(visitor: str) -> str:
    return hashlib.sha256(visitor.encode()).hexdigest()[:32]
