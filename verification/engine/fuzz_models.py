"""Mutated models, read as untrusted ones are: none may break anything, whatever is in it.

    python fuzz_models.py --files 100000 --seed 1 [--seconds 20] [--suite sbml-semantic.tar.xz]

Prints one JSON object: how many were read, refused, stopped for time, and broke off in native code (which the process of its
own contains); `faults` are the mistakes: an exception that is no refusal, a message of several lines, a file that appeared.
The same seed and corpus give the same mutants.
"""

import argparse
import json
import os
import random
import re
import signal
import sys
import tarfile
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from mesotrial.engine.confined import confine, rehearse, respond
from mesotrial.engine.errors import ModelError
from mesotrial.engine.text import antimony_to_sbml
from mesotrial.engine.untrusted import Limits, read_answer

LIMITS = Limits(seconds=4)
CANARY = Path(tempfile.gettempdir()) / "mesotrial-fuzz-canary"
SMALL = (
    "k = 0.3; x = 4; x' = -k*x; y := x^2/(1 + x);\n",
    "compartment C; C = 2; species A in C, B in C; A = 3; B = 0; J1: A -> 2 B; k1*A*C - k2*B; k1 = 0.2; k2 = 0.1;\n",
    "x = 1; x' = -x; E1: at 0.5 after (x < 0.5 && time > 1), priority=2, persistent=false: x = x + 1, n = n + 1; n = 0;\n",
    "x = 1; x' = -delay(x, 1) + piecewise(sin(time), x > 2, max(x, 0.1), time < 3, 0);\n",
    "function f(a, b) a^b/(1 + b) end; compartment V; V = 1; V' = 0.1; species S in V; S = 2; S -> ; f(S, 2)*V;\n",
    "model sub(p) q = 2; p' = -q*p; p = 1; end; model top() A: sub(z); z = 3; w := rateOf(z); end;\n",
)
HOSTILE = (
    f"__import__('os').system('touch {CANARY}')",
    f"open('{CANARY}', 'w')",
    "lambda: 0",
    "__class__",
    "x.__globals__",
    "exec",
    "import",
    'import "/etc/passwd"',
    "../../etc/passwd",
    "None",
    "nan",
    "time",
    "a; b",
    "'",
    '"',
    "\x00",
    "\u202e",
    "{}",
    "%s%n",
    "&lt;script&gt;",
    "x" * 5000,
)
NUMBERS = ("0", "-1", "1e308", "-1e308", "1e-320", "999999999", "1e10", "0.5", "NaN", "INF", "-INF", "3", "1e400")
TAGS = (
    "plus",
    "minus",
    "times",
    "divide",
    "power",
    "root",
    "exp",
    "ln",
    "log",
    "factorial",
    "floor",
    "abs",
    "sin",
    "tan",
)
TAGS += ("arcsin", "cosh", "and", "or", "not", "xor", "eq", "gt", "leq", "min", "max", "rem", "quotient", "implies")
OPERATORS = (
    "+",
    "-",
    "*",
    "/",
    "^",
    "(",
    ")",
    ",",
    ";",
    "=",
    ":=",
    "'",
    "->",
    ":",
    "&&",
    "||",
    "!",
    "<",
    "==",
    "after",
)


def corpus(suite):
    """Return the texts to begin with."""
    texts = [*SMALL, *map(antimony_to_sbml, SMALL)]
    if suite is not None and suite.exists():
        with tarfile.open(suite) as files:
            for member in files:
                content = files.extractfile(member) if member.name.endswith(".xml") else None
                if content is not None:
                    texts.append(content.read().decode("utf-8", errors="replace"))
    return texts


def mutant(rng, texts):
    """Return a text of the corpus after one to three changes."""
    text = rng.choice(texts if rng.random() < 0.85 else texts[: len(SMALL)])
    for _ in range(rng.randint(1, 3)):
        text = rng.choice(CHANGES)(rng, text, texts)[:300_000]
    return text


def _span(rng, text, most=200):
    start = rng.randrange(len(text) + 1)
    return start, min(len(text), start + rng.randint(0, most))


def _cut(rng, text, _):
    a, b = _span(rng, text)
    return text[:a] + text[b:]


def _repeat(rng, text, _):
    a, b = _span(rng, text)
    return text[:b] + text[a:b] * rng.choice((1, 2, 50, 1000)) + text[b:]


