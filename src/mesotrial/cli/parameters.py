"""The parameters of ``simulate``: from ``--set`` and from a table with one patient a row."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mesotrial.engine import Model

__all__ = ["Parameters", "read_parameters"]


@dataclass(frozen=True)
class Parameters:
    """What differs from the model's own values."""

    patients: tuple[str, ...] | None
    """their ID; None without a table"""
    values: dict[str, Any]
    """by constant or state: one number, or one a patient"""


def read_parameters(settings: list[str], path: Path | None, model: Model) -> Parameters:
    """Return the values of ``--set NAME=VALUE`` and of the table at `path`, whose columns are ID, constants and states.

    Raises:
        RequestError: a name that is unknown or computed, a cell that is no number (with its row and column; the header is
            row 1), an ID given twice, or a name that is set twice or both set and in the table.
    """
    from mesotrial.run import RequestError

    values: dict[str, Any] = {}
    for text in settings:
        name, _, value = (part.strip() for part in text.partition("="))
        try:
            number = float(value)
        except ValueError:
            raise RequestError(f"--set {text}: expected NAME=NUMBER, such as --set k1=0.3") from None
        if not math.isfinite(number):
            raise RequestError(f"--set {text}: {value} is not a finite number")
        _check_name(f"--set {text}", name, model)
        if name in values:
            raise RequestError(f"--set {text}: {name} is given twice, take one away")
        values[name] = number
    if path is None:
        return Parameters(None, values)
    frame = _read(path)
    patients = tuple(str(name).strip() for name in frame["ID"]) if "ID" in frame.columns else None
    if patients is None:
        patients = tuple(str(i + 1) for i in range(len(frame)))
    for row, name in enumerate(patients):
        if name in ("", "None"):
            raise RequestError(f"{path}: Row {row + 2}: ID is missing")
    if len(set(patients)) < len(patients):
        seen: set[str] = set()
        for row, name in enumerate(patients):
            if name in seen:
                raise RequestError(f"{path}: Row {row + 2}: ID {name} is given twice")
            seen.add(name)
    for name in frame.columns:
        if name == "ID":
            continue
        _check_name(str(path), name, model)
        if name in values:
            raise RequestError(f"{name} is given by --set and by a column of {path}: take one away")
        values[name] = _numbers(path, name, frame[name])
    return Parameters(patients, values)


def _check_name(where: str, name: str, model: Model) -> None:
    from mesotrial.engine.errors import unknown_name
    from mesotrial.run import RequestError

    if name in model.algebra or name in model.derived:
        raise RequestError(f"{where}: {name} is computed by the model: set what it is computed from")
    known = [*model.constants, *model.states]
    if name not in known:
        raise RequestError(f"{where}: {unknown_name('constant or state', name, known)}")


def _read(path: Path) -> Any:
    import polars as pl

    from mesotrial.run import RequestError

    try:
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
        else:
            frame = pl.read_csv(path, infer_schema=False)
    except OSError as error:
        raise RequestError(f"the table {path} cannot be read: {error.strerror or error}") from error
    except pl.exceptions.PolarsError as error:
        raise RequestError(f"the table {path} cannot be read: {' '.join(str(error).split())[:200]}") from error
    frame = frame.rename({name: name.strip() for name in frame.columns})
    if not len(frame):
        raise RequestError(f"the table {path} has no rows")
    return frame


def _numbers(path: Path, name: str, column: Any) -> Any:
    import numpy as np

    from mesotrial.run import RequestError

    found = np.empty(len(column))
    for row, cell in enumerate(column):
        try:
            found[row] = float(cell)
        except (TypeError, ValueError):
            found[row] = np.nan
        if not np.isfinite(found[row]):
            raise RequestError(f"{path}: Row {row + 2}: {name} is {cell!r}, not a finite number")
    return found
