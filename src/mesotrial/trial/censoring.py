"""From what happened to a patient to times and censoring, by a named rule set.

``ema``
    Progression (at a scan or at a symptomatic visit) or death ends PFS whenever it is seen; others are censored at their last scan.
``fda``
    As above, but a symptomatic visit without a scan does not count, and an event after two or more missed scans is censored at the last scan before.

OS ends with death and is censored at the last day known alive. PFS never exceeds OS under either set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RULES", "Timeline", "Times", "overall_survival", "progression_free_survival", "response_duration"]

RULES = ("ema", "fda")


@dataclass(frozen=True)
class Timeline:
    """What happened, arrays of shape (n_patients,), days from randomisation, NaN where it did not happen.

    `last_known_day` is the day of death, of loss, or of the data cut; `last_scan_day` the last scan read (0: baseline only);
    `last_clear_scan_day` the last scan read that did not show progression; `second_missed_day` the end of the window of the second scan planned
    after that one: an event later than this comes after two missed scans.
    """

    death_day: NDArray[np.float64]
    last_known_day: NDArray[np.float64]
    scan_progression_day: NDArray[np.float64]
    symptom_progression_day: NDArray[np.float64]
    last_scan_day: NDArray[np.float64]
    last_clear_scan_day: NDArray[np.float64]
    second_missed_day: NDArray[np.float64]
    response_day: NDArray[np.float64]


@dataclass(frozen=True)
class Times:
    """Times in days from the origin, CNSR (0 event, 1 censored) and what each time means; shape (n_patients,)."""

    days: NDArray[np.float64]
    cnsr: NDArray[np.int64]
    description: NDArray[np.str_]


def overall_survival(timeline: Timeline) -> Times:
    """Return OS: to death, or censored at the last day known alive."""
    dead = ~np.isnan(timeline.death_day)
    return Times(
        np.where(dead, timeline.death_day, timeline.last_known_day),
        np.where(dead, 0, 1),
        np.where(dead, "DEATH", "LAST KNOWN ALIVE"),
    )


def progression_free_survival(timeline: Timeline, rules: Literal["ema", "fda"]) -> Times:
    """Return PFS by the named rule set (see the module)."""
    symptom = timeline.symptom_progression_day if rules == "ema" else np.full_like(timeline.death_day, np.nan)
    candidates = np.stack([timeline.scan_progression_day, symptom, timeline.death_day])
    event_day = np.fmin.reduce(candidates)
    event = ~np.isnan(event_day)
    names = np.array(["PROGRESSION AT A SCAN", "SYMPTOMATIC PROGRESSION", "DEATH"])
    which = np.argmin(np.where(np.isnan(candidates), np.inf, candidates), axis=0)
    description = np.where(event, names[which], "NO EVENT: LAST SCAN").astype("<U48")
    censored_day = timeline.last_scan_day
    if rules == "fda":
        late = event & (event_day > timeline.second_missed_day)
        description[late] = "EVENT AFTER TWO OR MORE MISSED SCANS"
        censored_day = np.where(late, timeline.last_clear_scan_day, censored_day)
        deteriorated = ~np.isnan(timeline.symptom_progression_day) & ~event
        description[deteriorated] = "SYMPTOMS WITHOUT A SCAN: LAST SCAN"
        event &= ~late
    return Times(np.where(event, event_day, censored_day), np.where(event, 0, 1), description)


def response_duration(timeline: Timeline, pfs: Times) -> Times:
    """Return time from first response to the end of PFS; NaN days for patients without a response."""
    return Times(np.maximum(pfs.days - timeline.response_day, 0.0), pfs.cnsr, pfs.description)
