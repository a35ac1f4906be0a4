"""SBML to `Model`: rules, reactions and initial assignments become states, constants, derived and algebra."""

from pathlib import Path
from typing import Any

import libsbml
import sympy
from sympy import Expr

from mesotrial.engine.errors import ModelError
from mesotrial.engine.mathml import to_expression
from mesotrial.engine.model import TIME, Model, StateEquation, in_order, number, symbol
from mesotrial.engine.text import read_source


def load_model(source: str | Path) -> Model:
    """Read a model from a path (.xml, .sbml, .ant) or from SBML or Antimony text.

    A species is what its symbol means in SBML: an amount when it has only substance units, else a concentration,
    whose rate is the reactions' sum over the constant compartment's size. Each reaction's rate is in `algebra` under
    the reaction's name. Time is in days.

    Raises:
        ModelError: unreadable text, or something the engine does not support (algebraic rules, delays, fast
            reactions, events, compartments of changing size), with its name.
    """
    return _Reader(_flat_document(read_source(source))).model()


def _flat_document(sbml: str) -> Any:
    """Return a Level 3 document with function definitions and local parameters resolved."""
    document = libsbml.readSBMLFromString(sbml)
    errors = [document.getError(i) for i in range(document.getNumErrors())]
    fatal = [e for e in errors if e.getSeverity() >= libsbml.LIBSBML_SEV_ERROR]
    if fatal:
        message = " ".join(fatal[0].getMessage().split())
        raise ModelError(f"The SBML cannot be read: line {fatal[0].getLine()}: {message}")
    if document.getModel() is None:
        raise ModelError("The SBML has no model element")
    if document.getLevel() < 3:
        document.setLevelAndVersion(3, 2, False)
    for option in ("expandFunctionDefinitions", "promoteLocalParameters"):
        properties = libsbml.ConversionProperties()
        properties.addOption(option, True)
        document.convert(properties)
    return document


