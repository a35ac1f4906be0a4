"""Virtual patients: covariates, model parameters and pharmacokinetic random effects, drawn together.

Everything continuous comes from one vector of correlated standard normal scores per patient, so that covariates and parameters can be correlated whatever
their distributions (a Gaussian copula). A patient is a pure function of (seed, replicate, number): see `randomness`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.population.randomness import normals, uniforms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Continuous, Drug, Population
    from mesotrial.population.parameters import Distribution, LatentClass, ParameterSet

__all__ = ["COVARIATES", "Cohort", "draw_cohort"]

_CONTINUOUS = ("age_years", "weight_kg", "height_cm", "albumin_g_per_l", "ldh_u_per_l", "egfr_ml_per_min")
COVARIATES = (*_CONTINUOUS, "bsa_m2", "female", "ecog_ge1", "epithelioid", "pdl1_ge1", "first_line")
_MODEL_COVARIATES = (
    "age_years",
    "weight_kg",
    "bsa_m2",
    "female",
    "ecog_ge1",
    "albumin_g_per_l",
    "ldh_u_per_l",
    "egfr_ml_per_min",
    "first_line",
)


@dataclass(frozen=True)
class Cohort:
    """A group of virtual patients.

    Attributes
    ----------
    numbers
        Patients' numbers, shape (n_patients,): the key of their draws.
    covariates
        Name -> values, shape (n_patients,); units are in the names; shares are 0 or 1.
    inputs
        Name of a model input -> values, shape (n_patients,).
    readout
        Name of a read-out constant (`ParameterSet.readout`) -> values, shape (n_patients,): that of each patient's parameter set.
    draw
        Which parameter set each patient has, shape (n_patients,).

    """

    seed: int
    replicate: int
    numbers: NDArray[np.int64]
    covariates: Mapping[str, NDArray[np.float64]]
    inputs: Mapping[str, NDArray[np.float64]]
    readout: Mapping[str, NDArray[np.float64]]
    draw: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.numbers)

    def take(self, rows: NDArray[np.int64]) -> Cohort:
        """Return the patients at `rows`."""
        return Cohort(
            self.seed,
            self.replicate,
            self.numbers[rows],
            {name: values[rows] for name, values in self.covariates.items()},
            {name: values[rows] for name, values in self.inputs.items()},
            {name: values[rows] for name, values in self.readout.items()},
            self.draw[rows],
        )

    def uniforms(self, purpose: str, count: int) -> NDArray[np.float64]:
        """Return these patients' uniform draws for a purpose, shape (n_patients, count)."""
        return uniforms(self.seed, purpose, self.replicate, self.numbers, count)

    def normals(self, purpose: str, count: int) -> NDArray[np.float64]:
        """Return these patients' standard normal draws for a purpose, shape (n_patients, count)."""
        return normals(self.seed, purpose, self.replicate, self.numbers, count)


def draw_cohort(
    population: Population,
    parameters: Sequence[ParameterSet],
    drugs: Sequence[Drug],
    *,
    line: str,
    seed: int,
    replicate: int,
    numbers: NDArray[np.int64],
    given: Mapping[str, float] | None = None,
) -> Cohort:
    """Draw the patients `numbers` of a population, with what the model of `drugs` needs.

    `parameters` are one or more parameter sets (draws of a posterior) with the same names; patient number i has set i modulo their count, so that a group of
    patients carries what is known and unknown of the parameters. `given` fixes continuous covariates by name; what is correlated with them is drawn from its
    distribution given these values. Raises `ValueError` if the correlations of a set contradict each other.
    """
    given = given or {}
    fixed = {name: _score_of(getattr(population, name), value) for name, value in given.items()}
    draw = numbers % len(parameters)
    names = [*_CONTINUOUS, "ecog_ge1", *parameters[0].distributions]
    independent = normals(seed, "person", replicate, numbers, len(names))
    scores = np.empty((len(names), len(numbers)))
    for place in np.unique(draw):
        mine, correlations = draw == place, parameters[place].correlations
        scores[:, mine] = _conditioned(names, correlations, _correlated(names, correlations, independent[mine]), fixed)
    score = dict(zip(names, scores, strict=True))
    classes = list(parameters[0].classes)
    shares = uniforms(seed, "groups", replicate, numbers, 2 + len(classes))
    covariates = {
        name: np.full(len(numbers), given[name])
        if name in given
        else _continuous(getattr(population, name), score[name])
        for name in _CONTINUOUS
    }
    covariates["bsa_m2"] = np.sqrt(covariates["weight_kg"] * covariates["height_cm"] / 3600.0)
    covariates["female"] = (shares[:, 0] < population.female).astype(float)
    covariates["epithelioid"] = (shares[:, 1] < population.epithelioid).astype(float)
    covariates["ecog_ge1"] = _upper_share(score["ecog_ge1"], population.ecog_ge1)
    covariates["pdl1_ge1"] = _upper_share(score["pdl1_baseline"], population.pdl1_ge1)
    covariates["first_line"] = np.full(len(numbers), float(line == "first"))
    group = {"relapsed": 1.0 - covariates["first_line"], "non_epithelioid": 1.0 - covariates["epithelioid"]}
    for place, name in enumerate(classes):
        group[name] = _member([one.classes[name] for one in parameters], draw, group, shares[:, 2 + place])
    inputs = {}
    for name in parameters[0].distributions:
        inputs[name] = _individual([one.distributions[name] for one in parameters], draw, group, score[name])
    spread = any(one.sd > 0 for one in parameters[0].distributions.values())
    readout = {name: np.array([one.readout[name] for one in parameters])[draw] for name in parameters[0].readout}
    inputs |= {name: covariates[name] for name in _MODEL_COVARIATES}
    for drug in drugs:
        inputs |= _random_effects(drug, seed, replicate, numbers, spread)
    return Cohort(seed, replicate, numbers, covariates, inputs, readout, draw)