def _flip(rng, text, _):
    a, _ = _span(rng, text)
    return text[:a] + chr(rng.choice((rng.randrange(128), rng.randrange(0x2FFF)))) + text[a + 1 :]


def _cross(rng, text, texts):
    other = rng.choice(texts)
    a, b = _span(rng, text)
    c, d = _span(rng, other, 2000)
    return text[:a] + other[c:d] + text[b:]


def _replace(rng, text, pattern, choices):
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    one = rng.choice(found)
    return text[: one.start()] + rng.choice(choices) + text[one.end() :]


def _number(rng, text, _):
    return _replace(rng, text, r"(?<![\w.])\d+(\.\d+)?([eE][+-]?\d+)?", NUMBERS)


def _name(rng, text, _):
    names = re.findall(r"\b[A-Za-z_]\w*\b", text) or ["x"]
    return _replace(rng, text, r"\b[A-Za-z_]\w*\b", [rng.choice(names), rng.choice(names), rng.choice(HOSTILE)])


def _operator(rng, text, _):
    if text.lstrip().startswith("<"):
        return _replace(rng, text, rf"<({'|'.join(TAGS)})\s*/>", [f"<{tag}/>" for tag in TAGS])
    return _replace(rng, text, r"[-+*/^(),;=:<>]|->", OPERATORS)


def _nest(rng, text, _):
    """Put a formula into itself, again and again."""
    times = rng.choice((2, 20, 300, 5000))
    if text.lstrip().startswith("<"):
        found = list(re.finditer(r"<ci>\s*\w+\s*</ci>", text))
        if not found:
            return text
        one, tag = rng.choice(found), rng.choice(TAGS)
        head = f"<apply><{tag}/>{one.group() if rng.random() < 0.5 else ''}"
        return text[: one.start()] + head * times + one.group() + "</apply>" * times + text[one.end() :]
    one = rng.choice(list(re.finditer(r"\b[a-z]\b", text)) or [re.match("", text)])
    head = rng.choice(("sin(", "(", "-(", "exp(", "2^(", "max(1, ", "piecewise(1, time > 1, "))
    return text[: one.start()] + head * times + one.group() + ")" * times + text[one.end() :]


CHANGES = (_cut, _repeat, _flip, _cross, *(_number, _name, _operator) * 4, _nest, _nest)


def read(text):
    """Read one text in a forked process under the limits; return the kind of outcome and, of a fault, its description."""
    with tempfile.TemporaryFile() as answer:
        child = os.fork()
        if not child:
            _answer(text, answer.fileno())
        deadline = time.monotonic() + 300 * LIMITS.seconds  # it may have to wait for a processor
        while not (done := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return "faults", "hangs without computing"
            time.sleep(0.001)
        code = os.waitstatus_to_exitcode(done[1])
        if code == 1:
            answer.seek(0)
            return "faults", answer.read().decode()
        try:
            read_answer(code, answer, LIMITS)
        except ModelError as error:
            if len(str(error).splitlines()) != 1 or not str(error).isprintable():
                return "faults", f"not one printable line: {str(error)!r}"
            return {0: "refused", -signal.SIGXCPU: "stopped", -signal.SIGKILL: "stopped"}.get(code, "broke off"), ""
        return "read", ""


def _answer(text, file):
    """Do what the confined process does, and exit; an exception is told."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    code = 0
    try:
        confine(LIMITS)
        reply = json.dumps(respond(text, LIMITS)).encode()
    except BaseException:
        code, reply = 1, traceback.format_exc().encode()
    while reply:
        reply = reply[os.write(file, reply) :]
    os._exit(code)


def main():
    """Run, and print the counts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--suite", type=Path)
    asked = parser.parse_args()
    CANARY.unlink(missing_ok=True)
    rehearse()
    texts = corpus(asked.suite)
    counts, faults = Counter(), []
    began = time.monotonic()
    for number in range(asked.files):
        if time.monotonic() - began > asked.seconds:
            break
        text = mutant(random.Random(f"{asked.seed} {number}"), texts)
        kind, fault = read(text)
        counts[kind] += 1
        if kind == "faults":
            faults.append({"number": number, "fault": fault[-1500:], "text": text[:20_000]})
    if CANARY.exists():
        faults.append({"fault": "code in a model was executed"})
    json.dump({"counts": counts, "seconds": time.monotonic() - began, "faults": faults}, sys.stdout)


if __name__ == "__main__":
    main()
