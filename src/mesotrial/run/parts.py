"""Finished parts of a run on disk: what a killed run goes on from and an extended one builds on.

A part is one zip file of `parts/`, named by place and content: replicate, arm, first and last patient, and a hash of everything that decides its tables. It
holds a Parquet file a table and their checksums; what is not whole counts as not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesotrial.run.files import write_whole
from mesotrial.trial.tables import TABLES

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.trial import Part

__all__ = ["PARTS", "PartFiles"]

PARTS = "parts"
_SUMS = "sha256.json"
_DECIDES = ("design_hash", "seed", "version", "program_hash", "model_hash", "population_hash", "catalogue_hash")


class PartFiles:
    """The parts of one run: a store for `simulate_trial`."""

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        """`folder` is the run's, `identity` what decides its results."""
        self._folder = folder / PARTS
        self._decides = {name: identity[name] for name in _DECIDES}
        self._used: set[str] = set()

    def stretches(self, replicate: int, arm: int) -> Sequence[tuple[int, int]]:
        """Return (first, last + 1) for each part of an arm that has a file."""
        found = []
        for path in self._folder.glob(f"{replicate}-{arm}-*-*-*.zip"):
            with contextlib.suppress(ValueError):
                first, last = map(int, path.name.split("-")[2:4])
                found.append((first, last))
        return found

    def load(self, part: Part) -> Mapping[str, pl.DataFrame] | None:
        """Return a part's tables, None where there is no file of it, or a damaged one."""
        import polars as pl

        name = self._name(part)
        try:
            with zipfile.ZipFile(self._folder / name) as file:
                sums = json.loads(file.read(_SUMS))
                content = {table: file.read(f"{table}.parquet") for table in TABLES}
        except Exception:  # whatever a damaged file raises, simulating anew is the cure
            return None
        if sums != _checksums(content):
            return None
        self._used.add(name)
        return {table: pl.read_parquet(data) for table, data in content.items()}

    def save(self, part: Part, tables: Mapping[str, pl.DataFrame]) -> None:
        """Write a part, whole or not at all."""
        content = {}
        for table in TABLES:
            buffer = io.BytesIO()
            tables[table].write_parquet(buffer, compression="zstd")
            content[table] = buffer.getvalue()
        sums = json.dumps(_checksums(content))

        def write(path: Path) -> None:
            with zipfile.ZipFile(path, "w") as file:
                for table, data in content.items():
                    file.writestr(
                        zipfile.ZipInfo(f"{table}.parquet"), data
                    )  # ZipInfo: of no date, so that equal is equal
                file.writestr(zipfile.ZipInfo(_SUMS), sums)

        self._folder.mkdir(exist_ok=True)
        name = self._name(part)
        write_whole(self._folder / name, write)
        self._used.add(name)

    def tidy(self) -> None:
        """Remove the files that are no part of what was loaded or saved."""
        for path in self._folder.iterdir():
            if path.name not in self._used:
                path.unlink()

    def _name(self, part: Part) -> str:
        patients = hashlib.sha256(part.numbers.astype("<i8").tobytes()).hexdigest()
        place = f"{part.replicate}-{part.arm}-{part.first}-{part.first + len(part)}"
        key = hashlib.sha256(json.dumps([self._decides, place, patients]).encode()).hexdigest()[:20]
        return f"{place}-{key}.zip"


def _checksums(content: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
