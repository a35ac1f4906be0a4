"""The schema of a drug file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mesotrial.catalogue._file_schema import (
    Amount,
    FileModel,
    Flag,
    Number,
    Percent,
    Share,
    Sources,
    StatusWord,
    Text,
    Word,
)

__all__ = ["DrugFile"]

Hazard = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1000)]
Driver = Literal["constant", "cycle", "immune", "ctla4_trough", "dose", "myelosuppression"]
ParameterName = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Unit = Literal[
    "L/day", "L/h", "mL/min", "L", "mL", "1/day", "1/h", "1/mL/day", "day", "h", "mg", "mg/L", "mg/day", "million", "million/L", "1/Gy", "1/Gy2", "1",
]  # fmt: skip


class Sourced(FileModel):
    """A part with a source (a key of the file's `sources`) and a status; where not given, those of the block around it."""

    source: Word | None = Field(None, description="a key of the file's sources")
    status: StatusWord | None = Field(None, description="verified, recalled, derived or guess")


class ParameterFile(Sourced):
    """One pharmacokinetic parameter as published."""

    value: Number = Field(description="typical value, in the published unit")
    unit: Unit = Field(description="unit as published")
    cv_percent: Percent | None = Field(
        None, description="between-patient variability of a log-normal parameter, in percent"
    )
    sd_additive: Amount | None = Field(None, description="standard deviation of an additive normal random effect")


class CovariateFile(Sourced):
    """The effect of a covariate on a parameter."""

    on: ParameterName = Field(description="the parameter")
    covariate: Word = Field(description="a covariate, or a flag of this drug")
    form: Literal["power", "exp", "add", "logpower"] = Field(
        description="P*(C/r)^v, P*exp(v*C), P+v*C or P*(ln C/ln r)^v"
    )
    value: Number = Field(description="the coefficient v")
    reference: Amount | None = Field(None, description="the reference r of power and logpower")


class WhenFile(FileModel):
    """The other regimen that sets a flag."""

    drug: Word = Field(description="drug of the other regimen")
    amount: Amount | None = Field(None, description="its dose")
    unit: Word | None = Field(None, description="unit of its dose")
    cycle_days: Amount | None = Field(None, description="its cycle in days")


class FlagFile(FileModel):
    """A covariate that is 1 for patients who also get another regimen."""

    name: Word = Field(description="name of the flag")
    when: WhenFile = Field(description="the other regimen")
    meaning: Text = Field(description="what the flag stands for")


class CorrelationFile(FileModel):
    """The correlation of two random effects."""

    between: list[ParameterName] = Field(min_length=2, max_length=2, description="two parameters")
    value: Annotated[float, Field(strict=True, ge=-1, le=1)] = Field(description="correlation coefficient")


class HalfLifeFile(Sourced):
    """The half-life in the product label."""

    days: Amount = Field(description="half-life in days")


class ResidualFile(FileModel):
    """Residual error of a measured concentration."""

    proportional: Hazard | None = Field(None, description="as a fraction")
    additive_mg_per_l: Hazard | None = Field(None, description="in mg/L")


class PKFile(FileModel):
    """Population pharmacokinetics; `source` and `status` hold for every number that has none of its own."""

    model: ParameterName = Field(
        description="antibody, cytotoxic, kpd (no plasma level, the effect follows the dose), oral, cytokine, local, cells, virus, ...: "
        "a file of biology/pharmacokinetics"
    )
    source: Word = Field(description="a key of the file's sources")
    status: StatusWord = Field(description="verified, recalled, derived or guess")
    parameters: dict[ParameterName, ParameterFile] = Field(
        default_factory=dict,
        description="CL V1 Q V2, for an antibody whose clearance changes also CL_Emax CL_T50 CL_Hill; none for kpd",
    )
    correlations: list[CorrelationFile] = Field(default_factory=list, description="correlations of random effects")
    covariates: list[CovariateFile] = Field(default_factory=list, description="covariate effects")
    flags: list[FlagFile] = Field(default_factory=list, description="covariates set by the other drugs of the arm")
    residual: ResidualFile | None = Field(None, description="residual error")
    label_half_life: HalfLifeFile | None = Field(None, description="half-life in the product label")
    alternatives: Text = Field("", description="other published models, and why not")


class EffectValueFile(Sourced):
    """A number that an effect's file reads."""

    value: Number = Field(description="the number")
    unit: Unit = Field("1", description="its unit")


class EffectFile(Sourced):
    """What the drug acts on."""

    source: Word = Field(description="a key of the file's sources")
    status: StatusWord = Field(description="verified, recalled, derived or guess")
    on: ParameterName = Field(description="the target in the model: a file of biology/effects, such as pd1")
    ec50_mg_per_l: Amount | None = Field(None, description="plasma concentration of half the effect, mg/L")
    cycle_share: Amount | None = Field(
        None, description="share of the effect of a full cycle of chemotherapy that the reference exposure brings"
    )
    reference_auc_mg_day_per_l: Amount | None = Field(
        None, description="exposure to one dose in a reference patient, mg day/L"
    )
    reference_dose_mg_per_m2: Amount | None = Field(
        None, description="for a drug without a plasma level, the dose that stands for the reference exposure, mg/m2"
    )
    values: dict[ParameterName, EffectValueFile] = Field(
        default_factory=dict, description="numbers of other effects, by name"
    )
    note: Text = Field("", description="what a reader should know")


class EventDefaults(Sourced):
    """What the events of a block have in common."""

    driver: Driver | None = Field(None, description="constant, cycle, immune, ctla4_trough, dose or myelosuppression")
    onset_days: Amount | None = Field(
        None, description="median day of onset: half of the events of an endless treatment begin before it"
    )
    g34_onset_days: Amount | None = Field(
        None, description="the same for grade 3 or worse, where it differs; drivers immune and ctla4_trough"
    )
    duration_days: Hazard | None = Field(None, description="median duration in days")
    stop_fraction: Share | None = Field(None, description="share of grade 3-4 events that end treatment")
    fatal_fraction: Share | None = Field(None, description="share of grade 3-4 events that are fatal")
    cycle_days: Amount | None = Field(None, description="days of a cycle, for driver cycle")
    reference_trough_mg_per_l: Amount | None = Field(
        None, description="trough at which the hazards hold, for driver ctla4_trough"
    )
    trough_exponent: Number | None = Field(
        None, description="hazards grow as (trough / reference)^exponent, for driver ctla4_trough"
    )
    alone_factor: Share | None = Field(
        None, description="what is left of the hazards without a PD-1 or PD-L1 antibody, for driver ctla4_trough"
    )
    lag_days: Amount | None = Field(None, description="mean days from a dose to an event, for driver dose")


class EventFile(EventDefaults):
    """Adverse events of one term. Give hazards per year, or (driver cycle) expected events per cycle."""

    term: Word = Field(description="CTCAE term, lower case")
    body_system: Word = Field(description="body system")
    any_hazard_per_year: Hazard | None = Field(None, description="events of any grade, per year at risk")
    g34_hazard_per_year: Hazard | None = Field(None, description="events of grade 3 or worse, per year at risk")
    any_per_cycle: Hazard | None = Field(None, description="events of any grade, per cycle")
    g34_per_cycle: Hazard | None = Field(None, description="events of grade 3 or worse, per cycle")
    any_per_dose: Hazard | None = Field(None, description="events of any grade, per dose, for driver dose")
    g34_per_dose: Hazard | None = Field(None, description="events of grade 3 or worse, per dose, for driver dose")
    log_kill: Hazard | None = Field(
        None, description="log kill of dividing marrow cells by the reference exposure, for driver myelosuppression"
    )


class ToxicityFile(EventDefaults):
    """A drug's adverse events; what is written beside `events` holds for each of them unless it says otherwise."""

    source: Word = Field(description="a key of the file's sources")
    status: StatusWord = Field(description="verified, recalled, derived or guess")
    events: list[EventFile] = Field(description="one entry a term")


class DrugFile(FileModel):
    """A drug: what it is, its pharmacokinetics, effects and toxicity."""

    name: Word = Field(description="canonical name; the file is called so too")
    drug_class: Word = Field(description="class, such as PD-1 inhibitor")
    target: Text = Field(description="molecular target")
    immunity: list[Literal["active", "passive", "specific", "nonspecific"]] = Field(
        default_factory=list, description="the patient page's division"
    )
    plain_words: Text = Field(min_length=1, description="one or two sentences for anyone")
    how_it_works: Text = Field(min_length=1, description="mechanism, for a pharmacologist")
    routes: list[Word] = Field(min_length=1, description="routes of administration")
    exploratory: Flag = Field(False, description="true where no trial in mesothelioma has shown a benefit")
    translation: Word | None = Field(
        None, description="the human-translation factor of an exploratory drug's mechanism: a name of translation.csv"
    )
    founded: Text = Field("", description="how well founded its benefit in mesothelioma is")
    dose_unit: Literal["mg", "cells", "PFU", "VP", "CFU", "IU", "Gy", "%"] = Field(
        "mg", description="what its doses count"
    )
    regimens: list[Text] = Field(default_factory=list, description="as labels and trials give it")
    sources: Sources = Field(description="the sources by key")
    pk: PKFile | None = Field(None, description="pharmacokinetics; none for a placebo")
    effects: list[EffectFile] = Field(default_factory=list, description="what the drug acts on")
    toxicity: ToxicityFile | None = Field(None, description="events that the drug adds to the background")
    background: ToxicityFile | None = Field(None, description="events that belong to no drug (placebo only)")
