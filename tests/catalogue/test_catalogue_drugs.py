from __future__ import annotations

import csv
import math
import pickle
from pathlib import Path

import cycle_share_arithmetic as shares
import pytest
import toxicity_arithmetic as arithmetic

from mesotrial.catalogue import (
    COVARIATES,
    DataError,
    Toxicity,
    background_toxicity,
    load_drug,
    parse_regimen,
    published_results,
    therapy_from_text,
)
from mesotrial.catalogue._load_drug import drug_from_document
from mesotrial.catalogue._sources import packaged, packaged_names
from mesotrial.catalogue._yaml import read_yaml

DRUGS = packaged_names("drugs")
PK_TABLE = Path(__file__).parent / "data" / "pk_parameters.csv"  # as published, each with its paper
# drug -> its rows in that table, and what a parameter or covariate effect is called there
ROWS = {
    "nivolumab": ("nivolumab_combo", {
        "CL": "CL", "V1": "V1", "Q": "Q", "V2": "V2", "CL_Emax": "CL_Emax", "CL_T50": "CL_T50", "CL_Hill": "CL_Hill",
        "CL weight_kg": "WT_on_CL_power(ref80)", "CL egfr_ml_per_min": "eGFR_on_CL_power(ref90)", "CL female": "female_on_CL_exp",
        "CL ecog_ge1": "ECOG>0_on_CL_exp", "CL ipilimumab_1mgkg_q6w": "ipi1mgkg_q6w_on_CL_exp", "CL ipilimumab_3mgkg_q3w": "ipi3mgkg_q3w_on_CL_exp",
        "CL with_chemotherapy": "chemo_on_CL_exp", "CL_Emax ecog_ge1": "ECOG>0_on_Emax_add", "CL_Emax any_ipilimumab": "any_ipi_on_Emax_add",
        "V1 weight_kg": "WT_on_V1_power", "Q weight_kg": "WT_on_CL_power(ref80)", "V2 weight_kg": "WT_on_V1_power", "V1 female": "female_on_V1_exp",
    }),
    "ipilimumab": ("ipilimumab_combo", {
        "CL": "CL", "V1": "V1", "Q": "Q", "V2": "V2", "CL_Emax": "CL_Emax_mono", "CL_T50": "CL_T50", "CL_Hill": "CL_Hill",
        "CL weight_kg": "WT_on_CL_Q_power(ref80)", "Q weight_kg": "WT_on_CL_Q_power(ref80)", "V1 weight_kg": "WT_on_V_power",
        "V2 weight_kg": "WT_on_V_power", "CL ldh_u_per_l": "logLDH_on_CL (ref217)", "CL first_line": "first_line_on_CL_exp",
        "CL nivolumab_3mgkg_q2w": "nivo3q2w_on_CL_exp", "CL nivolumab_1mgkg_q3w": "nivo1q3w_on_CL_exp", "CL_Emax with_nivolumab": "CL_Emax_combo_shift",
    }),
    "tremelimumab": ("tremelimumab", {
        "CL": "CL", "V1": "V1", "Q": "Q", "V2": "V2", "CL_Emax": "CL_Tmax_mono", "CL_T50": "CL_TC50", "CL_Hill": "lambda_mono",
        "CL albumin_g_per_l": "ALB_on_CL_power(ref39)", "CL weight_kg": "WT_on_CL_power(ref71)", "V1 weight_kg": "WT_on_V1_power",
    }),
    "cisplatin": ("cisplatin", {
        "CL": "CL_unbound", "V1": "V1_unbound", "Q": "Q", "V2": "V2",
        "CL bsa_m2": "BSA_on_CL_power(ref1.62)", "CL egfr_ml_per_min": "CrCl_on_CL_power(ref81)", "V1 bsa_m2": "BSA_on_V1_power",
    }),
    "carboplatin": ("carboplatin", {"CL": "CL", "V1": "V1", "Q": "Q (=k12*V1)", "V2": "V2 (=Q/k21)"}),
    "pemetrexed": ("pemetrexed", {"CL": "CL", "V1": "V1", "Q": "Q", "V2": "V2"}),
    "pembrolizumab": ("pembrolizumab", {
        "CL": "CL", "V1": "V1", "Q": "Q", "V2": "V2", "CL weight_kg": "WT_on_CL_Q_power(ref76.8)", "Q weight_kg": "WT_on_CL_Q_power(ref76.8)",
        "V1 weight_kg": "WT_on_V_power", "V2 weight_kg": "WT_on_V_power", "CL albumin_g_per_l": "ALB_on_CL_power(ref39.6 g/L)",
        "V1 albumin_g_per_l": "ALB_on_V1_power", "CL egfr_ml_per_min": "eGFR_on_CL_power(ref88.47)", "CL female": "female_on_CL_frac",
        "CL ecog_ge1": "ECOG>=1_on_CL_frac", "V1 female": "female_on_V1_frac",
    }),
    "avelumab": ("avelumab_flatdose", {
        "CL": "CL", "V1": "V1", "Q": "Q", "V2": "V2", "CL_Emax": "CL_Imax (fractional)", "CL_T50": "CL_T50", "CL_Hill": "CL_gamma",
        "CL weight_kg": "WT_on_CL_power(ref80)",
    }),
    "durvalumab": ("durvalumab_tvCL", {
        "CL": "CL", "V1": "V1", "Q": "Q", "V2": "V2", "CL_Emax": "CL_Tmax", "CL_T50": "CL_TC50", "CL_Hill": "CL_lambda",
        "CL albumin_g_per_l": "ALB_on_CL_power(ref39)", "CL female": "female_on_CL_frac", "CL with_chemotherapy": "chemo_on_CL_frac",
    }),
    "atezolizumab": ("atezolizumab_tvCL", {
        "CL": "CL", "V1": "V1", "Q": "Q", "V2": "V2", "CL_Emax": "CL_Imax", "CL_T50": "CL_T50", "CL_Hill": "CL_Hill",
        "CL weight_kg": "WT_on_CL_power(ref77)", "CL albumin_g_per_l": "ALB_on_CL_power(ref40)",
    }),
    "bevacizumab": ("bevacizumab", {
        "CL": "CL", "V1": "V1", "Q": "Q", "V2": "V2", "CL weight_kg": "WT_on_CL_Q_power(ref70)", "Q weight_kg": "WT_on_CL_Q_power(ref70)",
        "V1 weight_kg": "WT_on_V_power", "V2 weight_kg": "WT_on_V_power", "CL albumin_g_per_l": "ALB_on_CL_power(ref39)",
        "CL female": "male_on_CL_factor", "V1 female": "male_on_V1_factor",
    }),
}  # fmt: skip
MALE_REFERENCE = {("bevacizumab", "CL"): 1.14, ("bevacizumab", "V1"): 1.18}
TO_DAYS = {"L/h": 24, "mL/min": 1.44}


