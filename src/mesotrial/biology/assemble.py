"""Put the model together that a set of drugs needs, as Antimony text and as SBML.

Every mechanism is a file of Antimony statements. Four conventions make the files combine:

- ``symbol += expression;`` adds a term and ``symbol *= expression;`` a factor; those of all files become one assignment rule.
- ``$drug`` in ``pharmacokinetics/`` and ``effects/`` stands for the drug's name; the file is repeated for every drug that uses it. ``$unit`` is the unit
  of its doses, ``$level`` what effects read as its strength, and ``$benefit`` the drug's human-translation factor (1 where it has none).
- A bare number in an equation is dimensionless.
- A line ``//@ needs: name`` brings in a file of ``optional/``: mechanisms that a model has only where a drug acts on them.

A new drug of a known kind is therefore a catalogue entry; a drug that acts in a new way adds one file to ``effects/`` (or beside the user's own drugs).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesotrial.biology._form import closure, core, form

if TYPE_CHECKING:
    from mesotrial.catalogue import PK, Drug, Effect, PKCovariate, PKParameter

__all__ = ["Assembly", "assemble"]

_TERM = re.compile(r"^(\w+)\s*([+*])=\s*([^;]+);")
_BARE_NUMBER = re.compile(r"(?<![\w.^])(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)(?![\w.]*\s*[\w(])")
_NEUTRAL = {"+": "0", "*": "1"}
_UNITS = {
    "L/day": "L_per_day",
    "L": "litre",
    "1/day": "per_day",
    "1/mL/day": "per_mL_day",
    "day": "day",
    "mg": "mg",
    "mg/L": "mg_per_L",
    "mg/day": "mg_per_day",
    "million": "million",
    "million/L": "million_per_L",
    "1/Gy": "per_Gy",
    "1/Gy2": "per_Gy2",
}
_DOSE_UNITS = {"mg": "mg", "Gy": "Gy", "%": "dimensionless"}
_COVARIATE_UNITS = {"weight_kg": "kg", "bsa_m2": "m2", "albumin_g_per_l": "g_per_L", "egfr_ml_per_min": "mL_per_min"}


@dataclass(frozen=True)
class Assembly:
    """A model put together: its text, and what a trial needs to know of it.

    Attributes
    ----------
    antimony, sbml
        The same model in both languages (SBML L3V2).
    dosed
        Per drug, the states that doses enter.
    doses
        Per drug and route (``*``: any other), the states that a dose enters, in the unit of the drug's doses (mg; million cells, PFU, IU; Gy).
    concentrations
        Per drug with a plasma level, the observable of its concentration, mg/L.
    flags
        Per drug, the parameters (0 or 1) that its regimen flags set.
    translation
        Name of each human-translation factor in the model, a parameter ``translation_NAME``.

    """

    antimony: str
    sbml: str
    dosed: Mapping[str, tuple[str, ...]]
    doses: Mapping[str, Mapping[str, tuple[str, ...]]]
    concentrations: Mapping[str, str]
    flags: Mapping[str, tuple[str, ...]]
    translation: tuple[str, ...] = ()

    def enters(self, drug: str, route: str) -> tuple[str, ...]:
        """Return the states that a dose of `drug` by `route` enters; none for a placebo."""
        routes = self.doses.get(drug, {})
        return routes.get(route, routes.get("*", ()))


def assemble(drugs: Sequence[Drug] = (), mechanisms: Sequence[str] = ()) -> Assembly:
    """Assemble the disease model and the pharmacokinetics and effects of `drugs`.

    Drugs without pharmacokinetics (placebo) add nothing. `mechanisms` names files of ``optional/`` that are wanted whatever is given.
    Raises `CatalogueError` if a drug names a mechanism that does not exist or lacks a number that one needs, and `ModelError` if the text does not make a
    valid model, naming the line.
    """
    from mesotrial.catalogue import own_mechanisms
    from mesotrial.engine import antimony_to_sbml

    also = own_mechanisms()
    made = [_Drug(drug, also) for drug in drugs if drug.pk is not None]
    needed = [*mechanisms, *(name for one in made for part in (one.form, *one.effects) for name in part.needs)]
    factors = {one.drug.translation.name: one.drug.translation for one in made if one.drug.translation is not None}
    parts = [*core(), *(part.text for part in closure(needed, also))]
    parts += [
        f"const translation_{name} = {one.middle!r};  // human-translation factor, {one.low:g} to {one.high:g}: {one.source}\n"
        for name, one in factors.items()
    ]
    for one in made:
        parts += one.parts()
    text = "model mesothelioma\n\n" + _combine(parts) + "\nend\n"
    return Assembly(
        antimony=text,
        sbml=antimony_to_sbml(text),
        dosed={one.drug.name: tuple(dict.fromkeys(s for states in one.doses.values() for s in states)) for one in made},
        doses={one.drug.name: one.doses for one in made},
        concentrations={one.drug.name: f"{one.symbol}_concentration" for one in made if one.has_concentration},
        flags={one.drug.name: tuple(f"{one.symbol}_{flag.name}" for flag in one.pk.flags) for one in made},
        translation=tuple(factors),
    )


class _Drug:
    """One drug's part of the model."""

    def __init__(self, drug: Drug, also: Mapping[str, str]) -> None:
        assert drug.pk is not None
        self.drug, self.pk = drug, drug.pk
        self.symbol = drug.symbol
        self.form = form("pharmacokinetics", _form_name(drug.pk), also)
        self.effects = [form("effects", effect.on, also) for effect in drug.effects]
        self.doses = {route: tuple(map(self._named, states)) for route, states in self.form.doses.items()}
        self.has_concentration = "concentration" in self.form.sets

    def parts(self) -> list[str]:
        """Return the drug's texts: its numbers, its pharmacokinetics, its effects."""
        pk = self.pk
        lines = [f"// {self.drug.name}: values of the population model and covariates"]
        flags = {flag.name for flag in pk.flags}
        for flag in pk.flags:
            lines.append(f"const {self.symbol}_{flag.name} = 0;  // 1: {flag.meaning}")
        for name, parameter in pk.parameters.items():
            lines += _individual(self.symbol, name, parameter, [c for c in pk.covariates if c.on == name], flags)
        texts = ["\n".join(lines) + "\n", self._named(self.form.text)]
        given = {*pk.parameters, *flags, *self.form.sets}
        for effect, part in zip(self.drug.effects, self.effects, strict=True):
            values = _effect_values(effect)
            given |= {*values, *part.sets}
            written = [f"const {self.symbol}_{name} = {text}" for name, text in values.items()]
            texts.append("\n".join(written) + "\n" + self._named(part.text))
        self._check(given)
        return texts

    def _named(self, text: str) -> str:
        factor = self.drug.translation
        text = text.replace("$level", self.form.level).replace("$unit", _DOSE_UNITS.get(self.drug.dose_unit, "million"))
        if factor is None:
            text = text.replace("$benefit * ", "")
        text = text.replace("$benefit", f"translation_{factor.name}" if factor else "1")
        return text.replace("$drug", self.symbol)

    def _check(self, given: set[str]) -> None:
        """Refuse a drug without a number that its files need."""
        if missing := sorted({name for part in (self.form, *self.effects) for name in part.reads} - given):
            from mesotrial.catalogue import CatalogueError

            files = ", ".join([self.pk.model, *(effect.on for effect in self.drug.effects)])
            raise CatalogueError(
                f"drug {self.drug.name}: its mechanisms ({files}) also need {', '.join(missing)}; "
                "give them under pk.parameters, or under the values of the effect"
            )


