"""Pydantic's part: the types shared by the file schemas, and its complaints in our words. Imported only to check a file or to give a schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from mesotrial.catalogue._yaml import Document, Path
from mesotrial.catalogue.errors import DataError, nearest

__all__ = [
    "Amount",
    "Count",
    "FileModel",
    "Flag",
    "Number",
    "Percent",
    "Share",
    "Sources",
    "StatusWord",
    "Text",
    "Word",
    "check",
]

Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e9, le=1e9)]
Amount = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=1e9)]
Percent = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=1000)]
Share = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Flag = StrictBool
Text = Annotated[str, StringConstraints(strict=True)]
Word = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200, pattern=r"\S")]
Sources = dict[Word, Text]
StatusWord = Literal["verified", "recalled", "derived", "guess"]

_SHOWN = 60


class FileModel(BaseModel):
    """A part of a file: a field that is not listed is an error."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


def check(model: type[FileModel], document: Document) -> None:
    """Check a document against its schema.

    Raises:
        DataError: for the first wrong field of the file, with its line and dotted path, and what is expected there.
    """
    try:
        model.model_validate(document.data)
    except ValidationError as error:
        wrong = sorted(error.errors(include_url=False), key=lambda item: document.line(item["loc"]) or 0)
        raise _in_our_words(wrong[0], len(wrong) - 1, model, document) from None


def _in_our_words(item: ErrorDetails, more: int, model: type[FileModel], document: Document) -> DataError:
    path, kind, limits = item["loc"], item["type"], item.get("ctx", {})
    here = f" (here {_short(item['input'])})"
    words = {
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_type": "must be a number",
        "finite_number": "must be a finite number",
        "string_type": "must be text; put it in quotes if it looks like a number",
        "string_too_short": "must not be empty",
        "string_too_long": "is too long",
        "string_pattern_mismatch": "must not be blank",
        "bool_type": "must be true or false",
        "list_type": "must be a list: `- item` lines, or [a, b]",
        "dict_type": "must be a block of `field: value` lines",
        "model_type": "must be a block of `field: value` lines",
        "too_short": f"needs at least {limits.get('min_length')} entry",
        "greater_than": f"must be more than {_limit(limits, 'gt')}",
        "greater_than_equal": f"must be at least {_limit(limits, 'ge')}",
        "less_than": f"must be less than {_limit(limits, 'lt')}",
        "less_than_equal": f"must be at most {_limit(limits, 'le')}",
        "literal_error": f"must be {limits.get('expected')}",
    }
    if kind == "missing":
        message = f"is missing{_meaning(model, path)}"
    elif kind == "extra_forbidden":
        message = f"is not a field here{_alternatives(model, path)}"
    else:
        message = words.get(kind, item["msg"]) + here
    if more:
        message += f" (and {more} more to mend)"
    return document.error(path, message)


def _limit(limits: Mapping[str, Any], name: str) -> str:
    return f"{limits[name]:g}" if name in limits else ""


def _short(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "a block of fields"
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _meaning(model: type[FileModel], path: Path) -> str:
    found = _model_at(model, path[:-1])
    field = found.model_fields.get(str(path[-1])) if found else None
    return f"; expected: {field.description}" if field and field.description else ""


def _alternatives(model: type[FileModel], path: Path) -> str:
    found = _model_at(model, path[:-1])
    if found is None:
        return ""
    near = nearest(str(path[-1]), found.model_fields, 1)
    return f"; did you mean {near[0]}?" if near else f"; the fields are {', '.join(found.model_fields)}"


def _model_at(model: type[FileModel], path: Path) -> type[FileModel] | None:
    """Follow a path down the schema to the model that holds its last part."""
    for part in path:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        inner = None if field is None else _model_in(field.annotation)
        if inner is None:
            return None
        model = inner
    return model


def _model_in(annotation: Any) -> type[FileModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, FileModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (inner := _model_in(argument)) is not None:
            return inner
    return None
