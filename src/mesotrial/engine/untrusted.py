"""A model from a stranger: read in a process of its own, with little memory, little time and no files."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from typing import IO, Any

from mesotrial.engine.errors import ModelError
from mesotrial.engine.exchange import decode
from mesotrial.engine.model import Model

_CHILD = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from mesotrial.engine.confined import main; main()"
_KEPT = ("LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")  # of the environment: what a Python may need to start


@dataclass(frozen=True)
class Limits:
    """What an untrusted model may take."""

    text_bytes: int = 2_000_000
    """of the text"""
    seconds: float = 10.0
    """of computing, to read it and to write its right-hand side and Jacobian"""
    memory_bytes: int = 1_500_000_000
    """of address space of the process that does so; bounds memory on Linux only"""
    answer_bytes: int = 20_000_000
    """of the equations"""
    states: int = 500
    events: int = 200
    operations: int = 8_000
    """in all formulas, written out"""
    depth: int = 60
    """of nesting, in one formula"""
    source_bytes: int = 400_000
    """of the code that is compiled"""
    name_length: int = 200


def load_untrusted_model(text: str, *, limits: Limits | None = None) -> Model:
    """Read a model from SBML or Antimony text that nobody vouches for.

    libAntimony, libSBML and the algebra run in a new process that has no files, no environment and the memory and time of
    `limits`; only numbers, names and formulas of a fixed set of operations come back. A model that comes back compiles
    in bounded time: its formulas are small, and its source was written once within the same limits. `text` is never a
    path, and a model in it cannot read files (`import`, external model definitions, XML entities). About a second.

    Raises:
        ModelError: in one line of printable characters: what is wrong, or which bound the model exceeds.
    """
    limits = limits or Limits()
    size = len(text.encode("utf-8", errors="replace"))
    if size > limits.text_bytes:
        raise ModelError(f"The model has {size:,} bytes; at most {limits.text_bytes:,} are read")
    request = json.dumps({"text": text, "limits": asdict(limits)}).encode()
    command = [sys.executable, "-I", "-c", _CHILD, json.dumps(sys.path)]
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="mesotrial-") as nowhere, tempfile.TemporaryFile() as answer:
        try:
            done = subprocess.run(
                command,
                input=request,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                cwd=nowhere,
                env=environment,
                timeout=6 * limits.seconds + 120,  # it may have to wait for a processor
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ModelError(too_long(limits)) from None
        return read_answer(done.returncode, answer, limits)


def too_long(limits: Limits) -> str:
    """Return the sentence for a model whose reading was stopped."""
    return f"The model cannot be read within {limits.seconds:g} seconds of computing"


def read_answer(code: int, answer: IO[bytes], limits: Limits) -> Model:
    """Return the model that a confined process with exit `code` wrote.

    Raises:
        ModelError: it refused the model, or was stopped.
    """
    if code in (-24, -9):  # SIGXCPU, SIGKILL
        raise ModelError(too_long(limits))
    if code:
        raise ModelError(
            "The reader broke off: the model is damaged, is nested too deeply, or needs more than "
            f"{limits.memory_bytes / 1e6:,.0f} MB of memory"
        )
    answer.seek(0)
    found: dict[str, Any] = json.loads(answer.read())
    if "error" in found:
        raise ModelError(found["error"])
    return decode(found)
