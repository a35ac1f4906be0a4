"""The same people through every arm of a design: same patients, same random draws, so that differences are the treatments' alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.trial.records import join_tables
from mesotrial.trial.simulate import CHUNK, simulate_chunk

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.catalogue import Design
    from mesotrial.population import Cohort
    from mesotrial.trial.simulate import Model

__all__ = ["simulate_paired"]


def simulate_paired(
    design: Design,
    cohort: Cohort,
    *,
    model: Model,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Mapping[str, pl.DataFrame]]:
    """Take every patient of `cohort` through every arm of `design`, and return the tables arm by arm, patients in the cohort's order.

    All enter on day 0. A patient keeps number and random draws, so an event that no treatment touches happens on the same day in each arm.
    `progress` is called with (patients done, patients in all, what is being done).
    """
    report = progress or (lambda done, total, message: None)
    arms, n = design.arms, len(cohort)
    results: list[Mapping[str, pl.DataFrame]] = []
    for place, arm in enumerate(arms):
        parts = []
        for start in range(0, n, CHUNK):
            report(place * n + start, len(arms) * n, arm.label)
            rows = np.arange(start, min(start + CHUNK, n))
            parts.append(simulate_chunk(design, place, cohort.take(rows), np.zeros(len(rows)), model))
        results.append(join_tables(parts))
    report(len(arms) * n, len(arms) * n, "Simulated")
    return results
