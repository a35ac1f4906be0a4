"""The baseline without a model: a validation result is predicted by the published result of the nearest calibration arm.

A model earns its keep only where it beats this. The same subgroup is carried where the calibration arm reports it, else
the population the whole trial belongs to, else everybody.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesotrial.analysis import codes
from mesotrial.analysis.rows import shown_value

if TYPE_CHECKING:
    from mesotrial.catalogue import PublishedResult

__all__ = ["NEAREST", "CarryOver", "Nearest"]

Arm = tuple[str, str]


@dataclass(frozen=True)
class Nearest:
    """Calibration arms (trial, arm), the best first, and the subgroup that a trial's patients belong to as a whole."""

    arms: tuple[Arm, ...]
    population: str = "all"


_CHEMOTHERAPY = (("CheckMate 743", "chemo"), ("EMPHACIS", "cis+pem"))
_WITH_BEVACIZUMAB = (("MAPS", "bev+chemo"), *_CHEMOTHERAPY)
_WITH_PD1 = (("IND.227/KEYNOTE-483", "chemo+pembro"), *_CHEMOTHERAPY)
_UNTREATED = (("MS01", "ASC"), ("DETERMINE", "placebo"), ("CONFIRM", "placebo"))
_PD1_IN_RELAPSE = (("CONFIRM", "nivo"), ("JAVELIN Solid Tumor", "avelumab"))
_CHEMOTHERAPY_IN_RELAPSE = (("RAMES", "gem+placebo"),)
_PD1_AND_CTLA4 = (("CheckMate 743", "nivo+ipi"),)  # in first line: no such arm in relapse is for calibration

NEAREST: Mapping[Arm, Nearest] = {
    ("MAPS2 (IFCT-1501)", "nivo"): Nearest(_PD1_IN_RELAPSE),
    ("MAPS2 (IFCT-1501)", "nivo+ipi"): Nearest(_PD1_AND_CTLA4),
    ("BEAT-meso (ETOP 13-18)", "atezo+bev+chemo"): Nearest(_WITH_PD1),
    ("BEAT-meso (ETOP 13-18)", "bev+chemo"): Nearest(_WITH_BEVACIZUMAB),
    ("PROMISE-meso (ETOP 9-15)", "pembro"): Nearest(_PD1_IN_RELAPSE),
    ("PROMISE-meso (ETOP 9-15)", "chemo (gem or vin)"): Nearest(_CHEMOTHERAPY_IN_RELAPSE),
    ("DREAM", "durva+chemo"): Nearest(_WITH_PD1),
    ("DREAM3R", "durva+chemo"): Nearest(_WITH_PD1),
    ("DREAM3R", "chemo"): Nearest(_CHEMOTHERAPY),
    ("PrE0505", "durva+chemo"): Nearest(_WITH_PD1),
    ("NVALT5", "thalidomide"): Nearest(_UNTREATED),
    ("NVALT5", "supportive care"): Nearest(_UNTREATED),
    ("DENIM", "MesoPher+BSC"): Nearest(_UNTREATED),
    ("DENIM", "BSC"): Nearest(_UNTREATED),
    ("ATOMIC-meso", "ADI-PEG20+chemo"): Nearest(_CHEMOTHERAPY, "non_epithelioid"),
    ("ATOMIC-meso", "placebo+chemo"): Nearest(_CHEMOTHERAPY, "non_epithelioid"),
}

# Reported in place of an endpoint that an arm has nothing closer for, and the median of each landmark's curve.
_STAND_IN: Mapping[str, str] = {"TTP_MEDIAN": "PFS_MEDIAN", "DCR_AT": "DCR"}
_MEDIAN_OF: Mapping[str, str] = {"OS_RATE": "OS_MEDIAN", "PFS_RATE": "PFS_MEDIAN"}


class CarryOver:
    """Predictions carried over from calibration arms; fractions, months or a ratio, as in summary.json."""

    def __init__(self, published: Iterable[PublishedResult]) -> None:
        """Keep the scored calibration results of single arms; every other row of `published` is left aside."""
        self._known: dict[tuple[str, str, str, str], dict[float | None, float]] = defaultdict(dict)
        for row in published:
            value = shown_value(row.value, row.unit)
            if row.role == "calibration" and row.scored and not row.comparator and value is not None:
                self._known[row.trial, row.arm, row.subgroup_code, row.code][row.time_months] = value

    def predict(self, row: PublishedResult) -> float | None:
        """Return the value carried to `row`; None where its arm has no nearest one, or that reports nothing to carry.

        A hazard ratio is the comparator's carried median over the arm's: 1 where both carry the same one.
        """
        if not codes.is_hazard_ratio(row.code):
            return self._carried(row, row.arm, row.code)
        code = row.code.removesuffix("_HR") + "_MEDIAN"
        arm, other = (self._carried(row, name, code) for name in (row.arm, row.comparator))
        return other / arm if arm and other else None

    def _carried(self, row: PublishedResult, arm: str, code: str) -> float | None:
        nearest = NEAREST.get((row.trial, arm))
        if nearest is None:
            return None
        closest = () if row.subgroup_code == "all" else (row.subgroup_code,)
        found = (
            self._reported(candidate, subgroup, code, row.time_months)
            for candidate in nearest.arms
            for subgroup in (*closest, nearest.population, "all")
        )
        return next((value for value in found if value is not None), None)

    def _reported(self, arm: Arm, subgroup: str, code: str, months: float | None) -> float | None:
        known = self._known.get((*arm, subgroup, code), {})
        if months in known:
            return known[months]
        if code in _STAND_IN:
            return self._known.get((*arm, subgroup, _STAND_IN[code]), {}).get(None)
        if code in _MEDIAN_OF and months is not None:
            medians = self._known.get((*arm, subgroup, _MEDIAN_OF[code]), {})
            return _along(sorted(_points(known, medians.get(None))), months)
        return None


def _points(rates: Mapping[float | None, float], median: float | None) -> Iterator[tuple[float, float]]:
    """Yield (months, log survival) of what is reported of a curve, from the start on."""
    yield 0.0, 0.0
    if median:
        yield median, math.log(0.5)
    for months, rate in rates.items():
        if months is not None and rate > 0:
            yield months, math.log(rate)


def _along(points: list[tuple[float, float]], months: float) -> float | None:
    """Read survival off straight lines through the points; past the last one, the last line goes on."""
    if len(points) < 2:
        return None
    end = next((i for i in range(1, len(points)) if points[i][0] >= months), len(points) - 1)
    (earlier, high), (later, low) = points[end - 1], points[end]
    return math.exp(high + (low - high) * (months - earlier) / (later - earlier))
