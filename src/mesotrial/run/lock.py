"""One process at a time works on a run's folder.

The lock is the operating system's, on the file `.lock`, so that it ends with the process that holds it, however that ends: there is no stale lock. The file
says who holds it, for people. Where the file system has no locks, work goes on without: every file appears whole, and two processes would write the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from mesotrial.run.errors import RunBusyError, RunFolderError

__all__ = ["LOCK", "is_held", "locked"]

LOCK = ".lock"
_PATIENCE_SECONDS = 1.0  # for one who only looks whether the lock is held, or is about to end
_PAUSE_SECONDS = 0.05
_BYTE = 1 << 20  # what is locked on Windows, where nobody may read what is locked: far behind the text


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder if need be and hold its lock; RunBusyError says who holds it already, RunFolderError that nobody can write there."""
    path = folder / LOCK
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (file := _open(path)) is None:
        if time.monotonic() > deadline:
            raise RunBusyError(f"{folder} is being worked on by {_holder(path)}. Wait until it ends, or end it")
        time.sleep(_PAUSE_SECONDS)
    try:
        about = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        os.ftruncate(file, 0)
        os.write(file, json.dumps(about).encode())
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows removes no file that is open; then it stays, unlocked
            path.unlink()
        os.close(file)


def is_held(folder: Path) -> bool:
    """Say whether a process works on the folder, True where that cannot be known."""
    try:
        file = os.open(folder / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return not _lock(file, shared=True)
    finally:
        os.close(file)


def _open(path: Path) -> int | None:
    """Return the file open and locked, None where another has the lock."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RunFolderError(f"cannot write to {path.parent}: {error.strerror}") from None
    with contextlib.suppress(FileNotFoundError):
        # one who held it may have removed the file since: a lock on a file that is gone keeps nobody out
        if _lock(file) and os.path.samestat(os.fstat(file), path.stat()):
            return file
    os.close(file)
    return None


def _lock(file: int, *, shared: bool = False) -> bool:
    """Lock an open file; False where another has it."""
    if os.name == "nt":
        import msvcrt

        try:
            os.lseek(file, _BYTE, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        except OSError:
            return False
        finally:
            os.lseek(file, 0, os.SEEK_SET)
        return True
    import fcntl

    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks here
        return not shared
    return True


def _holder(path: Path) -> str:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        here = "" if about["host"] == socket.gethostname() else f" on {about['host']}"
        return f"process {about['pid']}{here}, since {about['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
