"""Trials resampled from simulated patients: power, assurance, type I error, duration, looks."""

from mesotrial.analysis.power.accrual_table import read_enroll_rate, write_enroll_rate
from mesotrial.analysis.power.bank import Bank, bank_of_fail_rates, bank_of_tables
from mesotrial.analysis.power.estimate import estimate_power
from mesotrial.analysis.power.one_arm import one_arm_power
from mesotrial.analysis.power.planning import LookPlan, arms_in_order, conduct_of, plan_of
from mesotrial.analysis.power.resampling import Accrual, Conduct, Resampled, resample_trials
from mesotrial.analysis.power.simulate import BANK_PER_ARM, follow_up_design, simulate_banks
from mesotrial.analysis.power.study import power

__all__ = [
    "BANK_PER_ARM",
    "Accrual",
    "Bank",
    "Conduct",
    "LookPlan",
    "Resampled",
    "arms_in_order",
    "bank_of_fail_rates",
    "bank_of_tables",
    "conduct_of",
    "estimate_power",
    "follow_up_design",
    "one_arm_power",
    "plan_of",
    "power",
    "read_enroll_rate",
    "resample_trials",
    "simulate_banks",
    "write_enroll_rate",
]
