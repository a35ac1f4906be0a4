"""How the toxicity numbers of the drug files follow from published calibration rows; the test compares the files with this.

A patient's events of a term come at a hazard f h 2^(-t / onset) while at risk: f is the patient's proneness (log-normal, mean 1), t the time on
treatment, onset the time after which the hazard has halved. So P(at least one) = E[1 - exp(-f sum of h X)], with X(T) the integral of 2^(-t / onset) up
to T. T is the time to progression, cut at the treatment cap: a Weibull curve through two published points of progression-free survival. Given P, h is
found by bisection. A drug's hazard is what its arm needs beyond the other hazards that act there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mesotrial.catalogue import TOXICITY_FRAILTY_SD, PublishedResult, load_drug, published_results

MONTHS_PER_YEAR = 12.0
CYCLE_YEARS = 21 / 365.25
# Median onset of events of any grade: 8.4 weeks on PD-1 or PD-L1 antibodies (Tang 2021, doi:10.4143/crt.2020.790); taken for the background too [guess].
PD1_ONSET = 59.0
# Median onset of immune events on ipilimumab: 6.1 to 6.9 weeks.
CTLA4_ONSET = 45.0
TERMS = (
    "fatigue", "diarrhoea", "nausea", "dyspnoea", "arthralgia", "pruritus", "hypothyroidism", "infusion-related reaction", "transaminases increased",
)  # fmt: skip
# [guess] Terms that are seldom severe: this share of their events is of grade 3 or worse.
SELDOM_SEVERE = {"nausea", "arthralgia", "pruritus", "hypothyroidism", "infusion-related reaction", "rash"}
SELDOM = 0.03
# [guess] The same for terms of nivolumab; what the published total still needs are other events, of which half are severe.
NIVOLUMAB_SEVERE = {
    "fatigue": 0.13,
    "diarrhoea": 0.13,
    "dyspnoea": 0.13,
    "transaminases increased": 0.3,
    "pneumonitis": 0.3,
    "colitis": 0.3,
}
OTHER_SEVERE = 0.5
# [guess] Ipilimumab's own events by term, as shares of all grades and of grade 3-4.
IPILIMUMAB = {
    "diarrhoea": (0.22, 0.25),
    "colitis": (0.10, 0.25),
    "rash": (0.22, 0.05),
    "pruritus": (0.18, 0.02),
    "transaminases increased": (0.12, 0.25),
    "hypophysitis": (0.06, 0.08),
    "other treatment-related event": (0.10, 0.10),
}
# [guess] Of all grades of an event of tremelimumab, this share is of grade 3 or worse.
TREMELIMUMAB_SEVERE = 0.4
# [guess] Chemotherapy by term, as shares of a drug's half of all grades and of grade 3-4.
CHEMOTHERAPY = {
    "pemetrexed": {
        "neutropenia": (0.20, 0.45), "anaemia": (0.20, 0.25), "fatigue": (0.25, 0.15), "nausea": (0.25, 0.05), "stomatitis": (0.10, 0.10),
    },
    "cisplatin": {
        "nausea": (0.35, 0.15), "vomiting": (0.20, 0.15), "neutropenia": (0.15, 0.40), "creatinine increased": (0.15, 0.15), "anaemia": (0.15, 0.15),
    },
    "carboplatin": {
        "nausea": (0.30, 0.05), "thrombocytopenia": (0.20, 0.30), "neutropenia": (0.20, 0.35), "anaemia": (0.20, 0.25), "constipation": (0.10, 0.05),
    },
    "gemcitabine": {
        "neutropenia": (0.20, 0.50), "thrombocytopenia": (0.20, 0.20), "anaemia": (0.20, 0.15), "fatigue": (0.20, 0.10), "nausea": (0.20, 0.05),
    },
    "vinorelbine": {
        "neutropenia": (0.35, 0.70), "anaemia": (0.20, 0.10), "constipation": (0.20, 0.08), "peripheral neuropathy": (0.15, 0.05), "fatigue": (0.10, 0.07),
    },
    "mitomycin": {
        "thrombocytopenia": (0.35, 0.45), "neutropenia": (0.25, 0.30), "anaemia": (0.20, 0.20), "nausea": (0.20, 0.05),
    },
    "vinblastine": {
        "neutropenia": (0.45, 0.75), "constipation": (0.30, 0.10), "peripheral neuropathy": (0.25, 0.15),
    },
}  # fmt: skip
# A drug carries this share of a doublet's events. Mitomycin and vinblastine share theirs, for with cisplatin they make a doublet of three [guess].
CHEMOTHERAPY_SHARE = {"mitomycin": 0.25, "vinblastine": 0.25}
# Grade 3 or worse in MAPS with and without bevacizumab (Zalcman 2016, abstract read), and any grade of epistaxis and grade 3 of proteinuria (quoted in a
# secondary source, not checked); the share that is severe where only one grade is known is a [guess]; patients who stopped for toxicity as quoted there.
BEVACIZUMAB = {"hypertension": (0.23, 0.0), "thromboembolic event": (0.059, 0.013), "proteinuria": (0.031, 0.0)}
BEVACIZUMAB_SEVERE = {"hypertension": 0.4, "thromboembolic event": 0.6, "proteinuria": 0.2}
EPISTAXIS, EPISTAXIS_SEVERE = (0.374, 0.063), 0.01
BEVACIZUMAB_STOPPED = (0.243, 0.06)
# Grade 3-4 in RAMES with and without ramucirumab (quoted in a news item on Pinto 2021, not checked in the paper).
RAMUCIRUMAB = {"hypertension": (0.06, 0.0), "neutropenia": (0.20, 0.12), "fatigue": (0.05, 0.04)}
RAMUCIRUMAB_SEVERE = {"hypertension": 0.4, "neutropenia": 0.5, "fatigue": 0.13}


def published(trial: str, arm: str, code: str, months: float | None = None) -> float:
    """Give the value of the one scored calibration row for all patients; refuse any other row."""
    rows: list[PublishedResult] = [
        row
        for row in published_results(trial, roles=["calibration"])
        if (row.arm, row.code, row.time_months, row.subgroup_code) == (arm, code, months, "all") and row.scored
    ]
    (row,) = rows
    assert row.value is not None
    return row.value / 100 if row.is_rate else row.value


@dataclass(frozen=True)
class AtRisk:
    """Times at risk in years, as quantile midpoints, for one arm."""

    years: np.ndarray

    @classmethod
    def from_pfs(cls, median: float, later: float, share: float, cap_months: float) -> AtRisk:
        return cls.weibull(median, math.log(math.log(1 / share) / math.log(2)) / math.log(later / median), cap_months)

    @classmethod
    def weibull(cls, median: float, shape: float, cap_months: float) -> AtRisk:
        survival = (np.arange(400) + 0.5) / 400
        months = median * (np.log(1 / survival) / math.log(2)) ** (1 / shape)
        return cls(np.minimum(months, cap_months) / MONTHS_PER_YEAR)

    def exposure(self, onset_days: float | None) -> np.ndarray:
        if onset_days is None:
            return self.years
        rate = math.log(2) * 365.25 / onset_days
        return (1 - np.exp(-rate * self.years)) / rate

    def probability(self, *hazards: tuple[float, float | None]) -> float:
        """P(at least one event) under hazards per year, each with its onset in days."""
        node, weight = np.polynomial.hermite_e.hermegauss(24)
        proneness = np.exp(TOXICITY_FRAILTY_SD * node - TOXICITY_FRAILTY_SD**2 / 2)
        cumulated = sum(hazard * self.exposure(onset) for hazard, onset in hazards)
        return float(np.mean(1 - np.exp(-np.outer(cumulated, proneness)) @ (weight / weight.sum())))

    def hazard(self, probability: float, onset_days: float | None, *others: tuple[float, float | None]) -> float:
        """The hazard per year that gives this probability beside the other hazards."""
        return bisect(lambda hazard: self.probability((hazard, onset_days), *others), probability, 0, 1000)


def bisect(function: Callable[[float], float], target: float, low: float, high: float) -> float:
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < target else (low, middle)
    return (low + high) / 2


def arms() -> dict[str, AtRisk]:
    def two_points(trial: str, arm: str, months: float, cap: float) -> AtRisk:
        return AtRisk.from_pfs(
            published(trial, arm, "PFS_MEDIAN"), months, published(trial, arm, "PFS_RATE", months), cap
        )

    confirm = (published("CONFIRM", "nivo", "PFS_MEDIAN"), published("CONFIRM", "nivo", "PFS_RATE", 12))
    shape = math.log(math.log(1 / confirm[1]) / math.log(2)) / math.log(12 / confirm[0])
    chemo = (published("CheckMate 743", "chemo", "PFS_MEDIAN"), published("CheckMate 743", "chemo", "PFS_RATE", 24))
    chemo_shape = math.log(math.log(1 / chemo[1]) / math.log(2)) / math.log(24 / chemo[0])
    return {
        "confirm nivo": two_points("CONFIRM", "nivo", 12, 12),
        "confirm placebo": two_points("CONFIRM", "placebo", 12, 12),
        "checkmate nivo+ipi": two_points("CheckMate 743", "nivo+ipi", 24, 24),
        # Six cycles of three weeks; half the patients are free of progression at 7.2 months.
        "checkmate chemo": two_points("CheckMate 743", "chemo", 24, 6 * 21 / 30.4375),
        # No later point is published: the shape of CONFIRM's nivolumab arm.
        "determine treme": AtRisk.weibull(published("DETERMINE", "treme", "PFS_MEDIAN"), shape, 24),
        # Until progression; no later point is published: the shape of CheckMate 743's chemotherapy arm and of CONFIRM's nivolumab arm.
        "maps bev": AtRisk.weibull(published("MAPS", "bev+chemo", "PFS_MEDIAN"), chemo_shape, 60),
        "maps chemo": AtRisk.weibull(published("MAPS", "chemo", "PFS_MEDIAN"), chemo_shape, 6 * 21 / 30.4375),
        "rames ram": AtRisk.weibull(published("RAMES", "gem+ram", "PFS_MEDIAN"), shape, 60),
        "rames gem": AtRisk.weibull(published("RAMES", "gem+placebo", "PFS_MEDIAN"), shape, 60),
        "javelin": AtRisk.weibull(published("JAVELIN Solid Tumor", "avelumab", "PFS_MEDIAN"), shape, 24),
    }


def code(term: str) -> str:
    return "AE_" + term.upper().replace(" ", "_").replace("-", "_") + "_ANY"


Block = dict[str, tuple[float, float]]
"""Hazards per year (or numbers per cycle) of any grade and of grade 3-4, by term."""


def background() -> Block:
    risk = arms()["confirm placebo"]
    any_grade = {term: risk.hazard(published("CONFIRM", "placebo", code(term)), PD1_ONSET) for term in TERMS}
    return with_severe(any_grade, risk.hazard(published("CONFIRM", "placebo", "TRAE_G34"), PD1_ONSET))


def with_severe(any_grade: dict[str, float], g34_total: float) -> Block:
    """Give each seldom severe term its small share; the others divide the rest in proportion."""
    seldom = sum(SELDOM * hazard for term, hazard in any_grade.items() if term in SELDOM_SEVERE)
    others = sum(hazard for term, hazard in any_grade.items() if term not in SELDOM_SEVERE)
    share = (g34_total - seldom) / others
    return {term: (hazard, hazard * (SELDOM if term in SELDOM_SEVERE else share)) for term, hazard in any_grade.items()}


def total(block: Block, grade: int) -> float:
    return sum(hazards[grade] for hazards in block.values())


def nivolumab() -> Block:
    base, risk, javelin = background(), arms()["confirm nivo"], arms()["javelin"]
    excess = {term: risk.hazard(published("CONFIRM", "nivo", code(term)), PD1_ONSET) - base[term][0] for term in TERMS}
    any_grade = {term: hazard for term, hazard in excess.items() if hazard > 0}
    for term in ("pneumonitis", "colitis"):
        any_grade[term] = javelin.hazard(published("JAVELIN Solid Tumor", "avelumab", code(term)), PD1_ONSET)
    immune = sum(any_grade[term] for term in ("hypothyroidism", "transaminases increased", "pneumonitis", "colitis"))
    any_grade["rash"] = javelin.hazard(published("JAVELIN Solid Tumor", "avelumab", "IRAE_ANY"), PD1_ONSET) - immune
    block = {term: (hazard, hazard * NIVOLUMAB_SEVERE.get(term, SELDOM)) for term, hazard in any_grade.items()}
    left = risk.hazard(published("CONFIRM", "nivo", "TRAE_G34"), PD1_ONSET) - total(base, 1) - total(block, 1)
    return block | {"other treatment-related event": (left / OTHER_SEVERE, left)}


def avelumab() -> Block:
    """Any grade as nivolumab, whose rarer terms come from JAVELIN anyway; grade 3-4 in all as in JAVELIN, shared out as nivolumab's are."""
    nivo = {term: hazards for term, hazards in nivolumab().items() if term != "other treatment-related event"}
    severe = arms()["javelin"].hazard(published("JAVELIN Solid Tumor", "avelumab", "TRAE_G34"), PD1_ONSET)
    factor = (severe - total(background(), 1)) / total(nivo, 1)
    return {term: (hazards[0], hazards[1] * factor) for term, hazards in nivo.items()}


