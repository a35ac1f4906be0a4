"""The same people through every arm of a design: same patients, same random draws, so that differences are the treatments' alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.trial.records import join_tables
from mesotrial.trial.simulate import CHUNK, Level, simulate_chunk, translation_inputs

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
    passes: Sequence[tuple[int, Level]] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Mapping[str, pl.DataFrame]]:
    """Take every patient of `cohort` through arms of `design`, and return the tables pass by pass, patients in the cohort's order.

    `passes` name the place of an arm and a level of the human-translation factors; by default every arm once, at the middle. All enter on day 0. A patient
    keeps number and random draws, so an event that no treatment touches happens on the same day in each pass.
    `progress` is called with (patients done, patients in all, what is being done).
    """
    report = progress or (lambda done, total, message: None)
    passes = passes or [(place, "middle") for place in range(len(design.arms))]
    n = len(cohort)
    results: list[Mapping[str, pl.DataFrame]] = []
    for done, (place, level) in enumerate(passes):
        people = replace(cohort, inputs={**cohort.inputs, **translation_inputs(model, n, level)})
        parts = []
        for start in range(0, n, CHUNK):
            report(done * n + start, len(passes) * n, design.arms[place].label)
            rows = np.arange(start, min(start + CHUNK, n))
            parts.append(simulate_chunk(design, place, people.take(rows), np.zeros(len(rows)), model))
        results.append(join_tables(parts))
    report(len(passes) * n, len(passes) * n, "Simulated")
    return results
