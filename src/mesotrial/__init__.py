"""Virtual clinical trials of mesothelioma immunotherapy, from mechanism to report.

Everything public is a name of this module, loaded on first use::

    from mesotrial import load_design, simulate_trial

    trial = simulate_trial(load_design("maps2"))
    trial.tables["adtte"]

For hypothesis generation, education and trial-design exploration; not for the care of an individual.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesotrial.analysis import (
        Outcomes,
        Predictor,
        a_hern,
        boundaries,
        hazard_ratio,
        ipcw_hazard_ratio,
        kaplan_meier,
        log_rank,
        max_combo,
        milestone_difference,
        newcombe,
        restricted_mean,
        restricted_mean_difference,
        rpsft,
        score,
        simon,
        summarise,
    )
    from mesotrial.analysis.power import power
    from mesotrial.biology import Assembly, assemble
    from mesotrial.catalogue import (
        Approval,
        Arm,
        CatalogueError,
        DataError,
        Design,
        Drug,
        Entry,
        Population,
        PublishedResult,
        Regimen,
        RegimenError,
        Statement,
        Term,
        Therapy,
        UnknownNameError,
        approvals,
        design_from_text,
        design_schema,
        entries,
        find,
        load_design,
        load_drug,
        names,
        page_figures,
        parse_regimen,
        published_results,
        statements,
        terms,
        therapy_from_text,
    )
    from mesotrial.comparison import Comparison, Person, compare, person_from_text
    from mesotrial.engine import (
        Doses,
        Model,
        ModelError,
        ResultCode,
        Simulator,
        State,
        antimony_to_sbml,
        compile_model,
        load_model,
        unit_warnings,
    )
    from mesotrial.export import export_run
    from mesotrial.population import ParameterSet, load_ensemble, load_parameters, load_posterior
    from mesotrial.report import CONTEXT_OF_USE, write_report
    from mesotrial.run import RequestError, Run, RunBusyError, RunFolderError, load_run, remake_report, run_trial
    from mesotrial.trial import TABLES, Trial, build_model, simulate_trial

__all__ = [
    "CONTEXT_OF_USE",
    "TABLES",
    "Approval",
    "Arm",
    "Assembly",
    "CatalogueError",
    "Comparison",
    "DataError",
    "Design",
    "Doses",
    "Drug",
    "Entry",
    "Model",
    "ModelError",
    "Outcomes",
    "ParameterSet",
    "Person",
    "Population",
    "Predictor",
    "PublishedResult",
    "Regimen",
    "RegimenError",
    "RequestError",
    "ResultCode",
    "Run",
    "RunBusyError",
    "RunFolderError",
    "Simulator",
    "State",
    "Statement",
    "Term",
    "Therapy",
    "Trial",
    "UnknownNameError",
    "__version__",
    "a_hern",
    "antimony_to_sbml",
    "approvals",
    "assemble",
    "boundaries",
    "build_model",
    "compare",
    "compile_model",
    "design_from_text",
    "design_schema",
    "entries",
    "export_run",
    "find",
    "hazard_ratio",
    "ipcw_hazard_ratio",
    "kaplan_meier",
    "load_design",
    "load_drug",
    "load_ensemble",
    "load_model",
    "load_parameters",
    "load_posterior",
    "load_run",
    "log_rank",
    "max_combo",
    "milestone_difference",
    "names",
    "newcombe",
    "page_figures",
    "parse_regimen",
    "person_from_text",
    "power",
    "published_results",
    "remake_report",
    "restricted_mean",
    "restricted_mean_difference",
    "rpsft",
    "run_trial",
    "score",
    "simon",
    "simulate_trial",
    "statements",
    "summarise",
    "terms",
    "therapy_from_text",
    "unit_warnings",
    "write_report",
]

__version__: str

_ROOMS = {
    "analysis": (
        "Outcomes",
        "Predictor",
        "a_hern",
        "boundaries",
        "hazard_ratio",
        "ipcw_hazard_ratio",
        "kaplan_meier",
        "log_rank",
        "max_combo",
        "milestone_difference",
        "newcombe",
        "restricted_mean",
        "restricted_mean_difference",
        "rpsft",
        "score",
        "simon",
        "summarise",
    ),
    "analysis.power": ("power",),
    "biology": ("Assembly", "assemble"),
    "comparison": ("Comparison", "Person", "compare", "person_from_text"),
    "engine": (
        *("Doses", "Model", "ModelError", "ResultCode", "Simulator", "State"),
        *("antimony_to_sbml", "compile_model", "load_model", "unit_warnings"),
    ),
    "export": ("export_run",),
    "population": ("ParameterSet", "load_ensemble", "load_parameters", "load_posterior"),
    "report": ("CONTEXT_OF_USE", "write_report"),
    "run": ("RequestError", "Run", "RunBusyError", "RunFolderError", "load_run", "remake_report", "run_trial"),
    "trial": ("TABLES", "Trial", "build_model", "simulate_trial"),
}
_HOME = {name: room for room, names_ in _ROOMS.items() for name in names_}


def __getattr__(name: str) -> object:
    """Load a public name; what is in none of the rooms above comes from the catalogue."""
    value: object
    if name == "__version__":
        from importlib.metadata import version

        value = version("mesotrial")
    elif name in __all__:
        value = getattr(import_module(f"mesotrial.{_HOME.get(name, 'catalogue')}"), name)
    else:
        raise AttributeError(f"module 'mesotrial' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
