"""Fit the population's parameters to published calibration rows.

    uv run --group calibrate python calibration/fit_population.py --minutes 30 --out fitted.json

Targets are the rows of the published results with role `calibration` and scored = yes, of the trials named below, response and survival only;
`mesotrial.analysis.calibration_targets` refuses any other row. The loss is the mean of a robust z^2 (the score's own z) plus priors that hold each parameter
near its start, all draws with common random numbers; CMA-ES searches. The result is a JSON of dotted paths for `ParameterSet.replaced`.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mesotrial.analysis import Endpoint, Outcomes, calibration_targets, codes, estimate
from mesotrial.catalogue import Design, PublishedResult, load_design
from mesotrial.population import ParameterSet, load_parameters
from mesotrial.trial import build_model, simulate_trial

DESIGNS = ("checkmate743", "confirm", "determine", "emphacis", "maps", "ms01", "javelin", "ind227", "rames")
FAMILIES = (
    "ORR",
    "DCR",
    "PD_BEST",
    "PFS_MEDIAN",
    "PFS_RATE",
    "OS_MEDIAN",
    "OS_RATE",
    "DOR_MEDIAN",
    "DOR_RATE",
    "TTR_MEDIAN",
)
SUBGROUPS = ("all", "epithelioid", "non_epithelioid")
MOST_COMPLETE = 0.04  # complete responses are rare in mesothelioma: a share above this is penalised


@dataclass(frozen=True)
class Free:
    """A parameter to fit: its path, the scale it moves on, the SD of its prior on that scale, and the prior's centre (None: the value shipped)."""

    path: str
    scale: str
    prior_sd: float
    centre: float | None = None


FREE = (
    Free("growth_rate.median", "log", 0.4),
    Free("growth_rate.sd", "log", 0.3),
    Free("growth_rate.factors.relapsed", "log", 0.3),
    Free("growth_rate.factors.non_epithelioid", "log", 0.3, 1.4),
    Free("initial_volume.factors.relapsed", "log", 0.3),
    Free("priming_strength.median", "log", 1.5),
    Free("priming_strength.sd", "log", 0.3),
    Free("priming_strength.factors.relapsed", "log", 0.6),
    Free("pdl1_baseline.factors.non_epithelioid", "log", 0.6),
    Free("pd1_signal_half.median", "log", 0.7),
    Free("kill_inhibition.median", "logit", 0.7),
    Free("reinvigoration_rate.median", "log", 0.5),
    Free("ctla4_cost.median", "log", 0.5),
    Free("cytostasis_max.median", "logit", 0.8),
    Free("interferon_half.median", "log", 1.0),
    Free("exhaustion_rate.median", "log", 0.5),
    Free("antigen_half.median", "log", 0.6),
    Free("escape_fraction.median", "logit", 1.5),
    Free("escape_fraction.sd", "log", 0.4),
    Free("escape_kill_ratio.median", "logit", 1.5),
    Free("escape_kill_ratio.sd", "log", 0.4),
    Free("stroma_fraction.median", "logit", 0.5),
    Free("escape_selection.median", "log", 1.0),
    Free("dead_clearance.median", "log", 0.5),
    Free("cytotoxic_sensitivity.median", "log", 0.5),
    Free("cytotoxic_sensitivity.sd", "log", 0.3),
    Free("cytotoxic_sensitivity.factors.non_epithelioid", "log", 0.4),
    Free("cytotoxic_sensitivity.factors.relapsed", "log", 0.4),
    Free("resistance_rate.median", "log", 0.8),
    Free("vascular_max.median", "logit", 0.7),
    Free("correlations.cytotoxic_sensitivity.priming_strength", "tanh", 0.4),
    Free("readout.reading_sd", "log", 0.4),
    Free("readout.death_per_day", "log", 0.4),
    Free("readout.size_half_ml", "log", 0.6),
    Free("readout.growth_log", "log", 0.4),
    Free("readout.non_epithelioid_log", "linear", 0.2),
    Free("readout.relapsed_log", "linear", 0.2),
    Free("readout.progressed_first_log", "linear", 0.3),
    Free("readout.progressed_naive_log", "linear", 0.3),
    Free("readout.new_lesion_per_day", "log", 0.5),
    Free("readout.symptoms_per_day", "log", 0.5),
)

_TO: dict[str, Callable[[float], float]] = {
    "log": math.log, "logit": lambda p: math.log(p / (1 - p)), "linear": float, "tanh": math.atanh,
}  # fmt: skip
_FROM: dict[str, Callable[[float], float]] = {
    "log": math.exp, "logit": lambda x: 1 / (1 + math.exp(-x)), "linear": float, "tanh": math.tanh,
}  # fmt: skip


def weight(row: PublishedResult) -> float:
    """Return the weight of a row: arms without immunotherapy count more, because everything else rests on them."""
    return 4.0 if row.arm == "placebo" else 2.0 if row.arm == "chemo" else 1.0


def targets(design: Design) -> list[PublishedResult]:
    """Return the rows that a design is fitted to: those of its trial that may be fitted, its arms, subgroups of histology or none."""
    arms = {arm.name for arm in design.arms}
    return [
        row
        for row in calibration_targets(design.evidence_trial)
        if row.code in FAMILIES and not row.comparator and row.arm in arms and row.subgroup_code in SUBGROUPS
    ]


