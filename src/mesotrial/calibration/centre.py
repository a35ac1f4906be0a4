"""The last step of a calibration: a Gaussian posterior, placed where the mean over all its draws meets the data.

Iterated posterior linearisation (García-Fernández AF, et al. IEEE Trans Signal Process 2015;63:5561-5573): the model is linearised not at one parameter set
but over the posterior itself, by what patients who share all its draws show together, and that is what moves to the data. A fit of the middle alone is not
enough: results are skewed, so that those of all draws together lie beside the result of the middle. One evaluation serves all draws. Far-off results pull with
bounded strength (Huber's weights), as a trial of its own kind should.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.population.parameters import RUN_DRAWS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DAMPING", "Cloud", "Fit", "balanced", "fit_linear", "information", "misfit", "shifts"]

DAMPING = (0.0, 0.5, 2.0, 8.0)  # Levenberg's; each is tried, the best is kept
_SHIFT = 0.7  # SDs of the prior by which a quantity is moved for its derivative: about the draws' own spread, so that chance is small beside it
_LONGEST = 1.0  # SDs of the prior that a quantity may move in one round
_FARTHEST = 3.0
_HUBER = 1.345  # SDs beyond which a result's pull no longer grows


@dataclass(frozen=True)
class Cloud:
    """A Gaussian over the scores: its `centre`, shape (n_free,), and `away`, the draws' distances from it, shape (n_draws, n_free)."""

    centre: NDArray[np.float64]
    away: NDArray[np.float64]

    @property
    def draws(self) -> NDArray[np.float64]:
        """Return the draws, shape (n_draws, n_free)."""
        return self.centre + self.away


@dataclass(frozen=True)
class Fit:
    """One round: the step for each of `DAMPING`, shape (4, n_free), the `slope` (n_targets, n_free), and the posterior's `root` (n_free, n_free)."""

    steps: NDArray[np.float64]
    slope: NDArray[np.float64]
    root: NDArray[np.float64]


def balanced(away: NDArray[np.float64], sd: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return distances from the centre, shape (draws, n_free), of which each group of `RUN_DRAWS` has mean 0 and the standard deviations `sd` (n_free,).

    A run takes the first `RUN_DRAWS` of the posterior: these have the mean and the spread of all (correlations between so few remain by chance).
    """
    found = away.copy()
    for begin in range(0, len(found), RUN_DRAWS):
        group = found[begin : begin + RUN_DRAWS]
        if len(group) > 1:
            group -= group.mean(axis=0)
            group *= sd / group.std(axis=0)
    return found


def shifts(centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the movements of the cloud that show its derivatives, shape (n_free, n_free): one quantity each, away from the bounds."""
    return np.diag(np.where(np.abs(centre) > _FARTHEST - 1.0, -np.sign(centre), 1.0) * _SHIFT)


def misfit(
    values: NDArray[np.float64], data: NDArray[np.float64], errors: NDArray[np.float64], centre: NDArray[np.float64]
) -> float:
    """Return minus twice the log posterior of a cloud at `centre` whose mean predictions are `values`, up to a constant.

    `errors` are the variances of `data`, each (n_targets,). What is not defined (a median not reached) counts for nothing.
    """
    difference = _difference(values, data)
    return float((difference**2 / _heavy_tailed(difference, errors)).sum() + centre @ centre)


def fit_linear(
    centre: NDArray[np.float64],
    values: NDArray[np.float64],
    moved: NDArray[np.float64],
    data: NDArray[np.float64],
    errors: NDArray[np.float64],
    before: NDArray[np.float64] | None = None,
) -> Fit:
    """Solve one round.

    `values` (n_targets,) are the mean predictions of the cloud at `centre`, `moved` (n_free, n_targets) those of the cloud moved by `shifts`, with the same
    random draws; `errors` the variances of `data`, each (n_targets,). What is not defined pulls nowhere. `before`: the slope of the round before, from other
    virtual patients.
    """
    slope = ((moved - values) / np.diag(shifts(centre))[:, None]).T
    slope[~np.isfinite(slope)] = 0.0
    difference = _difference(values, data)
    weights = 1.0 / _heavy_tailed(difference, errors)
    weighed = slope.T * weights
    precision = weighed @ slope + np.eye(len(centre))
    gradient = weighed @ difference + centre
    steps = [-np.linalg.solve(precision + one * np.diag(np.diag(precision)), gradient) for one in DAMPING]
    bounded = np.clip(centre + np.clip(steps, -_LONGEST, _LONGEST), -_FARTHEST, _FARTHEST) - centre
    spread = np.linalg.inv(information(slope if before is None else before, slope, weights) + np.eye(len(centre)))
    return Fit(bounded, slope, np.linalg.cholesky(spread))


def information(
    first: NDArray[np.float64], second: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what targets of `weights` (n_targets,) say of the free quantities, a precision (n_free, n_free), from two slopes (n_targets, n_free).

    Slopes carry the chance of their virtual patients, whose square would pass for information. The product of two slopes from different patients is right in
    the mean; where chance makes it negative, nothing is known, so that a little of it is left.
    """
    product = (first.T * weights) @ second
    values, vectors = np.linalg.eigh((product + product.T) / 2.0)
    found: NDArray[np.float64] = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return found


def _difference(values: NDArray[np.float64], data: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(values), values - data, 0.0)


def _heavy_tailed(difference: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variances, those of far-off results inflated by Huber's weights."""
    return errors * np.maximum(np.abs(difference) / np.sqrt(errors) / _HUBER, 1.0)
