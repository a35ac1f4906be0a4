"""The schema of a design file. Defaults are those of the dataclasses in `design`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mesotrial.catalogue import design as d
from mesotrial.catalogue._analysis_file import AnalysisFile
from mesotrial.catalogue._file_schema import Amount, Count, FileModel, Flag, Number, Share, Sources, Text, Word

__all__ = ["DesignFile", "json_schema"]

# A limit beside the default would give way to the wider one of the type, so limits are types.
Months = Annotated[Number, Field(ge=0, le=600)]
MonthsAfter = Annotated[Number, Field(gt=0, le=600)]
Grade = Annotated[Count, Field(ge=2, le=4)]
RatePerYear = Annotated[Number, Field(ge=0, le=10)]
DelayDays = Annotated[Number, Field(ge=0, le=365)]
WeeksBefore = Annotated[Number, Field(gt=0, le=104)]
WindowDays = Annotated[Number, Field(ge=0, le=60)]
Endpoint = Literal["ORR", "DCR", "DCR_AT", "PD_BEST", "DOR", "TTR", "PFS", "OS", "TOX"]


class ContinuousFile(FileModel):
    """A covariate's distribution: normal with `sd`, or log-normal with `cv_percent`."""

    median: Number = Field(description="median of the population")
    low: Number = Field(description="smallest value drawn")
    high: Number = Field(description="largest value drawn")
    sd: Amount | None = Field(
        None, description="standard deviation of a normal distribution; give either this or cv_percent"
    )
    cv_percent: Amount | None = Field(
        None, description="coefficient of variation of a log-normal distribution, in percent"
    )


class PopulationFile(FileModel):
    """Who enters the trial. With `like`, what is not given is taken from that design."""

    like: Word | None = Field(
        None, description="a design of the catalogue whose population is taken where a field is not given here"
    )
    age_years: ContinuousFile | None = Field(None, description="age in years")
    weight_kg: ContinuousFile | None = Field(None, description="weight in kg")
    height_cm: ContinuousFile | None = Field(None, description="height in cm")
    albumin_g_per_l: ContinuousFile | None = Field(None, description="serum albumin in g/L")
    ldh_u_per_l: ContinuousFile | None = Field(None, description="lactate dehydrogenase in U/L")
    egfr_ml_per_min: ContinuousFile | None = Field(None, description="estimated glomerular filtration rate in mL/min")
    female: Share | None = Field(None, description="share of women, 0 to 1")
    epithelioid: Share | None = Field(None, description="share with epithelioid histology, 0 to 1")
    ecog_ge1: Share | None = Field(None, description="share with ECOG performance status 1 or more, 0 to 1")
    pdl1_ge1: Share | None = Field(None, description="share with PD-L1 on at least 1 % of tumour cells, 0 to 1")
    sources: Sources = Field(
        default_factory=dict,
        description="for each field, where its numbers come from; write [guess] where there is no source",
    )


class StopRulesFile(FileModel):
    """When treatment ends besides progression."""

    toxicity_grade: Grade = Field(
        d.StopRules.toxicity_grade, description="lowest grade of an event that can end treatment with its drug"
    )
    hold_grade: Grade = Field(
        d.StopRules.hold_grade,
        description="lowest grade of an immune-related event that holds treatment until it resolves",
    )
    steroid_grade: Grade = Field(
        d.StopRules.steroid_grade, description="lowest grade of an immune-related event that is treated with steroids"
    )
    steroid_effect: Share = Field(
        d.StopRules.steroid_effect, description="share that steroids take off the autoreactive drive [guess]"
    )
    steroid_blunting: Share = Field(
        d.StopRules.steroid_blunting,
        description="share that steroids take off the priming of T cells while they last [guess]",
    )
    dropout_per_year: RatePerYear = Field(
        d.StopRules.dropout_per_year, description="rate of leaving the trial for no stated reason, per year"
    )


class AfterProgressionFile(FileModel):
    """Treatment after progression."""

    death_hazard_factor: Amount = Field(
        d.AfterProgression.death_hazard_factor, description="factor on the hazard of death after progression"
    )
    note: Text = Field(d.AfterProgression.note, description="what the factor stands for, and its source")


class AlternativeFile(FileModel):
    """A treatment that a share of the arm's patients gets."""

    share: Share = Field(description="share of the arm's patients, 0 to 1; the shares of one arm add up to 1")
    regimens: list[Word] = Field(min_length=1, description="regimens as text")


class SecondLineFile(FileModel):
    """Treatment on progression; days of its regimens count from its start, and doses fall on whole weeks of it."""

    regimens: list[Word] = Field(default_factory=list, description="regimens that everyone on this line gets")
    one_of: list[AlternativeFile] = Field(
        default_factory=list, description="alternatives of which each patient gets one as well"
    )
    share: Share = Field(
        d.SecondLine.share, description="share of the patients who progress that go on to this line, 0 to 1"
    )
    delay_days: DelayDays = Field(
        d.SecondLine.delay_days, description="shortest time from progression to the first dose, in days"
    )


