"""From parameter sets to the targets: simulate every design once, with as few patients as the search needs."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.analysis import Endpoint, Outcomes, codes, estimate, kaplan_meier
from mesotrial.calibration.free import Free, parameter_sets
from mesotrial.calibration.targets import Target
from mesotrial.population import load_parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Design
    from mesotrial.trial import Model

__all__ = ["Forward", "evaluate", "start_worker"]


class Forward:
    """The designs of the targets, compiled once; call it with scores in SDs of the priors."""

    def __init__(self, free: Sequence[Free], targets: Sequence[Target]) -> None:
        """Compile the designs of `targets`."""
        from mesotrial.catalogue import load_design
        from mesotrial.trial import build_model

        self.base = load_parameters()
        self.free, self.targets = tuple(free), tuple(targets)
        self.designs: dict[str, tuple[Design, Model]] = {}
        for name in dict.fromkeys(target.design for target in targets):
            design = load_design(name)
            self.designs[name] = design, build_model(design, [self.base], threads=1)

    def __call__(self, scores: NDArray[np.float64], patients: int, seed: int) -> NDArray[np.float64]:
        """Return the targets' simulated values on the scoring scale, shape (n_targets,); NaN where undefined.

        `scores`, shape (n_sets, n_free): of `patients` in each arm, a person has the set of his or her number modulo their count. Each design has draws of
        its own, so that no chance of one group of patients pulls all trials the same way.
        """
        from mesotrial.trial import simulate_trial

        sets = parameter_sets(self.base, self.free, scores)
        found = np.full(len(self.targets), np.nan)
        for place, (name, (design, model)) in enumerate(self.designs.items()):
            trial = simulate_trial(
                design, patients_per_arm=patients, seed=1000 * seed + place, parameters=sets, model=model
            )
            outcomes = Outcomes(trial.bank)
            for row, target in enumerate(self.targets):
                if target.design == name:
                    value = _value(outcomes, target.endpoint)
                    found[row] = codes.on_scale(target.endpoint.code, value, patients)
        return found


def _value(outcomes: Outcomes, endpoint: Endpoint) -> float:
    """Return an estimate; for a median beyond the follow-up, that of an exponential through the end of the curve.

    So a member of the ensemble whose median is not reached pulls as far as it lies away, instead of not at all. The median time to response lies on the date
    of a scan, so that it has no derivative: the mean of the middle half stands in for it.
    """
    if endpoint.code == "TTR_MEDIAN":
        return _midmean(outcomes.survival("TTR", endpoint.arm, endpoint.subgroup).months)
    value = estimate(outcomes, endpoint).value
    if math.isfinite(value) or not codes.is_median(endpoint.code) or endpoint.curve is None:
        return value
    patients = outcomes.survival(endpoint.curve, endpoint.arm, endpoint.subgroup)
    if not patients.months.size:
        return math.nan
    end = float(patients.months.max())
    free = kaplan_meier(patients.months, patients.event).at(end)[0]
    return end * math.log(2) / -math.log(free) if 0.5 <= free < 1 else math.nan


def _midmean(months: NDArray[np.float64]) -> float:
    """Return the mean of the middle half: a median that does not jump from scan to scan."""
    middle = slice(len(months) // 4, -(len(months) // 4) or None)
    return float(np.sort(months)[middle].mean()) if len(months) else math.nan


_forward: Forward


def start_worker(free: Sequence[Free], targets: Sequence[Target]) -> None:
    """Prepare a process of the pool."""
    global _forward
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches all processes of a terminal: the first one ends the pool
    os.environ["POLARS_MAX_THREADS"] = "1"
    _forward = Forward(free, targets)


def evaluate(task: tuple[int, NDArray[np.float64], int, int]) -> tuple[int, list[float], float]:
    """Evaluate (number of the task, scores, patients, seed) in a process of the pool; return its number, the targets, and the processor's seconds."""
    number, scores, patients, seed = task
    began = time.process_time()
    values = _forward(scores, patients, seed).tolist()
    return number, values, time.process_time() - began
