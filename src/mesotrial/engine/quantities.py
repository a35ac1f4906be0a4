"""What the symbols of an SBML model stand for: rules, reactions and events become states, constants and algebra."""

from collections.abc import Iterator, Mapping
from typing import Any

import sympy
from sympy import Expr

from mesotrial.engine.algebraic import solve_rules
from mesotrial.engine.equilibria import bent, refuse_fast
from mesotrial.engine.errors import ModelError
from mesotrial.engine.happenings import read_events
from mesotrial.engine.mathml import Formulas
from mesotrial.engine.model import TIME, Equilibrium, Model, StateEquation, in_order, number, symbol

_ZERO, _ONE = sympy.Integer(0), sympy.Integer(1)


class Quantities:
    """Collects the parts of one SBML model whose function definitions and local parameters are resolved."""

    def __init__(self, sbml: Any) -> None:
        """Take a libsbml model."""
        self.sbml = sbml
        self.formulas = Formulas()
        self.constants: dict[str, float] = {}
        self.rates: dict[str, Expr] = {}
        self.algebra: dict[str, Expr] = {}
        self.assigned: dict[str, Expr] = {}  # initial assignments
        self.starts: dict[str, Expr] = {}  # initial values of states
        self.amounts: dict[str, Expr] = {}  # species whose state is S.amount: the size of the compartment
        self.turns: dict[str, dict[str, Expr]] = {}  # of each fast reaction: amount into each species

    def model(self) -> Model:
        """Return the model; what it refers to is not yet checked.

        Raises:
            ModelError: something that the engine does not support, with its name.
        """
        self._rules()
        self.struck = {
            a.getVariable() for e in self.sbml.getListOfEvents() for a in e.getListOfEventAssignments() if a.isSetMath()
        }
        self.references = [part for part, _, _ in self._parts() if part.getIdAttribute()]
        self._algebraic_rules()
        self._compartments_and_parameters()
        self._species()
        events = read_events(self.sbml, self.formulas, self.amounts)
        equilibria = self._equilibria()
        for name, changing in self.formulas.rates_of.items():
            self.algebra[name] = self._slope(symbol(changing))
        derived = {name: e for name, e in self.assigned.items() if name not in self.rates}
        resolve = self._at_start
        derived = in_order({name: resolve(e, name) for name, e in derived.items()}, "Initial assignments")
        states = {}
        for name, rate in self.rates.items():
            start = self.assigned.get(name, self.starts.get(name))
            if start is None:
                raise ModelError(f"The state {name} has no initial value")
            states[name] = StateEquation(rate, resolve(start, name))
        algebra = in_order(self.algebra, "Assignment rules")
        self._refuse_endless_past()
        return Model(states, self.constants, derived, algebra, events, self.formulas.delays, equilibria)

    def _rules(self) -> None:
        for rule in self.sbml.getListOfRules():
            if rule.isAlgebraic() or not rule.isSetMath():
                continue
            name = rule.getVariable()
            kind = "rate rule" if rule.isRate() else "assignment rule"
            target = self.rates if rule.isRate() else self.algebra
            target[name] = self.formulas.expression(rule.getMath(), f"The {kind} of {name}")
        for assignment in self.sbml.getListOfInitialAssignments():
            name = assignment.getSymbol()
            if assignment.isSetMath():
                self.assigned[name] = self.formulas.expression(
                    assignment.getMath(), f"The initial assignment of {name}"
                )

    def _algebraic_rules(self) -> None:
        rules = [r for r in self.sbml.getListOfRules() if r.isAlgebraic() and r.isSetMath()]
        if not rules:
            return
        equations = [self.formulas.expression(rule.getMath(), "An algebraic rule") for rule in rules]
        solved = solve_rules(equations, list(self._free()), self.struck, self.algebra)
        for name in solved:
            if name in self.struck:
                raise ModelError(f"{name} is assigned by an event and determined by an algebraic rule: not supported")
            self.assigned.pop(name, None)  # the rule holds from the start
        self.algebra |= solved

    def _free(self) -> Iterator[str]:
        """Yield what an algebraic rule may determine: not constant, and changed by no other rule or reaction."""
        sbml = self.sbml
        moved = {part.getSpecies() for part, _, _ in self._parts()}
        for item in (*sbml.getListOfCompartments(), *sbml.getListOfParameters(), *sbml.getListOfSpecies()):
            name = item.getId()
            in_reaction = name in moved and not item.getBoundaryCondition()
            if not item.getConstant() and not in_reaction and name not in self.rates and name not in self.algebra:
                yield name
        for part in self.references:
            name = part.getIdAttribute()
            if not part.getConstant() and name not in self.rates and name not in self.algebra:
                yield name

    def _compartments_and_parameters(self) -> None:
        for item in self.sbml.getListOfCompartments():
            self._value(item.getId(), item.getSize() if item.isSetSize() else 1.0)
        for item in self.sbml.getListOfParameters():
            self._value(item.getId(), item.getValue() if item.isSetValue() else float("nan"))

    def _value(self, name: str, value: float) -> None:
        if name in self.struck and name not in self.rates and name not in self.algebra:
            self.rates[name] = _ZERO
            self.starts[name] = number(value)
        elif name in self.rates:
            if value == value:
                self.starts[name] = number(value)
        elif name not in self.algebra and name not in self.assigned:
            self.constants[name] = value

    def _changes(self, name: str) -> bool:
        return name in self.rates or name in self.algebra

    def _species(self) -> None:
        flows = self._flows()
        for species in self.sbml.getListOfSpecies():
            name = species.getId()
            size = symbol(species.getCompartment())
            only_amount = species.getHasOnlySubstanceUnits()
            start = _initial_value(species, size, only_amount)
            if name in self.algebra:
                continue
            fixed = species.getConstant() or species.getBoundaryCondition()
            flow = _ZERO if fixed else sympy.Add(*flows.get(name, []))
            if not only_amount and self._changes(size.name):
                self._amount(name, size, flow, start)
            elif name in self.rates:
                if start is not None:
                    self.starts[name] = start
            elif fixed and name not in self.struck:
                self._fixed_species(name, start)
            else:
                self.rates[name] = flow if only_amount else flow / size
                if start is not None:
                    self.starts[name] = start
                elif name in self.struck:
                    self.starts[name] = sympy.nan

    def _amount(self, name: str, size: Expr, flow: Expr, start: Expr | None) -> None:
        """Make the amount the state: sudden and smooth changes of the size then change the concentration rightly."""
        state = f"{name}.amount"
        self.amounts[name] = size
        self.algebra[name] = symbol(state) / size
        if name in self.rates:
            rule = self.rates.pop(name)
            flow = rule * size + symbol(name) * self._slope(size)
        self.rates[state] = flow
        if name in self.assigned:
            self.assigned[state] = self.assigned.pop(name) * size
        elif start is not None:
            self.starts[state] = start * size
        else:
            self.starts[state] = sympy.nan

    def _fixed_species(self, name: str, start: Expr | None) -> None:
        if name in self.assigned:
            return
        if start is not None and start.free_symbols:
            self.assigned[name] = start
        else:
            self.constants[name] = float("nan") if start is None else float(start)

    def _parts(self) -> Iterator[tuple[Any, Any, int]]:
        """Yield every reactant and product, its reaction, and its sign."""
        for reaction in self.sbml.getListOfReactions():
            for sign, sides in ((-1, reaction.getListOfReactants()), (1, reaction.getListOfProducts())):
                for part in sides:
                    yield part, reaction, sign

    def _flows(self) -> dict[str, list[Expr]]:
        """Amount per time into each species, one term a reaction."""
        for reaction in self.sbml.getListOfReactions():
            name, law = reaction.getId(), reaction.getKineticLaw()
            if law is None:
                raise ModelError(f"The reaction {name} has no rate")
            self.algebra[name] = self.formulas.expression(law.getMath(), f"The rate of {name}")
        for part in self.references:
            self._value(part.getIdAttribute(), part.getStoichiometry() if part.isSetStoichiometry() else float("nan"))
        flows: dict[str, list[Expr]] = {}
        for part, reaction, sign in self._parts():
            turn = sign * self._stoichiometry(part) * self._conversion(part)
            name = part.getSpecies()
            if reaction.isSetFast() and reaction.getFast():
                turns = self.turns.setdefault(reaction.getId(), {})
                turns[name] = turns.get(name, _ZERO) + turn
            else:
                flows.setdefault(name, []).append(turn * self.algebra[reaction.getId()])
        return flows

    def _stoichiometry(self, part: Any) -> Expr:
        name = part.getIdAttribute()
        if name and (self._changes(name) or name in self.assigned):
            return symbol(name)
        return number(part.getStoichiometry() if part.isSetStoichiometry() else 1.0)

    def _conversion(self, part: Any) -> Expr:
        species = self.sbml.getSpecies(part.getSpecies())
        if species is None:
            raise ModelError(f"A reaction changes {part.getSpecies()!r}, which is no species of the model")
        for owner in (species, self.sbml):
            if owner.isSetConversionFactor():
                return symbol(owner.getConversionFactor())
        return _ONE

    def _equilibria(self) -> dict[str, Equilibrium]:
        """Return what the fast reactions keep, and bend the rates of the states so that it is kept."""
        equilibria = {}
        for name, turns in self.turns.items():
            changes = {}
            for species, turn in turns.items():
                item = self.sbml.getSpecies(species)
                if turn == 0 or item.getConstant() or item.getBoundaryCondition():
                    continue
                whole = item.getHasOnlySubstanceUnits() or species in self.amounts
                state = f"{species}.amount" if species in self.amounts else species
                changes[state] = turn if whole else turn / symbol(item.getCompartment())
            if self.algebra[name] != 0 and changes:
                equilibria[name] = Equilibrium(self.algebra[name], changes)
        refuse_fast(equilibria, self.algebra, self.rates, self.assigned, self.formulas.delays)
        for state, extra in bent(equilibria, self.algebra, self._slope).items():
            self.rates[state] += extra
        return equilibria

    def _slope(self, expression: Expr, along: Mapping[str, Expr] | None = None, above: tuple[str, ...] = ()) -> Expr:
        """Return the derivative of `expression` with respect to time along the solution, or `along` changes of states."""
        rates = self.rates if along is None else along
        total = sympy.diff(expression, TIME) if along is None else _ZERO
        for used in sorted(expression.free_symbols - {TIME}, key=str):
            name = used.name
            if name in rates:
                total += sympy.diff(expression, used) * rates[name]
            elif name in self.algebra and name not in above:
                total += sympy.diff(expression, used) * self._slope(self.algebra[name], along, (*above, name))
        return total

    def _refuse_endless_past(self) -> None:
        """Refuse a delayed value that depends on itself other than through a state: before the start it has no end."""
        uses = {name: expression.free_symbols for name, expression in self.algebra.items()}
        uses |= {name: delay.expression.free_symbols for name, delay in self.formulas.delays.items()}
        for name, delay in self.formulas.delays.items():
            seen, todo = set[str](), {s.name for s in uses[name]}
            while todo:
                seen |= todo
                todo = {s.name for n in todo if n in uses for s in uses[n]} - seen
            if name in seen:
                raise ModelError(f"The past of {delay.expression} before the start depends on itself: not supported")

    def _at_start(self, expression: Expr, name: str) -> Expr:
        """Rewrite an initial value in constants and derived only: time is 0, states and algebra as at the start.

        Where there are delays time stays in it, since SBML takes the formula for the time before the start as well.
        """
        starts = {s: self.assigned.get(s, self.starts.get(s)) for s in self.rates}
        past = {s: delay.expression for s, delay in self.formulas.delays.items()}
        known = {symbol(s): e for s, e in {**starts, **self.algebra, **past}.items() if e is not None}
        if not past:
            known[TIME] = _ZERO
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
