"""Boundaries of a group-sequential trial from error spending, and how the trial then runs: the chance to stop at each look.

Statistics are Z, positive in favour of the treated, with mean drift * sqrt(fraction), where the fraction is that of the planned information (events).
Armitage P, McPherson CK, Rowe BC. J R Stat Soc A 1969;132:235-244 (the recursion); Jennison C, Turnbull BW. Group Sequential Methods, CRC 2000.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Boundaries", "Crossing", "Spending", "SpendingKind", "boundaries", "crossing_probabilities"]

FloatArray = npt.NDArray[np.float64]
SpendingKind = Literal["obrien_fleming", "pocock", "hwang_shih_decani", "power"]

_NODES = 240
_FAR = 9.0  # standard deviations beyond which nothing is left
_WIDE = 15.0


@dataclass(frozen=True)
class Spending:
    """How much of an error may be spent by a fraction of the information.

    `obrien_fleming`, `pocock`: Lan KK, DeMets DL. Biometrika 1983;70:659-663. `hwang_shih_decani` with `parameter` gamma: Hwang IK, Shih WJ, DeCani JS.
    Stat Med 1990;9:1439-1445. `power`: the fraction to the power `parameter`, Kim K, DeMets DL. Biometrika 1987;74:149-154.
    """

    kind: SpendingKind = "obrien_fleming"
    parameter: float | None = None

    def spent(self, fraction: npt.ArrayLike, total: float) -> FloatArray:
        """Return what is spent of the one-sided error `total` by `fraction` (0 to 1; more counts as 1)."""
        from scipy.special import ndtr, ndtri

        t = np.clip(np.asarray(fraction, float), 0.0, 1.0)
        value: FloatArray
        match self.kind:
            case "obrien_fleming":
                value = 2 * ndtr(ndtri(total / 2) / np.sqrt(np.maximum(t, 1e-300)))
            case "pocock":
                value = total * np.log1p((math.e - 1) * t)
            case "hwang_shih_decani":
                gamma = -4.0 if self.parameter is None else self.parameter
                value = total * (t if gamma == 0 else np.expm1(-gamma * t) / np.expm1(-gamma))
            case "power":
                value = total * t ** (1.0 if self.parameter is None else self.parameter)
        return np.asarray(value)


@dataclass(frozen=True)
class Crossing:
    """The chance to stop at each look for efficacy and for futility (at the last look the latter is all that is left)."""

    efficacy: tuple[float, ...]
    futility: tuple[float, ...]
    expected_fraction: float

    @property
    def power(self) -> float:
        """The chance to cross the efficacy boundary at any look."""
        return sum(self.efficacy)


@dataclass(frozen=True)
class Boundaries:
    """Looks at `fractions` of the planned information, and Z from which a look stops: `efficacy` at or above, `futility` at or below.

    `drift` gives the wanted power, `inflation` is the information against a trial without looks; both NaN where no power was asked for. A futility
    boundary is not binding: the type I error counts as if it were ignored.
    """

    fractions: tuple[float, ...]
    efficacy: tuple[float, ...]
    futility: tuple[float, ...]
    alpha_spent: tuple[float, ...]
    drift: float
    inflation: float

    def under(self, drift: float) -> Crossing:
        """Return the chances to stop where Z at full information has mean `drift` (0: no effect)."""
        return crossing_probabilities(self.fractions, self.efficacy, self.futility, drift)


def boundaries(
    fractions: Sequence[float],
    *,
    alpha: float = 0.025,
    spending: Spending = Spending(),  # noqa: B008  (frozen)
    power: float | None = None,
    futility: Spending | Sequence[float] | None = None,
) -> Boundaries:
    """Return the boundaries of a one-sided test at level `alpha` with looks at rising `fractions`, the last of which is 1 or less.

    `power` gives the drift and the inflation. `futility` is the spending of the type II error 1 - power, or a Z for each look (the last is not used).

    Raises `ValueError` for fractions out of order or outside (0, 1], an alpha outside (0, 0.5), and beta spending without a power.
    """
    from scipy.special import ndtri

    t = _checked(fractions, alpha, power)
    cumulative = spending.spent(t, alpha)
    if t[-1] >= 1:
        cumulative[-1] = alpha
    efficacy = _efficacy(t, np.diff(cumulative, prepend=0.0))
    lower, drift = np.full(t.size, -np.inf), math.nan
    if isinstance(futility, Spending):
        if power is None:
            raise ValueError("beta spending needs the power that it may spend from")
        lower, drift = _beta_spending(t, efficacy, np.diff(futility.spent(t, 1 - power), prepend=0.0), 1 - power)
    else:
        if futility is not None:
            if len(futility) != t.size:
                raise ValueError(f"{len(futility)} futility boundaries for {t.size} looks")
            lower = np.minimum(np.asarray(futility, float), efficacy)
        lower[-1] = efficacy[-1]
        if power is not None:
            drift = _drift(t, efficacy, lower, power)
    inflation = math.nan if power is None else (drift / float(ndtri(1 - alpha) + ndtri(power))) ** 2
    return Boundaries(_tuple(t), _tuple(efficacy), _tuple(lower), _tuple(cumulative), drift, inflation)


def crossing_probabilities(
    fractions: Sequence[float], efficacy: Sequence[float], futility: Sequence[float], drift: float
) -> Crossing:
    """Return the chances to stop at each look, for boundaries on the Z scale and a drift at full information."""
    up, down, reach = [], [], []
    walk = _Walk(drift)
    for t, upper, lower in zip(fractions, efficacy, futility, strict=True):
        reach.append(walk.mass())
        up.append(walk.above(t, upper))
        down.append(walk.below(t, lower))
        walk.go(t, lower, upper)
    steps = np.diff(np.asarray(fractions, float), prepend=0.0)
    return Crossing(tuple(up), tuple(down), float(steps @ np.array(reach)))


class _Walk:
    """The distribution of the score Z * sqrt(t) of trials that go on, on Gauss-Legendre nodes."""

    def __init__(self, drift: float) -> None:
        self.drift, self.t = drift, 0.0
        self.place, self.weight = np.zeros(1), np.ones(1)

    def mass(self) -> float:
        return float(self.weight.sum())

    def above(self, t: float, z: float) -> float:
        """Return the chance that Z at fraction `t` is `z` or more."""
        from scipy.special import ndtr

        return float(self.weight @ ndtr((self._ahead(t) - z * math.sqrt(t)) / math.sqrt(t - self.t)))

    def below(self, t: float, z: float) -> float:
        """Return the chance that Z at fraction `t` is `z` or less."""
        from scipy.special import ndtr

        return float(self.weight @ ndtr((z * math.sqrt(t) - self._ahead(t)) / math.sqrt(t - self.t)))

    def go(self, t: float, lower: float, upper: float) -> None:
        """Keep the trials whose Z at fraction `t` lies between the two."""
        root, centre = math.sqrt(t), self.drift * t
        low, high = max(lower * root, centre - _FAR * root), min(upper * root, centre + _FAR * root)
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        place = low + (high - low) * (nodes + 1) / 2
        sd = math.sqrt(t - self.t)
        density = np.exp(-0.5 * ((place[:, None] - self._ahead(t)) / sd) ** 2) @ self.weight
        self.weight = density * weights * (max(high - low, 0.0) / 2 / sd / math.sqrt(2 * math.pi))
        self.place, self.t = place, t

    def _ahead(self, t: float) -> FloatArray:
        return self.place + self.drift * (t - self.t)


def _efficacy(t: FloatArray, alphas: FloatArray) -> FloatArray:
    """Return the Z of each look that spends `alphas` when there is no effect."""
    from scipy.optimize import brentq

    walk, found = _Walk(0.0), np.empty(t.size)
    for k, (now, spend) in enumerate(zip(t, alphas, strict=True)):
        if spend < 1e-15:
            found[k] = math.inf
        else:
            found[k] = brentq(lambda z, now=now, spend=spend: walk.above(now, z) - spend, -_WIDE, _WIDE, xtol=1e-11)
        walk.go(now, -math.inf, found[k])
    return found


def _beta_spending(t: FloatArray, efficacy: FloatArray, betas: FloatArray, beta: float) -> tuple[FloatArray, float]:
    """Return the futility boundary and the drift at which both boundaries meet at the last look."""
    from scipy.optimize import brentq

    def lower_at(drift: float) -> tuple[FloatArray, float]:
        walk, lower, lost = _Walk(drift), np.empty(t.size), 0.0
        for k, now in enumerate(t[:-1]):
            spend = betas[k]
            inside = walk.below(now, efficacy[k]) > spend
            lower[k] = (
                brentq(lambda z, now=now, spend=spend: walk.below(now, z) - spend, -_WIDE - abs(drift), efficacy[k])
                if inside
                else efficacy[k]
            )
            lost += walk.below(now, lower[k])
            walk.go(now, lower[k], efficacy[k])
        lower[-1] = efficacy[-1]
        return lower, lost + walk.below(t[-1], efficacy[-1])

    drift = float(brentq(lambda one: lower_at(one)[1] - beta, 0.3, 12.0, xtol=1e-10))
    return lower_at(drift)[0], drift


def _drift(t: FloatArray, efficacy: FloatArray, futility: FloatArray, power: float) -> float:
    from scipy.optimize import brentq

    def surplus(drift: float) -> float:
        return crossing_probabilities(_tuple(t), _tuple(efficacy), _tuple(futility), drift).power - power

    if surplus(12.0) < 0:
        raise ValueError("no effect, however large, gives this power with these futility boundaries")
    return float(brentq(surplus, 0.0, 12.0, xtol=1e-10))


def _checked(fractions: Sequence[float], alpha: float, power: float | None) -> FloatArray:
    t = np.asarray(fractions, float)
    if t.size == 0 or np.any(np.diff(t, prepend=0.0) <= 0) or t[-1] > 1:
        raise ValueError(f"information fractions must rise from above 0 to at most 1, not {list(fractions)}")
    if not 0 < alpha < 0.5:
        raise ValueError(f"a one-sided alpha lies between 0 and 0.5, not {alpha:g}")
    if power is not None and not alpha < power < 1:
        raise ValueError(f"the power lies between alpha and 1, not {power:g}")
    return t


def _tuple(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(one) for one in values)
