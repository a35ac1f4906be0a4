"""What is known: drugs, therapies, trials, published results and the patient page's statements, as data files with typed readers."""

from __future__ import annotations

from typing import Any

from mesotrial.catalogue._load_design import design_from_text, load_design
from mesotrial.catalogue._load_drug import background_toxicity, load_drug
from mesotrial.catalogue._sources import own_folder, own_mechanisms
from mesotrial.catalogue.analysis_plan import AnalysisPlan, Look, TestSpec, read_test
from mesotrial.catalogue.curves import DigitisedCurve, digitised_curves
from mesotrial.catalogue.design import (
    STRATA,
    AfterProgression,
    Alternative,
    Arm,
    Continuous,
    Design,
    LeadIn,
    Population,
    Randomisation,
    Scans,
    SecondLine,
    StopRules,
)
from mesotrial.catalogue.drug import (
    COVARIATES,
    PK,
    TOXICITY_FRAILTY_SD,
    Drug,
    Effect,
    EffectValue,
    FlagRule,
    PKCovariate,
    PKParameter,
    RegimenFlag,
    Toxicity,
    Translation,
)
from mesotrial.catalogue.errors import CatalogueError, DataError, RegimenError, UnknownNameError
from mesotrial.catalogue.evidence import (
    PATIENT_PAGE,
    Approval,
    PageFigure,
    PublishedResult,
    Statement,
    Term,
    approvals,
    page_figures,
    published_results,
    statements,
    terms,
    translations,
)
from mesotrial.catalogue.names import Entry, entries, find, names
from mesotrial.catalogue.regimen import COUNTS, Phase, Regimen, parse_regimen
from mesotrial.catalogue.search import SearchSpace, SearchVariable, load_search, ranges_of
from mesotrial.catalogue.standard import Therapy, therapy_from_text

__all__ = [
    "COUNTS", "COVARIATES", "PATIENT_PAGE", "PK", "STRATA", "TOXICITY_FRAILTY_SD",
    "AfterProgression", "Alternative", "AnalysisPlan", "Approval", "Arm", "CatalogueError", "Continuous", "DataError", "Design", "DigitisedCurve", "Drug",
    "Effect", "EffectValue", "Entry", "FlagRule", "LeadIn", "Look", "PKCovariate", "PKParameter", "PageFigure", "Phase", "Population", "PublishedResult",
    "Randomisation", "Regimen", "RegimenError", "RegimenFlag", "Scans", "SearchSpace", "SearchVariable", "SecondLine", "Statement", "StopRules", "Term",
    "TestSpec", "Therapy", "Toxicity", "Translation", "UnknownNameError",
    "approvals", "background_toxicity", "design_from_text", "design_schema", "digitised_curves", "entries", "find", "load_design", "load_drug", "load_search",
    "names", "own_folder", "own_mechanisms", "page_figures", "parse_regimen", "published_results", "ranges_of", "read_test", "statements", "terms",
    "therapy_from_text", "translations",
]  # fmt: skip


def design_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of a design file, with a description of every field."""
    from mesotrial.catalogue._design_file import json_schema

    return json_schema()
