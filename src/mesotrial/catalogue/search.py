"""Ranges in a design file: named variables under ``search:``, written ``{name}`` wherever a value may vary."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mesotrial.catalogue._sources import read_text
from mesotrial.catalogue._yaml import Document, read_yaml
from mesotrial.catalogue._yaml import Path as FieldPath
from mesotrial.catalogue.design import Design
from mesotrial.catalogue.errors import DataError, nearest

__all__ = ["SearchSpace", "SearchVariable", "filled", "load_search", "ranges_of"]

Value = float | int | str
_PLACE = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_FREE_TEXTS = ("sources", "notes", "note")  # braces in prose are braces
_NONE = "none"
_MOST_VALUES = 1000


@dataclass(frozen=True)
class SearchVariable:
    """One thing that may vary: its values in order, and the one a plain run takes."""

    name: str
    values: tuple[Value, ...]
    default: Value


@dataclass(frozen=True)
class SearchSpace:
    """A design file with ranges: every choice of values makes a design."""

    document: Document = field(repr=False)
    text: str = field(repr=False)
    variables: tuple[SearchVariable, ...]

    @property
    def size(self) -> int:
        """The number of choices."""
        return math.prod(len(variable.values) for variable in self.variables)

    @property
    def default(self) -> dict[str, Value]:
        """The choice that a plain run takes."""
        return {variable.name: variable.default for variable in self.variables}

    @cached_property
    def searched_arms(self) -> tuple[int, ...]:
        """The places of the arms that vary."""
        arms = self.document.data.get("arms")
        return tuple(i for i, arm in enumerate(arms if isinstance(arms, list) else []) if any(_places(arm, ())))

    def choices(self) -> Iterator[dict[str, Value]]:
        """Yield every choice, the last variable changing fastest."""
        names = [variable.name for variable in self.variables]
        for values in itertools.product(*(variable.values for variable in self.variables)):
            yield dict(zip(names, values, strict=True))

    def fill(self, choice: Mapping[str, Value]) -> Design:
        """Return the design for one choice of values; a variable that it does not name takes its default.

        Raises:
            CatalogueError: what this choice makes is no design, such as a drug given by two regimens at once.
        """
        from mesotrial.catalogue._load_design import design_of

        return design_of(_fill(self.document, {**self.default, **choice}), self.text)


def load_search(path: str | Path) -> SearchSpace:
    """Read a design file with a ``search:`` block.

    Raises:
        DataError: a file that cannot be read or has no such block, a variable that says nothing or is not used, with line and dotted path.
    """
    text = read_text(Path(path))
    document = read_yaml(text, str(path))
    if "search" not in document.data:
        raise DataError(
            document.file,
            None,
            "search",
            "is missing: name what may vary, such as `search: {dose: {values: [1, 3]}}`, and write {dose} in a regimen",
        )
    space = _space(document, text)
    space.fill(space.default)
    return space


def ranges_of(name_or_path: str | Path) -> tuple[SearchVariable, ...]:
    """Return what varies in a design file; nothing for one without ranges, and for a trial of the catalogue."""
    path = Path(name_or_path)
    if path.suffix.lower() not in (".yaml", ".yml"):
        return ()
    text = read_text(path)
    document = read_yaml(text, str(path))
    return _space(document, text).variables if "search" in document.data else ()


def filled(document: Document, text: str) -> Document:
    """Return the document with the default of every variable in its place; the same document where nothing varies."""
    if "search" not in document.data:
        return document
    return _fill(document, _space(document, text).default)


def _space(document: Document, text: str) -> SearchSpace:
    from mesotrial.catalogue._file_schema import check
    from mesotrial.catalogue._search_file import SearchBlockFile

    check(SearchBlockFile, Document(document.file, {"search": document.data["search"]}, document.lines))
    found = document.data["search"]
    variables = tuple(_variable(document, name, about) for name, about in found.items())
    known = [variable.name for variable in variables]
    used = set()
    for path, name in _places(_without_search(document.data), ()):
        if name not in known:
            near = nearest(name, known, 1)
            hint = f"did you mean {{{near[0]}}}?" if near else f"known: {', '.join(known)}"
            raise document.error(path, f"nothing under search is called {name!r}; {hint}")
        used.add(name)
    for name in known:
        if name not in used:
            raise document.error(
                ("search", name), f"is used nowhere: write {{{name}}} where it may vary, such as in a regimen"
            )
    return SearchSpace(document, text, variables)


def _variable(document: Document, name: str, about: Mapping[str, Any]) -> SearchVariable:
    path: FieldPath = ("search", name)
    if not _NAME.fullmatch(name):
        raise document.error(path, "a name has letters, digits and _, and begins with a letter")
    listed, ends = about.get("values"), [about.get(end) for end in ("from", "to")]
    if (listed is None) == (None in ends) or (
        listed is not None and any(end is not None for end in [*ends, about.get("step")])
    ):
        raise document.error(path, "needs either `values: [...]`, or `from:` and `to:` (with `step:`)")
    values = tuple(listed) if listed is not None else _range(document, path, about)
    if len(set(values)) < len(values):
        raise document.error((*path, "values"), "names a value twice")
    if len(values) < 2:
        raise document.error(path, "has one value only: nothing varies; write the value where it is used")
    default = about.get("default", values[0])
    if default not in values:
        raise document.error((*path, "default"), f"{default!r} is none of its values: {_listed(values)}")
    return SearchVariable(name, values, default)


def _range(document: Document, path: FieldPath, about: Mapping[str, Any]) -> tuple[Value, ...]:
    first, last, step = about["from"], about["to"], about.get("step")
    whole = isinstance(first, int) and isinstance(last, int)
    if step is None:
        if not whole:
            raise document.error(path, "needs `step:`, because its ends are not whole numbers")
        step = 1
    if first >= last:
        raise document.error((*path, "from"), f"{first:g} must be less than `to`, {last:g}")
    count = math.floor((last - first) / step * (1 + 1e-12)) + 1
    if count > _MOST_VALUES:
        raise document.error((*path, "step"), f"makes {count:,} values; at most {_MOST_VALUES:,}")
    if whole and isinstance(step, int):
        return tuple(range(first, last + 1, step))
    return tuple(float(f"{first + place * step:.12g}") for place in range(count))


def _fill(document: Document, choice: Mapping[str, Value]) -> Document:
    lines = dict(document.lines)
    data = _put(_without_search(document.data), choice, (), (), lines, document.lines)
    return Document(document.file, data, lines)


def _put(
    node: Any,
    choice: Mapping[str, Value],
    path: FieldPath,
    origin: FieldPath,
    lines: dict[FieldPath, int],
    known: Mapping[FieldPath, int],
) -> Any:
    """Return a part of the file with the values in their places; an entry of a list that becomes `none` is left out.

    `path` is the part's place in the result, `origin` its place in the file, whose line it keeps.
    """
    if origin in known:
        lines[path] = known[origin]
    if isinstance(node, dict):
        return {
            key: item if key in _FREE_TEXTS else _put(item, choice, (*path, key), (*origin, key), lines, known)
            for key, item in node.items()
        }
    if isinstance(node, list):
        kept: list[Any] = []
        for place, item in enumerate(node):
            value = _put(item, choice, (*path, len(kept)), (*origin, place), lines, known)
            if not (value == _NONE and isinstance(item, str) and _PLACE.search(item)):
                kept.append(value)
        return kept
    if not isinstance(node, str):
        return node
    if whole := _PLACE.fullmatch(node.strip()):
        return choice[whole.group(1).strip()]
    return _PLACE.sub(lambda found: _word(choice[found.group(1).strip()]), node)


def _places(node: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    """Yield (path, name) of every `{name}` in a part of a file."""
    if isinstance(node, dict):
        for key, item in node.items():
            if key not in _FREE_TEXTS:
                yield from _places(item, (*path, key))
    elif isinstance(node, list):
        for place, item in enumerate(node):
            yield from _places(item, (*path, place))
    elif isinstance(node, str):
        for found in _PLACE.finditer(node):
            yield path, found.group(1).strip()


def _word(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:.12g}"


def _listed(values: tuple[Value, ...]) -> str:
    some = ", ".join(_word(value) for value in values[:8])
    return some + (", ..." if len(values) > 8 else "")


def _without_search(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in data.items() if key != "search"}
