"""What the catalogue refuses, and how it says so: what is wrong, where (file, line, dotted path), what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["CatalogueError", "DataError", "RegimenError", "UnknownNameError", "nearest"]


class CatalogueError(ValueError):
    """Something in the catalogue, or in a file written by a user, cannot be used."""


class UnknownNameError(CatalogueError):
    """A name that the catalogue does not hold; ``suggestions`` are the nearest names it does hold."""

    def __init__(self, name: str, kind: str, known: Iterable[str]) -> None:
        """Compose the message from the nearest of the ``known`` names."""
        known = tuple(known)
        self.name = name
        self.suggestions = nearest(name, known)
        if self.suggestions:
            hint = f"did you mean {_listed(self.suggestions)}?"
        elif len(known) <= 12:
            hint = f"known: {_listed(known)}"
        else:
            hint = "`mesotrial list` shows what there is"
        super().__init__(f"no {kind} is called {name!r}; {hint}")


class DataError(CatalogueError):
    """A data file that cannot be read: ``file``, ``line`` (from 1), dotted ``path`` of the field, and what is expected."""

    def __init__(self, file: str, line: int | None, path: str, message: str) -> None:
        """Keep the parts; the text of the error joins them."""
        self.file, self.line, self.path, self.message = file, line, path, message
        super().__init__(f"{located(file, line, path)}: {message}")


class RegimenError(CatalogueError):
    """A regimen that cannot be read. The message quotes it with a caret under the words from ``start`` to ``end``."""

    def __init__(self, text: str, start: int, end: int, message: str, where: str = "") -> None:
        """Compose the message; ``where`` is file, line and dotted path when the text came from a file."""
        self.text, self.start, self.end, self.message, self.where = text, start, end, message, where
        prefix = f"{where}: " if where else ""
        caret = " " * start + "^" * max(1, end - start)
        super().__init__(f"{prefix}{message}\n  {text}\n  {caret}")

    def at(self, file: str, line: int | None, path: str) -> RegimenError:
        """Give the same error, with the place the text came from."""
        return RegimenError(self.text, self.start, self.end, self.message, located(file, line, path))


def located(file: str, line: int | None, path: str) -> str:
    """Join the parts of a place that are known: ``file, line 3, arms[0].n``."""
    return ", ".join(part for part in (file, f"line {line}" if line else "", path) if part)


def nearest(name: str, known: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """Give the known names most like ``name``, best first, ignoring case."""
    by_lower = {item.lower(): item for item in known}
    return tuple(by_lower[hit] for hit in difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=0.5))


def _listed(names: Iterable[str]) -> str:
    """Join names as ``a, b or c``."""
    items = list(names)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} or {items[-1]}"
