"""The posterior: an ensemble smoother with multiple data assimilation (ES-MDA) finds the region, iterated posterior linearisation (`centre`) places the draws.

Emerick AA, Reynolds AC. Comput Geosci 2013;55:3-15: an ensemble drawn from the prior is moved to the data in a few steps, each with the data's errors
inflated by alpha (the sum of 1/alpha is 1), by the covariances that the ensemble itself shows between parameters and predictions. No gradients, every
evaluation independent of the others, and what the data do not inform keeps its prior. A hundred members leave chance in those covariances, and their mean
beside the data: that is what the linearisation mends.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mesotrial.calibration.centre import DAMPING, Cloud, balanced, fit_linear, misfit, shifts
from mesotrial.calibration.forward import evaluate, start_worker
from mesotrial.calibration.free import Free, load_free
from mesotrial.calibration.targets import Target, load_targets, refuse_validation, variances
from mesotrial.run import RequestError, RunFolderError
from mesotrial.run.errors import check_installed
from mesotrial.run.files import read_json, write_json
from mesotrial.run.identity import program_hash, refuse_foreign
from mesotrial.run.lock import locked

if TYPE_CHECKING:
    from multiprocessing.pool import Pool

    from numpy.typing import NDArray

__all__ = ["ALPHAS", "LEAST", "Calibration", "calibrate", "kept_evaluations"]

ALPHAS = (9.333, 7.0, 4.0, 2.0)  # the usual decreasing schedule; the sum of the inverses is 1
# Rounds of the linearisation: how many times the patients of one draw serve all draws together. Few at first, more where it matters.
_CROWDS = (4, 4, 4, 8, 8)
_AVERAGED = 2  # of the last rounds: each follows the chance of its own virtual patients, their average less
_BASIS_WEIGHT = 4.0  # how much the arms without immunotherapy count, because everything else rests on them
LEAST = {"members": 10, "draws": 10, "patients per arm": 50}
_LAST_SEED = 2**32 - 1  # those of the evaluations are 100,000 times as large
_EVALUATIONS, _SETTINGS = "evaluations.jsonl", "settings.json"

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Calibration:
    """A finished calibration.

    Attributes
    ----------
    free, targets
        What was moved, and to what.
    prior, posterior
        Scores in SDs of the priors, each (n_draws, n_free).
    predicted
        The targets' simulated values of each draw of the prior and of the posterior, each (n_draws, n_targets), on the scoring scale.
    together
        Those of patients who share all draws of the posterior, as a run shows them, shape (n_targets,).
    slopes
        Derivatives of the mean predictions by the scores in the last two rounds, each with virtual patients of its own, shape (2, n_targets, n_free).
    compute
        Evaluations, and the hours of one processor that they took.

    """

    free: tuple[Free, ...]
    targets: tuple[Target, ...]
    prior: NDArray[np.float64]
    posterior: NDArray[np.float64]
    predicted: tuple[NDArray[np.float64], NDArray[np.float64]]
    together: NDArray[np.float64]
    slopes: NDArray[np.float64]
    compute: tuple[int, float] = (0, 0.0)

    def z(self) -> NDArray[np.float64]:
        """Return the score's z of each target, of the prediction of all draws together, shape (n_targets,)."""
        value, sd = (np.array([getattr(one, name) for one in self.targets]) for name in ("value", "sd"))
        z: NDArray[np.float64] = (self.together - value) / sd
        return z


