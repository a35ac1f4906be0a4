"""When each patient is really scanned, and what the reader makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.trial.recist import CONFIRMATION_DAYS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Scans
    from mesotrial.population import Cohort

__all__ = ["ScanPlan", "geometry_of", "plan_scans"]

_MARGIN_DAYS = 7.0


@dataclass(frozen=True)
class ScanPlan:
    """The scans of a group of patients.

    Attributes
    ----------
    planned_day
        As written in the protocol, shape (n_planned,).
    day
        When each scan happens: within the window, NaN where missed; shape (n_patients, n_scans). Confirmation scans stand as NaN until one is called for.
    confirms
        Whether a scan is there to confirm the response seen at the one before, shape (n_scans,).
    window_days
        Half-width of the window.
    geometry
        Exponent from volume to measured sum, shape (n_patients,).
    reading_error
        Error on the log scale, baseline first, shape (n_patients, n_scans + 1).

    """

    planned_day: NDArray[np.float64]
    day: NDArray[np.float64]
    confirms: NDArray[np.bool_]
    window_days: float
    geometry: NDArray[np.float64]
    reading_error: NDArray[np.float64]


def geometry_of(cohort: Cohort) -> NDArray[np.float64]:
    """Return each patient's exponent from volume to measured sum, shape (n_patients,): see `recist.measured_sum_mm`."""
    low, high = cohort.readout["geometry_low"], cohort.readout["geometry_high"]
    exponent: NDArray[np.float64] = low + (high - low) * cohort.uniforms("geometry", 1)[:, 0]
    return exponent


def plan_scans(scans: Scans, cohort: Cohort, horizon_days: float) -> ScanPlan:
    """Draw the scan days, missed scans, reading errors and geometry of every patient; all scans up to `horizon_days`.

    Where responses need confirmation and the next planned scan is far, a scan four weeks after the first response is foreseen (mRECIST asks for two
    occasions four weeks apart).
    """
    planned = np.asarray(scans.scan_days(horizon_days), dtype=float)
    day = planned + scans.window_days * (2.0 * cohort.uniforms("scan window", len(planned)) - 1.0)
    day[cohort.uniforms("missed scan", len(planned)) < scans.missed_rate] = np.nan
    gap = np.diff(planned, append=np.inf)
    followed = scans.confirmation & (gap > CONFIRMATION_DAYS + 2 * scans.window_days + _MARGIN_DAYS)
    place = np.arange(len(planned)) + np.concatenate([[0], np.cumsum(followed)[:-1]]).astype(np.int64)
    count = len(planned) + int(followed.sum())
    columns = np.full((len(cohort), count), np.nan)
    columns[:, place] = day
    confirms = np.ones(count, dtype=bool)
    confirms[place] = False
    return ScanPlan(
        planned,
        columns,
        confirms,
        scans.window_days,
        geometry_of(cohort),
        cohort.readout["reading_sd"][:, None] * cohort.normals("reading", count + 1),
    )
