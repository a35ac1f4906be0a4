"""What the server takes from a page: every field read, bounded and named in its error."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

__all__ = ["Refused", "choice", "number", "run_name", "text", "whole"]

_RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

Fields = Mapping[str, str]


class Refused(Exception):
    """A request that cannot be granted: `message` says why in words, `command` what would do it on the command line."""

    def __init__(self, message: str, *, status: int = 400, command: str = "") -> None:
        """Keep the parts."""
        super().__init__(message)
        self.message, self.status, self.command = message, status, command


def text(fields: Fields, name: str, *, most: int, default: str = "") -> str:
    """Return a field's text without control characters, of at most `most` letters."""
    value = _UNSEEN.sub("", fields.get(name, default))
    if len(value) > most:
        raise Refused(f"{name}: at most {most:,} letters are read, not {len(value):,}")
    return value


def choice(fields: Fields, name: str, known: Sequence[str], *, default: str | None = None) -> str:
    """Return a field that has one of the `known` values."""
    value = fields.get(name) or (known[0] if default is None else default)
    if value not in known:
        raise Refused(f"{name}: {_shown(value)} is not one of {', '.join(filter(None, known))}")
    return value


def number(fields: Fields, name: str, low: float, high: float, default: float) -> float:
    """Return a finite number from `low` to `high`; an empty field has the default."""
    given = fields.get(name, "").strip()
    try:
        value = float(given) if given else default
    except ValueError:
        raise Refused(f"{name}: {_shown(given)} is not a number") from None
    if not (math.isfinite(value) and low <= value <= high):
        raise Refused(f"{name}: give a number from {low:g} to {high:g}, not {_shown(given)}")
    return value


def whole(fields: Fields, name: str, low: int, high: int, default: int) -> int:
    """Return a whole number from `low` to `high`; an empty field has the default."""
    given = fields.get(name, "").strip()
    if given and not re.fullmatch(r"[+-]?[0-9]{1,19}", given):
        raise Refused(f"{name}: {_shown(given)} is not a whole number")
    value = int(given) if given else default
    if not low <= value <= high:
        raise Refused(f"{name}: give a whole number from {low:,} to {high:,}, not {_shown(given)}")
    return value


def run_name(value: str) -> str:
    """Return a name that can only be that of a folder directly below the runs folder."""
    if not _RUN_NAME.fullmatch(value) or ".." in value:
        raise Refused(f"no run is called {_shown(value)}", status=404)
    return value


def _shown(value: str) -> str:
    clean = _UNSEEN.sub("", value)
    return repr(clean if len(clean) <= 60 else f"{clean[:60]}…")
