"""Estimates from the tables of a trial: rates, survival, hazard ratios, competing risks; predictions from a bank;
scores against what was published, beside a baseline; and what a model may be fitted to.
"""

from mesotrial.analysis.baseline import CarryOver
from mesotrial.analysis.competing import CumulativeIncidence, cumulative_incidence
from mesotrial.analysis.cox import HazardRatio, hazard_ratio
from mesotrial.analysis.endpoints import Outcomes, Survival
from mesotrial.analysis.events import first_event
from mesotrial.analysis.one_arm import HistoricalControl, OneStage, TwoStage, a_hern, fleming, probability_better, simon
from mesotrial.analysis.predict import Endpoint, Estimate, Predictor, estimate
from mesotrial.analysis.rates import Proportion, RateDifference, clopper_pearson, newcombe, proportion, wilson
from mesotrial.analysis.restricted import (
    Difference,
    RestrictedMean,
    milestone_difference,
    restricted_mean,
    restricted_mean_difference,
)
from mesotrial.analysis.score import score, score_rows
from mesotrial.analysis.sequential import Boundaries, Spending, boundaries
from mesotrial.analysis.shape import SHAPE_QUANTILES, SHAPES, tumour_shape
from mesotrial.analysis.summary import summarise
from mesotrial.analysis.survival import KaplanMeier, RiskTable, curve_distance, kaplan_meier, risk_table
from mesotrial.analysis.switching import StructuralFailureTime, ipcw_hazard_ratio, rpsft
from mesotrial.analysis.targets import RefusedTargetError, calibration_targets, refuse_unfit
from mesotrial.analysis.two_groups import LogRank, MaxCombo, log_rank, max_combo

__all__ = [
    "Boundaries",
    "CarryOver",
    "CumulativeIncidence",
    "Difference",
    "Endpoint",
    "Estimate",
    "HazardRatio",
    "HistoricalControl",
    "KaplanMeier",
    "LogRank",
    "MaxCombo",
    "OneStage",
    "Outcomes",
    "Predictor",
    "Proportion",
    "RateDifference",
    "RefusedTargetError",
    "RestrictedMean",
    "RiskTable",
    "SHAPES",
    "SHAPE_QUANTILES",
    "Spending",
    "StructuralFailureTime",
    "Survival",
    "TwoStage",
    "a_hern",
    "boundaries",
    "calibration_targets",
    "clopper_pearson",
    "cumulative_incidence",
    "estimate",
    "first_event",
    "fleming",
    "hazard_ratio",
    "ipcw_hazard_ratio",
    "curve_distance",
    "kaplan_meier",
    "log_rank",
    "max_combo",
    "milestone_difference",
    "newcombe",
    "probability_better",
    "proportion",
    "refuse_unfit",
    "restricted_mean",
    "restricted_mean_difference",
    "risk_table",
    "rpsft",
    "score",
    "score_rows",
    "simon",
    "summarise",
    "tumour_shape",
    "wilson",
]