def _form_name(pk: PK) -> str:
    """Return the file of a drug's pharmacokinetics: some models have a simpler and a fuller form."""
    match pk.model:
        case "antibody" if "VMAX" in pk.parameters:
            return "antibody_saturable"
        case "antibody" if "CL_Emax" not in pk.parameters:
            return "antibody_stationary"
        case "oral" if "Q" in pk.parameters:
            return "oral_two"
        case _:
            return pk.model


def _effect_values(effect: Effect) -> dict[str, str]:
    """Return the numbers that an effect's file reads, as Antimony: the EC50, the share of a cycle and what it stands for, or values of its own."""
    note = f"{effect.source} [{effect.status}]"
    known = (
        (f"EC50_{effect.on}", effect.ec50_mg_per_l, "mg_per_L"),
        ("share", effect.cycle_share, "dimensionless"),
        ("dose_reference", effect.reference_dose_mg_per_m2, "mg_per_m2"),
        ("AUC_reference", effect.reference_auc_mg_day_per_l, "mg_day_per_L"),
    )
    values = {name: f"{value!r} {unit};  // {note}" for name, value, unit in known if value is not None}
    for name, one in effect.values.items():
        unit = _UNITS.get(one.unit, "dimensionless")
        values[f"{effect.on}_{name}"] = f"{one.value!r} {unit};  // {one.source} [{one.status}]"
    return values