def bevacizumab() -> Block:
    """Events per year at a constant hazard: what the bevacizumab arm has beyond chemotherapy alone."""
    with_it, without = arms()["maps bev"], arms()["maps chemo"]
    block = {}
    for term, (more, less) in BEVACIZUMAB.items():
        severe = with_it.hazard(more, None) - without.hazard(less, None)
        block[term] = (severe / BEVACIZUMAB_SEVERE[term], severe)
    any_grade = with_it.hazard(EPISTAXIS[0], None) - without.hazard(EPISTAXIS[1], None)
    return block | {"epistaxis": (any_grade, any_grade * EPISTAXIS_SEVERE)}


def bevacizumab_stop_fraction() -> float:
    with_it, without = arms()["maps bev"], arms()["maps chemo"]
    stopped = with_it.hazard(BEVACIZUMAB_STOPPED[0], None) - without.hazard(BEVACIZUMAB_STOPPED[1], None)
    return stopped / total(bevacizumab(), 1)


def ramucirumab() -> Block:
    """Hypertension, neutropenia and fatigue as in RAMES; proteinuria and epistaxis as bevacizumab, by class."""
    with_it, without = arms()["rames ram"], arms()["rames gem"]
    block = {}
    for term, (more, less) in RAMUCIRUMAB.items():
        severe = max(with_it.hazard(more, None) - without.hazard(less, None), 0.0)
        block[term] = (severe / RAMUCIRUMAB_SEVERE[term], severe)
    return {term: hazards for term, hazards in block.items() if hazards[1] > 0} | {
        term: bevacizumab()[term] for term in ("proteinuria", "epistaxis")
    }


