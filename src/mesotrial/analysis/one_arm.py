"""Designs of one arm judged by a rate: Simon's two stages, A'Hern, Fleming, and a Bayesian comparison with a historical control."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "HistoricalControl",
    "OneStage",
    "TwoStage",
    "a_hern",
    "bayesian_least",
    "fleming",
    "probability_better",
    "simon",
]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OneStage:
    """One stage: `n` patients, the treatment is worth more study with at least `least` responses. `alpha` and `power` are exact."""

    n: int
    least: int
    alpha: float
    power: float

    def passes(self, rate: float) -> float:
        """Return the chance to pass where the true rate is `rate`."""
        return _at_least(self.least, self.n, rate)


@dataclass(frozen=True)
class TwoStage:
    """Two stages: stop after `n1` patients with `r1` or fewer responses; after all `n`, more than `r` pass.

    `expected_n` and `stops_early` are those under the null rate.
    """

    r1: int
    n1: int
    r: int
    n: int
    alpha: float
    power: float
    expected_n: float
    stops_early: float

    def passes(self, rate: float) -> float:
        """Return the chance to pass where the true rate is `rate`."""
        x = np.arange(self.r1 + 1, self.n1 + 1)
        return float(_exactly(x, self.n1, rate) @ _more_than(self.r - x, self.n - self.n1, rate))


def a_hern(null_rate: float, target_rate: float, *, alpha: float, power: float, most: int = 500) -> OneStage:
    """Return the smallest exact one-stage design. A'Hern RP. Stat Med 2001;20:859-866.

    Raises `ValueError` for rates out of order, or where more than `most` patients would be needed.
    """
    _check_rates(null_rate, target_rate, alpha, power)
    for n in range(1, most + 1):
        found = _exact(n, null_rate, target_rate, alpha)
        if found.power >= power:
            return found
    raise ValueError(
        f"more than {most} patients would be needed; the rates {null_rate:g} and {target_rate:g} are too close"
    )


def fleming(null_rate: float, target_rate: float, *, alpha: float, power: float) -> OneStage:
    """Return Fleming's one-stage design by the normal approximation. Fleming TR. Biometrics 1982;38:143-151.

    Its `alpha` and `power` are the exact ones, which may miss what was asked for.
    """
    from scipy.special import ndtri

    _check_rates(null_rate, target_rate, alpha, power)
    spread = [math.sqrt(p * (1 - p)) for p in (null_rate, target_rate)]
    z = float(ndtri(1 - alpha)), float(ndtri(power))
    n = math.ceil(((z[0] * spread[0] + z[1] * spread[1]) / (target_rate - null_rate)) ** 2 - 1e-9)
    least = (
        math.floor(n * null_rate + z[0] * math.sqrt(n) * spread[0] + 0.5) + 1
    )  # Fleming's rejection point: nearest whole number, plus 1
    return OneStage(n, least, _at_least(least, n, null_rate), _at_least(least, n, target_rate))


def simon(
    null_rate: float,
    target_rate: float,
    *,
    alpha: float,
    power: float,
    kind: Literal["optimal", "minimax"] = "optimal",
    most: int = 150,
) -> TwoStage:
    """Return Simon's two-stage design. Simon R. Control Clin Trials 1989;10:1-10.

    `optimal`: the fewest patients expected under the null rate; `minimax`: the fewest at most. Raises `ValueError` where no design of up to `most`
    patients exists.
    """
    _check_rates(null_rate, target_rate, alpha, power)
    best: TwoStage | None = None
    for n in range(2, most + 1):
        if _exact(n, null_rate, target_rate, 3 * alpha).power < power:
            continue  # one stage passes more often than two, at both rates
        for n1 in range(1, n):
            if best is not None and kind == "optimal" and n1 >= best.expected_n:
                break
            found = _best_split(n1, n, (null_rate, target_rate), alpha, power)
            if found is not None and (best is None or found.expected_n < best.expected_n - 1e-12):
                best = found
        if best is not None and (kind == "minimax" or n > 2.5 * best.expected_n + 10):
            return best
    if best is None:
        raise ValueError(
            f"no two-stage design of up to {most} patients; the rates {null_rate:g} and {target_rate:g} are too close"
        )
    return best


def _best_split(n1: int, n: int, rates: tuple[float, float], alpha: float, power: float) -> TwoStage | None:
    """Return the design of these stages with the fewest patients expected, None where none is good enough."""
    x, r = np.arange(n1 + 1), np.arange(n + 1)
    chances = []
    for rate in rates:
        joint = _exactly(x, n1, rate)[:, None] * _more_than(r[None, :] - x[:, None], n - n1, rate)
        chances.append(joint[::-1].cumsum(axis=0)[::-1][1:])  # [r1, r]: more than r1 first and more than r in all
    ok = (chances[0] <= alpha) & (chances[1] >= power)
    if not ok.any():
        return None
    r1 = int(np.flatnonzero(ok.any(axis=1))[-1])  # stopping as often as possible
    last = int(np.flatnonzero(ok[r1])[0])
    stops = 1 - _at_least(r1 + 1, n1, rates[0])
    error, chance = float(chances[0][r1, last]), float(chances[1][r1, last])
    return TwoStage(r1, n1, last, n, error, chance, n1 + (1 - stops) * (n - n1), stops)


@dataclass(frozen=True)
class HistoricalControl:
    """Responses of an earlier trial's patients, each counted as `weight` of a patient (a power prior).

    Ibrahim JG, Chen MH. Stat Sci 2000;15:46-60. Jeffreys' prior, Beta(1/2, 1/2), before any data.
    """

    events: float
    n: float
    weight: float = 1.0

    @property
    def beta(self) -> tuple[float, float]:
        """The two parameters of the control rate's beta distribution."""
        return 0.5 + self.weight * self.events, 0.5 + self.weight * (self.n - self.events)


