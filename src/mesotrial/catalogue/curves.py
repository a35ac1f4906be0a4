"""Survival curves read from printed figures, a line a patient (``data/curves/*.csv``)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

__all__ = ["DigitisedCurve", "digitised_curves"]

# Trial -> parameter -> file, and what the arms of a design are called in these files.
_FILES = {"MAPS": {"OS": "maps_os_km.csv", "PFS": "maps_pfs_km.csv"}}
_ARMS = {"pc": "chemo", "pcb": "bev+chemo"}


@dataclass(frozen=True)
class DigitisedCurve:
    """The patients of one arm behind a printed Kaplan-Meier curve: months and whether each had the event; `file` names the data."""

    months: tuple[float, ...]
    event: tuple[bool, ...]
    file: str


def digitised_curves(trial: str, parameter: str) -> Mapping[str, DigitisedCurve]:
    """Return the curves of `parameter` (``OS``, ``PFS``) of a trial by arm of its design; empty where none was read."""
    file = _FILES.get(trial, {}).get(parameter)
    if file is None:
        return {}
    text = (files("mesotrial.catalogue") / "data" / "curves" / file).read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    found = {}
    for label, arm in _ARMS.items():
        mine = [row for row in rows if row["arm"] == label]
        found[arm] = DigitisedCurve(
            tuple(float(row["time"]) for row in mine), tuple(row["event"] == "1" for row in mine), file
        )
    return found
