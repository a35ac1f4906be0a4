"""Put the model together that a set of drugs needs, as Antimony text and as SBML.

Every mechanism is a file of Antimony statements. Three conventions make the files combine:

- ``symbol += expression;`` adds a term; the terms of all files become one assignment rule.
- ``$drug`` in ``pharmacokinetics/`` and ``effects/`` stands for the drug's name; the file is repeated for every drug that uses it.
- A bare number in an equation is dimensionless.

A new drug of a known kind is therefore a catalogue entry; a drug that acts in a new way adds one file to ``effects/``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesotrial.catalogue import PK, Drug, Effect, PKCovariate, PKParameter

__all__ = ["Assembly", "assemble"]

_ROOM = files("mesotrial.biology")
_TERM = re.compile(r"^(\w+)\s*\+=\s*([^;]+);")
_BARE_NUMBER = re.compile(r"(?<![\w.^])(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)(?![\w.]*\s*[\w(])")
_UNITS = {
    "L/day": "L_per_day",
    "L": "litre",
    "1/day": "per_day",
    "day": "day",
}
_DOSED = {"antibody": ("central",), "cytotoxic": ("central", "effect_amount"), "kpd": ("effect_amount",)}
_COVARIATE_UNITS = {"weight_kg": "kg", "bsa_m2": "m2", "albumin_g_per_l": "g_per_L", "egfr_ml_per_min": "mL_per_min"}


@dataclass(frozen=True)
class Assembly:
    """A model put together: its text, and what a trial needs to know of it.

    Attributes
    ----------
    antimony, sbml
        The same model in both languages (SBML L3V2).
    dosed
        Per drug, the states that a dose in mg enters.
    concentrations
        Per drug with a plasma level, the observable of its concentration, mg/L.
    flags
        Per drug, the parameters (0 or 1) that its regimen flags set.

    """

    antimony: str
    sbml: str
    dosed: Mapping[str, tuple[str, ...]]
    concentrations: Mapping[str, str]
    flags: Mapping[str, tuple[str, ...]]


def assemble(drugs: Sequence[Drug] = ()) -> Assembly:
    """Assemble the disease model and the pharmacokinetics and effects of `drugs`.

    Drugs without pharmacokinetics (placebo) add nothing. Raises `ModelError` if the text does not make a valid model, naming the line.
    """
    from mesotrial.engine import antimony_to_sbml

    active = [drug for drug in drugs if drug.pk is not None]
    mechanisms = sorted(path.name for path in (_ROOM / "mechanisms").iterdir() if path.name.endswith(".ant"))
    mechanisms.remove("units.ant")
    parts = [_read("mechanisms", name) for name in ("units.ant", *mechanisms)]
    for drug in active:
        parts += _drug_parts(drug)
    text = "model mesothelioma\n\n" + _combine(parts) + "\nend\n"
    return Assembly(
        antimony=text,
        sbml=antimony_to_sbml(text),
        dosed={drug.name: tuple(f"{drug.name}_{state}" for state in _DOSED[_pk(drug).model]) for drug in active},
        concentrations={drug.name: f"{drug.name}_concentration" for drug in active if _pk(drug).model != "kpd"},
        flags={drug.name: tuple(f"{drug.name}_{flag.name}" for flag in _pk(drug).flags) for drug in active},
    )


def _read(folder: str, name: str) -> str:
    return (_ROOM / folder / name).read_text(encoding="utf-8")


def _pk(drug: Drug) -> PK:
    assert drug.pk is not None
    return drug.pk


def _drug_parts(drug: Drug) -> list[str]:
    pk = _pk(drug)
    lines = [f"// {drug.name}: values of the population model and covariates"]
    flags = {flag.name for flag in pk.flags}
    for flag in pk.flags:
        lines.append(f"const {drug.name}_{flag.name} = 0;  // 1: {flag.meaning}")
    for name, parameter in pk.parameters.items():
        lines += _individual(drug.name, name, parameter, [c for c in pk.covariates if c.on == name], flags)
    stationary = pk.model == "antibody" and "CL_Emax" not in pk.parameters
    form = "antibody_stationary" if stationary else pk.model
    parts = ["\n".join(lines) + "\n", _read("pharmacokinetics", f"{form}.ant").replace("$drug", drug.name)]
    for effect in drug.effects:
        values = _effect_values(drug.name, effect)
        parts.append("\n".join(values) + "\n" + _read("effects", f"{effect.on}.ant").replace("$drug", drug.name))
    return parts


def _effect_values(drug: str, effect: Effect) -> list[str]:
    """Return the constants that an effect's file reads: the EC50, or the share of a full cycle and the exposure or dose it stands for."""
    note = f"{effect.source} [{effect.status}]"
    if effect.ec50_mg_per_l is not None:
        return [f"const {drug}_EC50_{effect.on} = {effect.ec50_mg_per_l!r} mg_per_L;  // {note}"]
    share = f"const {drug}_share = {effect.cycle_share!r};  // {note}"
    if effect.reference_dose_mg_per_m2 is not None:
        return [share, f"const {drug}_dose_reference = {effect.reference_dose_mg_per_m2!r} mg_per_m2;  // {note}"]
    return [
        share,
        f"const {drug}_AUC_reference = {effect.reference_auc_mg_day_per_l!r} mg_day_per_L;  // {note}",
    ]


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
    """Join the files; gather the terms of every ``+=`` into one rule."""
    terms: dict[str, list[str]] = {}
    lines: list[str] = []
    for part in parts:
        for line in part.splitlines():
            if match := _TERM.match(line):
                terms.setdefault(match[1], []).append(match[2].strip())
            else:
                lines.append(_stamp(line))
        lines.append("")
    lines.append("// Sums over the drugs given")
    for symbol, expressions in terms.items():
        named = [expression for expression in expressions if expression != "0"] or ["0"]
        lines.append(_stamp(f"{symbol} := {' + '.join(named)};"))
    return "\n".join(lines) + "\n"


def _stamp(line: str) -> str:
    """Write ``dimensionless`` after every bare number of an equation."""
    code, slashes, comment = line.partition("//")
    left, equals, right = code.partition("=")
    if not equals or left.startswith("unit "):
        return line
    return left + equals + _BARE_NUMBER.sub(r"\1 dimensionless", right) + slashes + comment
