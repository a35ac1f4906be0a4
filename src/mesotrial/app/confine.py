"""What a stranger sends is read in a process of its own, with bounds on memory, time and files; so that a crash there harms nobody."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import Any

from mesotrial.app.bounds import Refused

__all__ = ["ask_confined", "confine"]

_AT_ONCE = threading.BoundedSemaphore(2)
_WAIT_SECONDS = 8.0
_MEMORY_BYTES = 1_500_000_000


def ask_confined(module: str, request: bytes, *, seconds: int, what: str) -> dict[str, Any]:
    """Run ``python -m module`` with `request` on its standard input and return the JSON object that it writes.

    `what` names the thing in errors. The module calls `confine` before it does what takes long. Raises `Refused` where the answer has an `error`, none
    comes in `seconds` of computing, the process breaks, or too many are read at this moment.
    """
    if not _AT_ONCE.acquire(timeout=_WAIT_SECONDS):
        raise Refused("others are being read at this moment; please try again", status=503)
    try:
        child = subprocess.run(
            [sys.executable, "-I", "-m", module],
            input=request,
            capture_output=True,
            timeout=6 * seconds
            + 60,  # of waiting, where the processors are busy; what it may compute, `confine` bounds
            check=False,
        )
        answer: dict[str, Any] = json.loads(child.stdout)
    except subprocess.TimeoutExpired:
        raise Refused(f"{what} takes too long: at most {seconds} seconds of computing") from None
    except ValueError:
        raise Refused(f"{what} goes beyond the bounds on memory and time") from None
    finally:
        _AT_ONCE.release()
    if "error" in answer:
        raise Refused(str(answer["error"]))
    return answer


def confine(seconds: int) -> None:
    """Give up memory, time and files to write; where the system has no such bounds, the time of the parent still holds."""
    try:
        import resource
    except ImportError:
        return
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    for what, bound in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, int(used) + seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (bound, bound))
