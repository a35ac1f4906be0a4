"""One colour for a treatment, wherever it is drawn.

The style sheet has a palette ``--c-0`` to ``--c-7`` that people with any colour vision can tell apart; what a treatment does decides its place in it.
Figures name the arms of a design ``--arm-0``, ``--arm-1``, ...; `arm_style` ties these names to the palette.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["PALETTE", "arm_places", "arm_style", "treatment_place"]

PALETTE = 8
_PD1, _PD1_CTLA4, _CHEMOTHERAPY, _CHEMO_PD1, _NOTHING, _VESSELS, _CTLA4, _OTHER = range(PALETTE)
_PD1_EFFECTS = frozenset({"pd1", "pdl1"})
_BESIDE = frozenset({"regulatory_depletion"})  # what a CTLA-4 antibody does too


def treatment_place(drugs: Iterable[str]) -> int:
    """Return the place in the palette of a treatment made of these drugs, by what they act on."""
    from mesotrial.catalogue import load_drug

    given = [drug for drug in map(load_drug, drugs) if drug.pk is not None]
    if not given:
        return _NOTHING
    acts = {effect.on for drug in given for effect in drug.effects} - _BESIDE
    pd1, ctla4, chemotherapy = bool(acts & _PD1_EFFECTS), "ctla4" in acts, "cytotoxic" in acts
    if acts - {*_PD1_EFFECTS, "ctla4", "cytotoxic", "vascular"} or not all(drug.effects for drug in given):
        return _OTHER
    if pd1:
        return _PD1_CTLA4 if ctla4 else _CHEMO_PD1 if chemotherapy else _PD1
    if ctla4:
        return _CTLA4
    return _VESSELS if "vascular" in acts else _CHEMOTHERAPY


def arm_places(arms: Iterable[Sequence[str]]) -> tuple[int, ...]:
    """Return a place for each arm (its drugs); two arms of one kind get different ones, the first keeps its own."""
    found: list[int] = []
    for drugs in arms:
        place = treatment_place(drugs)
        while place in found and len(set(found)) < PALETTE:
            place = (place + 1) % PALETTE
        found.append(place)
    return tuple(found)


def arm_style(arms: Sequence[Sequence[str]], shown: Sequence[int] = ()) -> str:
    """Return CSS that gives each arm, by its drugs, the colour of its treatment.

    Inside elements of the class `shown-arms` the arms are those at the places `shown`, counted anew.
    """
    places = arm_places(arms)
    rules = f":root {{ {_variables(places)}}}"
    return f"{rules}\n.shown-arms {{ {_variables([places[one] for one in shown])}}}" if shown else rules


def _variables(places: Iterable[int]) -> str:
    return "".join(
        f"--arm-{arm}: var(--c-{place}); --arm-{arm}-text: var(--c-{place}-text); " for arm, place in enumerate(places)
    )
