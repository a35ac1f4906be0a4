"""A trial as written: population, arms, randomisation, scans, follow-up."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mesotrial.catalogue.analysis_plan import AnalysisPlan
from mesotrial.catalogue.errors import CatalogueError
from mesotrial.catalogue.regimen import Regimen

__all__ = [
    "STRATA", "AfterProgression", "Alternative", "Arm", "Continuous", "Design", "LeadIn", "Population", "Randomisation", "Scans", "SecondLine",
    "StopRules",
]  # fmt: skip

# what patients are stratified by, and which of the population's shares says how many are on one side
STRATA: Mapping[str, str] = {"histology": "epithelioid", "sex": "female", "ecog": "ecog_ge1", "pdl1": "pdl1_ge1"}
_EVERY = re.compile(r"(\d+(?:\.\d+)?)(?: to (\d+(?:\.\d+)?)w then (\d+(?:\.\d+)?))?", re.ASCII)


@dataclass(frozen=True)
class Continuous:
    """A covariate's distribution in the population: normal where ``sd`` is given, log-normal where ``cv_percent`` is; cut at ``low`` and ``high``."""

    median: float
    low: float
    high: float
    sd: float | None = None
    cv_percent: float | None = None


@dataclass(frozen=True)
class Population:
    """Who enters the trial. Shares lie between 0 and 1; ``sources`` says for each field where its numbers come from, or that they are a guess."""

    age_years: Continuous
    weight_kg: Continuous
    height_cm: Continuous
    albumin_g_per_l: Continuous
    ldh_u_per_l: Continuous
    egfr_ml_per_min: Continuous
    female: float
    epithelioid: float
    ecog_ge1: float
    pdl1_ge1: float
    sources: Mapping[str, str]


@dataclass(frozen=True)
class StopRules:
    """What is done about adverse events, and drop-out at a constant rate.

    An event of at least ``toxicity_grade`` can end treatment with the drug it comes from. Other immune-related events hold the drugs that cause them from
    ``hold_grade`` on, until they have resolved; from ``steroid_grade`` on they are treated with steroids, which take the share ``steroid_effect`` off the
    autoreactive drive.
    """

    toxicity_grade: int = 3
    dropout_per_year: float = 0.0
    hold_grade: int = 2
    steroid_grade: int = 3
    steroid_effect: float = 0.7
    steroid_blunting: float = 0.0


@dataclass(frozen=True)
class AfterProgression:
    """Treatment after progression, as one factor on the hazard of death (1 = as if untreated)."""

    death_hazard_factor: float = 1.0
    note: str = ""


@dataclass(frozen=True)
class Alternative:
    """A choice among treatments in one arm: this ``share`` of its patients gets these regimens."""

    share: float
    regimens: tuple[Regimen, ...]


@dataclass(frozen=True)
class SecondLine:
    """Treatment on progression: ``share`` of those who progress get it, the first dose ``delay_days`` or more after progression was seen.

    Everyone of them gets ``regimens``, and one of ``one_of`` where that is not empty; days count from the start of this line. It ends when the tumour
    progresses again, at a fifth above its smallest size since.
    """

    regimens: tuple[Regimen, ...]
    one_of: tuple[Alternative, ...] = ()
    share: float = 1.0
    delay_days: float = 21.0


@dataclass(frozen=True)
class Arm:
    """One arm. Everyone gets ``regimens``; each patient also gets one of ``one_of`` where that is not empty (its shares add up to 1).

    Treatment stops at ``max_treatment_days``, on progression or not, and with ``stop_at_response`` once a response (PR: partial or complete) is confirmed.
    """

    name: str
    label: str
    n: int
    regimens: tuple[Regimen, ...]
    one_of: tuple[Alternative, ...] = ()
    on_progression: Literal["stop", "continue"] = "stop"
    max_treatment_days: float | None = None
    stop_rules: StopRules = StopRules()
    after_progression: AfterProgression = AfterProgression()
    stop_at_response: Literal["never", "PR", "CR"] = "never"
    second_line: SecondLine | None = None

    @property
    def drugs(self) -> tuple[str, ...]:
        """The drugs that patients of this arm may get, each once, in the order written."""
        lines = (self, self.second_line) if self.second_line is not None else (self,)
        return _drugs_of(*lines)


