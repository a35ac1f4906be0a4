"""Virtual patients: covariates, parameter distributions, sampling, calibration."""

from mesotrial.population.cohort import COVARIATES, Cohort, draw_cohort
from mesotrial.population.parameters import (
    Distribution,
    ParameterSet,
    load_ensemble,
    load_parameters,
    load_posterior,
)

__all__ = [
    "COVARIATES",
    "Cohort",
    "Distribution",
    "ParameterSet",
    "draw_cohort",
    "load_ensemble",
    "load_parameters",
    "load_posterior",
]