class _Reader:
    """Collects the parts of one SBML model."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.sbml = document.getModel()
        self.constants: dict[str, float] = {}
        self.rates: dict[str, Expr] = {}
        self.algebra: dict[str, Expr] = {}
        self.assigned: dict[str, Expr] = {}  # initial assignments
        self.starts: dict[str, Expr] = {}  # initial values of states

    def model(self) -> Model:
        self._refuse()
        self._rules()
        self._compartments_and_parameters()
        self._species()
        derived = {name: e for name, e in self.assigned.items() if name not in self.rates}
        resolve = self._at_start
        derived = in_order({name: resolve(e, name) for name, e in derived.items()}, "Initial assignments")
        states = {}
        for name, rate in self.rates.items():
            start = self.assigned.get(name, self.starts.get(name))
            if start is None:
                raise ModelError(f"The state {name} has no initial value")
            states[name] = StateEquation(rate, resolve(start, name))
        model = Model(states, self.constants, derived, in_order(self.algebra, "Assignment rules"))
        _check_symbols(model)
        return model

    def _refuse(self) -> None:
        sbml = self.sbml
        for rule in sbml.getListOfRules():
            if rule.isAlgebraic():
                formula = libsbml.formulaToL3String(rule.getMath())
                raise ModelError(f"Algebraic rules are not supported: 0 = {formula}")
        for event in sbml.getListOfEvents():
            raise ModelError(f"Events are not supported: {event.getIdAttribute() or 'an event without a name'}")
        for reaction in sbml.getListOfReactions():
            if reaction.isSetFast() and reaction.getFast():
                raise ModelError(f"Fast reactions are not supported: {reaction.getId()}")

    def _rules(self) -> None:
        for rule in self.sbml.getListOfRules():
            name = rule.getVariable()
            kind = "rate rule" if rule.isRate() else "assignment rule"
            target = self.rates if rule.isRate() else self.algebra
            target[name] = to_expression(rule.getMath(), f"The {kind} of {name}")
        for assignment in self.sbml.getListOfInitialAssignments():
            name = assignment.getSymbol()
            self.assigned[name] = to_expression(assignment.getMath(), f"The initial assignment of {name}")

    def _compartments_and_parameters(self) -> None:
        for item in self.sbml.getListOfCompartments():
            self._value(item.getId(), item.getSize() if item.isSetSize() else 1.0)
        for item in self.sbml.getListOfParameters():
            self._value(item.getId(), item.getValue() if item.isSetValue() else float("nan"))

    def _value(self, name: str, value: float) -> None:
        if name in self.rates:
            if value == value:
                self.starts[name] = number(value)
        elif name not in self.algebra and name not in self.assigned:
            self.constants[name] = value

    def _species(self) -> None:
        flows = self._flows()
        for species in self.sbml.getListOfSpecies():
            name = species.getId()
            size = symbol(species.getCompartment())
            amount = species.getHasOnlySubstanceUnits()
            if not amount and (size.name in self.rates or size.name in self.algebra):
                raise ModelError(f"{name} is a concentration in {size}, a compartment of changing size: not supported")
            start = _initial_value(species, size, amount)
            if name in self.algebra or name in self.rates:
                if name in self.rates and start is not None:
                    self.starts[name] = start
            elif species.getConstant() or species.getBoundaryCondition():
                self._fixed_species(name, start)
            else:
                flow = sympy.Add(*flows.get(name, []))
                self.rates[name] = flow if amount else flow / size
                if start is not None:
                    self.starts[name] = start

    def _fixed_species(self, name: str, start: Expr | None) -> None:
        if name in self.assigned:
            return
        if start is not None and start.free_symbols:
            self.assigned[name] = start
        else:
            self.constants[name] = float("nan") if start is None else float(start)

    def _flows(self) -> dict[str, list[Expr]]:
        """Amount per time into each species, one term a reaction."""
        flows: dict[str, list[Expr]] = {}
        for reaction in self.sbml.getListOfReactions():
            name = reaction.getId()
            law = reaction.getKineticLaw()
            if law is None:
                raise ModelError(f"The reaction {name} has no rate")
            self.algebra[name] = to_expression(law.getMath(), f"The rate of {name}")
            for sign, sides in ((-1, reaction.getListOfReactants()), (1, reaction.getListOfProducts())):
                for part in sides:
                    term = sign * self._stoichiometry(part, name) * self.algebra[name]
                    flows.setdefault(part.getSpecies(), []).append(term)
        return flows

    def _stoichiometry(self, part: Any, reaction: str) -> Expr:
        name = part.getIdAttribute()
        if part.isSetStoichiometryMath() or (
            name and (name in self.rates or name in self.algebra or name in self.assigned)
        ):
            raise ModelError(f"The stoichiometry of {part.getSpecies()} in {reaction} is computed: not supported")
        if self.sbml.isSetConversionFactor() or self.sbml.getSpecies(part.getSpecies()).isSetConversionFactor():
            raise ModelError(f"{part.getSpecies()} has a conversion factor: not supported")
        if name:
            self.constants[name] = part.getStoichiometry()
        return number(part.getStoichiometry() if part.isSetStoichiometry() else 1.0)

    def _at_start(self, expression: Expr, name: str) -> Expr:
        """Rewrite an initial value in constants and derived only: time is 0, states and algebra as at the start."""
        starts = {s: self.assigned.get(s, self.starts.get(s)) for s in self.rates}
        known = {symbol(s): e for s, e in {**starts, **self.algebra}.items() if e is not None} | {
            TIME: sympy.Integer(0)
        }
        for _ in range(len(known) + 1):
            if not expression.free_symbols & known.keys():
                return expression
            expression = expression.xreplace(known)
        raise ModelError(f"The initial value of {name} depends on itself")


def _initial_value(species: Any, size: Expr, amount: bool) -> Expr | None:
    if species.isSetInitialAmount():
        value = number(species.getInitialAmount())
        return value if amount else value / size
    if species.isSetInitialConcentration():
        value = number(species.getInitialConcentration())
        return value * size if amount else value
    return None


def _check_symbols(model: Model) -> None:
    known = {symbol(name) for name in model.names()} | {TIME}
    parts = [(n, e) for n, e in (*model.derived.items(), *model.algebra.items())]
    parts += [(n, e.rate) for n, e in model.states.items()] + [(n, e.initial) for n, e in model.states.items()]
    for name, expression in parts:
        for missing in expression.free_symbols - known:
            raise ModelError(f"The formula of {name} uses {missing}, which the model does not define")
