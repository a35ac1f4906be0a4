"""What a design's bank of patients predicts: the large-sample value of an endpoint, and its spread over new trials of
a given size.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mesotrial.analysis import codes
from mesotrial.analysis.cox import hazard_ratio
from mesotrial.analysis.endpoints import SUBGROUPS, Outcomes
from mesotrial.analysis.rates import proportion
from mesotrial.analysis.resample import Curves, resampled_curves, resampled_hazard_ratios
from mesotrial.analysis.survival import kaplan_meier

__all__ = ["TRIALS", "Endpoint", "Estimate", "Predictor", "estimate"]

FloatArray = npt.NDArray[np.float64]
_NOTHING = math.nan

TRIALS = 1000  # resampled trials behind an interval: its ends are then known to about a tenth of its width

_FEWEST_DRAWS, _SMALLEST_GROUP = 5, 30
_BAND_MONTHS = 12.0  # the landmark whose uncertainty widens a whole curve's band
_CURVES = ("OS", "PFS", "PFS2", "TTP", "DOR", "TTR", "TTREL")
_RESPONDERS = ("DOR", "TTR", "TTREL")  # curves of some of an arm only


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of one arm, or of one arm over another (`comparator`) for a hazard ratio; `time_months` of a
    landmark.
    """

    code: str
    arm: str
    comparator: str | None = None
    subgroup: str = "all"
    time_months: float | None = None

    @property
    def curve(self) -> str | None:
        """The time-to-event parameter behind the endpoint, None for a plain rate."""
        name = self.code.split("_", maxsplit=1)[0]
        return name if name in _CURVES and self.code.endswith(("_MEDIAN", "_RATE", "_HR")) else None


@dataclass(frozen=True)
class Estimate:
    """A value with an interval: fractions, months or a ratio; NaN where undefined. An infinite bound is one not
    reached.
    """

    value: float
    lower: float
    upper: float


_UNKNOWN = Estimate(_NOTHING, _NOTHING, _NOTHING)


def estimate(outcomes: Outcomes, endpoint: Endpoint, *, level: float = 0.95) -> Estimate:
    """Return `endpoint` as a trial report would give it: the value in these patients and its confidence interval.

    Unknown (NaN) for a subgroup or a code that the tables do not hold, or an empty group.
    """
    if endpoint.subgroup not in SUBGROUPS:
        return _UNKNOWN
    if endpoint.curve is None:
        had = outcomes.outcome(endpoint.code, endpoint.arm, endpoint.subgroup, endpoint.time_months)
        if had is None or had.size == 0:
            return _UNKNOWN
        share = proportion(had, level)
        return Estimate(share.value, share.lower, share.upper)
    patients = outcomes.survival(endpoint.curve, endpoint.arm, endpoint.subgroup)
    if patients.months.size == 0:
        return _UNKNOWN
    if codes.is_hazard_ratio(endpoint.code):
        if endpoint.comparator is None:
            return _UNKNOWN
        others = outcomes.survival(endpoint.curve, endpoint.comparator, endpoint.subgroup)
        treated = np.arange(patients.months.size + others.months.size) < patients.months.size
        months = np.concatenate([patients.months, others.months])
        ratio = hazard_ratio(months, np.concatenate([patients.event, others.event]), treated, level=level)
        return Estimate(ratio.value, ratio.lower, ratio.upper)
    curve = kaplan_meier(patients.months, patients.event, level=level)
    if codes.is_median(endpoint.code):
        return Estimate(*curve.median())
    return Estimate(*curve.at(endpoint.time_months)) if endpoint.time_months is not None else _UNKNOWN


