"""How the toxicity numbers of the drug files follow from published calibration rows; the test compares the files with this.

A patient's events of a term come at a hazard f h k(t): f is the patient's proneness (log-normal, mean 1), t the time on treatment, k the term's kernel. So
P(at least one) = E[1 - exp(-f sum of h X)], with X(T) the integral of the kernel up to T, the time to progression cut at the treatment cap: a Weibull curve
through two published points of progression-free survival. Kernels: 2^(-t / onset) while on treatment; (1 - exp(-a t)) exp(-r t) for immune-related
terms (full blockade, activation at the rate a, tolerance at the rate r that puts half of the events before the published median onset; that trials also count
the 30 days after the last dose is set against deaths in that time); a count of
doses for what follows a dose. Given P, h is found by bisection. A drug's hazard is what its arm needs beyond the other hazards that act there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mesotrial.catalogue import TOXICITY_FRAILTY_SD, PublishedResult, load_drug, published_results
from mesotrial.catalogue.drug import ACTIVATION_PER_DAY, tolerance_rate

MONTHS_PER_YEAR = 12.0
CYCLE_YEARS = 21 / 365.25
# Median onset of events of any grade: 8.4 weeks on PD-1 or PD-L1 antibodies (Tang 2021, doi:10.4143/crt.2020.790); taken for the background too [guess].
PD1_ONSET = 59.0
# Of grade 3 or worse 27.5 weeks (Tang 2021).
PD1_SEVERE_ONSET = 192.0
# Median onset of immune events on ipilimumab: 6.1 to 6.9 weeks; taken for grade 3 or worse too (7.9 weeks on the combination, Tang 2021).
CTLA4_ONSET = 45.0
# Spread between trials of one treatment on the logit, for toxicity.
TOXICITY_TAU = 0.40
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
# [guess] Those other events by term, as shares of all grades and of grade 3-4; they follow the known profile of PD-1 antibodies (Postow 2018,
# doi:10.1056/NEJMra1703481; recalled): lipase without symptoms is frequent, heart and muscle rare and dangerous.
OTHER = {
    "lipase increased": (0.15, 0.30), "hyperthyroidism": (0.08, 0.0), "adrenal insufficiency": (0.05, 0.08), "nephritis": (0.05, 0.08),
    "arthritis": (0.08, 0.06), "myositis": (0.03, 0.05), "myocarditis": (0.02, 0.04), "pericarditis": (0.01, 0.02), "pleuritis": (0.02, 0.03),
    "myalgia": (0.10, 0.01), "dizziness": (0.06, 0.0), "pyrexia": (0.11, 0.01), "influenza-like illness": (0.04, 0.0),
    "immune-related event, other organ": (0.20, 0.32),
}  # fmt: skip
IMMUNE = {"hypothyroidism", "transaminases increased", "pneumonitis", "colitis", "rash"} | set(OTHER) - {
    "myalgia",
    "dizziness",
    "pyrexia",
    "influenza-like illness",
}
# [guess] Ipilimumab's own events by term, as shares of all grades and of grade 3-4.
IPILIMUMAB = {
    "diarrhoea": (0.22, 0.25),
    "colitis": (0.10, 0.25),
    "rash": (0.22, 0.05),
    "pruritus": (0.18, 0.02),
    "transaminases increased": (0.12, 0.25),
    "hypophysitis": (0.06, 0.08),
    "immune-related event, other organ": (0.10, 0.10),
}
# Ipilimumab alone: logit P(grade 3 or worse) = -3.8 + 0.66 ln(trough in mg/L), four doses every three weeks (Feng 2013, doi:10.1158/1078-0432.CCR-12-3243).
FENG = (-3.8, 0.66, 12 * 7 / 365.25)
# [guess] Of all grades of an event of tremelimumab, this share is of grade 3 or worse.
TREMELIMUMAB_SEVERE = 0.4
# Neutropenia of grade 2 or worse for each of grade 3 or worse, as `trial.myelosuppression` gives it for a platinum-pemetrexed doublet.
NEUTROPENIA_ANY = 2.1
# [guess] Severe events of a platinum-pemetrexed doublet that are neither neutropenia nor background, in six cycles.
OTHER_SEVERE_CHEMOTHERAPY = 0.02
# [guess] Chemotherapy by term, as shares of a drug's half of all grades and of grade 3-4, neutropenia apart.
CHEMOTHERAPY = {
    "pemetrexed": {"anaemia": (0.25, 0.45), "fatigue": (0.30, 0.27), "nausea": (0.30, 0.10), "stomatitis": (0.15, 0.18)},
    "cisplatin": {"nausea": (0.40, 0.25), "vomiting": (0.25, 0.25), "creatinine increased": (0.18, 0.25), "anaemia": (0.17, 0.25)},
    "carboplatin": {"nausea": (0.37, 0.08), "thrombocytopenia": (0.25, 0.46), "anaemia": (0.25, 0.38), "constipation": (0.13, 0.08)},
    "gemcitabine": {"thrombocytopenia": (0.25, 0.40), "anaemia": (0.25, 0.30), "fatigue": (0.25, 0.20), "nausea": (0.25, 0.10)},
    "vinorelbine": {"anaemia": (0.30, 0.33), "constipation": (0.31, 0.27), "peripheral neuropathy": (0.23, 0.17), "fatigue": (0.16, 0.23)},
    "mitomycin": {"thrombocytopenia": (0.46, 0.64), "anaemia": (0.27, 0.29), "nausea": (0.27, 0.07)},
    "vinblastine": {"constipation": (0.55, 0.40), "peripheral neuropathy": (0.45, 0.60)},
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

    def exposure(self, kernel: Kernel) -> np.ndarray:
        """X(T) in years, or doses: of a hazard that stays (None), halves every so many days (a number), or another kernel."""
        if kernel is None:
            return self.years
        if isinstance(kernel, Immune):
            days, rate = self.years * 365.25, tolerance_rate(kernel.onset_days)
            both = rate + ACTIVATION_PER_DAY
            return (-np.expm1(-rate * days) / rate + np.expm1(-both * days) / both) / 365.25
        if isinstance(kernel, Doses):
            return np.floor(self.years * 365.25 / kernel.every_days) + 1
        rate = math.log(2) * 365.25 / kernel
        return (1 - np.exp(-rate * self.years)) / rate

    def probability(self, *hazards: Pair) -> float:
        """P(at least one event) under hazards per year (or dose), each with its kernel."""
        node, weight = np.polynomial.hermite_e.hermegauss(24)
        proneness = np.exp(TOXICITY_FRAILTY_SD * node - TOXICITY_FRAILTY_SD**2 / 2)
        cumulated = sum(hazard * self.exposure(kernel) for hazard, kernel in hazards)
        return float(np.mean(1 - np.exp(-np.outer(cumulated, proneness)) @ (weight / weight.sum())))

    def hazard(self, probability: float, kernel: Kernel, *others: Pair) -> float:
        """The hazard per year (or dose) that gives this probability beside the other hazards."""
        return bisect(lambda hazard: self.probability((hazard, kernel), *others), probability, 0, 1000)


@dataclass(frozen=True)
class Immune:
    """Autoreactive activation with tolerance: half of the events of an endless treatment begin before `onset_days`."""

    onset_days: float


@dataclass(frozen=True)
class Doses:
    """What follows each dose, given every so many days."""

    every_days: float


Kernel = None | float | Immune | Doses
Pair = tuple[float, Kernel]


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


def pd1_kernel(term: str) -> tuple[Kernel, Kernel]:
    """The kernels of lower grades and of grade 3-4 of a term of PD-1 and PD-L1 antibodies."""
    if term in IMMUNE:
        return Immune(PD1_ONSET), Immune(PD1_SEVERE_ONSET)
    return (Doses(14), Doses(14)) if term == "infusion-related reaction" else (PD1_ONSET, PD1_ONSET)


def pairs(block: Block, grade: int) -> list[Pair]:
    """All hazards of a PD-1 block with their kernels: of any grade (0), of grade 3-4 (1)."""
    severe: list[Pair] = [(hazards[1], pd1_kernel(term)[1]) for term, hazards in block.items()]
    lower: list[Pair] = [(hazards[0] - hazards[1], pd1_kernel(term)[0]) for term, hazards in block.items()]
    return severe + (lower if grade == 0 else [])


def of_term(risk: AtRisk, probability: float, term: str, severe: float, *others: Pair) -> tuple[float, float]:
    """Any grade and grade 3-4 of a term that gives this probability, a share of it `severe`."""
    low, high = pd1_kernel(term)

    def both(hazard: float) -> float:
        return risk.probability((hazard * (1 - severe), low), (hazard * severe, high), *others)

    hazard = bisect(both, probability, 0, 1000) if risk.probability(*others) < probability else 0.0
    return hazard, hazard * severe


def nivolumab() -> Block:
    base, risk, javelin = background(), arms()["confirm nivo"], arms()["javelin"]
    block: Block = {}
    for term in TERMS:
        target, beside = published("CONFIRM", "nivo", code(term)), (base[term][0], PD1_ONSET)
        block[term] = of_term(risk, target, term, NIVOLUMAB_SEVERE.get(term, SELDOM), beside)
    block = {term: hazards for term, hazards in block.items() if hazards[0] > 0}
    for term in ("pneumonitis", "colitis"):
        target = published("JAVELIN Solid Tumor", "avelumab", code(term))
        block[term] = of_term(javelin, target, term, NIVOLUMAB_SEVERE[term])
    immune = pairs({term: hazards for term, hazards in block.items() if term in IMMUNE}, 0)
    block["rash"] = of_term(javelin, published("JAVELIN Solid Tumor", "avelumab", "IRAE_ANY"), "rash", SELDOM, *immune)
    beside = [(total(base, 1), PD1_ONSET), *pairs(block, 1)]
    left = risk.hazard(published("CONFIRM", "nivo", "TRAE_G34"), Immune(PD1_SEVERE_ONSET), *beside)
    return block | {term: (left / OTHER_SEVERE * shares[0], left * shares[1]) for term, shares in OTHER.items()}


def avelumab() -> Block:
    """Any grade as nivolumab, whose rarer terms come from JAVELIN anyway; grade 3-4 in all as in JAVELIN, shared out as nivolumab's are."""
    nivo = {term: hazards for term, hazards in nivolumab().items() if term not in OTHER}
    target = published("JAVELIN Solid Tumor", "avelumab", "TRAE_G34")

    def severe(factor: float) -> float:
        scaled = {term: (hazards[0], hazards[1] * factor) for term, hazards in nivo.items()}
        return arms()["javelin"].probability((total(background(), 1), PD1_ONSET), *pairs(scaled, 1))

    factor = bisect(severe, target, 0, 10)
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
    kernel = Immune(CTLA4_ONSET)
    g34 = risk.hazard(
        published("CheckMate 743", "nivo+ipi", "TRAE_G34"), kernel, (total(base, 1), PD1_ONSET), *pairs(nivo, 1)
    )
    lower = risk.hazard(
        published("CheckMate 743", "nivo+ipi", "TRAE_ANY"),
        kernel,
        (g34, kernel),
        (total(base, 0), PD1_ONSET),
        *pairs(nivo, 0),
    )
    return {term: ((lower + g34) * shares[0], g34 * shares[1]) for term, shares in IPILIMUMAB.items()}


