"""SBML's events."""

from collections.abc import Mapping
from typing import Any

import sympy
from sympy import Expr

from mesotrial.engine.mathml import Formulas
from mesotrial.engine.model import Assignment, Event


def read_events(sbml: Any, formulas: Formulas, amounts: Mapping[str, Expr]) -> tuple[Event, ...]:
    """Return the events of a libsbml model; one whose trigger has no formula never happens and is left out.

    amounts: the species whose state is `S.amount`, and the size of their compartment.

    Raises:
        ModelError: a formula that the engine refuses.
    """
    events = []
    for position, event in enumerate(sbml.getListOfEvents()):
        trigger = event.getTrigger()
        if trigger is not None and trigger.isSetMath():
            name = event.getIdAttribute() or f"event {position + 1}"
            events.append(_read(event, name, formulas, amounts))
    return tuple(events)


def _read(event: Any, name: str, formulas: Formulas, amounts: Mapping[str, Expr]) -> Event:
    trigger, delay, priority = event.getTrigger(), event.getDelay(), event.getPriority()
    assignments = {}
    for one in event.getListOfEventAssignments():
        if one.isSetMath():
            target = one.getVariable()
            value = formulas.expression(one.getMath(), f"The assignment of {target} in {name}")
            scale = amounts.get(target, sympy.Integer(1))
            assignments[f"{target}.amount" if target in amounts else target] = Assignment(value, scale)
    return Event(
        name=name,
        trigger=formulas.condition(trigger.getMath(), f"The trigger of {name}"),
        delay=_optional(delay, f"The delay of {name}", formulas) or sympy.Integer(0),
        priority=_optional(priority, f"The priority of {name}", formulas),
        assignments=assignments,
        initial=trigger.getInitialValue(),
        persistent=trigger.getPersistent(),
        at_trigger=event.getUseValuesFromTriggerTime(),
    )


def _optional(part: Any, where: str, formulas: Formulas) -> Expr | None:
    return formulas.expression(part.getMath(), where) if part is not None and part.isSetMath() else None