class Predictor:
    """Predictions from a bank. Each is repeatable: its random draws depend on the seed and on what is asked, not on
    what was asked before.
    """

    def __init__(self, bank: Outcomes, seed: int, arm_sizes: Mapping[str, int], trials: int = TRIALS) -> None:
        """`arm_sizes` are the patients of each arm in the design, used where the published size is unknown."""
        self.bank, self.seed, self.arm_sizes, self.trials = bank, seed, arm_sizes, trials
        self._parts = bank.by_draw()
        self._unknown: dict[Endpoint, float] = {}
        self._curves: dict[tuple[str, str, str, int], Curves] = {}

    def trial_size(self, endpoint: Endpoint, n: float | None) -> int:
        """Return the patients of a new trial behind `endpoint`: `n` if known, else those the design would put there."""
        if n:
            return max(round(n), 1)
        arms = [endpoint.arm] if endpoint.comparator is None else [endpoint.arm, endpoint.comparator]
        return sum(self._expected(endpoint, arm) for arm in arms)

    def interval(self, endpoint: Endpoint, n: float | None, *, level: float = 0.90) -> Estimate:
        """Return the large-sample value, and the interval that holds `level` of new trials of `n` patients (both arms
        for a hazard ratio).

        A new trial differs by its patients, drawn from the bank, and by one draw of Normal(0, sd) on the scoring scale:
        the trial-level effect tau, and what is not known of the parameters (`unknown_sd`), added in squares.
        """
        simulated = estimate(self.bank, endpoint)
        drawn = self._draws(endpoint, self.trial_size(endpoint, n)) if endpoint.subgroup in SUBGROUPS else None
        if drawn is None or (drawn := drawn[~np.isnan(drawn)]).size < self.trials / 2:
            return Estimate(simulated.value, _NOTHING, _NOTHING)
        ordered = np.sort(drawn)
        tail = (1 - level) / 2 * (ordered.size - 1)
        return Estimate(
            simulated.value, float(ordered[math.floor(tail)]), float(ordered[math.ceil(ordered.size - 1 - tail)])
        )

    def band(
        self, parameter: str, arm: str, n: int, grid: FloatArray, *, level: float = 0.90
    ) -> tuple[FloatArray, FloatArray]:
        """Return the lower and upper edge, at the months `grid`, of the band that holds `level` of the Kaplan-Meier
        curves of new trials.
        """
        if self.bank.survival(parameter, arm).months.size == 0:
            return np.full(grid.size, np.nan), np.full(grid.size, np.nan)
        drawn = self._resampled(parameter, arm, "all", n).on(grid)
        effect = self._effects(Endpoint(f"{parameter}_RATE", arm, None, "all", _BAND_MONTHS), f"{parameter}/{arm}")
        shifted = np.sort(_shift_rates(drawn, effect[:, None]), axis=0)  # NaN (nobody left to ask) sorts last
        known = np.sum(~np.isnan(shifted), axis=0)
        tail = (1 - level) / 2 * np.maximum(known - 1, 0)
        edges = [np.floor(tail).astype(int), np.ceil(np.maximum(known - 1, 0) - tail).astype(int)]
        lower, upper = (
            np.where(known >= self.trials / 2, shifted[edge, np.arange(grid.size)], np.nan) for edge in edges
        )
        return lower, upper

    def unknown_sd(self, endpoint: Endpoint) -> float:
        """Return how far `endpoint` of a whole arm lies apart between draws of the parameters: an SD on the scoring scale.

        One-way analysis of variance of the bank's patients by draw: the variance between the draws' groups less that which groups of
        this size have by chance, where the excess is more than chance would show in one bank of twenty (chi2). 0 where the bank has fewer than five draws, or
        groups of fewer than 30 patients, which cannot tell.
        """
        whole = replace(endpoint, subgroup="all")
        if whole not in self._unknown:
            self._unknown[whole] = self._unknown_sd(whole)
        return self._unknown[whole]

    def _unknown_sd(self, endpoint: Endpoint) -> float:
        from scipy.stats import chi2

        if len(self._parts) < _FEWEST_DRAWS:
            return 0.0
        arms = [endpoint.arm] if endpoint.comparator is None else [endpoint.arm, endpoint.comparator]
        if endpoint.curve is not None:
            sizes = [sum(part.survival(endpoint.curve, arm).months.size for arm in arms) for part in self._parts]
        else:
            sizes = [sum(int(part.members(arm).sum()) for arm in arms) for part in self._parts]
        size = round(sum(sizes) / len(sizes))
        chance = self._drawn(endpoint, size, np.zeros(self.trials)) if size >= _SMALLEST_GROUP else None
        if chance is None:
            return 0.0
        seen = _on_scale(endpoint.code, np.array([estimate(part, endpoint).value for part in self._parts]), size)
        expected = _on_scale(endpoint.code, chance, size)
        if seen.size < _FEWEST_DRAWS or expected.size < self.trials / 2:
            return 0.0
        between, chance_variance = float(np.var(seen, ddof=1)), float(np.var(expected))
        limit = chance_variance * float(chi2.ppf(0.95, seen.size - 1)) / (seen.size - 1)
        return math.sqrt(between - chance_variance) if between > limit else 0.0

    def _expected(self, endpoint: Endpoint, arm: str) -> int:
        members = int(self.bank.members(arm).sum())
        if endpoint.curve in _RESPONDERS:
            inside = self.bank.survival(endpoint.curve, arm, endpoint.subgroup).months.size
        else:
            inside = int(self.bank.members(arm, endpoint.subgroup).sum())
        return max(round(self.arm_sizes[arm] * inside / members), 1) if members else 1

    def _draws(self, endpoint: Endpoint, n: int) -> FloatArray | None:
        """Return the endpoint in each resampled trial (trials,); None where the bank cannot say."""
        label = "/".join(
            map(str, (endpoint.code, endpoint.arm, endpoint.comparator, endpoint.subgroup, endpoint.time_months, n))
        )
        return self._drawn(endpoint, n, self._effects(endpoint, label))

    def _drawn(self, endpoint: Endpoint, n: int, effect: FloatArray) -> FloatArray | None:
        """Return the endpoint in each resampled trial of `n` patients, moved by `effect` (trials,) on the scoring scale."""
        label = "/".join(
            map(str, (endpoint.code, endpoint.arm, endpoint.comparator, endpoint.subgroup, endpoint.time_months, n))
        )
        if endpoint.curve is None:
            had = self.bank.outcome(endpoint.code, endpoint.arm, endpoint.subgroup, endpoint.time_months)
            if had is None or had.size == 0:
                return None
            share = (had.sum() + 0.5) / (had.size + 1) if had.all() or not had.any() else had.mean()
            return self._rng(f"counts/{label}").binomial(n, _shift_rates(share, effect)) / n
        if self.bank.survival(endpoint.curve, endpoint.arm, endpoint.subgroup).months.size == 0:
            return None
        if codes.is_hazard_ratio(endpoint.code):
            return self._hazard_ratios(endpoint, n, effect)
        curves = self._resampled(endpoint.curve, endpoint.arm, endpoint.subgroup, n)
        if codes.is_median(endpoint.code):
            return curves.medians() * np.exp(effect)
        return (
            _shift_rates(curves.on([endpoint.time_months])[:, 0], effect) if endpoint.time_months is not None else None
        )

    def _hazard_ratios(self, endpoint: Endpoint, n: int, effect: FloatArray) -> FloatArray | None:
        if endpoint.curve is None or endpoint.comparator is None:
            return None
        treated, others = (
            self.bank.survival(endpoint.curve, arm, endpoint.subgroup) for arm in (endpoint.arm, endpoint.comparator)
        )
        if others.months.size == 0 or n < 2:
            return None
        expected = [self._expected(endpoint, arm) for arm in (endpoint.arm, endpoint.comparator)]
        first = min(max(round(n * expected[0] / sum(expected)), 1), n - 1)
        rng = self._rng(f"ratio/{endpoint.curve}/{endpoint.arm}/{endpoint.comparator}/{endpoint.subgroup}/{n}")
        logs = resampled_hazard_ratios(
            (treated.months, treated.event), (others.months, others.event), (first, n - first), self.trials, rng
        )
        return np.exp(logs + effect)

    def _resampled(self, parameter: str, arm: str, subgroup: str, n: int) -> Curves:
        key = (parameter, arm, subgroup, n)
        if key not in self._curves:
            patients = self.bank.survival(parameter, arm, subgroup)
            rng = self._rng("curves/" + "/".join(map(str, key)))
            self._curves[key] = resampled_curves(patients.months, patients.event, n, self.trials, rng)
        return self._curves[key]

    def _effects(self, endpoint: Endpoint, label: str) -> FloatArray:
        sd = math.hypot(codes.tau(endpoint.code), self.unknown_sd(endpoint))
        return self._rng(f"effect/{label}").normal(0.0, sd, self.trials)

    def _rng(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])


def _on_scale(code: str, values: FloatArray, n: int) -> FloatArray:
    """Return the values on the scoring scale, those that have one."""
    moved: FloatArray = np.array([codes.on_scale(code, float(value), n) for value in values])
    finite: FloatArray = moved[np.isfinite(moved)]
    return finite


def _shift_rates(rate: npt.ArrayLike, effect: FloatArray) -> FloatArray:
    """Move rates along the logit; 0 and 1 stay where they are."""
    rates = np.asarray(rate, float)
    grown = rates * np.exp(effect)
    moved: FloatArray = grown / (grown + (1 - rates))
    return moved