@pytest.mark.parametrize("name", DRUGS)
def test_the_catalogues_drugs_pass_their_own_check(name: str) -> None:
    drug = drug_from_document(packaged("drugs", name)[0], load_drug(name).other_names)
    assert drug == load_drug(name)
    assert drug.name == name and drug.plain_words and drug.how_it_works
    assert pickle.loads(pickle.dumps(drug)) == drug


@pytest.mark.parametrize("name", [name for name in DRUGS if name != "placebo"])
def test_every_number_has_a_source_and_a_status(name: str) -> None:
    drug = load_drug(name)
    assert drug.pk is not None
    numbers = [*drug.pk.parameters.values(), *drug.pk.covariates, *drug.effects, *drug.toxicity]
    assert all(item.source in drug.sources.values() and item.status for item in numbers)
    flags = {flag.name for flag in drug.pk.flags}
    assert {effect.covariate for effect in drug.pk.covariates} <= flags | set(COVARIATES)
    assert flags <= {effect.covariate for effect in drug.pk.covariates}


@pytest.mark.parametrize("name", list(ROWS))
def test_pharmacokinetics_are_those_of_the_parameter_table(name: str) -> None:
    key, known_as = ROWS[name]
    with PK_TABLE.open(encoding="utf-8", newline="") as file:
        table = {row["parameter"]: row for row in csv.DictReader(file) if row["drug"] == key}
    pk = load_drug(name).pk
    assert pk is not None
    for parameter, value in pk.parameters.items():
        row = table[known_as[parameter]]
        published = float(row["value"]) * TO_DAYS.get(row["unit"], 1) * MALE_REFERENCE.get((name, parameter), 1)
        if "fractional" in row["parameter"]:
            published = math.log1p(published)
        assert value.value == pytest.approx(published, rel=1e-6 if value.status == "verified" else 1e-3)
        if row["iiv_cv_pct"].endswith("(log)"):
            assert value.cv_percent == pytest.approx(
                100 * math.sqrt(math.expm1(float(row["iiv_cv_pct"].split()[1]) ** 2)), rel=1e-3
            )
        elif row["iiv_cv_pct"].startswith("SD"):
            assert value.sd_additive == float(row["iiv_cv_pct"].split()[1])
        elif row["iiv_cv_pct"].startswith("shared eta"):
            assert pk.correlations[row["iiv_cv_pct"].split()[-1], parameter] == 0.99
        elif row["iiv_cv_pct"] and not parameter.startswith("CL_"):
            assert value.cv_percent == float(row["iiv_cv_pct"])
    for effect in pk.covariates:
        if effect.source.startswith(("Calvert", "Cao")):
            continue
        row = table[known_as[f"{effect.on} {effect.covariate}"]]
        if row["parameter"].endswith("_frac"):
            assert effect.value == pytest.approx(math.log1p(float(row["value"])), abs=1e-4)
        elif row["parameter"].startswith("male_on"):
            assert effect.value == pytest.approx(-math.log(float(row["value"])), abs=1e-4)
        else:
            assert effect.value == float(row["value"])
        if "(ref" in row["parameter"]:
            assert effect.reference == float(row["parameter"].split("(ref")[1].split()[0].rstrip(")"))


