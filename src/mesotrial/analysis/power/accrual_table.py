"""gsDesign2's table of accrual as CSV: `stratum`, `duration` (months) and `rate` (patients a month)."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from mesotrial.catalogue import CatalogueError
from mesotrial.catalogue.analysis_plan import AccrualPeriod

__all__ = ["read_enroll_rate", "write_enroll_rate"]

_COLUMNS = ("stratum", "duration", "rate")


def read_enroll_rate(path: Path) -> tuple[AccrualPeriod, ...]:
    """Read the table. One stratum only: the mix of strata comes from the population.

    Raises `CatalogueError`, with file and line, for columns or numbers that are missing or cannot be.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogueError(f"{path}: cannot be read as CSV: {error}") from None
    if not rows:
        raise CatalogueError(f"{path}: has no rows; expected the columns {', '.join(_COLUMNS)}")
    if missing := [name for name in ("duration", "rate") if name not in rows[0]]:
        raise CatalogueError(
            f"{path}, line 1: has no column {' and no column '.join(missing)}; expected {', '.join(_COLUMNS)}"
        )
    if len(strata := {row.get("stratum") for row in rows}) > 1:
        listed = ", ".join(sorted(map(str, strata)))
        raise CatalogueError(
            f"{path}: has the strata {listed}; give one (All): the mix of strata comes from the design's population"
        )
    return tuple(
        AccrualPeriod(_number(path, line, row, "duration"), _number(path, line, row, "rate"))
        for line, row in enumerate(rows, start=2)
    )


def write_enroll_rate(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write the rows of `Accrual.enroll_rate`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _number(path: Path, line: int, row: Mapping[str, str | None], name: str) -> float:
    text = (row[name] or "").strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise CatalogueError(f"{path}, line {line}, {name}: must be a number above 0, not {text!r}")
    return value