def ipilimumab() -> Block:
    risk, base, nivo = arms()["checkmate nivo+ipi"], background(), nivolumab()
    any_grade, g34 = (
        risk.hazard(
            published("CheckMate 743", "nivo+ipi", code),
            CTLA4_ONSET,
            (total(base, grade) + total(nivo, grade), PD1_ONSET),
        )
        for grade, code in enumerate(("TRAE_ANY", "TRAE_G34"))
    )
    return {term: (any_grade * shares[0], g34 * shares[1]) for term, shares in IPILIMUMAB.items()}


def tremelimumab() -> Block:
    risk, base = arms()["determine treme"], background()
    diarrhoea = risk.hazard(
        published("DETERMINE", "treme", "AE_DIARRHOEA_G34"), CTLA4_ONSET, (base["diarrhoea"][1], PD1_ONSET)
    )
    colitis = risk.hazard(published("DETERMINE", "treme", "AE_COLITIS_G34"), CTLA4_ONSET)
    return {
        term: (hazard / TREMELIMUMAB_SEVERE, hazard)
        for term, hazard in (("diarrhoea", diarrhoea), ("colitis", colitis))
    }


def chemotherapy(drug: str) -> Block:
    """Events per cycle of one drug: pemetrexed and the platinum carry half each of what their doublet causes; other drugs by class."""
    half = CHEMOTHERAPY_SHARE.get(drug, 0.5)
    risk, base = arms()["checkmate chemo"], background()
    any_grade, g34 = (
        risk.hazard(published("CheckMate 743", "chemo", code), None, (total(base, grade), PD1_ONSET))
        * CYCLE_YEARS
        * half
        for grade, code in enumerate(("TRAE_ANY", "TRAE_G34"))
    )
    return {term: (any_grade * shares[0], g34 * shares[1]) for term, shares in CHEMOTHERAPY[drug].items()}