def ipilimumab_alone_factor() -> float:
    """What is left of ipilimumab's severe events without nivolumab, at the reference trough: Feng 2013 over CheckMate 743."""
    intercept, slope, years = FENG
    trough = trough_mg_per_l("ipilimumab", 1, 42)
    alone = AtRisk(np.array([years])).hazard(
        1 / (1 + math.exp(-intercept - slope * math.log(trough))), Immune(CTLA4_ONSET)
    )
    return alone / total(ipilimumab(), 1)


def tremelimumab() -> Block:
    risk, base = arms()["determine treme"], background()
    diarrhoea = risk.hazard(
        published("DETERMINE", "treme", "AE_DIARRHOEA_G34"), Immune(CTLA4_ONSET), (base["diarrhoea"][1], PD1_ONSET)
    )
    colitis = risk.hazard(published("DETERMINE", "treme", "AE_COLITIS_G34"), Immune(CTLA4_ONSET))
    return {
        term: (hazard / TREMELIMUMAB_SEVERE, hazard)
        for term, hazard in (("diarrhoea", diarrhoea), ("colitis", colitis))
    }


def chemotherapy_severe() -> tuple[float, float]:
    """Severe neutropenia, and all severe related events, on platinum-pemetrexed.

    The compromise with the smallest largest misfit between CheckMate 743, IND.227 and EMPHACIS.

    The three contradict each other, for EMPHACIS had as many patients with severe neutropenia alone as the others had with any severe event.
    """
    wanted = {("CheckMate 743", "TRAE_G34"), ("IND.227/KEYNOTE-483", "TRAE_G34"), ("EMPHACIS", "AE_NEUTROPENIA_G34")}
    rows = [
        row
        for row in published_results(roles=["calibration"])
        if (row.trial, row.code) in wanted and row.arm in ("chemo", "cis+pem") and row.scored
    ]
    assert len(rows) == 3

    def logit(share: float) -> float:
        return math.log(share / (1 - share))

    base = arms()["checkmate chemo"].probability((total(background(), 1), PD1_ONSET))

    def both(neutropenia: float) -> tuple[float, float]:
        return neutropenia, 1 - (1 - neutropenia) * (1 - base) * (1 - OTHER_SEVERE_CHEMOTHERAPY)

    def misfit(neutropenia: float) -> float:
        found = both(neutropenia)
        return max(
            abs(logit(found[row.code == "TRAE_G34"]) - logit((row.value or 0) / 100))
            / math.hypot(row.se or 0, TOXICITY_TAU)
            for row in rows
        )

    return both(min(np.arange(0.05, 0.4, 0.001), key=misfit))


