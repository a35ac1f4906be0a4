"""The last step of a calibration: the posterior under an emulator of the model, learnt from every evaluation of the smoother.

An ensemble of a hundred members leaves chance in its covariances. All its evaluations together teach a quadratic regression of each target on the free
quantities (no cross terms, ridge penalty by generalised cross-validation), and under that the posterior is sampled: Laplace's approximation at its mode, then
sampling importance resampling. What the emulator cannot explain is added to the errors. The draws are then simulated, and it is those simulations that count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Emulator", "learn", "sample"]

_PENALTIES = np.logspace(-3, 3, 25)
_PROPOSALS = 20_000
_FARTHEST = 3.5  # a quantity stays within so many SDs of its prior


@dataclass(frozen=True)
class Emulator:
    """Each target as a quadratic function of the scores; `residual_sd` is what it leaves unexplained, shape (n_targets,)."""

    intercept: NDArray[np.float64]
    slope: NDArray[np.float64]
    curve: NDArray[np.float64]
    residual_sd: NDArray[np.float64]

    def __call__(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the targets at `scores`, shape (n, n_free), as (n, n_targets)."""
        found: NDArray[np.float64] = self.intercept + scores @ self.slope + (scores**2) @ self.curve
        return found

    def gradient(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the derivatives at one vector of scores, shape (n_free, n_targets)."""
        found: NDArray[np.float64] = self.slope + 2.0 * score[:, None] * self.curve
        return found


def learn(scores: NDArray[np.float64], values: NDArray[np.float64], weights: NDArray[np.float64]) -> Emulator:
    """Fit the emulator to evaluations: `scores` (n, n_free), `values` (n, n_targets), `weights` (n,) of the evaluations."""
    features = np.column_stack([scores, scores**2])
    root = np.sqrt(weights / weights.mean())[:, None]
    centre = np.average(features, axis=0, weights=weights)
    middle = np.average(values, axis=0, weights=weights)
    left, singular, right = np.linalg.svd(root * (features - centre), full_matrices=False)
    data = root * (values - middle)
    projected = left.T @ data
    size = len(features)
    best = np.full(values.shape[1], np.inf)
    coefficients = np.zeros((features.shape[1], values.shape[1]))
    residual = np.zeros(values.shape[1])
    for penalty in _PENALTIES * singular.max() ** 2 / 100:
        kept = singular**2 / (singular**2 + penalty)
        fitted = left @ (kept[:, None] * projected)
        freedom = 1.0 - (kept.sum() + 1.0) / size
        mean_square = ((data - fitted) ** 2).mean(axis=0)
        criterion = mean_square / freedom**2
        better = criterion < best
        best = np.where(better, criterion, best)
        residual = np.where(better, np.sqrt(mean_square / freedom), residual)
        coefficients[:, better] = (right.T @ ((kept / singular)[:, None] * projected))[:, better]
    free = scores.shape[1]
    return Emulator(middle - centre @ coefficients, coefficients[:free], coefficients[free:], residual)


def sample(
    emulator: Emulator,
    data: NDArray[np.float64],
    errors: NDArray[np.float64],
    draws: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return `draws` of the posterior, shape (draws, n_free), for `data` (n_targets,) with the covariance `errors`, and standard normal priors."""
    from scipy.optimize import least_squares

    root = np.linalg.cholesky(errors + np.diag(emulator.residual_sd**2))
    free = emulator.slope.shape[0]

    def misfit(score: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([np.linalg.solve(root, emulator(score[None, :])[0] - data), score])

    def slopes(score: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.vstack([np.linalg.solve(root, emulator.gradient(score).T), np.eye(free)])

    mode = least_squares(misfit, np.zeros(free), jac=slopes, bounds=(-_FARTHEST, _FARTHEST)).x
    half = slopes(mode)
    covariance = np.linalg.inv(half.T @ half)
    proposals = rng.multivariate_normal(mode, covariance, _PROPOSALS)
    proposals = proposals[(np.abs(proposals) < _FARTHEST).all(axis=1)]
    away = proposals - mode
    proposed = -0.5 * np.einsum("ij,jk,ik->i", away, half.T @ half, away)
    residuals = np.linalg.solve(root, (emulator(proposals) - data).T)
    target = -0.5 * (residuals**2).sum(axis=0) - 0.5 * (proposals**2).sum(axis=1)
    log_weight = target - proposed
    # Weights are capped at the 99th percentile: a few proposals far out, where a quadratic is no guide, would take all.
    log_weight = np.minimum(log_weight, np.quantile(log_weight, 0.99))
    weight = np.exp(log_weight - log_weight.max())
    chosen: NDArray[np.float64] = proposals[rng.choice(len(proposals), draws, replace=False, p=weight / weight.sum())]
    return chosen