def _individual(
    ones: Sequence[Distribution],
    draw: NDArray[np.int64],
    group: Mapping[str, NDArray[np.float64]],
    score: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return a parameter of each patient from the distribution of his or her set and a standard normal score."""
    logit = ones[0].scale == "logit"
    odds = _in_groups([one.median / (1.0 - one.median) if logit else one.median for one in ones], ones, draw, group)
    odds *= np.exp(np.array([one.sd for one in ones])[draw] * score)
    return odds / (1.0 + odds) if logit else odds


def _member(
    ones: Sequence[LatentClass],
    draw: NDArray[np.int64],
    group: Mapping[str, NDArray[np.float64]],
    uniform: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return 1 for the patients of a latent class, by a uniform draw of each."""
    odds = _in_groups([one.share / (1.0 - one.share) for one in ones], ones, draw, group)
    return (uniform < odds / (1.0 + odds)).astype(float)


def _in_groups(
    bases: Sequence[float],
    ones: Sequence[Distribution] | Sequence[LatentClass],
    draw: NDArray[np.int64],
    group: Mapping[str, NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Return each patient's base, that of his or her set, times the factors of the groups that he or she is in."""
    found = np.array(bases)[draw]
    for which in ones[0].factors:
        found = np.where(group[which] > 0, found * np.array([one.factors[which] for one in ones])[draw], found)
    return found


def _correlated(
    names: Sequence[str], correlations: Mapping[tuple[str, str], float], scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return correlated scores, shape (n_names, n_patients)."""
    try:
        root = np.linalg.cholesky(_matrix(names, correlations))
    except np.linalg.LinAlgError:
        raise ValueError(
            "the correlations of the population contradict each other: their matrix is not positive definite"
        ) from None
    # term by term: a matrix product may round a patient's sum in another way when other patients are beside
    result = np.zeros((len(names), len(scores)))
    for i, j in np.argwhere(root):
        result[i] += root[i, j] * scores[:, j]
    return result


def _matrix(names: Sequence[str], correlations: Mapping[tuple[str, str], float]) -> NDArray[np.float64]:
    matrix = np.eye(len(names))
    for (first, second), value in correlations.items():
        i, j = names.index(first), names.index(second)
        matrix[i, j] = matrix[j, i] = value
    return matrix


def _conditioned(
    names: Sequence[str],
    correlations: Mapping[tuple[str, str], float],
    scores: NDArray[np.float64],
    fixed: Mapping[str, float],
) -> NDArray[np.float64]:
    """Turn draws of correlated normal scores into draws given that some are `fixed`.

    Conditioning by kriging (Matheron's rule): z + C_af C_ff^-1 (f - z_f), exact for a Gaussian; unfixed, the draws stay as they are.
    """
    if not fixed:
        return scores
    matrix, places = _matrix(names, correlations), [names.index(name) for name in fixed]
    away = np.array(list(fixed.values()))[:, None] - scores[places]
    moved: NDArray[np.float64] = scores + matrix[:, places] @ np.linalg.solve(matrix[np.ix_(places, places)], away)
    return moved


def _score_of(spec: Continuous, value: float) -> float:
    """Return the normal score of a covariate's value: the inverse of `_continuous`."""
    if spec.sd is not None:
        return (value - spec.median) / spec.sd
    return float(np.log(value / spec.median) / np.sqrt(np.log1p((spec.cv_percent or 0.0) ** 2 / 1e4)))


def _continuous(spec: Continuous, score: NDArray[np.float64]) -> NDArray[np.float64]:
    if spec.sd is not None:
        normal: NDArray[np.float64] = np.clip(spec.median + spec.sd * score, spec.low, spec.high)
        return normal
    log_sd = np.sqrt(np.log1p((spec.cv_percent or 0.0) ** 2 / 1e4))
    log_normal: NDArray[np.float64] = np.clip(spec.median * np.exp(log_sd * score), spec.low, spec.high)
    return log_normal


def _upper_share(score: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return 1 for the patients in the upper `share` of a standard normal score."""
    from scipy.special import ndtri

    return (score > ndtri(1.0 - share)).astype(float) if 0 < share < 1 else np.full(len(score), share)


def _random_effects(
    drug: Drug, seed: int, replicate: int, numbers: NDArray[np.int64], spread: bool
) -> dict[str, NDArray[np.float64]]:
    """Draw a drug's pharmacokinetic random effects: log-normal from a CV (sd^2 = ln(1 + CV^2)), additive from an SD."""
    if drug.pk is None:
        return {}
    varying = [
        name for name, one in drug.pk.parameters.items() if one.cv_percent is not None or one.sd_additive is not None
    ]
    known = {pair: value for pair, value in drug.pk.correlations.items() if set(pair) <= set(varying)}
    scores = _correlated(
        varying, known, normals(seed, f"pharmacokinetics/{drug.name}", replicate, numbers, len(varying))
    )
    effects = {}
    for name, score in zip(varying, scores, strict=True):
        one = drug.pk.parameters[name]
        sd = (
            one.sd_additive
            if one.sd_additive is not None
            else float(np.sqrt(np.log1p((one.cv_percent or 0.0) ** 2 / 1e4)))
        )
        effects[f"{drug.symbol}_{name}_eta"] = sd * score if spread else np.zeros(len(numbers))
    return effects
