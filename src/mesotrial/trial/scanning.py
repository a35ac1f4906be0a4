"""When each patient is really scanned, and what the reader makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Scans
    from mesotrial.population import Cohort, ParameterSet

__all__ = ["ScanPlan", "plan_scans"]


@dataclass(frozen=True)
class ScanPlan:
    """The scans of a group of patients.

    Attributes
    ----------
    planned_day
        As written in the protocol, shape (n_scans,).
    day
        As it happens: within the window, NaN where missed, shape (n_patients, n_scans).
    window_days
        Half-width of the window.
    geometry
        Exponent from volume to measured sum, shape (n_patients,).
    reading_error
        Error on the log scale, baseline first, shape (n_patients, n_scans + 1).

    """

    planned_day: NDArray[np.float64]
    day: NDArray[np.float64]
    window_days: float
    geometry: NDArray[np.float64]
    reading_error: NDArray[np.float64]


def plan_scans(scans: Scans, cohort: Cohort, parameters: ParameterSet, horizon_days: float) -> ScanPlan:
    """Draw the scan days, missed scans, reading errors and geometry of every patient; all scans up to `horizon_days`."""
    planned = np.asarray(scans.scan_days(horizon_days), dtype=float)
    count = len(planned)
    day = planned + scans.window_days * (2.0 * cohort.uniforms("scan window", count) - 1.0)
    day[cohort.uniforms("missed scan", count) < scans.missed_rate] = np.nan
    low, high = parameters.readout["geometry_low"], parameters.readout["geometry_high"]
    return ScanPlan(
        planned,
        day,
        scans.window_days,
        low + (high - low) * cohort.uniforms("geometry", 1)[:, 0],
        parameters.readout["reading_sd"] * cohort.normals("reading", count + 1),
    )
