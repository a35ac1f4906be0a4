"""The files of a finished calibration: the posterior for the package, and what it was fitted to and what it says, as tables and pictures."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.analysis import codes
from mesotrial.calibration.identify import Informed, informed, known_truth_ranks, pawn_indices
from mesotrial.population.parameters import RUN_DRAWS, locate

if TYPE_CHECKING:
    from mesotrial.calibration.fit import Calibration

__all__ = ["POSTERIOR", "write_results"]

POSTERIOR, FITTED, TARGETS, INFORMED, SENSITIVITY, RANKS = (
    "posterior.csv", "fitted.yaml", "targets.csv", "informed.csv", "sensitivity.csv", "known_truth.csv",
)  # fmt: skip


def write_results(folder: Path, calibration: Calibration, *, provenance: str) -> list[Path]:
    """Write posterior.csv, fitted.yaml, targets.csv, informed.csv, sensitivity.csv and known_truth.csv; return their paths.

    `provenance` is one line that says how the calibration was made; it stands at the head of the posterior.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        [f"{f.from_scale(s):.6g}" for f, s in zip(calibration.free, one, strict=True)] for one in calibration.posterior
    ]
    evaluations, hours = calibration.compute
    made = (
        f"{provenance}; {evaluations} evaluations, {hours:.2f} hours of one processor; mesotrial {version('mesotrial')}"
    )
    text = f"# Equally likely parameter sets; the first {RUN_DRAWS}, which a run takes, have the mean and the spread of all. {made}\n"
    draws = _csv([one.path for one in calibration.free], rows)
    text += draws
    own = f"calibration-{hashlib.sha256((provenance + draws).encode()).hexdigest()[:8]}"
    families, indices = pawn_indices(calibration)
    ranks = known_truth_ranks(calibration)
    tenths = np.array([np.histogram(column, bins=10, range=(0.0, 1.0))[0] for column in ranks.T])
    written = {
        POSTERIOR: text,
        FITTED: _fitted(calibration, own, provenance),
        TARGETS: _csv(
            ["design", "arm", "subgroup", "code", "time_months", "published", "fitted", "lo90", "hi90", "z", "source"],
            _target_rows(calibration),
        ),
        INFORMED: _csv([field.name for field in fields(Informed)], map(_rounded, map(astuple, informed(calibration)))),
        SENSITIVITY: _csv(
            ["path", *families],
            (
                [one.path, *(f"{value:.3f}" for value in column)]
                for one, column in zip(calibration.free, indices.T, strict=True)
            ),
        ),
        RANKS: _csv(
            ["path", *(f"tenth_{i}" for i in range(1, 11))],
            ([one.path, *map(str, counts)] for one, counts in zip(calibration.free, tenths, strict=True)),
        ),
    }
    for name, content in written.items():
        (folder / name).write_text(content, encoding="utf-8")
    return [folder / name for name in written]


def _fitted(calibration: Calibration, own: str, provenance: str) -> str:
    """Return the population's file as it is shipped, with each free quantity at the posterior's mean on its scale, and a version of its own."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 1000, True
    shipped = files("mesotrial.population") / "data" / FITTED
    data = yaml.load(shipped.read_text(encoding="utf-8"))
    correlations = {tuple(row["between"]): row for row in data["correlations"]}
    rooms = {**data, "distributions": data["parameters"], "correlations": correlations}
    for one, score in zip(calibration.free, calibration.posterior.mean(axis=0), strict=True):
        value = float(f"{one.from_scale(float(score)):.4g}")
        room, name, *inner = locate(one.path)
        *outer, last = inner or ["value"]
        entry = rooms[room][name]
        for key in outer:
            entry = entry[key]
        entry[last] = value
    data["version"] = own
    buffer = io.StringIO()
    yaml.dump(data, buffer)
    whole = buffer.getvalue()
    head = (
        f"# Written by `mesotrial calibrate`: {provenance}.\n"
        f"# Quantities with a column in {POSTERIOR} are its means, the others as shipped with mesotrial {version('mesotrial')}.\n"
        "# median: typical value in the unit; sd: spread between patients on the log scale; factors: multiply the median.\n"
    )
    return head + whole[whole.index("version:") :]  # the shipped head names the targets of the shipped posterior


def _target_rows(calibration: Calibration) -> Iterable[Sequence[str]]:
    for place, (target, z) in enumerate(zip(calibration.targets, calibration.z(), strict=True)):
        endpoint = target.endpoint
        low, high = np.quantile(calibration.predicted[1][:, place], (0.05, 0.95))
        fitted = calibration.together[place]
        yield [
            target.design,
            endpoint.arm,
            endpoint.subgroup,
            endpoint.code,
            "" if endpoint.time_months is None else f"{endpoint.time_months:g}",
            *(f"{codes.from_scale(endpoint.code, float(value)):.4g}" for value in (target.value, fitted, low, high)),
            f"{z:.2f}",
            target.source,
        ]


def _rounded(row: Sequence[object]) -> list[str]:
    return [f"{value:.4g}" if isinstance(value, float) else str(value) for value in row]


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()
