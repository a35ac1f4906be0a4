"""How a run's files are written and read: whole or not at all, and each table with its own description inside."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesotrial.trial.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

__all__ = [
    *("BANK", "DESIGN", "PROVENANCE", "REPORT", "SCHEMA", "STATUS", "SUMMARY", "TEMPORARY"),
    *("file_hash", "folder_hash", "read_json", "read_table", "sweep", "write_json", "write_table", "write_whole"),
]

DESIGN = "design.yaml"
STATUS = "status.json"
SUMMARY = "summary.json"
REPORT = "report.html"
PROVENANCE = "provenance.json"
BANK = "bank"
TEMPORARY = ".tmp"
SCHEMA = "mesotrial/provenance/1"
_KEY = b"mesotrial"


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary file beside `path`, then put that in the place of `path` in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write an object as JSON; NaN and infinity are refused, because JSON has none."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(path, lambda file: file.write_text(text, encoding="utf-8"))


def sweep(folder: Path) -> None:
    """Remove what processes that were killed left half written; only for who has the folder's lock."""
    for path in folder.rglob(f".*{TEMPORARY}"):
        path.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any] | None:
    """Read an object; None where there is no file, or none that holds a JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def write_table(path: Path, name: str, frame: pl.DataFrame, provenance: Mapping[str, Any]) -> None:
    """Write table `name` as Parquet.

    Each column carries its label, unit, code list and note; the file carries the table's title, what a row is, and the
    run's provenance as JSON under the key ``mesotrial``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    spec = TABLES[name]
    types = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}
    fields = [
        pa.field(
            column.name,
            types[column.kind],
            metadata={
                "label": column.label,
                "unit": column.unit,
                "codes": json.dumps(column.codes),
                "note": column.note,
            },
        )
        for column in spec.columns
    ]
    about = {"title": spec.title, "row": spec.row, _KEY: json.dumps(provenance)}
    table = frame.to_arrow().cast(pa.schema(fields, metadata=about))
    write_whole(path, lambda file: pq.write_table(table, file, compression="zstd"))


def read_table(path: Path) -> pl.DataFrame:
    """Read a table of a run."""
    import polars as pl

    return pl.read_parquet(path)


def file_hash(path: Path) -> str | None:
    """Return the SHA-256 of a file, None where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def folder_hash(folder: Path) -> str:
    """Return one SHA-256 for all files below a folder, their names and contents."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