def fractions(arm: str, risk: str, onset_days: float | None) -> tuple[float, float]:
    """Of grade 3-4 events, the shares that end treatment and that are fatal."""
    codes = ("TRAE_G34", "DISC_TOX", "DEATH_TOX")
    severe, stop, fatal = (arms()[risk].hazard(published("CheckMate 743", arm, code), onset_days) for code in codes)
    return stop / severe, fatal / severe


def trough_mg_per_l(drug: str, mg_per_kg: float, interval_days: float) -> float:
    """Steady-state trough of the reference patient, after time-varying clearance has settled; two compartments, bolus doses."""
    pk = load_drug(drug).pk
    assert pk is not None
    value = {name: parameter.value for name, parameter in pk.parameters.items()}
    weight = next(effect.reference for effect in pk.covariates if effect.covariate == "weight_kg")
    assert weight is not None
    clearance = value["CL"] * math.exp(value["CL_Emax"])
    k10, k12, k21 = clearance / value["V1"], value["Q"] / value["V1"], value["Q"] / value["V2"]
    both = k10 + k12 + k21
    slow = (both - math.sqrt(both**2 - 4 * k10 * k21)) / 2
    fast = both - slow
    doses = mg_per_kg * weight / value["V1"]
    parts = ((fast, (fast - k21) / (fast - slow)), (slow, (k21 - slow) / (fast - slow)))
    return doses * sum(
        part * math.exp(-rate * interval_days) / (1 - math.exp(-rate * interval_days)) for rate, part in parts
    )