def current(parameters: ParameterSet, path: str) -> float:
    """Return the number at a dotted path."""
    match path.split("."):
        case ["readout", name]:
            return parameters.readout[name]
        case ["correlations", first, second]:
            return parameters.correlations[first, second]
        case [name, "factors", group]:
            return parameters.distributions[name].factors[group]
        case [name, field]:
            return float(getattr(parameters.distributions[name], field))
    raise KeyError(path)


class Loss:
    """The loss of a parameter vector (in SDs of the priors)."""

    def __init__(self, start: ParameterSet, patients: int, seed: int) -> None:
        """Compile the designs; `patients` per arm, the same random draws at every evaluation."""
        self.start, self.patients, self.seed = start, patients, seed
        self.designs = [load_design(name) for name in DESIGNS]
        self.models = [build_model(design, [start], threads=1) for design in self.designs]
        self.rows = [targets(design) for design in self.designs]
        self.origin = [_TO[free.scale](current(start, free.path)) for free in FREE]
        shipped = load_parameters()
        self.centre = [_TO[f.scale](f.centre if f.centre is not None else current(shipped, f.path)) for f in FREE]

    def changes(self, x: Sequence[float]) -> dict[str, float]:
        """Return the parameters of a vector, by path."""
        return {f.path: _FROM[f.scale](o + f.prior_sd * v) for f, o, v in zip(FREE, self.origin, x, strict=True)}

    def scores(self, parameters: ParameterSet) -> tuple[list[tuple[PublishedResult, float, float]], float]:
        """Return (row, simulated, z) for every target, and the excess of complete responses."""
        scored, excess = [], 0.0
        for design, model, rows in zip(self.designs, self.models, self.rows, strict=True):
            trial = simulate_trial(
                design, patients_per_arm=self.patients, seed=self.seed, parameters=parameters, model=model
            )
            outcomes = Outcomes(trial.bank)
            for row in rows:
                value = estimate(outcomes, Endpoint(row.code, row.arm, None, row.subgroup_code, row.time_months)).value
                published = row.value / 100 if codes.is_rate(row.code) else row.value
                if math.isnan(value):
                    scored.append((row, value, 4.0))
                    continue
                scored.append((row, value, codes.z_score(row.code, value, published, row.se, row.n_used)))
            best = (
                trial.bank["adrs"]
                .filter(trial.bank["adrs"]["PARAMCD"] == "BOR")
                .group_by("TRT01P")
                .agg(complete("AVALC"))
            )
            excess += sum(max(share - MOST_COMPLETE, 0.0) for share in best["complete"])
        return scored, excess

    def __call__(self, x: Sequence[float]) -> float:
        """Return the loss at a vector."""
        scored, excess = self.scores(self.start.replaced(self.changes(x)))
        total = sum(weight(row) for row, _, _ in scored)
        fit = sum(weight(row) * 4.0 * (math.sqrt(1 + z * z / 2.0) - 1) for row, _, z in scored) / total
        prior = sum(
            ((o + f.prior_sd * v - c) / f.prior_sd) ** 2
            for f, o, v, c in zip(FREE, self.origin, x, self.centre, strict=True)
        )
        return fit + prior / len(scored) + 20.0 * excess


def complete(column: str):  # noqa: ANN201
    """Return the share of complete responses, as a Polars expression."""
    import polars as pl

    return (pl.col(column) == "CR").mean().alias("complete")


_worker: Loss


def _start_worker(start: ParameterSet, patients: int, seed: int) -> None:
    global _worker
    _worker = Loss(start, patients, seed)


def _evaluate(x: Sequence[float]) -> float:
    return _worker(x)


def main() -> None:
    """Search, and write the best parameters found so far after every generation."""
    import cma

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--patients", type=int, default=900)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--popsize", type=int, default=16)
    parser.add_argument("--sigma", type=float, default=0.4)
    parser.add_argument("--start", help="JSON of an earlier fit to start from")
    parser.add_argument("--out", default="fitted.json")
    options = parser.parse_args()
    parameters = load_parameters()
    if options.start:
        with open(options.start, encoding="utf-8") as file:  # noqa: PTH123
            parameters = parameters.replaced(json.load(file)["parameters"])
    loss = Loss(parameters, options.patients, options.seed)
    pool = multiprocessing.get_context("spawn").Pool(
        options.processes, initializer=_start_worker, initargs=(parameters, options.patients, options.seed)
    )
    began = time.time()
    search = cma.CMAEvolutionStrategy(
        np.zeros(len(FREE)), options.sigma, {"popsize": options.popsize, "seed": options.seed, "verbose": -9}
    )
    best = math.inf
    while time.time() - began < 60 * options.minutes and not search.stop():
        points = search.ask()
        values = pool.map(_evaluate, points, chunksize=1)
        search.tell(points, values)
        if min(values) < best:
            best = min(values)
            found = loss.changes(points[int(np.argmin(values))])
            with open(options.out, "w", encoding="utf-8") as file:  # noqa: PTH123
                json.dump({"loss": best, "parameters": found}, file, indent=1)
        print(
            f"{(time.time() - began) / 60:6.1f} min  generation {search.countiter:4d}  best {best:.4f}  now {min(values):.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
