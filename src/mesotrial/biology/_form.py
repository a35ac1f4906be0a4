"""A file of Antimony for one drug: its text with the drug's name in it, and what its ``//@`` lines declare.

``//@ needs: innate, myeloid`` names files of ``optional/`` that have to be in the model too, ``//@ dose IV, SC: a b`` the states that a dose by these
routes enters (``//@ dose: a``: by any other route), ``//@ level: a`` what effects read as the drug's strength.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files

__all__ = ["Form", "closure", "core", "form"]

_ROOM = files("mesotrial.biology")
_DECLARED = re.compile(r"^//@ *(\w+)([^:\n]*):(.*)$", re.MULTILINE)
_OWN = re.compile(r"\$drug_(\w+)")


@dataclass(frozen=True)
class Form:
    """One file: its `text` without ``//@`` lines and what they declare; names after ``$drug_`` that it `sets`, and those that it only `reads`."""

    text: str
    needs: tuple[str, ...] = ()
    doses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    level: str = "$drug_concentration"
    sets: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()


def core() -> list[str]:
    """Return the files that every model has, units first."""
    names = sorted(path.name for path in (_ROOM / "mechanisms").iterdir() if path.name.endswith(".ant"))
    names.remove("units.ant")
    return [_packaged("mechanisms", name.removesuffix(".ant")) or "" for name in ("units.ant", *names)]


def form(folder: str, name: str, also: Mapping[str, str]) -> Form:
    """Read a file of a folder, or of `also`: the text of a user's own mechanisms by name.

    Raises `CatalogueError` if neither has it, naming those that are known.
    """
    text = also.get(name) or _packaged(folder, name)
    if text is None:
        from mesotrial.catalogue import CatalogueError

        known = sorted({*also, *_names(folder)})
        raise CatalogueError(f"no mechanism is called {name!r}; known in {folder}: {', '.join(known)}")
    needs: tuple[str, ...] = ()
    doses: dict[str, tuple[str, ...]] = {}
    level = Form.level
    for word, what, value in _DECLARED.findall(text):
        if word == "needs":
            needs = tuple(value.replace(",", " ").split())
        elif word == "dose":
            doses |= dict.fromkeys(what.replace(",", " ").split() or ["*"], tuple(value.split()))
        elif word == "level":
            level = value.strip()
    plain = _DECLARED.sub("", text).strip() + "\n"
    code = re.sub(r"//.*", "", plain)
    sets = _set_in(code)
    return Form(plain, needs, doses, level, sets, frozenset(_OWN.findall(code)) - sets)


def closure(names: Iterable[str], also: Mapping[str, str]) -> list[Form]:
    """Return the optional mechanisms `names`, those that they need in turn, each once and in the order of their names."""
    found: dict[str, Form] = {}
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = form("optional", name, also)
            todo += found[name].needs
    return [found[name] for name in sorted(found)]


def _packaged(folder: str, name: str) -> str | None:
    path = _ROOM / folder / f"{name}.ant"
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _names(folder: str) -> list[str]:
    return [path.name.removesuffix(".ant") for path in (_ROOM / folder).iterdir() if path.name.endswith(".ant")]


def _set_in(code: str) -> frozenset[str]:
    """Return the names after ``$drug_`` that a file declares or gives a value (adding to a sum is neither)."""
    named: set[str] = set()
    for statement in code.split(";"):
        head, equals, _ = statement.partition("=")
        if re.match(r"\s*(const|var)\b", head) or (equals and not head.rstrip().endswith(("+", "*"))):
            named |= set(_OWN.findall(head))
    return frozenset(named)
