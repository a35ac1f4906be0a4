"""Conduct: doses, visits, scans, RECIST, toxicity, stopping rules, survival, and the patient-level tables."""

from mesotrial.trial.paired import simulate_paired
from mesotrial.trial.parts import Part, Store
from mesotrial.trial.simulate import BANK_PER_ARM, Model, Trial, build_model, exploratory_arms, simulate_trial
from mesotrial.trial.tables import DAYS_PER_MONTH, TABLES, Column, TableSpec, empty_table

__all__ = [
    "BANK_PER_ARM",
    "DAYS_PER_MONTH",
    "TABLES",
    "Column",
    "Model",
    "Part",
    "Store",
    "TableSpec",
    "Trial",
    "build_model",
    "empty_table",
    "exploratory_arms",
    "simulate_paired",
    "simulate_trial",
]
