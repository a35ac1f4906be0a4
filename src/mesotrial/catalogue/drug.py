"""A drug: what it is, its pharmacokinetics, its effects and its toxicity, each number with source and status."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from mesotrial.catalogue.regimen import DoseUnit, Regimen

__all__ = [
    "ACTIVATION_PER_DAY", "COVARIATES", "PK", "TOXICITY_FRAILTY_SD", "Drug", "Effect", "EffectValue", "FlagRule", "PKCovariate", "PKParameter", "RegimenFlag",
    "Status", "Toxicity", "Translation", "tolerance_rate",
]  # fmt: skip

Status = Literal["verified", "recalled", "derived", "guess"]
COVARIATES = (
    "weight_kg", "age_years", "female", "ecog_ge1", "albumin_g_per_l", "ldh_u_per_l", "egfr_ml_per_min", "bsa_m2", "first_line",
)  # fmt: skip
TOXICITY_FRAILTY_SD = 0.8
"""SD of the log of a patient's proneness to adverse events, shared by all terms: [guess], the order of size used for immune-related events."""
ACTIVATION_PER_DAY = 0.035
"""Rate at which a patient's autoreactive activation follows the blockade that drives it: [guess], 0.02 to 0.05 a day being likely."""


@dataclass(frozen=True)
class PKParameter:
    """One population parameter, its typical value in ``unit`` (L/day, L, 1/day, day or 1).

    ``cv_percent`` is the between-patient variability of a log-normal parameter, ``sd_additive`` the SD of an additive normal one.
    ``published`` keeps number and unit as printed in the source.
    """

    value: float
    unit: str
    cv_percent: float | None
    sd_additive: float | None
    published: str
    source: str
    status: Status


@dataclass(frozen=True)
class PKCovariate:
    """The effect of ``covariate`` (a name of COVARIATES or a regimen flag of the drug) on parameter ``on``.

    With P the parameter, C the covariate, r the reference and v the value: power P*(C/r)^v, exp P*exp(v*C), add P+v*C, logpower P*(ln C/ln r)^v.
    """

    on: str
    covariate: str
    form: Literal["power", "exp", "add", "logpower"]
    value: float
    reference: float | None
    source: str
    status: Status


@dataclass(frozen=True)
class FlagRule:
    """What another regimen of the same patient must be: its drug and, where not None, its dose and its (first) cycle."""

    drug: str
    amount: float | None = None
    unit: DoseUnit | None = None
    cycle_days: float | None = None

    def matches(self, regimen: Regimen) -> bool:
        """Say whether this regimen is the one meant."""
        return (
            regimen.drug == self.drug
            and self.amount in (None, regimen.amount)
            and self.unit in (None, regimen.unit)
            and self.cycle_days in (None, regimen.phases[0].cycle_days)
        )


@dataclass(frozen=True)
class RegimenFlag:
    """A covariate that is 1 for patients who also get the regimen ``when`` describes, else 0."""

    name: str
    when: FlagRule
    meaning: str

    def holds(self, regimens: Iterable[Regimen]) -> bool:
        """Say whether the flag is 1 for a patient with these regimens."""
        return any(self.when.matches(regimen) for regimen in regimens)


@dataclass(frozen=True)
class PK:
    """What becomes of a dose: plasma levels, or living cells and viruses. ``model`` is a file of the biology's ``pharmacokinetics/``.

    ``antibody`` has CL V1 Q V2 and, where clearance changes over treatment, CL(t) = CL * exp(CL_Emax * t^CL_Hill / (CL_T50^CL_Hill + t^CL_Hill)), or a
    second, saturable clearance VMAX KM; ``cytotoxic`` has CL V1 Q V2; ``kpd`` has no parameters and no plasma level, its effect follows the dose per m2;
    ``oral`` has KA CL V1 and, with two compartments, Q V2; the others have the parameters that their files read.
    ``correlations`` are those of the random effects of two parameters. Residual errors are of a measured concentration.
    """

    model: str
    parameters: Mapping[str, PKParameter]
    correlations: Mapping[tuple[str, str], float]
    covariates: tuple[PKCovariate, ...]
    flags: tuple[RegimenFlag, ...]
    label_half_life_days: float | None
    residual_proportional: float | None = None
    residual_additive_mg_per_l: float | None = None
    alternatives: str = ""


@dataclass(frozen=True)
class EffectValue:
    """A number that an effect's file reads, with unit, source and status."""

    value: float
    unit: str
    source: str
    status: Status


@dataclass(frozen=True)
class Effect:
    """What the drug acts on, and how strongly.

    By concentration: ``ec50_mg_per_l`` in plasma. By dose (``cytotoxic``): ``cycle_share`` of the effect of a full cycle of platinum-pemetrexed comes from
    one dose with an exposure of ``reference_auc_mg_day_per_l``, or of ``reference_dose_mg_per_m2`` where there is no plasma level. One of the two is given.
    Other effects have ``values`` by name. ``on`` is a file of the biology's ``effects/``.
    """

    on: str
    ec50_mg_per_l: float | None
    source: str
    status: Status
    cycle_share: float | None = None
    reference_auc_mg_day_per_l: float | None = None
    reference_dose_mg_per_m2: float | None = None
    values: Mapping[str, EffectValue] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Translation:
    """The human-translation factor of a mechanism without a trial in mesothelioma that shows a benefit: what of the benefit in the laboratory, or in other
    cancers, is left in people with mesothelioma. Nobody knows it; ``low`` to ``high`` is the range that results are shown over.
    """

    name: str
    low: float
    middle: float
    high: float
    meaning: str
    source: str
    status: Status


