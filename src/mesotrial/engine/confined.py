"""The process that reads an untrusted model: what it may use, and what it refuses (see `untrusted`)."""

import json
import os
import pkgutil
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from mesotrial.engine.codegen import generate, preload
from mesotrial.engine.errors import ModelError
from mesotrial.engine.exchange import encode, formulas, size
from mesotrial.engine.model import Model
from mesotrial.engine.sbml import model_of
from mesotrial.engine.text import to_sbml
from mesotrial.engine.untrusted import Limits

# Every part of the reader once, so that all of its modules are loaded before files are forbidden.
_REHEARSAL = """
  compartment C; C = 1; species S in C; S = 3; f := piecewise(sin(S), S > 1 && time < 2, max(S, 2, k)^0.5); k = 2;
  J: S -> ; k*f*abs(S)*factorial(k); g := rateOf(S) + delay(f, 1) + floor(S); E: at 1 after (S < 1): S = 2; y := 3; T := S;
"""
_WIDEST = 400  # characters of a message


def main() -> None:
    """Read a request from standard input, and answer on standard output."""
    answer = os.dup(1)
    os.dup2(2, 1)  # native code that prints does not disturb the answer
    request = json.loads(sys.stdin.buffer.read())
    limits = Limits(**request["limits"])
    rehearse()
    confine(limits)
    reply = json.dumps(respond(request["text"], limits)).encode()
    while reply:
        reply = reply[os.write(answer, reply) :]
    os._exit(0)


def rehearse() -> None:
    """Load everything that reading a model may need."""
    sbml = to_sbml(_REHEARSAL)
    rule = '<assignmentRule variable="y">'
    start = sbml.index(rule)
    end = sbml.index("</assignmentRule>", start)
    algebraic = "<algebraicRule>" + _REHEARSED_RULE + "</algebraicRule>"
    sbml = sbml[:start] + algebraic + sbml[end + len("</assignmentRule>") :]
    for package in ("sympy.sets.handlers", "sympy.solvers", "sympy.polys", "sympy.calculus"):
        for part in pkgutil.iter_modules(import_module(package).__path__, f"{package}."):
            if not part.ispkg:
                import_module(part.name)
    encode(model_of(sbml))
    _generate(model_of(to_sbml("x = 1; x' = -k*x^2 + piecewise(x, x > 1, max(x, k, 3)); k = 2;\n")))
    preload()


_REHEARSED_RULE = (
    '<math xmlns="http://www.w3.org/1998/Math/MathML"><apply><minus/><apply><exp/><ci>y</ci></apply>'
    "<ci>k</ci></apply></math>"
)


def confine(limits: Limits) -> None:
    """Give up files, sockets, further memory and further time. Where the system knows no such limits, only time is bounded."""
    try:
        import resource
    except ImportError:  # Windows
        return
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    seconds = int(used + limits.seconds) + 1
    wanted = {
        resource.RLIMIT_CPU: (seconds, seconds + 2),
        resource.RLIMIT_AS: (limits.memory_bytes,) * 2,
        resource.RLIMIT_FSIZE: (limits.answer_bytes,) * 2,
        resource.RLIMIT_NOFILE: (0, 0),
        resource.RLIMIT_NPROC: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
    }
    for kind, (soft, hard) in wanted.items():
        _, most = resource.getrlimit(kind)
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(kind, (soft, hard))


def respond(text: str, limits: Limits) -> dict[str, Any]:
    """Return the model as plain data, or {"error": one line}."""
    try:
        model = _guarded(lambda: model_of(to_sbml(text)))
        _check_size(model, limits)
        if not (model.events or model.delays or model.equilibria):
            source = _guarded(lambda: _generate(model))
            if len(source) > limits.source_bytes:
                raise ModelError(
                    f"The model needs {len(source):,} bytes of code; at most {limits.source_bytes:,} are made"
                )
        return encode(model)
    except ModelError as error:
        return {"error": _one_line(str(error))}


def _guarded(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except ModelError:
        raise
    except RecursionError:
        raise ModelError("The model is nested too deeply") from None
    except (MemoryError, OverflowError):
        raise ModelError("The model leads to numbers or formulas that are too large") from None
    except (TypeError, ValueError, ArithmeticError) as error:  # sympy's, for what is complex or undefined
        raise ModelError(f"The model has a formula without a meaning in real numbers: {error}") from None


def _generate(model: Model) -> str:
    missing = [name for name, value in model.constants.items() if value != value]  # must be inputs, then
    return generate(model, list(model.names()), missing, list(model.states), "auto")[0]


def _check_size(model: Model, limits: Limits) -> None:
    operations, depth = _guarded(lambda: size(formulas(model)))
    for what, found, most in (
        ("states", len(model.states), limits.states),
        ("events", len(model.events), limits.events),
        ("operations", operations, limits.operations),
        ("levels of nesting in a formula", depth, limits.depth),
        ("characters in a name", max(map(len, model.names()), default=0), limits.name_length),
    ):
        if found > most:
            raise ModelError(f"The model has {found:,} {what}; at most {most:,} are accepted")


def _one_line(message: str) -> str:
    plain = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    return plain if len(plain) <= _WIDEST else plain[: _WIDEST - 3] + "..."
