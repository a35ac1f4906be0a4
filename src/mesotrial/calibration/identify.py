"""What the data inform: from prior to posterior, which quantities move which results, and whether the inference finds a known truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from mesotrial.analysis import codes
from mesotrial.calibration.centre import information
from mesotrial.calibration.targets import variances

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.calibration.fit import Calibration

__all__ = ["Informed", "informed", "known_truth_ranks", "pawn_indices"]

_PAWN_SLICES = 4  # of some 25 members each: the ensemble is small
_FAMILIES = ("response", "pfs", "os")


@dataclass(frozen=True)
class Informed:
    """What the data say of one quantity, in its own unit.

    `shrinkage` is 1 - posterior SD / prior SD on the prior's scale: 0 where the data say nothing. `companion` is the quantity that it is most
    correlated with in the posterior, with that `correlation`.
    """

    path: str
    prior_centre: float
    prior_lo90: float
    prior_hi90: float
    posterior_mean: float
    posterior_lo90: float
    posterior_hi90: float
    shrinkage: float
    companion: str
    correlation: float


def informed(calibration: Calibration) -> tuple[Informed, ...]:
    """Return what the calibration says of each free quantity."""
    posterior = calibration.posterior
    correlation = np.atleast_2d(np.corrcoef(posterior.T))
    np.fill_diagonal(correlation, 0.0)
    found = []
    for place, free in enumerate(calibration.free):
        scores = posterior[:, place]
        other = int(np.argmax(np.abs(correlation[place])))
        found.append(
            Informed(
                free.path,
                free.centre,
                free.from_scale(-codes.COVERED),
                free.from_scale(codes.COVERED),
                free.from_scale(float(scores.mean())),
                free.from_scale(float(np.quantile(scores, 0.05))),
                free.from_scale(float(np.quantile(scores, 0.95))),
                1.0 - float(scores.std(ddof=1)),
                calibration.free[other].path,
                float(correlation[place, other]),
            )
        )
    return tuple(found)


def pawn_indices(calibration: Calibration) -> tuple[Sequence[str], NDArray[np.float64]]:
    """Return families of results and the sensitivity of each to the free quantities, shape (n_families, n_free).

    PAWN (Pianosi F, Wagener T. Environ Model Softw 2018;108:197-207) over the prior ensemble: the median distance between the distribution of a result
    and that with one quantity confined to a quarter of its range, averaged over the family's targets. The floor that chance alone reaches, from a
    made-up quantity without effect, is subtracted.
    """
    from SALib.analyze import pawn

    rng = np.random.default_rng(1)
    names = [one.path for one in calibration.free] + ["nothing"]
    inputs = np.column_stack([calibration.prior, rng.standard_normal(len(calibration.prior))])
    problem = {"num_vars": len(names), "names": names, "bounds": [[-4, 4]] * len(names)}
    found = np.zeros((len(_FAMILIES), len(names)))
    for row, family in enumerate(_FAMILIES):
        members = [i for i, one in enumerate(calibration.targets) if codes.family(one.endpoint.code) == family]
        for target in members:
            found[row] += pawn.analyze(problem, inputs, calibration.predicted[0][:, target], S=_PAWN_SLICES)["median"]
        found[row] /= max(len(members), 1)
    return _FAMILIES, np.maximum(found[:, :-1] - found[:, -1:], 0.0)


def known_truth_ranks(calibration: Calibration, seed: int = 1) -> NDArray[np.float64]:
    """Return where known truths fall in the posteriors inferred from data made with them, shape (n_draws, n_free), from 0 to 1.

    Posterior simulation-based calibration (Säilynoja T, et al. arXiv:2502.03279; for the prior, Talts S, et al. arXiv:1804.06788): each draw of the posterior
    serves as the truth once, its simulated results with the targets' errors added as new data, and the posterior as the prior of a second inference by a
    linearisation with the same slopes. Uniform ranks mean that it holds over the posterior; where ranks pile up at the ends, intervals are too narrow.
    No new simulations.
    """
    rng = np.random.default_rng(seed)
    truths, predicted = calibration.posterior, calibration.predicted[1]
    errors = variances(calibration.targets)
    centre, middle = truths.mean(axis=0), predicted.mean(axis=0)
    # What the slopes leave unexplained of the draws' results (curvature, the chance of simulated patients) adds to the errors.
    one, other = calibration.slopes
    slope = (one + other) / 2.0
    left = predicted - middle - (truths - centre) @ slope.T
    errors_now = errors + left.var(axis=0)
    prior = np.linalg.inv(np.cov(truths.T) + 1e-9 * np.eye(len(centre)))
    gain_from = slope / errors_now[:, None]
    covariance_now = np.linalg.inv(prior + information(one, other, 1.0 / errors_now))
    data = predicted + rng.standard_normal(predicted.shape) * np.sqrt(errors)
    means = centre + (data - middle) @ gain_from @ covariance_now.T
    ranks: NDArray[np.float64] = ndtr((truths - means) / np.sqrt(np.diag(covariance_now)))
    return ranks