@dataclass(frozen=True)
class Toxicity:
    """Events of one term that this drug adds to the background (see `background_toxicity`).

    Hazards are for a patient of average proneness, which is shared by all terms of a patient, log-normal with mean 1 and SD of the log TOXICITY_FRAILTY_SD.
    ``any`` counts all grades, ``g34`` those of grade 3 or worse among them, of which ``stop_fraction`` end treatment and ``fatal_fraction`` are fatal.
    ``duration_days`` is the median; None means that the event does not resolve.

    driver:
        ``constant``: per year on treatment, on the first day of it. The hazard halves every ``onset_days`` (None: it stays), so that without an end half of
        the events to come begin before that day; `relative_hazard` gives the factor.
        ``cycle``: the same, written as ``any_per_cycle`` and ``g34_per_cycle`` in each ``cycle_days``.
        ``immune``: per year at full activation. A latent autoreactive activation follows the blockade of PD-1 or PD-L1 (1 when it is full, so flat at
        clinical doses) at ACTIVATION_PER_DAY, and tolerance lowers the hazard so that without an end half of the events begin before ``onset_days``
        (of grade 3 or worse: ``g34_onset_days`` where given). It lasts as long as the drug does, not only until the next dose is due.
        ``ctla4_trough``: as ``immune``, with a drive of (trough / ``reference_trough_mg_per_l``)^``trough_exponent``; ``alone_factor`` times that where
        no PD-1 or PD-L1 antibody is there.
        ``dose``: ``any_per_dose`` and ``g34_per_dose`` follow each dose with a delay of ``lag_days`` on average.
        ``myelosuppression``: neutropenia graded by the count itself, which each dose lowers: ``log_kill`` of dividing cells at the reference exposure.
    """

    term: str
    body_system: str
    any_hazard_per_year: float
    g34_hazard_per_year: float
    driver: Literal["constant", "cycle", "immune", "ctla4_trough", "dose", "myelosuppression"]
    source: str
    status: Status
    onset_days: float | None = None
    g34_onset_days: float | None = None
    duration_days: float | None = None
    stop_fraction: float = 0.0
    fatal_fraction: float = 0.0
    cycle_days: float | None = None
    any_per_cycle: float | None = None
    g34_per_cycle: float | None = None
    reference_trough_mg_per_l: float | None = None
    trough_exponent: float | None = None
    alone_factor: float = 1.0
    any_per_dose: float | None = None
    g34_per_dose: float | None = None
    lag_days: float | None = None
    log_kill: float | None = None

    @property
    def is_immune(self) -> bool:
        """Whether the event comes from autoreactive activation."""
        return self.driver in ("immune", "ctla4_trough")

    @property
    def tolerance_per_day(self) -> tuple[float, float]:
        """The rates at which tolerance lowers the hazard of grade 3 or worse, and of lower grades, for immune-related terms."""
        assert self.onset_days is not None
        return tolerance_rate(self.g34_onset_days or self.onset_days), tolerance_rate(self.onset_days)

    def relative_hazard(self, start_day: float, end_day: float) -> float:
        """Give the mean hazard from ``start_day`` to ``end_day`` of treatment, relative to the first day's."""
        if self.onset_days is None:
            return 1.0
        rate, days = math.log(2) / self.onset_days, end_day - start_day
        return math.exp(-rate * start_day) * (-math.expm1(-rate * days) / (rate * days) if days > 0 else 1.0)


@cache
def tolerance_rate(onset_days: float) -> float:
    """Return the rate r per day for which half of the events of a hazard (1 - exp(-k t)) exp(-r t) begin before ``onset_days``, k = ACTIVATION_PER_DAY."""

    def early(rate: float) -> float:
        both = rate + ACTIVATION_PER_DAY
        until = -math.expm1(-rate * onset_days) / rate + math.expm1(-both * onset_days) / both
        return until / (1 / rate - 1 / both)

    low, high = 1e-6, 10.0
    for _ in range(100):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if early(middle) < 0.5 else (low, middle)
    return math.sqrt(low * high)


@dataclass(frozen=True)
class Drug:
    """A drug (or another treatment that a regimen can name) of a simulated trial.

    ``background`` is filled for placebo only: events that belong to no drug. ``dose_unit`` is what its doses count: mg, cells, PFU, VP, CFU, IU, Gy or %.
    ``regimens`` are written as labels and trials give them. ``founded`` says how well founded its benefit in mesothelioma is. An ``exploratory`` drug has a
    ``translation``.
    """

    name: str
    drug_class: str
    target: str
    immunity: tuple[Literal["active", "passive", "specific", "nonspecific"], ...]
    plain_words: str
    how_it_works: str
    routes: tuple[str, ...]
    pk: PK | None
    effects: tuple[Effect, ...]
    toxicity: tuple[Toxicity, ...]
    background: tuple[Toxicity, ...] = ()
    other_names: tuple[str, ...] = ()
    exploratory: bool = False
    dose_unit: str = "mg"
    regimens: tuple[str, ...] = ()
    founded: str = ""
    translation: Translation | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def symbol(self) -> str:
        """The name as a model's symbols begin with: letters, digits and underscores."""
        return re.sub(r"\W", "_", self.name)