def calibrate(
    folder: str | Path,
    *,
    members: int = 100,
    draws: int = 200,
    patients_per_arm: int = 400,
    seed: int = 1,
    processes: int | None = None,
    free: tuple[Free, ...] | None = None,
    targets: tuple[Target, ...] | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Fit the free quantities to the targets, and return prior and posterior draws.

    `members` of the smoother's ensemble; `draws` of the posterior; `patients_per_arm` of an evaluation. Every evaluation is kept in `folder` as soon as it is
    done: an interrupted calibration goes on where it stopped, and gives the same result. `progress` is called with (evaluations done, evaluations in all, what
    is being done).

    Raises, before anything is written, `RunFolderError` where the folder holds another calibration or anything else, `RunBusyError` where another process
    works on it, `RefusedTargetError` for a target of a trial kept for validation, `RequestError` for numbers that cannot be or a missing package.
    """
    _check_request(members, draws, patients_per_arm, seed, processes)
    free, targets = free or load_free(), targets or load_targets()
    refuse_validation(targets)
    check_installed("iterative_ensemble_smoother", "calibrate")
    settings = _settings(free, targets, members, draws, patients_per_arm, seed)
    _check_folder(Path(folder), settings)
    total = len(ALPHAS) * members + len(_CROWDS) * (1 + len(free) + len(DAMPING)) + draws + 1
    context = multiprocessing.get_context("spawn")
    with locked(Path(folder)):
        store = _Store(Path(folder), settings)
        with context.Pool(processes, initializer=start_worker, initargs=(free, targets)) as pool:
            evaluator = _Evaluator(store, pool, total, progress or (lambda done, total, message: None))
            prior = np.random.default_rng(seed).standard_normal((members, len(free)))
            scores, first = _smooth(evaluator, prior, targets, patients_per_arm, seed)
            cloud, slopes = _place(evaluator, scores, targets, draws, patients_per_arm, seed)
            single = [one[None, :] for one in cloud.draws]
            last = _defined(evaluator("Posterior", single, patients_per_arm, 100 * seed + 99))
            together = evaluator("Posterior together", [cloud.draws], _CROWDS[-1] * patients_per_arm, 100 * seed + 98)[
                0
            ]
    return Calibration(
        free, targets, prior, cloud.draws, (first, last), together, slopes, (total, store.seconds / 3600.0)
    )


def kept_evaluations(folder: Path) -> int:
    """Return how many evaluations a folder holds, 0 where there is none."""
    file = folder / _EVALUATIONS
    return file.read_text(encoding="utf-8").count("\n") if file.is_file() else 0


def _smooth(
    evaluate_all: _Evaluator, prior: NDArray[np.float64], targets: tuple[Target, ...], patients: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ensemble after the smoother, and the predictions of the prior."""
    from iterative_ensemble_smoother import ESMDA

    data = np.array([one.value for one in targets])
    smoother = ESMDA(variances(targets), data, alpha=np.array(ALPHAS), seed=seed)
    scores, first = prior.copy(), None
    for step in range(len(ALPHAS)):
        # Each step has patients of its own, so that the chance of one group is not fitted.
        single = [one[None, :] for one in scores]
        predicted = _defined(evaluate_all(f"Smoother {step + 1}", single, patients, 100 * seed + step))
        first = predicted if first is None else first
        smoother.prepare_assimilation(Y=predicted.T.copy())
        scores = smoother.assimilate_batch(X=scores.T.copy()).T
    assert first is not None
    return scores, first


def _place(
    evaluate_all: _Evaluator,
    ensemble: NDArray[np.float64],
    targets: tuple[Target, ...],
    draws: int,
    patients: int,
    seed: int,
) -> tuple[Cloud, NDArray[np.float64]]:
    """Return the posterior by iterated linearisation from the smoother's ensemble, and the derivatives of the last two rounds."""
    data, errors = np.array([one.value for one in targets]), variances(targets, _BASIS_WEIGHT)
    centre = np.clip(ensemble.mean(axis=0), -2.0, 2.0)
    normal = np.random.default_rng([seed, 1]).standard_normal((draws, len(centre)))
    centres: list[NDArray[np.float64]] = []
    slopes: list[NDArray[np.float64]] = []
    cloud = Cloud(centre, ensemble - ensemble.mean(axis=0))
    for step, crowd in enumerate(_CROWDS):
        at = 100 * seed + 10 + step
        name = f"Linearisation {step + 1}"
        clouds = [cloud.draws, *(cloud.draws + one for one in shifts(cloud.centre))]
        values = evaluate_all(f"{name}, slopes", clouds, crowd * patients, at)
        fit = fit_linear(cloud.centre, values[0], values[1:], data, errors, slopes[-1] if slopes else None)
        away = balanced(normal @ fit.root.T, np.linalg.norm(fit.root, axis=1))
        tried = [Cloud(cloud.centre + one, away) for one in fit.steps]
        found = evaluate_all(f"{name}, steps", [one.draws for one in tried], crowd * patients, at)
        found[:, ~np.isfinite(found).all(axis=0)] = np.nan  # steps are compared by what is defined after each
        costs = [misfit(one, data, errors, new.centre) for one, new in zip(found, tried, strict=True)]
        cloud = tried[int(np.argmin(costs))]
        centres.append(cloud.centre)
        slopes.append(fit.slope)
    return Cloud(np.mean(centres[-_AVERAGED:], axis=0), cloud.away), np.array(slopes[-2:])


class _Evaluator:
    """Evaluates lists of parameter sets in a pool, those that the store does not know yet."""

    def __init__(self, store: _Store, pool: Pool, total: int, report: Progress) -> None:
        self.store, self.pool, self.total, self.report, self.done = store, pool, total, report, 0

    def __call__(self, name: str, sets: list[NDArray[np.float64]], patients: int, seed: int) -> NDArray[np.float64]:
        """Return the targets of each item of `sets`, itself (n_sets, n_free), as (n, n_targets)."""
        known = self.store.of(name)
        tasks = [(number, one, patients, seed) for number, one in enumerate(sets) if number not in known]
        self.done += len(sets) - len(tasks)
        self.report(self.done, self.total, name)
        for number, values, seconds in self.pool.imap_unordered(evaluate, tasks):
            self.store.keep(name, number, values, seconds)
            known[number] = values
            self.done += 1
            self.report(self.done, self.total, name)
        return np.array([known[number] for number in range(len(sets))], dtype=float)


def _defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the ensemble's mean where a member has no value (a median not reached, no responders)."""
    mean = np.nanmean(np.where(np.isfinite(values), values, np.nan), axis=0)
    return np.where(np.isfinite(values), values, mean)


def _check_request(members: int, draws: int, patients: int, seed: int, processes: int | None) -> None:
    for (name, least), given in zip(LEAST.items(), (members, draws, patients), strict=True):
        if given < least:
            raise RequestError(f"{name} must be at least {least}, not {given}")
    if processes is not None and processes < 1:
        raise RequestError(f"processes must be at least 1, not {processes}")
    if not 0 <= seed <= _LAST_SEED:
        raise RequestError(f"the seed must be a whole number from 0 to {_LAST_SEED}, not {seed}")


def _check_folder(folder: Path, settings: dict[str, Any]) -> None:
    """Raise RunFolderError where the folder holds another calibration, or anything else."""
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"{folder} is a file; give the name of a folder")
    held = read_json(folder / _SETTINGS)
    if held is None or "members" not in held:
        if folder.is_dir():
            refuse_foreign(folder, "calibration")
        return
    if different := [
        _difference(key, held.get(key), asked) for key, asked in settings.items() if held.get(key) != asked
    ]:
        raise RunFolderError(
            f"{folder} holds another calibration: {'; '.join(different)}. Nothing was changed. Give another folder (--out), or move this one away"
        )