def _individual(
    drug: str, name: str, parameter: PKParameter, covariates: Sequence[PKCovariate], flags: set[str]
) -> list[str]:
    """Return the statements of one individual parameter: typical value, covariates, random effect."""
    symbol, unit = f"{drug}_{name}", _UNITS.get(parameter.unit, "dimensionless")
    typical = f"const {symbol}_typical = {parameter.value!r} {unit};  // {parameter.source} [{parameter.status}]"
    factors, shifts, lines = [f"{symbol}_typical"], [], [typical]
    for covariate in covariates:
        effect = f"{symbol}_{covariate.covariate}"
        lines.append(f"const {effect} = {covariate.value!r};  // {covariate.source}")
        factor, shift = _covariate_term(
            effect, covariate, f"{drug}_{covariate.covariate}" if covariate.covariate in flags else covariate.covariate
        )
        factors += factor
        shifts += shift
    if parameter.cv_percent is not None or parameter.sd_additive is not None:
        lines.append(
            f"const {symbol}_eta = 0;  // random effect, {'log scale' if parameter.sd_additive is None else 'additive'}"
        )
        if parameter.sd_additive is None:
            factors.append(f"exp({symbol}_eta)")
        else:
            shifts.append(f"{symbol}_eta")
    lines += [f"const {symbol} has {unit};", f"{symbol} = {' + '.join([' * '.join(factors), *shifts])};"]
    return lines


def _covariate_term(effect: str, covariate: PKCovariate, symbol: str) -> tuple[list[str], list[str]]:
    """Return the factor or the shift that a covariate adds."""
    unit = _COVARIATE_UNITS.get(covariate.covariate, "dimensionless")
    match covariate.form:
        case "power":
            return [f"({symbol} / ({covariate.reference!r} {unit}))^{effect}"], []
        case "logpower":
            return [f"(ln({symbol}) / ln({covariate.reference!r} dimensionless))^{effect}"], []
        case "exp":
            return [f"exp({effect} * {symbol})"], []
        case "add":
            return [], [f"{effect} * {symbol}"]


def _combine(parts: Sequence[str]) -> str:
    """Join the files; gather the terms of every ``+=`` and the factors of every ``*=`` into one rule."""
    terms: dict[tuple[str, str], list[str]] = {}
    lines: list[str] = []
    for part in parts:
        for line in part.splitlines():
            if match := _TERM.match(line):
                terms.setdefault((match[1], match[2]), []).append(match[3].strip())
            else:
                lines.append(_stamp(line))
        lines.append("")
    lines.append("// Sums and products over the mechanisms and the drugs given")
    for (symbol, sign), expressions in terms.items():
        named = [one for one in expressions if not re.fullmatch(rf"{_NEUTRAL[sign]}( \w+)?", one)] or expressions[:1]
        if sign == "*":
            named = [_as_factor(one) for one in named]
        lines.append(_stamp(f"{symbol} := {f' {sign} '.join(named)};"))
    return "\n".join(lines) + "\n"


def _as_factor(expression: str) -> str:
    """Put a sum in parentheses, so that it can stand in a product."""
    outside = expression
    while (inner := re.sub(r"\([^()]*\)", "", outside)) != outside:
        outside = inner
    return f"({expression})" if re.search(r"[+-]", outside) else expression


def _stamp(line: str) -> str:
    """Write ``dimensionless`` after every bare number of an equation."""
    code, slashes, comment = line.partition("//")
    left, equals, right = code.partition("=")
    if not equals or left.startswith("unit "):
        return line
    return left + equals + _BARE_NUMBER.sub(r"\1 dimensionless", right) + slashes + comment
