"""What an interim result says of the final one: conditional and predictive power, posterior probability; and the Z at which each takes a given value.

Z is positive in favour of the treated, `fraction` is that of the final information, and effects are drifts: the mean of Z at full information, for a log
hazard ratio -log(HR) * sqrt(events * share * (1 - share)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = [
    "Prior", "conditional_power", "events_for", "posterior_probability", "predictive_power", "z_for_conditional_power", "z_for_posterior",
    "z_for_predictive_power",
]  # fmt: skip


@dataclass(frozen=True)
class Prior:
    """A normal prior of the drift; an infinite `sd` is flat."""

    mean: float = 0.0
    sd: float = math.inf

    def posterior(self, score: float, fraction: float) -> tuple[float, float]:
        """Return mean and variance of the drift, given the score Z * sqrt(fraction)."""
        weight = 0.0 if math.isinf(self.sd) else self.sd**-2
        variance = 1 / (fraction + weight)
        return (score + self.mean * weight) * variance, variance


FLAT = Prior()


def conditional_power(z: float, fraction: float, critical: float, drift: float | None = None) -> float:
    """Return the chance that the final Z passes `critical`, given `z` now, if the effect is `drift` (by default what is seen now).

    Lan KK, Wittes J. Biometrics 1988;44:579-585.
    """
    score = z * math.sqrt(fraction)
    effect = score / fraction if drift is None else drift
    return _normal((score + effect * (1 - fraction) - critical) / math.sqrt(1 - fraction))


def z_for_conditional_power(power: float, fraction: float, critical: float, drift: float | None = None) -> float:
    """Return the interim Z at which `conditional_power` is `power`."""
    need = critical + _quantile(power) * math.sqrt(1 - fraction)
    return (need * fraction if drift is None else need - drift * (1 - fraction)) / math.sqrt(fraction)


def predictive_power(z: float, fraction: float, critical: float, prior: Prior = FLAT) -> float:
    """Return the probability that the final Z passes `critical`, averaged over the posterior of the effect.

    Spiegelhalter DJ, Freedman LS, Blackburn PR. Control Clin Trials 1986;7:8-17.
    """
    score, left = z * math.sqrt(fraction), 1 - fraction
    mean, variance = prior.posterior(score, fraction)
    return _normal((score + left * mean - critical) / math.sqrt(left + left**2 * variance))


def z_for_predictive_power(power: float, fraction: float, critical: float, prior: Prior = FLAT) -> float:
    """Return the interim Z at which `predictive_power` is `power`."""
    left = 1 - fraction
    shift, variance = prior.posterior(0.0, fraction)
    need = critical + _quantile(power) * math.sqrt(left + left**2 * variance)
    return (need - left * shift) / (1 + left * variance) / math.sqrt(fraction)


def posterior_probability(z: float, fraction: float, prior: Prior = FLAT) -> float:
    """Return the probability that the effect is in favour of the treated, given `z`."""
    mean, variance = prior.posterior(z * math.sqrt(fraction), fraction)
    return _normal(mean / math.sqrt(variance))


def z_for_posterior(probability: float, fraction: float, prior: Prior = FLAT) -> float:
    """Return the Z at which `posterior_probability` is `probability`."""
    shift, variance = prior.posterior(0.0, fraction)
    return (_quantile(probability) * math.sqrt(variance) - shift) / variance / math.sqrt(fraction)


def events_for(
    log_hazard_ratio: float, *, alpha: float, power: float, share: float = 0.5, inflation: float = 1.0
) -> int:
    """Return the events that a log-rank test needs, `share` of the patients treated.

    Schoenfeld DA. Biometrika 1981;68:316-319; `inflation` is that of the looks (`Boundaries.inflation`).
    """
    need = _quantile(1 - alpha) + _quantile(power)
    return math.ceil(inflation * need**2 / (share * (1 - share) * log_hazard_ratio**2) - 1e-9)


def _normal(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


def _quantile(p: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)