def test_units_are_converted_and_the_published_text_is_kept() -> None:
    pk = load_drug("pemetrexed").pk
    assert pk is not None
    clearance = pk.parameters["CL"]
    assert (clearance.value, clearance.unit, clearance.published) == (
        pytest.approx(91.6 * 1.44),
        "L/day",
        "91.6 mL/min",
    )


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("nivolumab", 0.15),
        ("ipilimumab", 0.15),
        ("pemetrexed", 0.15),
        ("bevacizumab", 0.15),
        ("atezolizumab", 0.15),
        # The published models themselves are further from labels, which differ by edition and country too (ramucirumab: 10 and 14 days).
        ("pembrolizumab", 0.25),
        ("avelumab", 0.25),
        ("durvalumab", 0.25),
        ("ramucirumab", 0.25),
    ],
)
def test_half_lives_are_near_the_label(name: str, tolerance: float) -> None:
    pk = load_drug(name).pk
    assert pk is not None and pk.label_half_life_days is not None
    value = {key: parameter.value for key, parameter in pk.parameters.items()}
    clearance = value["CL"] * math.exp(value.get("CL_Emax", 0.0))
    k10, k12, k21 = clearance / value["V1"], value["Q"] / value["V1"], value["Q"] / value["V2"]
    both = k10 + k12 + k21
    half_life = math.log(2) / ((both - math.sqrt(both**2 - 4 * k10 * k21)) / 2)
    assert half_life == pytest.approx(pk.label_half_life_days, rel=tolerance)


def test_regimen_flags() -> None:
    pk = load_drug("nivolumab").pk
    assert pk is not None
    regimens = [parse_regimen("nivolumab 3 mg/kg IV q2w"), parse_regimen("ipilimumab 1 mg/kg IV q6w")]
    assert {flag.name: flag.holds(regimens) for flag in pk.flags} == {
        "ipilimumab_1mgkg_q6w": True, "ipilimumab_3mgkg_q3w": False, "any_ipilimumab": True, "with_chemotherapy": False,
    }  # fmt: skip
    assert not any(flag.holds(regimens[:1]) for flag in pk.flags)


def test_carboplatin_clearance_follows_calvert() -> None:
    pk = load_drug("carboplatin").pk
    assert pk is not None
    (effect,) = pk.covariates
    assert effect.reference is not None
    for gfr in (40, 60, 80, 100, 120):
        clearance = pk.parameters["CL"].value / 1.44 * (gfr / effect.reference) ** effect.value
        assert clearance == pytest.approx(gfr + 25, rel=0.06)


