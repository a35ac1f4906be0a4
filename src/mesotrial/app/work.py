"""What a job of the explorer runs when it is no trial: a comparison, or the scoreboard.

``python -m mesotrial.app.work compare FOLDER ...`` writes ``comparison.json``, ``... scoreboard FOLDER ...`` writes ``scoreboard.json``; ``status.json`` says
how far it is, as in the folder of a run. The functions are those of the command line.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["COMPARISON", "SCOREBOARD", "main"]

COMPARISON, SCOREBOARD = "comparison.json", "scoreboard.json"
_STATUS_EVERY_SECONDS = 0.4
_INTERRUPTED, _WRONG, _FAILED = 130, 2, 1

Progress = Callable[[int, int, str], None]


class _Status:
    """The status file of a job's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.written = folder, 0.0
        self.content: dict[str, Any] = {
            "state": "running", "done": 0, "total": 0, "started": _now(), "finished": None, "message": "Starting",
        }  # fmt: skip
        self.write()

    def progress(self, done: int, total: int, message: str) -> None:
        fresh = message != self.content["message"]
        self.content |= {"done": done, "total": total, "message": message}
        if fresh or time.monotonic() - self.written > _STATUS_EVERY_SECONDS:
            self.write()

    def end(self, state: str, message: str) -> None:
        self.content |= {"state": state, "finished": _now(), "message": message}
        self.write()

    def write(self) -> None:
        from mesotrial.run.files import STATUS, write_json

        write_json(self.folder / STATUS, self.content)
        self.written = time.monotonic()


def main(arguments: list[str] | None = None) -> int:
    """Do one job and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m mesotrial.app.work")
    parser.add_argument("what", choices=["compare", "scoreboard"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patient", default="")
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--therapy", action="append", default=[])
    asked = parser.parse_args(arguments)
    asked.folder.mkdir(parents=True, exist_ok=True)
    status = _Status(asked.folder)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        (_compare if asked.what == "compare" else _scoreboard)(asked, status.progress)
    except KeyboardInterrupt:
        status.end("interrupted", "Interrupted")
        return _INTERRUPTED
    except Exception as error:
        status.end("failed", str(error))
        print(f"Error: {error}", file=sys.stderr)
        return _WRONG if isinstance(error, ValueError) else _FAILED
    status.end("finished", "Finished")
    return 0


def _compare(asked: argparse.Namespace, progress: Progress) -> None:
    from mesotrial.comparison import compare
    from mesotrial.run.files import write_json

    found = compare(
        *asked.therapy, patient=asked.patient, people=asked.people, seed=asked.seed, threads=1, progress=progress
    )
    write_json(asked.folder / COMPARISON, found.to_dict())


def _scoreboard(asked: argparse.Namespace, progress: Progress) -> None:
    from mesotrial.run.files import write_json
    from mesotrial.validate import validate

    found = validate(patients_per_arm=asked.people, seed=asked.seed, threads=1, progress=progress)
    write_json(asked.folder / SCOREBOARD, found)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


if __name__ == "__main__":
    sys.exit(main())