def chemotherapy(drug: str) -> Block:
    """Events per cycle of one drug, neutropenia apart: pemetrexed and the platinum carry half each of what their doublet causes; other drugs by class."""
    half = CHEMOTHERAPY_SHARE.get(drug, 0.5)
    risk, base = arms()["checkmate chemo"], background()
    target = published("CheckMate 743", "chemo", "TRAE_ANY")
    without = 1 - (1 - target) / (1 - NEUTROPENIA_ANY * chemotherapy_severe()[0])
    any_grade = risk.hazard(without, None, (total(base, 0), PD1_ONSET)) * CYCLE_YEARS * half
    g34 = risk.hazard(OTHER_SEVERE_CHEMOTHERAPY, None) * CYCLE_YEARS * half
    return {term: (any_grade * shares[0], g34 * shares[1]) for term, shares in CHEMOTHERAPY[drug].items()}


def fractions(arm: str, risk: str, onset_days: float | None) -> tuple[float, float]:
    """Of grade 3-4 events, the shares that end treatment and that are fatal."""
    severe = chemotherapy_severe()[1] if arm == "chemo" else published("CheckMate 743", arm, "TRAE_G34")
    targets = (severe, *(published("CheckMate 743", arm, code) for code in ("DISC_TOX", "DEATH_TOX")))
    severe, stop, fatal = (arms()[risk].hazard(target, onset_days) for target in targets)
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
                f"    - {{term: {term}, any_hazard_per_year: {hazards[0]:.3g}, g34_hazard_per_year: {hazards[1]:.3g}}}"
            )
    for drug in CHEMOTHERAPY:
        print(drug, [round(total(chemotherapy(drug), grade), 4) for grade in (0, 1)])
        for term, per_cycle in chemotherapy(drug).items():
            print(f"    - {{term: {term}, any_per_cycle: {per_cycle[0]:.3g}, g34_per_cycle: {per_cycle[1]:.3g}}}")
    print(
        "fractions", fractions("nivo+ipi", "checkmate nivo+ipi", PD1_ONSET), fractions("chemo", "checkmate chemo", None)
    )
    print("bevacizumab stopped", bevacizumab_stop_fraction())
    print("chemotherapy, severe", chemotherapy_severe(), "ipilimumab alone", ipilimumab_alone_factor())
    print(
        "troughs",
        trough_mg_per_l("tremelimumab", 10, 28),
        trough_mg_per_l("ipilimumab", 1, 42),
        trough_mg_per_l("ipilimumab", 3, 21),
    )
