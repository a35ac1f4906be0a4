"""How a trial is to be analysed, as written in a design's ``analysis``: test, looks, and what is assumed of its conduct."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mesotrial.catalogue.errors import CatalogueError

__all__ = [
    "AccrualPeriod", "AnalysisPlan", "Crossover", "DropArms", "Efficacy", "Futility", "HistoricalTrial", "Look", "OneArm", "Prior", "Reestimation", "TestSpec",
    "entry_month", "read_test",
]  # fmt: skip

SpendingKind = Literal["obrien_fleming", "pocock", "hwang_shih_decani", "power"]
_TEST = re.compile(
    r"(?P<stratified>stratified )?(?:(?P<name>log-?rank|maxcombo)|fh\((?P<rho>[\d.]+), ?(?P<gamma>[\d.]+)\)|(?P<at>rmst|milestone) (?P<months>[\d.]+))",
    re.ASCII,
)


@dataclass(frozen=True)
class TestSpec:
    """A test of two arms: ``kind``, whether by strata, and its numbers (rho and gamma of a weight, or months)."""

    __test__ = False  # not one of pytest's

    text: str
    kind: Literal["logrank", "maxcombo", "rmst", "milestone"]
    stratified: bool = False
    numbers: tuple[float, float] = (0.0, 0.0)


def read_test(text: str) -> TestSpec:
    """Read ``logrank``, ``stratified logrank``, ``fh(0,1)``, ``maxcombo``, ``rmst 24`` or ``milestone 24`` (months).

    Raises:
        CatalogueError: for any other text.
    """
    plain = " ".join(text.lower().split())
    match = _TEST.fullmatch(plain)
    try:
        if match is None or (match["at"] and match["stratified"]):
            raise ValueError
        if match["at"]:
            months = float(match["months"])
            if not 0 < months <= 600:
                raise ValueError
            return TestSpec(plain, "rmst" if match["at"] == "rmst" else "milestone", False, (months, 0.0))
        numbers = (float(match["rho"]), float(match["gamma"])) if match["rho"] else (0.0, 0.0)
        if max(numbers) > 10:
            raise ValueError
    except ValueError:
        raise CatalogueError(
            f"cannot read the test {text!r}: expected logrank, stratified logrank, fh(0,1), maxcombo, rmst 24 or milestone 24 (months)"
        ) from None
    return TestSpec(plain, "maxcombo" if match["name"] == "maxcombo" else "logrank", bool(match["stratified"]), numbers)


@dataclass(frozen=True)
class AccrualPeriod:
    """Patients that enter at ``per_month`` for ``months``; the last period goes on until the trial is full."""

    months: float
    per_month: float


def entry_month(accrual: Sequence[AccrualPeriod], patients: float) -> float:
    """Return by when so many ``patients`` are expected to enter, in months."""
    begun, left = 0.0, float(patients)
    for period in accrual[:-1]:
        if left <= period.months * period.per_month:
            return begun + left / period.per_month
        left -= period.months * period.per_month
        begun += period.months
    return begun + left / accrual[-1].per_month


@dataclass(frozen=True)
class Look:
    """When an interim look is taken: at a number of ``events``, at a ``fraction`` of the final events, or at a ``month`` from the first patient's entry."""

    events: int | None = None
    fraction: float | None = None
    month: float | None = None

    def at_events(self, final: int | None) -> float:
        """Return the events of a look that is not taken by the calendar; `final` are those of the final analysis."""
        if self.events is not None:
            return float(self.events)
        if self.fraction is None or final is None:
            raise ValueError("the look has no number of events")
        return float(math.ceil(self.fraction * final - 1e-9))


@dataclass(frozen=True)
class Prior:
    """A normal prior of the log hazard ratio."""

    hazard_ratio: float = 1.0
    sd_log: float | None = None  # None: flat


@dataclass(frozen=True)
class Efficacy:
    """When a look stops for efficacy: by spending alpha, or by a probability of at least ``value``."""

    rule: Literal["spending", "posterior_probability", "predictive_probability"] = "spending"
    spending: SpendingKind = "obrien_fleming"
    parameter: float | None = None
    value: float | None = None


@dataclass(frozen=True)
class Futility:
    """When a look stops for futility: by spending beta, or where Z or a probability is at most ``value``. Never binding."""

    rule: Literal["spending", "z", "conditional_power", "predictive_probability"]
    spending: SpendingKind = "obrien_fleming"
    parameter: float | None = None
    value: float | None = None


@dataclass(frozen=True)
class Reestimation:
    """More patients and events after look number ``look`` (from 1), where conditional power lies between ``low`` and ``high``: as many as give ``target``,
    at most ``most`` times the plan.
    """

    look: int
    low: float = 0.3
    high: float = 0.9
    target: float = 0.9
    most: float = 1.5


@dataclass(frozen=True)
class DropArms:
    """After look number ``look`` (from 1) only the ``keep`` best arms go on beside the comparator."""

    look: int
    keep: int = 1


@dataclass(frozen=True)
class Crossover:
    """Patients of ``arm`` who change treatment at progression: their ``share``, and the factor on the time they had left to live."""

    arm: str
    share: float
    remaining_time_factor: float
    source: str = "[guess]"


@dataclass(frozen=True)
class HistoricalTrial:
    """The historical control of a Bayesian one-arm design: a trial and arm of the published results; each patient counts as ``weight``."""

    trial: str
    arm: str
    weight: float = 0.5


@dataclass(frozen=True)
class OneArm:
    """Arms judged one by one, each by a rate."""

    method: Literal["simon", "a_hern", "fleming", "bayesian"]
    endpoint: Literal["ORR", "DCR", "DCR_AT"] = "ORR"
    time_months: float | None = None
    kind: Literal["optimal", "minimax"] = "optimal"
    null_rate: float | None = None
    target_rate: float | None = None
    certainty: float = 0.95
    margin: float = 0.0
    control: HistoricalTrial | None = None

    def historical_rates(self) -> list[tuple[float, int]]:
        """Return (rate, patients) of the historical control as published, scored rows first; empty where there is none."""
        from mesotrial.catalogue.evidence import published_results

        if self.control is None:
            return []
        rows = [
            row
            for row in published_results(self.control.trial)
            if row.arm == self.control.arm and row.code == self.endpoint
        ]
        known = [(not row.scored, row.value, row.n or row.n_used) for row in rows if row.subgroup_code == "all"]
        known.sort(key=lambda one: one[0])
        return [(value / 100, int(n)) for _, value, n in known if value is not None and n]


@dataclass(frozen=True)
class AnalysisPlan:
    """How a trial is analysed. ``alpha`` is one-sided; ``power`` is the wanted one. Without ``events`` the final analysis comes at the end of follow-up."""

    endpoint: Literal["OS", "PFS"] = "OS"
    comparator: str = ""
    test: str = "logrank"
    also: tuple[str, ...] = ()
    alpha: float = 0.025
    power: float = 0.9
    events: int | None = None
    looks: tuple[Look, ...] = ()
    efficacy: Efficacy = Efficacy()
    futility: Futility | None = None
    prior: Prior = Prior()
    reestimate: Reestimation | None = None
    drop_arms: DropArms | None = None
    crossover: Crossover | None = None
    accrual: tuple[AccrualPeriod, ...] = ()
    dropout_per_year: float | None = None
    one_arm: OneArm | None = None

    def alpha_of_each(self, arms: int) -> float:
        """Return the one-sided level of each comparison in a trial of ``arms`` arms: Bonferroni over the arms compared with one control."""
        return self.alpha / max(arms - 1, 1)
