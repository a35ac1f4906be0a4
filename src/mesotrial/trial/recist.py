"""Response by modified RECIST for pleural mesothelioma, and by RECIST 1.1, one scan at a time for many patients at once.

mRECIST (Byrne & Nowak, Ann Oncol 2004;15:257; 1.1: Armato & Nowak, J Thorac Oncol 2018;13:1012): tumour thickness at two positions on three levels,
summed. Partial response: at least 30 % below baseline; progression: at least 20 % above nadir, or a new lesion. RECIST 1.1 asks for a rise of 5 mm as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CODES", "CONFIRMATION_DAYS", "Response", "measured_sum_mm"]

CODES = ("CR", "PR", "SD", "PD", "NE")
_CR, _PR, _SD, _PD, _NE = range(5)
_RESPONSE_FALL = 0.30
_PROGRESSION_RISE = 0.20
_RISE_MM = 5.0
_TOO_SMALL_MM = 5.0
CONFIRMATION_DAYS = 28.0
_REFERENCE_SUM_MM = 69.0
_REFERENCE_VOLUME_ML = 200.0


def measured_sum_mm(
    volume_ml: NDArray[np.float64], geometry: NDArray[np.float64], reading_error: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the sum of measurements that a reader writes down, mm.

    ``69 mm (V / 200 mL)^g exp(error)``: g is 1 where a rind thickens in place and 1/3 where a sphere grows, and differs between patients; 69 mm is the mean
    summed thickness of the SMART trial's patients. All arrays have shape (n_patients,).
    """
    total: NDArray[np.float64] = (
        _REFERENCE_SUM_MM * (volume_ml / _REFERENCE_VOLUME_ML) ** geometry * np.exp(reading_error)
    )
    return total


@dataclass
class Response:
    """What the scans so far say of each patient; arrays of shape (n_patients,), days from randomisation, NaN where it has not happened."""

    baseline_mm: NDArray[np.float64]
    criteria: Literal["mRECIST", "RECIST1.1"]
    confirmation: bool

    def __post_init__(self) -> None:
        """Start at baseline: no scan read yet."""
        n = len(self.baseline_mm)
        self.nadir_mm = self.baseline_mm.copy()
        self.best = np.full(n, _NE)
        self.best_day = np.full(n, np.nan)
        self.progression_day = np.full(n, np.nan)
        self.response_day = np.full(n, np.nan)
        self.last_scan_day = np.zeros(n)
        self.last_clear_day = np.zeros(n)
        self.scans_read = np.zeros(n, dtype=np.int64)
        self._pending_day = np.full(n, np.nan)
        self._pending_code = np.full(n, _NE)

    def read(
        self,
        rows: NDArray[np.int64],
        day: NDArray[np.float64],
        sum_mm: NDArray[np.float64],
        new_lesion: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """Read one scan of the patients `rows` (those not yet progressed) and return the overall response, as a place in `CODES`."""
        base, nadir = self.baseline_mm[rows], self.nadir_mm[rows]
        rise = sum_mm >= (1 + _PROGRESSION_RISE) * nadir
        if self.criteria == "RECIST1.1":
            rise &= sum_mm - nadir >= _RISE_MM
        code = np.where(sum_mm <= (1 - _RESPONSE_FALL) * base, _PR, _SD)
        code[sum_mm <= _TOO_SMALL_MM] = _CR
        code[rise | new_lesion] = _PD
        self._update_best(rows, day, code)
        self.progression_day[rows[code == _PD]] = day[code == _PD]
        self.nadir_mm[rows] = np.minimum(nadir, sum_mm)
        self.last_scan_day[rows] = day
        self.last_clear_day[rows[code != _PD]] = day[code != _PD]
        self.scans_read[rows] += 1
        return code

    def unconfirmed(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say which of the patients `rows` have a response that waits for its confirmation."""
        waiting: NDArray[np.bool_] = ~np.isnan(self._pending_day[rows]) & np.isnan(self.response_day[rows])
        return waiting

    def _update_best(self, rows: NDArray[np.int64], day: NDArray[np.float64], code: NDArray[np.int64]) -> None:
        """Keep the best response; where confirmation is asked for, a response counts from its first scan once a scan 28 days later agrees."""
        responding = code <= _PR
        counted = np.where(responding, _SD if self.confirmation else code, code)
        response_day = day.copy()
        if self.confirmation:
            pending = self._pending_day[rows]
            confirmed = responding & (day - pending >= CONFIRMATION_DAYS)
            counted[confirmed] = np.maximum(self._pending_code[rows], code)[confirmed]
            response_day[confirmed] = pending[confirmed]
            first = responding & np.isnan(pending)
            self._pending_day[rows[first]], self._pending_code[rows[first]] = day[first], code[first]
            self._pending_code[rows[responding]] = np.minimum(self._pending_code[rows[responding]], code[responding])
            lost = ~responding
            self._pending_day[rows[lost]] = np.nan
        better = counted < self.best[rows]
        self.best[rows[better]], self.best_day[rows[better]] = counted[better], response_day[better]
        new = (counted <= _PR) & np.isnan(self.response_day[rows])
        self.response_day[rows[new]] = response_day[new]
