"""The schema of a design's ``analysis``. Defaults are those of the dataclasses in `analysis_plan`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mesotrial.catalogue import analysis_plan as a
from mesotrial.catalogue._file_schema import Amount, Count, FileModel, Number, Share, Text, Word

__all__ = ["AnalysisFile"]

Chance = Annotated[Number, Field(gt=0, lt=1)]
Alpha = Annotated[Number, Field(gt=0, lt=0.5)]
Months = Annotated[Number, Field(gt=0, le=600)]
RatePerYear = Annotated[Number, Field(ge=0, le=10)]
Times = Annotated[Number, Field(gt=1, le=10)]
Ratio = Annotated[Number, Field(gt=0, le=10)]
Margin = Annotated[Number, Field(gt=-1, lt=1)]
Fraction = Annotated[Number, Field(gt=0, lt=1)]
Spend = Literal["obrien_fleming", "pocock", "hwang_shih_decani", "power"]
_SPEND = "error spending: obrien_fleming, pocock (both Lan-DeMets), hwang_shih_decani or power"
_PARAMETER = "gamma of hwang_shih_decani (-4 if not given), or the power"


class AccrualFile(FileModel):
    """A period of accrual."""

    months: Months = Field(description="length of the period in months")
    per_month: Amount = Field(description="patients a month")


class LookFile(FileModel):
    """An interim look: give one of the three."""

    events: Count | None = Field(None, description="events of all compared arms together")
    fraction: Fraction | None = Field(None, description="fraction of the final events, between 0 and 1")
    month: Months | None = Field(None, description="months from the first patient in")


class PriorFile(FileModel):
    """A normal prior of the log hazard ratio, for Bayesian rules."""

    hazard_ratio: Ratio = Field(a.Prior.hazard_ratio, description="the prior's median hazard ratio")
    sd_log: Amount | None = Field(None, description="standard deviation of the log hazard ratio; flat if not given")


class EfficacyFile(FileModel):
    """When an interim look stops for efficacy."""

    rule: Literal["spending", "posterior_probability", "predictive_probability"] = Field(
        a.Efficacy.rule, description="what is compared with its limit"
    )
    spending: Spend = Field(a.Efficacy.spending, description=_SPEND)
    parameter: Number | None = Field(None, description=_PARAMETER)
    value: Chance | None = Field(None, description="probability from which the trial stops; not for spending")


class FutilityFile(FileModel):
    """When an interim look stops for futility."""

    rule: Literal["spending", "z", "conditional_power", "predictive_probability"] = Field(
        description="what is compared with its limit"
    )
    spending: Spend = Field("obrien_fleming", description=_SPEND)
    parameter: Number | None = Field(None, description=_PARAMETER)
    value: Number | None = Field(None, description="Z or probability at or below which the trial stops")


class ReestimationFile(FileModel):
    """More patients and events after a promising look."""

    look: Count = Field(description="number of the look, from 1; the last one before the final analysis")
    low: Chance = Field(a.Reestimation.low, description="conditional power from which a result is promising")
    high: Chance = Field(a.Reestimation.high, description="conditional power from which nothing need be added")
    target: Chance = Field(a.Reestimation.target, description="conditional power to reach")
    most: Times = Field(a.Reestimation.most, description="at most so many times the plan")


class DropArmsFile(FileModel):
    """Dropping arms at a look."""

    look: Count = Field(description="number of the look, from 1")
    keep: Count = Field(a.DropArms.keep, description="arms that go on beside the comparator")


class CrossoverFile(FileModel):
    """Change of treatment at progression."""

    arm: Word = Field(description="the arm whose patients change")
    share: Share = Field(description="share of those who progress, 0 to 1")
    remaining_time_factor: Ratio = Field(description="factor on the time they had left to live")
    source: Text = Field(a.Crossover.source, description="where share and factor come from")


class HistoricalFile(FileModel):
    """The historical control."""

    trial: Word = Field(description="a trial of the published results")
    arm: Word = Field(description="its arm")
    weight: Share = Field(a.HistoricalTrial.weight, description="what one of its patients counts, 0 to 1")


class OneArmFile(FileModel):
    """Arms judged one by one, each by a rate."""

    method: Literal["simon", "a_hern", "fleming", "bayesian"] = Field(description="how the rate is judged")
    endpoint: Literal["ORR", "DCR", "DCR_AT"] = Field(a.OneArm.endpoint, description="the rate")
    time_months: Months | None = Field(None, description="when DCR_AT is read")
    kind: Literal["optimal", "minimax"] = Field(a.OneArm.kind, description="which of Simon's designs")
    null_rate: Chance | None = Field(None, description="rate of no interest")
    target_rate: Chance | None = Field(None, description="rate of interest")
    certainty: Chance = Field(a.OneArm.certainty, description="posterior probability asked for (bayesian)")
    margin: Margin = Field(a.OneArm.margin, description="by how much the rate must exceed the control's (bayesian)")
    control: HistoricalFile | None = Field(None, description="the historical control (bayesian)")


class AnalysisFile(FileModel):
    """How the trial is analysed, and what is assumed of its conduct; read by `mesotrial power`."""

    endpoint: Literal["OS", "PFS"] = Field(a.AnalysisPlan.endpoint, description="the time that is compared")
    comparator: Word | None = Field(None, description="the arm compared with; the last one if not given")
    test: Word = Field(
        a.AnalysisPlan.test,
        description="the test that decides: logrank, stratified logrank, fh(0,1), maxcombo, rmst 24 or milestone 24 (months)",
    )
    also: list[Word] = Field(default_factory=list, description="further tests whose conclusion is shown beside")
    alpha: Alpha = Field(a.AnalysisPlan.alpha, description="one-sided type I error, between 0 and 0.5")
    power: Chance = Field(a.AnalysisPlan.power, description="power that is wanted, between 0 and 1")
    events: Count | None = Field(
        None, description="events at the final analysis; at the end of follow-up if not given or not reached"
    )
    looks: list[LookFile] = Field(
        default_factory=list, description="interim looks in order, without the final analysis"
    )
    efficacy: EfficacyFile | None = Field(None, description="when a look stops for efficacy")
    futility: FutilityFile | None = Field(None, description="when a look stops for futility; never if not given")
    prior: PriorFile | None = Field(None, description="prior of the log hazard ratio, for Bayesian rules")
    reestimate: ReestimationFile | None = Field(None, description="sample-size re-estimation")
    drop_arms: DropArmsFile | None = Field(None, description="dropping the worst arms at a look")
    crossover: CrossoverFile | None = Field(None, description="change of treatment at progression")
    accrual: list[AccrualFile] = Field(
        default_factory=list, description="accrual in periods; at an even rate over accrual_months if not given"
    )
    dropout_per_year: RatePerYear | None = Field(
        None, description="rate of loss to follow-up in all arms, per year; that of each arm's stop_rules if not given"
    )
    one_arm: OneArmFile | None = Field(None, description="judge each arm by itself, by a rate")
