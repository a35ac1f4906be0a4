"""What a command says: text and tables for people, one JSON object for programs."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["console", "plain", "print_json", "table"]

_WIDTH_OF_A_FILE = 140


def console(*, error: bool = False) -> Console:
    """Return a console for standard output (or error) that takes text as it is: brackets are brackets."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else _WIDTH_OF_A_FILE
    return Console(stderr=error, markup=False, highlight=False, emoji=False, width=width)


def table(title: str, *headings: str, right: Sequence[str] = ()) -> Table:
    """Return a plain table; the columns named in `right` hold numbers."""
    from rich import box
    from rich.table import Table

    made = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        number = heading in right
        made.add_column(heading, justify="right" if number else "left", no_wrap=number, overflow="fold")
    return made


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output."""
    print(json.dumps(plain(value), ensure_ascii=False, indent=2, allow_nan=False))


def plain(value: Any) -> Any:
    """Turn dataclasses, tuples and mappings into what JSON has; a number that is not finite becomes null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {",".join(key) if isinstance(key, tuple) else str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