class ArmFile(FileModel):
    """One arm of the trial."""

    name: Word = Field(description="short name, used in tables")
    label: Text | None = Field(None, description="name for people; the short name if not given")
    n: Count = Field(description="planned number of patients, at least 1")
    regimens: list[Word] = Field(
        default_factory=list,
        description="regimens that every patient gets, such as 'nivolumab 3 mg/kg IV over 60 min q2w x 52'",
    )
    one_of: list[AlternativeFile] = Field(
        default_factory=list, description="alternatives of which each patient gets one as well"
    )
    on_progression: Literal["stop", "continue"] = Field(
        d.Arm.on_progression, description="whether treatment stops at progression"
    )
    max_treatment_days: Amount | None = Field(None, description="no dose on this day or later")
    stop_rules: StopRulesFile | None = Field(None, description="when treatment ends besides progression")
    after_progression: AfterProgressionFile | None = Field(
        None, description="what follows progression, as one factor on the hazard of death"
    )
    stop_at_response: Literal["never", "PR", "CR"] = Field(
        d.Arm.stop_at_response, description="end treatment once a response is confirmed: PR any, CR a complete one"
    )
    second_line: SecondLineFile | None = Field(None, description="treatment on progression")


class LeadInFile(FileModel):
    """Treatment before randomisation; days of its regimens count from its start. Who dies or does not meet `require` is replaced."""

    regimens: list[Word] = Field(default_factory=list, description="regimens that everyone gets before randomisation")
    one_of: list[AlternativeFile] = Field(
        default_factory=list, description="alternatives of which each person gets one as well"
    )
    weeks: WeeksBefore = Field(description="weeks from its first day to randomisation, such as 15")
    require: Literal["none", "no_progression", "completed"] = Field(
        d.LeadIn.require,
        description="who is randomised: all who live (none), those of them without progression, or those who did not come off for side effects either",
    )


class RandomisationFile(FileModel):
    """How patients are allocated."""

    ratio: list[Count] | None = Field(None, min_length=1, description="one whole number an arm; equal if not given")
    strata: list[Word] = Field(default_factory=list, description=f"any of {', '.join(d.STRATA)}")
    block: Count | None = Field(
        None, description="size of a permuted block, a multiple of the sum of the ratio; twice that sum if not given"
    )


class ScansFile(FileModel):
    """When and how tumours are read."""

    every_weeks: Text = Field(description="weeks between scans: '12', or '6 to 52w then 12'")
    criteria: Literal["mRECIST", "RECIST1.1"] = Field(d.Scans.criteria, description="response criteria")
    confirmation: Flag = Field(
        d.Scans.confirmation, description="whether a response needs a second scan at least 4 weeks later"
    )
    assessor: Literal["bicr", "investigator", "unknown"] = Field(d.Scans.assessor, description="who reads the scans")
    window_days: WindowDays = Field(d.Scans.window_days, description="largest number of days a scan is early or late")
    missed_rate: Share = Field(d.Scans.missed_rate, description="share of scans that are missed")


class DesignFile(FileModel):
    """A trial as written."""

    name: Word = Field(description="short name of the design")
    title: Text | None = Field(None, description="one line for people; the name if not given")
    line: Literal["first", "relapsed"] = Field(description="line of treatment: first or relapsed")
    population: PopulationFile = Field(description="covariate distributions, or `like: TRIAL`")
    lead_in: LeadInFile | None = Field(
        None, description="treatment before randomisation, as chemotherapy before maintenance"
    )
    arms: list[ArmFile] = Field(min_length=1, description="the arms, each with name, n and regimens")
    randomisation: RandomisationFile | None = Field(None, description="ratio, strata and block")
    scans: ScansFile = Field(description="every_weeks, and how scans are read")
    follow_up_months: MonthsAfter = Field(description="months from the last patient in to the end of the trial")
    accrual_months: Months = Field(
        d.Design.accrual_months,
        description="months from the first to the last patient in; follows from analysis.accrual where that is given",
    )
    censoring: Literal["fda", "ema"] = Field(
        d.Design.censoring, description="rules that censor progression-free survival"
    )
    endpoints: list[Endpoint] | None = Field(
        None, min_length=1, description=f"endpoints to estimate; {', '.join(d.Design.endpoints)} if not given"
    )
    analysis: AnalysisFile | None = Field(None, description="test, looks and assumptions for `mesotrial power`")
    biology: dict[str, float] = Field(
        default_factory=dict,
        description="constants of the model at another value than its own, for everybody; `mesotrial export-model` lists them",
    )
    registry: Text = Field(d.Design.registry, description="registry number")
    evidence_trial: Text = Field(
        d.Design.evidence_trial, description="name of the trial in the published results, to compare with"
    )
    notes: Text = Field(d.Design.notes, description="what a reader should know")
    sources: Sources = Field(
        default_factory=dict, description="for each field, where it comes from; write [guess] where there is no source"
    )


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of a design file as it is written: with `search`, and `{name}` where a number may vary."""
    from mesotrial.catalogue._search_file import SearchBlockFile

    made, block = DesignFile.model_json_schema(), SearchBlockFile.model_json_schema()
    made = _variable(made)
    made["properties"]["search"] = block["properties"]["search"]
    made["$defs"] |= block["$defs"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "mesotrial design"}


def _variable(node: Any) -> Any:
    """Return a part of a schema in which a text `{name}` may stand for every number."""
    if isinstance(node, list):
        return [_variable(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") in ("number", "integer"):
        about = {key: node[key] for key in ("description", "default", "title") if key in node}
        limits = {key: item for key, item in node.items() if key not in about}
        return {"anyOf": [limits, {"type": "string", "pattern": r"^\{\s*[A-Za-z]\w*\s*\}$"}], **about}
    return {key: _variable(item) for key, item in node.items()}
