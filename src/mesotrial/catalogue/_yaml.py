"""Reads YAML into plain values and remembers the line of each, so that an error can name it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mesotrial.catalogue.errors import DataError

if TYPE_CHECKING:
    from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

__all__ = ["Document", "dotted", "read_yaml"]

Path = tuple[str | int, ...]
_TAG = "tag:yaml.org,2002:"
_SPECIAL = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}


@dataclass(frozen=True)
class Document:
    """A YAML mapping as plain values, with the line (from 1) of each field by its path."""

    file: str
    data: dict[str, Any]
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int | None:
        """Give the line of the field, or of the nearest one around it."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None

    def error(self, path: Path, message: str) -> DataError:
        """Make an error that names this file, the field's line and its dotted path."""
        return DataError(self.file, self.line(path), dotted(path), message)


def dotted(path: Path) -> str:
    """Write a path as ``arms[0].regimens[1]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read_yaml(text: str, file: str) -> Document:
    """Read one YAML document whose top is a mapping.

    Raises:
        DataError: for malformed YAML, with the parser's reason and line; for a repeated key, an alias, or another kind of document.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ruamel's remarks on old YAML dialects are not for our users
            node = YAML(typ="safe", pure=True).compose(text)
        reader = _Reader(file)
        data = {} if node is None else reader.value(node, ())
    except DataError:
        raise
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(part for part in (error.context, error.problem) if part)
        raise DataError(file, mark.line + 1 if mark else None, "", f"not readable as YAML: {reason}") from error
    except (
        YAMLError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        AssertionError,
        NotImplementedError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(file, None, "", f"not readable as YAML: {reason}") from error
    except RecursionError as error:
        raise DataError(file, None, "", "not readable as YAML: nested too deeply") from error
    if not isinstance(data, dict):
        raise DataError(file, 1, "", "expected `field: value` lines at the top of the file")
    return Document(file, data, reader.lines)


class _Reader:
    """Turns ruamel's nodes into dictionaries, lists and scalars."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Path, int] = {}
        self.seen: set[int] = set()

    def value(self, node: Node, path: Path) -> Any:
        from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

        line = self.lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self.seen:
            raise DataError(self.file, line, dotted(path), "aliases (* and &) are not used here; write the value out")
        self.seen.add(id(node))
        if isinstance(node, ScalarNode):
            return self.scalar(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        assert isinstance(node, MappingNode)
        return dict(self.pairs(node, path))

    def pairs(self, node: MappingNode, path: Path) -> Iterator[tuple[str, Any]]:
        keys: set[str] = set()
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in keys:
                raise DataError(self.file, line, dotted((*path, key)), "this field is written twice")
            keys.add(key)
            self.lines[(*path, key)] = line
            yield key, self.value(value_node, (*path, key))

    def scalar(self, node: ScalarNode, path: Path) -> Any:
        text: str = node.value
        kind = str(node.tag).removeprefix(_TAG)
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind in ("int", "float"):
            try:
                return _number(kind, text)
            except ValueError:
                raise DataError(
                    self.file, self.lines[path], dotted(path), f"cannot read the number {text[:40]!r}"
                ) from None
        return text


def _number(kind: str, text: str) -> int | float:
    plain = text.replace("_", "").lower()
    if kind == "float":
        return _SPECIAL[plain] if plain in _SPECIAL else float(plain)
    return int(plain, 0) if plain.lstrip("+-").startswith(("0x", "0o", "0b")) else int(plain)