@dataclass(frozen=True)
class LeadIn:
    """Treatment before randomisation: everyone gets ``regimens``, and one of ``one_of`` where that is not empty; days count from its start.

    It lasts ``weeks``, and randomisation follows at once. Scans are those of the design, and one on its last day, which is the baseline scan. Who has died is
    not randomised; nor is who has progressed, at a scan or by symptoms, by ``require: no_progression``; nor who has progressed or has had all of this treatment
    stopped for side effects, by ``require: completed``. Others take their places.
    """

    regimens: tuple[Regimen, ...]
    weeks: float
    one_of: tuple[Alternative, ...] = ()
    require: Literal["none", "no_progression", "completed"] = "no_progression"

    @property
    def days(self) -> float:
        """Its length."""
        return 7.0 * self.weeks

    @property
    def drugs(self) -> tuple[str, ...]:
        """The drugs that people may get, each once, in the order written."""
        return _drugs_of(self)


def _drugs_of(*treatments: Arm | SecondLine | LeadIn) -> tuple[str, ...]:
    every = [
        regimen
        for one in treatments
        for regimen in (*one.regimens, *(regimen for choice in one.one_of for regimen in choice.regimens))
    ]
    return tuple(dict.fromkeys(regimen.drug for regimen in every))


@dataclass(frozen=True)
class Randomisation:
    """Allocation ``ratio`` (one number an arm), ``strata`` and the size of a permuted block."""

    ratio: tuple[int, ...]
    strata: tuple[str, ...]
    block: int


@dataclass(frozen=True)
class Scans:
    """When and how tumours are read. ``every_weeks`` is ``12`` or ``6 to 52w then 12``: every 6 weeks up to week 52, then every 12."""

    every_weeks: str
    criteria: Literal["mRECIST", "RECIST1.1"] = "mRECIST"
    confirmation: bool = True
    assessor: Literal["bicr", "investigator", "unknown"] = "unknown"
    window_days: float = 7.0
    missed_rate: float = 0.0

    def scan_days(self, until_day: float) -> tuple[float, ...]:
        """Give the planned days of scans after the baseline scan of day 0, up to and including ``until_day``.

        Raises:
            CatalogueError: when ``every_weeks`` cannot be read.
        """
        first, change, second = scan_weeks(self.every_weeks)
        if not math.isfinite(until_day):
            raise ValueError(f"until_day must be a finite number of days, not {until_day}")
        days: list[float] = []
        week = first
        while week * 7 <= until_day:
            days.append(week * 7)
            week += first if week + first <= change else second
        return tuple(days)


def scan_weeks(text: str) -> tuple[float, float, float]:
    """Read ``6 to 52w then 12`` as (6, 52, 12) and ``12`` as (12, infinity, 12).

    Raises:
        CatalogueError: for any other text, or an interval shorter than one week.
    """
    match = _EVERY.fullmatch(" ".join(text.split()))
    if match is None:
        raise CatalogueError(
            f"cannot read the scan schedule {text!r}: expected weeks such as '12', or '6 to 52w then 12'"
        )
    first = float(match.group(1))
    change, second = (float(match.group(2)), float(match.group(3))) if match.group(2) else (math.inf, first)
    if min(first, second) < 1 or first > change:
        raise CatalogueError(
            f"cannot use the scan schedule {text!r}: scans are at least a week apart, and the first comes before the change"
        )
    return first, change, second


@dataclass(frozen=True)
class Design:
    """A trial as written. ``evidence_trial`` names it in the published results (empty: nothing to compare with); ``biology`` holds constants of the model that
    everybody in this trial has at another value than the model's; ``source_text`` is the YAML.
    """

    name: str
    title: str
    line: Literal["first", "relapsed"]
    population: Population
    arms: tuple[Arm, ...]
    randomisation: Randomisation
    scans: Scans
    follow_up_months: float
    accrual_months: float = 12.0
    censoring: Literal["fda", "ema"] = "fda"
    endpoints: tuple[str, ...] = ("ORR", "DCR", "PFS", "OS")
    registry: str = ""
    evidence_trial: str = ""
    notes: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    analysis: AnalysisPlan | None = None
    biology: Mapping[str, float] = field(default_factory=dict)
    lead_in: LeadIn | None = None
    source_text: str = field(default="", repr=False, compare=False)

    @property
    def drugs(self) -> tuple[str, ...]:
        """Every drug that some arm, or the lead-in, may give, each once, in the order written."""
        before = () if self.lead_in is None else self.lead_in.drugs
        return tuple(dict.fromkeys((*(drug for arm in self.arms for drug in arm.drugs), *before)))

    def to_yaml(self) -> str:
        """Write the design as YAML that `load_design` reads back to an equal design (``like:`` populations are written out)."""
        from mesotrial.catalogue._write_design import design_yaml

        return design_yaml(self)
