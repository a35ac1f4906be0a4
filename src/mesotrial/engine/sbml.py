"""SBML to `Model`: the document brought to one form, and what cannot be done refused by name."""

from pathlib import Path
from typing import Any

import libsbml

from mesotrial.engine.errors import ModelError
from mesotrial.engine.model import TIME, Model, symbol
from mesotrial.engine.quantities import Quantities
from mesotrial.engine.text import read_source


def load_model(source: str | Path) -> Model:
    """Read a model from a path (.xml, .sbml, .ant) or from SBML or Antimony text.

    A species is what its symbol means in SBML: an amount when it has only substance units, else a concentration,
    whose rate is the reactions' sum over the compartment's size. In a compartment of changing size the state is the
    amount, named `S.amount`, and the species S is in `algebra`. Each reaction's rate is in `algebra` under the
    reaction's name. Time is in days.

    Raises:
        ModelError: unreadable text, or something the engine does not support (fast reactions, algebraic rules without
            a unique solution, flux balance), with its name.
    """
    sbml = _flat_document(read_source(source)).getModel()
    _refuse(sbml)
    model = Quantities(sbml).model()
    _check_symbols(model)
    return model


def _flat_document(sbml: str) -> Any:
    """Return a Level 3 document with submodels, function definitions and local parameters resolved."""
    document = libsbml.readSBMLFromString(sbml)
    _check_document(document)
    submodels = document.getPlugin("comp")
    if submodels is not None:
        for outside in submodels.getListOfExternalModelDefinitions():
            raise ModelError(f"{outside.getId()} is a model in another file ({outside.getSource()}): not supported")
        _convert(document, "flatten comp", {"performValidation": "false", "abortIfUnflattenable": "none"})
        _check_document(document)
    if document.getLevel() < 3:
        document.setLevelAndVersion(3, 1, False)
    for option in ("expandFunctionDefinitions", "promoteLocalParameters"):
        _convert(document, option, {})
    return document


def _convert(document: Any, option: str, settings: dict[str, str]) -> None:
    properties = libsbml.ConversionProperties()
    properties.addOption(option, True)
    for name, value in settings.items():
        properties.addOption(name, value)
    if document.convert(properties) != libsbml.LIBSBML_OPERATION_SUCCESS:
        _check_document(document)
        raise ModelError(f"The SBML cannot be brought to a plain form: {option} failed")


def _check_document(document: Any) -> None:
    errors = [document.getError(i) for i in range(document.getNumErrors())]
    fatal = [e for e in errors if e.getSeverity() >= libsbml.LIBSBML_SEV_ERROR]
    if fatal:
        message = " ".join(fatal[0].getMessage().split())
        raise ModelError(f"The SBML cannot be read: line {fatal[0].getLine()}: {message}")
    if document.getModel() is None:
        raise ModelError("The SBML has no model element")


def _refuse(sbml: Any) -> None:
    fluxes = sbml.getPlugin("fbc")
    if fluxes is not None and fluxes.getNumObjectives():
        objective = fluxes.getObjective(0).getIdAttribute()
        raise ModelError(f"The model is a flux balance (objective {objective}): not supported")
    for reaction in sbml.getListOfReactions():
        if reaction.isSetFast() and reaction.getFast():
            raise ModelError(f"Fast reactions are not supported: {reaction.getId()}")


def _check_symbols(model: Model) -> None:
    known = {symbol(name) for name in (*model.names(), *model.delays)} | {TIME}
    parts: list[tuple[str, Any]] = [*model.derived.items(), *model.algebra.items()]
    parts += [(n, e.rate) for n, e in model.states.items()] + [(n, e.initial) for n, e in model.states.items()]
    parts += [(event.name, e) for event in model.events for e in event.expressions()]
    parts += [(n, e) for n, d in model.delays.items() for e in (d.expression, d.time)]
    for name, expression in parts:
        for missing in expression.free_symbols - known:
            raise ModelError(f"The formula of {name} uses {missing}, which the model does not define")
