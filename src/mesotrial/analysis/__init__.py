"""Estimates from the tables of a trial: rates, survival, hazard ratios, competing risks; predictions from a bank;
scores against what was published, beside a baseline; and what a model may be fitted to.
"""

from mesotrial.analysis.baseline import CarryOver
from mesotrial.analysis.competing import CumulativeIncidence, cumulative_incidence
from mesotrial.analysis.cox import HazardRatio, LogRank, hazard_ratio, log_rank
from mesotrial.analysis.endpoints import Outcomes, Survival
from mesotrial.analysis.events import first_event
from mesotrial.analysis.predict import Endpoint, Estimate, Predictor, estimate
from mesotrial.analysis.rates import Proportion, clopper_pearson, proportion
from mesotrial.analysis.score import score, score_rows
from mesotrial.analysis.summary import summarise
from mesotrial.analysis.survival import KaplanMeier, RiskTable, kaplan_meier, risk_table
from mesotrial.analysis.targets import RefusedTargetError, calibration_targets, refuse_unfit

__all__ = [
    "CarryOver",
    "CumulativeIncidence",
    "Endpoint",
    "Estimate",
    "HazardRatio",
    "KaplanMeier",
    "LogRank",
    "Outcomes",
    "Predictor",
    "Proportion",
    "RefusedTargetError",
    "RiskTable",
    "Survival",
    "calibration_targets",
    "clopper_pearson",
    "cumulative_incidence",
    "estimate",
    "first_event",
    "hazard_ratio",
    "kaplan_meier",
    "log_rank",
    "proportion",
    "refuse_unfit",
    "risk_table",
    "score",
    "score_rows",
    "summarise",
]
