"""Estimates from the tables of a trial: rates, survival, hazard ratios, predictions from a bank, scores against what
was published.
"""

from mesotrial.analysis.cox import HazardRatio, LogRank, hazard_ratio, log_rank
from mesotrial.analysis.endpoints import Outcomes, Survival
from mesotrial.analysis.predict import Endpoint, Estimate, Predictor, estimate
from mesotrial.analysis.rates import Proportion, clopper_pearson, proportion
from mesotrial.analysis.score import score
from mesotrial.analysis.summary import summarise
from mesotrial.analysis.survival import KaplanMeier, RiskTable, kaplan_meier, risk_table

__all__ = [
    "Endpoint",
    "Estimate",
    "HazardRatio",
    "KaplanMeier",
    "LogRank",
    "Outcomes",
    "Predictor",
    "Proportion",
    "RiskTable",
    "Survival",
    "clopper_pearson",
    "estimate",
    "hazard_ratio",
    "kaplan_meier",
    "log_rank",
    "proportion",
    "risk_table",
    "score",
    "summarise",
]
