"""An answer that nobody knows: where exploratory drugs are given, the band over their human-translation factors instead of a number."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeGuard

__all__ = ["banded"]


_NOT_KNOWN = (
    "power",
    "concludes",
    "value",
    "assurance",
    "power_exact",
)  # though it may come out the same at all levels


def banded(answers: Sequence[Mapping[str, Any]], known: Collection[str] = ()) -> dict[str, Any]:
    """Join answers of the same shape, one a level of what is not known.

    What is the same in all stays. A number that differs, and every chance to succeed but that of the arms `known`, becomes None, with its least and largest
    beside it as ``NAME_band``; a pair of numbers (an interval) becomes the widest; lists whose lengths differ are left empty.
    """
    joined: dict[str, Any] = {}
    open_names = () if answers[0].get("arm") in known else _NOT_KNOWN
    for name in dict.fromkeys(key for answer in answers for key in answer):
        values = [answer.get(name) for answer in answers]
        numbers = [one for one in values if _number(one)]
        joined[name] = _joined(values, known)
        if len(numbers) == len(values) and (joined[name] is None or name in open_names):
            joined |= {name: None, f"{name}_band": [min(numbers), max(numbers)]}
    return joined


def _joined(values: Sequence[Any], known: Collection[str]) -> Any:
    first = values[0]
    if all(isinstance(value, Mapping) for value in values):
        return banded(values, known)
    if all(isinstance(value, list) for value in values):
        if len({len(value) for value in values}) > 1:
            return []
        if len(first) == 2 and all(map(_number, (one for value in values for one in value))):
            return [min(value[0] for value in values), max(value[1] for value in values)]
        return [_joined(parts, known) for parts in zip(*values, strict=True)]
    return first if all(value == first for value in values) else None


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