def probability_better(events: int, n: int, control: HistoricalControl, *, margin: float = 0.0) -> float:
    """Return the posterior probability that the rate exceeds the historical control's by more than `margin`."""
    from scipy.special import betaincc, betaincinv

    nodes, weights = np.polynomial.legendre.leggauss(400)
    u = (nodes + 1) / 2  # over the quantiles of the control's rate
    rate = betaincinv(*control.beta, u)
    return float(weights / 2 @ betaincc(0.5 + events, 0.5 + n - events, np.minimum(rate + margin, 1.0)))


def bayesian_least(n: int, control: HistoricalControl, *, certainty: float, margin: float = 0.0) -> int | None:
    """Return the fewest responses of `n` patients at which `probability_better` reaches `certainty`; None where none do."""
    low, high = 0, n + 1
    while low < high:
        middle = (low + high) // 2
        if middle > n or probability_better(middle, n, control, margin=margin) >= certainty:
            high = middle
        else:
            low = middle + 1
    return low if low <= n else None


def _exact(n: int, null_rate: float, target_rate: float, alpha: float) -> OneStage:
    least = int(np.flatnonzero(_more_than(np.arange(-1, n + 1), n, null_rate) <= alpha)[0])
    return OneStage(n, least, _at_least(least, n, null_rate), _at_least(least, n, target_rate))


def _exactly(x: npt.NDArray[np.int64], n: int, rate: float) -> FloatArray:
    from scipy.special import binom

    return np.asarray(binom(n, x) * rate**x * (1 - rate) ** (n - x))


def _more_than(x: npt.NDArray[np.int64], n: int, rate: float) -> FloatArray:
    from scipy.special import betainc

    inside = np.clip(x, 0, max(n - 1, 0))
    return np.where(x < 0, 1.0, np.where(x >= n, 0.0, betainc(inside + 1, np.maximum(n - inside, 1), rate)))


def _at_least(least: int, n: int, rate: float) -> float:
    from scipy.special import betainc

    if least <= 0:
        return 1.0
    return 0.0 if least > n else float(betainc(least, n - least + 1, rate))


def _check_rates(null_rate: float, target_rate: float, alpha: float, power: float) -> None:
    if not 0 < null_rate < target_rate < 1:
        raise ValueError(f"the rates must satisfy 0 < null < target < 1, not {null_rate:g} and {target_rate:g}")
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"alpha and power lie between 0 and 1, not {alpha:g} and {power:g}")
