"""Banks of simulated patients, kept from one question to the next in the user's cache: another look, test or size needs nobody simulated anew."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mesotrial.run.identity import identity_of
from mesotrial.run.parts import PartFiles

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.catalogue import Design
    from mesotrial.population import ParameterSet
    from mesotrial.trial import Part

__all__ = ["KeptBanks"]

_MOST_BYTES = 500_000_000


class KeptBanks:
    """Stores for `analysis.power.simulate_banks`, one a bank; the banks longest unused go when there are too many."""

    def __init__(self, seed: int, folder: Path | None = None) -> None:
        """`seed` is that of the patients; `folder`, where banks are kept, is by default in MESOTRIAL_CACHE_DIR or the user's cache directory."""
        from platformdirs import user_cache_dir

        self._seed = seed
        self._folder = folder or Path(os.environ.get("MESOTRIAL_CACHE_DIR") or user_cache_dir("mesotrial")) / "banks"

    def __call__(self, design: Design, parameters: Sequence[ParameterSet]) -> PartFiles:
        """Return the store of the bank of a design whose patients have such parameter sets."""
        identity = identity_of(design, patients_per_arm=None, seed=self._seed, population="fitted")
        identity["population_hash"] = hashlib.sha256(repr(tuple(parameters)).encode()).hexdigest()
        name = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:20]
        with contextlib.suppress(OSError):  # a cache that cannot be written is no reason to stop
            (self._folder / name).mkdir(parents=True, exist_ok=True)
            os.utime(self._folder / name)
            self._tidy()
        return _Bank(self._folder / name, identity)

    def _tidy(self) -> None:
        held = 0
        for bank in sorted(self._folder.iterdir(), key=lambda one: -one.stat().st_mtime):
            held += sum(file.stat().st_size for file in bank.rglob("*") if file.is_file())
            if held > _MOST_BYTES:
                shutil.rmtree(bank, ignore_errors=True)


class _Bank(PartFiles):
    """The parts of one bank."""

    def save(self, part: Part, tables: Mapping[str, pl.DataFrame]) -> None:
        """Keep a part, where that is possible."""
        with contextlib.suppress(OSError):
            super().save(part, tables)