def _difference(key: str, there: object, asked: object) -> str:
    words = {"patients_per_arm": "patients per arm", "free": "priors", "program": "version of the program"}
    name = words.get(key, key)
    return f"{name}: {there} there, {asked} asked for" if isinstance(asked, int) else f"different {name}"


def _settings(
    free: tuple[Free, ...], targets: tuple[Target, ...], members: int, draws: int, patients: int, seed: int
) -> dict[str, Any]:
    return {
        "members": members,
        "draws": draws,
        "patients_per_arm": patients,
        "seed": seed,
        "program": program_hash("analysis", "calibration"),
        "method": [list(ALPHAS), list(_CROWDS), _AVERAGED, _BASIS_WEIGHT],
        "free": [[one.path, one.scale, one.centre, one.sd] for one in free],
        "targets": [[one.design, repr(one.endpoint), round(one.value, 9), round(one.sd, 9)] for one in targets],
    }


class _Store:
    """The evaluations of a calibration on disk, one line each; a line cut short by a crash is done again."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        _check_folder(folder, settings)  # again, now that nobody else writes there
        self.path = folder / _EVALUATIONS
        if not (folder / _SETTINGS).exists():
            write_json(folder / _SETTINGS, settings)
        self.known: dict[tuple[str, int], list[float]] = {}
        self.seconds = 0.0
        if self.path.exists():
            whole = self.path.read_text(encoding="utf-8")
            lines = whole[: whole.rfind("\n") + 1]
            if lines != whole:
                self.path.write_text(lines, encoding="utf-8")
            for line in lines.splitlines():
                one = json.loads(line)
                self.known[one["step"], one["number"]] = one["values"]
                self.seconds += one["seconds"]

    def of(self, step: str) -> dict[int, list[float]]:
        return {number: values for (at, number), values in self.known.items() if at == step}

    def keep(self, step: str, number: int, values: list[float], seconds: float) -> None:
        self.seconds += seconds
        one = {"step": step, "number": number, "seconds": round(seconds, 2), "values": values}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(one) + "\n")