def by_term(events: tuple[Toxicity, ...]) -> dict[str, tuple[float, float]]:
    numbers = {
        "cycle": ("any_per_cycle", "g34_per_cycle"),
        "dose": ("any_per_dose", "g34_per_dose"),
    }
    usual = ("any_hazard_per_year", "g34_hazard_per_year")
    return {
        e.term: tuple(getattr(e, name) for name in numbers.get(e.driver, usual))
        for e in events
        if e.driver != "myelosuppression"
    }  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("placebo", arithmetic.background),
        ("nivolumab", arithmetic.nivolumab),
        ("ipilimumab", arithmetic.ipilimumab),
        ("tremelimumab", arithmetic.tremelimumab),
        ("pembrolizumab", arithmetic.nivolumab),
        ("avelumab", arithmetic.avelumab),
        ("durvalumab", arithmetic.avelumab),
        ("atezolizumab", arithmetic.avelumab),
        ("bevacizumab", arithmetic.bevacizumab),
        ("ramucirumab", arithmetic.ramucirumab),
        *((drug, lambda drug=drug: arithmetic.chemotherapy(drug)) for drug in arithmetic.CHEMOTHERAPY),
    ],
)
def test_toxicity_follows_from_calibration_rows(name: str, block) -> None:  # type: ignore[no-untyped-def]
    drug = load_drug(name)
    ours, theirs = by_term(drug.background if name == "placebo" else drug.toxicity), block()
    assert ours.keys() == theirs.keys()
    for term, hazards in theirs.items():
        assert ours[term] == pytest.approx(hazards, rel=0.02, abs=1e-4)


def test_shares_that_stop_or_are_fatal() -> None:
    for name, arm, risk, onset in (
        ("nivolumab", "nivo+ipi", "checkmate nivo+ipi", arithmetic.PD1_ONSET),
        ("ipilimumab", "nivo+ipi", "checkmate nivo+ipi", arithmetic.PD1_ONSET),
        ("pemetrexed", "chemo", "checkmate chemo", None),
    ):
        stop, fatal = arithmetic.fractions(arm, risk, onset)
        for event in load_drug(name).toxicity:
            if event.term in ("myocarditis", "infusion-related reaction"):
                continue  # more dangerous, and less, than the rest
            assert (event.stop_fraction, event.fatal_fraction) == pytest.approx((stop, fatal), abs=0.005)

    alone = arithmetic.ipilimumab_alone_factor()
    assert all(event.alone_factor == pytest.approx(alone, abs=0.005) for event in load_drug("ipilimumab").toxicity)
    for event in load_drug("bevacizumab").toxicity:
        assert event.stop_fraction == pytest.approx(arithmetic.bevacizumab_stop_fraction(), abs=0.005)


def test_cycle_shares_follow_from_calibration_rows() -> None:
    (gemcitabine,) = load_drug("gemcitabine").effects
    assert gemcitabine.cycle_share == pytest.approx(shares.gemcitabine() / shares.GEMCITABINE_DOSES_A_CYCLE, abs=0.001)
    assert load_drug("cisplatin").effects[0].cycle_share == shares.CISPLATIN
    assert load_drug("vinorelbine").effects[0].cycle_share == gemcitabine.cycle_share
    rest = sum(load_drug(drug).effects[0].cycle_share or 0 for drug in ("mitomycin", "vinblastine"))
    assert rest + shares.CISPLATIN * 50 / 75 == pytest.approx(shares.CISPLATIN, abs=0.002)


def test_reference_exposures_are_those_of_a_reference_patient() -> None:
    """Dose for 1.9 m2 over clearance at 1.9 m2 and 80 mL/min."""
    drug = load_drug("gemcitabine")
    assert drug.pk is not None and drug.effects[0].reference_auc_mg_day_per_l is not None
    assert drug.effects[0].reference_auc_mg_day_per_l == pytest.approx(
        1000 * 1.9 / drug.pk.parameters["CL"].value, rel=0.01
    )


def test_reference_troughs() -> None:
    assert load_drug("ipilimumab").toxicity[0].reference_trough_mg_per_l == pytest.approx(
        arithmetic.trough_mg_per_l("ipilimumab", 1, 42), rel=0.01
    )
    assert load_drug("tremelimumab").toxicity[0].reference_trough_mg_per_l == pytest.approx(
        arithmetic.trough_mg_per_l("tremelimumab", 10, 28), rel=0.01
    )