if __name__ == "__main__":
    for name, risk in arms().items():
        print(f"{name:20s} mean time at risk {12 * risk.years.mean():.1f} months")
    for drug, block in {
        "placebo": background(),
        "nivolumab": nivolumab(),
        "ipilimumab": ipilimumab(),
        "tremelimumab": tremelimumab(),
        "avelumab": avelumab(),
        "bevacizumab": bevacizumab(),
        "ramucirumab": ramucirumab(),
    }.items():
        print(drug, "total", [round(total(block, grade), 3) for grade in (0, 1)])
        for term, hazards in block.items():
            print(
                f"    - {{term: {term}, any_hazard_per_year: {hazards[0]:.3f}, g34_hazard_per_year: {hazards[1]:.3f}}}"
            )
    for drug in CHEMOTHERAPY:
        print(drug, [round(total(chemotherapy(drug), grade), 4) for grade in (0, 1)])
        for term, per_cycle in chemotherapy(drug).items():
            print(f"    - {{term: {term}, any_per_cycle: {per_cycle[0]:.4f}, g34_per_cycle: {per_cycle[1]:.4f}}}")
    print(
        "fractions", fractions("nivo+ipi", "checkmate nivo+ipi", PD1_ONSET), fractions("chemo", "checkmate chemo", None)
    )
    print("bevacizumab stopped", bevacizumab_stop_fraction())
    print(
        "troughs",
        trough_mg_per_l("tremelimumab", 10, 28),
        trough_mg_per_l("ipilimumab", 1, 42),
        trough_mg_per_l("ipilimumab", 3, 21),
    )
