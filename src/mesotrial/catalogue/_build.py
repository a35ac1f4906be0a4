"""Makes dataclasses from plain values. Types were checked before; here only whole numbers become floats where a float is meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from mesotrial.catalogue.errors import CatalogueError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["build", "built"]

T = TypeVar("T", bound="DataclassInstance")
R = TypeVar("R")


def build(cls: type[T], data: Mapping[str, Any], **given: Any) -> T:
    """Make a ``cls`` from the fields of ``data`` that it has and that are not null, with those of ``given`` instead where present."""
    known = {field.name: field.type for field in fields(cls)}
    taken = {name: value for name, value in data.items() if name in known and value is not None}
    values = {**taken, **given}
    return cls(
        **{
            name: _as_float(value) if known[name] in ("float", "float | None") else value
            for name, value in values.items()
        }
    )


def built(make: Callable[[], R], check: Callable[[], None]) -> R:
    """Make something from one of the catalogue's own files, which the tests have checked; check it again only to explain a failure.

    Importing the checker takes longer than all the rest of loading.
    """
    try:
        return make()
    except CatalogueError:
        raise
    except Exception:
        check()
        raise


def _as_float(value: Any) -> Any:
    return float(value) if isinstance(value, int) else value