@pytest.mark.parametrize("name", DRUGS)
def test_no_number_of_a_drug_comes_from_a_trial_that_is_held_out(name: str) -> None:
    held_out = {row.trial.split(" (")[0] for row in published_results(roles=["validation"])}
    assert {"MAPS2", "DREAM", "DREAM3R", "PrE0505", "BEAT-meso", "PROMISE-meso"} <= held_out
    words = {word.strip(",.;:()") for text in load_drug(name).sources.values() for word in text.split()}
    assert not words & held_out


def test_background_belongs_to_placebo_alone() -> None:
    assert background_toxicity() == load_drug("placebo").background != ()
    assert load_drug("placebo").toxicity == ()
    assert all(load_drug(name).background == () for name in DRUGS if name != "placebo")


def test_relative_hazard_is_the_mean_of_the_halving_curve() -> None:
    event = load_drug("nivolumab").toxicity[0]
    assert event.onset_days == 59
    assert event.relative_hazard(0, 0) == 1
    assert event.relative_hazard(59, 59) == pytest.approx(0.5)
    whole = event.relative_hazard(0, 100)
    assert whole == pytest.approx((event.relative_hazard(0, 30) * 30 + event.relative_hazard(30, 100) * 70) / 100)
    assert load_drug("pemetrexed").toxicity[0].relative_hazard(0, 500) == 1


@pytest.mark.parametrize("name", DRUGS)
def test_side_effects_have_a_source_and_time_to_happen(name: str) -> None:
    """Over the first course that a drug's file names, its commonest event befalls at least one of twenty average patients."""
    drug = load_drug(name)
    assert drug.toxicity or name == "placebo"  # its file holds the background, which everybody has
    assert all(one.source and one.body_system and one.status for one in drug.toxicity)
    if not drug.regimens:
        return
    (regimen,) = therapy_from_text(drug.regimens[0]).regimens
    days = regimen.dose_days(365.0)
    treated = days[-1] - days[0] + regimen.phases[0].cycle_days
    expected = [
        (one.any_per_dose or 0.0) * len(days)
        if one.driver == "dose"
        else one.any_hazard_per_year / 365.25 * one.relative_hazard(0.0, treated) * treated
        for one in drug.toxicity
        if not one.is_immune
    ]
    assert max(expected, default=1.0) > 0.05


@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        ("CL_Hill: {value: 2.77, unit: \"1\"}\n", "\n", "pk.parameters", "also needs CL_Hill"),
        ("unit: L/day, cv_percent: 41.2}\n    V1", "unit: L/week, cv_percent: 41.2}\n    V1", "pk.parameters.CL.unit", "must be 'L/day'"),
        ("covariate: female, form: exp, value: -0.181", "covariate: sex, form: exp, value: 1", "pk.covariates[2].covariate", "no covariate is called 'sex'"),
        ("reference: 90", "reference: 0", "pk.covariates[1].reference", "must be more than 0"),
        ("source: zhang2019\n", "source: zhang\n", "pk.parameters.CL.source", "no source has the key 'zhang'"),
        ("driver: constant", "driver: never", "toxicity.driver", "must be 'constant'"),
        ("any_hazard_per_year: 0.779", "any_hazard_per_year: 0.01", "toxicity.events[0]", "cannot be more"),
        ("on: pd1, ec50_mg_per_l: 0.5", "on: pd1", "effects[0]", "an effect on pd1 also needs ec50_mg_per_l"),
        ("on: pd1, ec50_mg_per_l: 0.5", "on: cytotoxic, cycle_share: 0.5", "effects[0]", "also needs reference_auc_mg_day_per_l"),
    ],
)  # fmt: skip
def test_a_wrong_drug_file_is_explained(old: str, new: str, path: str, message: str) -> None:
    text = packaged("drugs", "nivolumab")[1]
    assert old in text
    with pytest.raises(DataError) as caught:
        drug_from_document(read_yaml(text.replace(old, new, 1), "drug.yaml"))
    assert caught.value.path == path and message in caught.value.message and caught.value.line is not None
