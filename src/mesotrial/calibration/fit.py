"""The posterior: an ensemble smoother with multiple data assimilation (ES-MDA), and an emulator learnt from its evaluations (`refine`).

Emerick AA, Reynolds AC. Comput Geosci 2013;55:3-15: an ensemble drawn from the prior is moved to the data in a few steps, each with the data's errors
inflated by alpha (the sum of 1/alpha is 1), by the covariances that the ensemble itself shows between parameters and predictions. No gradients, every
evaluation independent of the others, and what the data do not inform keeps its prior.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mesotrial.calibration.forward import evaluate, start_worker
from mesotrial.calibration.free import Free, load_free
from mesotrial.calibration.refine import learn, sample
from mesotrial.calibration.targets import Target, covariance, load_targets, refuse_validation

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ALPHAS", "Calibration", "FolderError", "calibrate"]

ALPHAS = (9.333, 7.0, 4.0, 2.0)  # the usual decreasing schedule; the sum of the inverses is 1
_TRUST = (0.1, 0.5, 1.0, 1.0, 1.0)  # weight of each step's evaluations in the emulator: the prior's lie far out
# Rounds of the emulator: how much the arms without immunotherapy count, because everything else rests on them.
_BASIS_WEIGHTS = (2.0,)
_EVALUATIONS, _SETTINGS = "evaluations.jsonl", "settings.json"

Progress = Callable[[int, int, str], None]


class FolderError(ValueError):
    """A folder that holds another calibration."""


@dataclass(frozen=True)
class Calibration:
    """A finished calibration.

    Attributes
    ----------
    free, targets
        What was moved, and to what.
    prior, posterior
        Scores in SDs of the priors, shape (n_members, n_free).
    predicted
        The targets' simulated values of the prior and of the posterior, each (n_members, n_targets), on the scoring scale.
    emulator_error
        What the emulator missed of the posterior's simulated means, shape (n_targets,), in the targets' SDs.

    """

    free: tuple[Free, ...]
    targets: tuple[Target, ...]
    prior: NDArray[np.float64]
    posterior: NDArray[np.float64]
    predicted: tuple[NDArray[np.float64], NDArray[np.float64]]
    emulator_error: NDArray[np.float64]

    def z(self) -> NDArray[np.float64]:
        """Return the score's z of each target at the posterior mean of the predictions, shape (n_targets,)."""
        value, sd = (np.array([getattr(one, name) for one in self.targets]) for name in ("value", "sd"))
        z: NDArray[np.float64] = (np.nanmean(self.predicted[1], axis=0) - value) / sd
        return z


def calibrate(
    folder: str | Path,
    *,
    members: int = 160,
    patients_per_arm: int = 500,
    seed: int = 1,
    processes: int | None = None,
    free: tuple[Free, ...] | None = None,
    targets: tuple[Target, ...] | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Fit the free quantities to the targets, and return prior and posterior ensembles.

    Every evaluation is kept in `folder` as soon as it is done: an interrupted calibration goes on where it stopped, and gives the same result. `progress` is
    called with (evaluations done, evaluations in all, what is being done).

    Raises `FolderError` where the folder holds a calibration with other settings, `RefusedTargetError` for a target of a trial kept for validation.
    """
    from iterative_ensemble_smoother import ESMDA

    free, targets = free or load_free(), targets or load_targets()
    refuse_validation(targets)
    store = _Store(Path(folder), _settings(free, targets, members, patients_per_arm, seed))
    report = progress or (lambda done, total, message: None)
    steps = len(ALPHAS) + 1 + len(_BASIS_WEIGHTS)
    total = members * steps
    data, errors = np.array([one.value for one in targets]), covariance(targets)
    smoother = ESMDA(errors, data, alpha=np.array(ALPHAS), seed=seed)
    prior = np.random.default_rng(seed).standard_normal((members, len(free)))
    scores, tried, predicted = prior.copy(), [], []
    emulated = np.zeros(len(targets))
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, initializer=start_worker, initargs=(free, targets, patients_per_arm)) as pool:
        for step in range(steps):
            known = store.of(step)
            tasks = [
                (step, member, scores[member], 100 * seed + step) for member in range(members) if member not in known
            ]
            report(step * members + len(known), total, f"Step {step + 1} of {steps}")
            for _, member, values in pool.imap_unordered(evaluate, tasks):
                store.keep(step, member, values)
                known[member] = values
                report(step * members + len(known), total, f"Step {step + 1} of {steps}")
            tried.append(scores)
            predicted.append(_defined(np.array([known[member] for member in range(members)], dtype=float)))
            if step < len(ALPHAS):
                smoother.prepare_assimilation(Y=predicted[-1].T.copy())
                scores = smoother.assimilate_batch(X=scores.T.copy()).T
            elif step < steps - 1:
                weights = np.repeat(_TRUST[: step + 1], members)
                emulator = learn(np.concatenate(tried), np.concatenate(predicted), weights)
                scores = sample(
                    emulator,
                    data,
                    covariance(targets, _BASIS_WEIGHTS[step - len(ALPHAS)]),
                    members,
                    np.random.default_rng([seed, 1]),
                )
                emulated = emulator(scores).mean(axis=0)
    missed = (predicted[-1].mean(axis=0) - emulated) / np.array([one.sd for one in targets])
    return Calibration(free, targets, prior, scores, (predicted[0], predicted[-1]), missed)


def _defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the ensemble's mean where a member has no value (a median not reached, no responders)."""
    mean = np.nanmean(np.where(np.isfinite(values), values, np.nan), axis=0)
    return np.where(np.isfinite(values), values, mean)


def _settings(
    free: tuple[Free, ...], targets: tuple[Target, ...], members: int, patients: int, seed: int
) -> dict[str, Any]:
    from mesotrial.run.identity import program_hash

    return {
        "members": members,
        "patients_per_arm": patients,
        "seed": seed,
        "program": program_hash("analysis"),
        "method": [list(ALPHAS), list(_TRUST), list(_BASIS_WEIGHTS)],
        "free": [[one.path, one.scale, one.centre, one.sd] for one in free],
        "targets": [[one.design, repr(one.endpoint), round(one.value, 9), round(one.sd, 9)] for one in targets],
    }


class _Store:
    """The evaluations of a calibration on disk, one line each; a line cut short by a crash is done again."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / _EVALUATIONS
        held = folder / _SETTINGS
        if held.exists() and json.loads(held.read_text(encoding="utf-8")) != settings:
            raise FolderError(
                f"{folder} holds a calibration with other settings or of another program; give another folder"
            )
        held.write_text(json.dumps(settings, indent=1), encoding="utf-8")
        self.known: dict[tuple[int, int], list[float]] = {}
        if self.path.exists():
            whole = self.path.read_text(encoding="utf-8")
            lines = whole[: whole.rfind("\n") + 1]
            self.path.write_text(lines, encoding="utf-8")
            for line in lines.splitlines():
                one = json.loads(line)
                self.known[one["step"], one["member"]] = one["values"]

    def of(self, step: int) -> dict[int, list[float]]:
        return {member: values for (at, member), values in self.known.items() if at == step}

    def keep(self, step: int, member: int, values: list[float]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "member": member, "values": values}) + "\n")
