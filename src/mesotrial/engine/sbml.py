"""SBML to `Model`: the document brought to one form, and what cannot be done refused by name."""

import re
from pathlib import Path
from typing import Any

import libsbml

from mesotrial.engine.errors import ModelError
from mesotrial.engine.model import TIME, Model, symbol
from mesotrial.engine.quantities import Quantities
from mesotrial.engine.text import model_path, read_text, to_sbml

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[a-z0-9]+)?", re.ASCII)  # SBML's, and the engine's own after a dot
_IGNORED = (
    libsbml.LIBSBML_CAT_UNITS_CONSISTENCY,
    libsbml.LIBSBML_CAT_MODELING_PRACTICE,
    libsbml.LIBSBML_CAT_SBO_CONSISTENCY,
    libsbml.LIBSBML_CAT_OVERDETERMINED_MODEL,  # found again later, where the rule can be named
)
_TOLERATED = (
    10313,  # unknown units are as good as wrong ones
    libsbml.CircularRuleDependency,  # found again later, where the circle can be named
)


def load_model(source: str | Path) -> Model:
    """Read a model from a path (.xml, .sbml, .ant) or from SBML or Antimony text.

    A species is what its symbol means in SBML: an amount when it has only substance units, else a concentration,
    whose rate is the reactions' sum over the compartment's size. In a compartment of changing size the state is the
    amount, named `S.amount`, and the species S is in `algebra`. Each reaction's rate is in `algebra` under the
    reaction's name. Time is in days.

    Raises:
        ModelError: unreadable text, or something the engine does not support (algebraic rules without a unique solution,
            flux balance), with its name.
    """
    path = model_path(source)
    if path is None:
        return model_of(to_sbml(str(source)))
    text = read_text(path)
    try:
        return model_of(to_sbml(text, folder=path.parent))
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def model_of(sbml: str) -> Model:
    """Return the model of SBML text; as `load_model`."""
    document = _flat_document(sbml)  # which owns its model
    _refuse(document.getModel())
    model = Quantities(document.getModel()).model()
    if not model.names():
        raise ModelError("The model is empty: it has no quantity")
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
        _check_consistency(document)
        _convert(document, "flatten comp", {"performValidation": "false", "abortIfUnflattenable": "none"})
    _check_consistency(document)
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


def _check_consistency(document: Any) -> None:
    """Refuse what breaks a rule of SBML, such as a species in no compartment; units may be wrong."""
    for ignored in _IGNORED:
        document.setConsistencyChecks(ignored, False)
    document.checkConsistency()
    _check_document(document)


def _check_document(document: Any) -> None:
    errors = [document.getError(i) for i in range(document.getNumErrors())]
    for error in errors:
        if error.getSeverity() >= libsbml.LIBSBML_SEV_ERROR and error.getErrorId() not in _TOLERATED:
            lines = [line.strip(" .[]") for line in error.getMessage().splitlines() if line.strip()]
            detail = lines[-1] if len(lines) > 1 and not lines[-1].startswith("Reference:") else ""
            rule = (error.getShortMessage() or lines[0]).rstrip(" .")
            raise ModelError(
                ". ".join([f"The SBML cannot be read: line {error.getLine()}: {rule}", *filter(None, [detail])])
            )
    if document.getModel() is None:
        raise ModelError("The SBML has no model element")


def _refuse(sbml: Any) -> None:
    fluxes = sbml.getPlugin("fbc")
    if fluxes is not None and fluxes.getNumObjectives():
        objective = fluxes.getObjective(0).getIdAttribute()
        raise ModelError(f"The model is a flux balance (objective {objective}): not supported")


def _check_symbols(model: Model) -> None:
    for name in model.names():
        if not _NAME.fullmatch(name):
            raise ModelError(f"{name!r} is no name: letters, digits and _, not a digit first")
    known = {symbol(name) for name in (*model.names(), *model.delays)} | {TIME}
    parts: list[tuple[str, Any]] = [*model.derived.items(), *model.algebra.items()]
    parts += [(n, e.rate) for n, e in model.states.items()] + [(n, e.initial) for n, e in model.states.items()]
    parts += [(event.name, e) for event in model.events for e in event.expressions()]
    parts += [(n, e) for n, one in model.equilibria.items() for e in (one.rate, *one.changes.values())]
    parts += [(n, e) for n, d in model.delays.items() for e in (d.expression, d.time)]
    for name, expression in parts:
        for missing in expression.free_symbols - known:
            raise ModelError(f"The formula of {name} uses {missing}, which the model does not define")
