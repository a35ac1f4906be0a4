"""The engine room: a model in SBML or Antimony becomes a compiled integrator of many patients at once.

It knows nothing of cancer. `load_model` reads the equations, `compile_model` turns them into a `Simulator`, and
`Simulator.start`, `advance` and `observe` move a batch of patients from visit to visit. Names are loaded on first use,
because sympy, numba and libsbml are slow to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesotrial.engine.course import Course, SteadyStateError, run_events
    from mesotrial.engine.doses import Doses
    from mesotrial.engine.errors import ModelError
    from mesotrial.engine.model import TIME, Model, StateEquation
    from mesotrial.engine.nonmem import EventError, EventTable, read_events
    from mesotrial.engine.sbml import load_model
    from mesotrial.engine.simulator import Simulator, compile_model
    from mesotrial.engine.state import ResultCode, State
    from mesotrial.engine.text import antimony_to_sbml, unit_warnings
    from mesotrial.engine.untrusted import Limits, load_untrusted_model

__all__ = [
    "TIME",
    "Course",
    "Doses",
    "EventError",
    "EventTable",
    "Limits",
    "Model",
    "ModelError",
    "ResultCode",
    "Simulator",
    "State",
    "StateEquation",
    "SteadyStateError",
    "antimony_to_sbml",
    "compile_model",
    "load_model",
    "load_untrusted_model",
    "read_events",
    "run_events",
    "unit_warnings",
]

_HOME = {
    "TIME": "model",
    "Course": "course",
    "Doses": "doses",
    "EventError": "nonmem",
    "EventTable": "nonmem",
    "Limits": "untrusted",
    "Model": "model",
    "ModelError": "errors",
    "ResultCode": "state",
    "Simulator": "simulator",
    "State": "state",
    "StateEquation": "model",
    "SteadyStateError": "course",
    "antimony_to_sbml": "text",
    "compile_model": "simulator",
    "load_model": "sbml",
    "load_untrusted_model": "untrusted",
    "read_events": "nonmem",
    "run_events": "course",
    "unit_warnings": "text",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
