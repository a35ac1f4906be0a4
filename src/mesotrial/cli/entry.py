"""One entry of the catalogue as text and as an object, whole, with its sources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mesotrial.cli.output import console, plain, table

if TYPE_CHECKING:
    from mesotrial.catalogue import Approval, Design, Drug, Entry, PublishedResult, Statement
    from mesotrial.catalogue.drug import PK

__all__ = ["details", "show"]


def details(entry: Entry) -> dict[str, Any]:
    """Return what is known of an entry beside its names, ready for JSON."""
    from mesotrial.catalogue import load_design, load_drug

    found: dict[str, Any] = {}
    if entry.kind == "trial":
        found["design"] = plain(load_design(entry.key)) if entry.runnable else None
        found["published_results"] = plain(_published(entry))
    elif entry.kind == "drug" and entry.runnable:
        found["drug"] = plain(load_drug(entry.key))
    elif entry.kind == "statement":
        found["statement"] = plain(_statement(entry))
    if entry.kind in ("drug", "therapy", "class"):
        found["approvals"] = plain(_approvals(entry))
    return found


def show(entry: Entry) -> None:
    """Print an entry."""
    from mesotrial.catalogue import load_design, load_drug

    out = console()
    out.print(f"{entry.name} ({entry.kind})", style="bold")
    if entry.other_names:
        out.print(f"Also called: {', '.join(entry.other_names)}")
    if entry.immunity:
        out.print(f"Immunotherapy: {', '.join(entry.immunity)}")
    if entry.drugs:
        out.print(f"Drugs: {', '.join(entry.drugs)}")
    if entry.founded:
        out.print(f"How well founded in mesothelioma: {entry.founded}")
    if entry.kind == "trial":
        _show_trial(entry, load_design(entry.key) if entry.runnable else None, _published(entry))
    elif entry.kind == "drug" and entry.runnable:
        _show_drug(load_drug(entry.key))
    elif entry.kind == "statement":
        _show_statement(_statement(entry))
    elif entry.note:
        out.print(entry.note)
    if entry.kind in ("drug", "therapy", "class"):
        _show_approvals(_approvals(entry))
        if not entry.runnable:
            out.print(_why_not(entry) or "It cannot be simulated yet.")


def _why_not(entry: Entry) -> str:
    return f"It is not simulated: {entry.not_simulated}." if entry.not_simulated else ""


def _published(entry: Entry) -> tuple[PublishedResult, ...]:
    from mesotrial.catalogue import published_results

    return published_results(entry.name)


def _statement(entry: Entry) -> Statement:
    from mesotrial.catalogue import statements

    return next(item for item in statements() if item.id == entry.key)


def _approvals(entry: Entry) -> list[Approval]:
    """Give the approvals that name an entry: a drug, all drugs of a therapy, or a class that it belongs to."""
    from mesotrial.catalogue import approvals, entries

    classes = {
        one.name
        for kind in ("class", "therapy")
        for one in entries(kind)
        if entry.name in one.drugs and len(one.drugs) < 4
    }
    drugs = set(entry.drugs) if entry.kind == "therapy" else set()
    rows = [(one, _approved(one)) for one in approvals()]
    return [
        one
        for one, names in rows
        if entry.name in names or (drugs and drugs <= names) or (len(names) == 1 and names <= classes)
    ]


def _approved(row: Approval) -> set[str]:
    """Give the catalogue's names of what a row of the approvals is about."""
    from mesotrial.catalogue import UnknownNameError, find

    names = set()
    for part in re.split(r" \+ | or ", re.sub(r" \(.*?\)|, as a cytokine", "", row.drug_or_combination)):
        try:
            names.add(find(part).name)
        except UnknownNameError:
            names.add(part)
    return names


def _show_trial(entry: Entry, design: Design | None, rows: Sequence[PublishedResult]) -> None:
    out = console()
    if design is None:
        out.print(_why_not(entry) or "There is no design to run yet.")
    else:
        from mesotrial.report.lead_in import lead_in_words

        out.print(design.title)
        if design.lead_in is not None:
            out.print(f"  Lead-in: {lead_in_words(design.lead_in)}")
        for arm in design.arms:
            choices = [f"{choice.share:.0%} {' + '.join(r.text for r in choice.regimens)}" for choice in arm.one_of]
            parts = [
                *(regimen.text for regimen in arm.regimens),
                *(["one of: " + "; or ".join(choices)] if choices else []),
            ]
            out.print(f"  {arm.name} ({arm.n}): {'; '.join(parts)}")
        out.print(f"Timeline: mesotrial explain {design.name}. To run it: mesotrial run {design.name}")
    out.print()
    headings = ("Arm", "Who", "Endpoint", "Value", "95 % interval", "n", "Use", "Scored", "Source")
    results = table(f"Published results ({len(rows)})", *headings, right=("Value", "n", "Source"))
    sources = {source: number for number, source in enumerate(dict.fromkeys(map(_source, rows)), start=1)}
    for row in rows:
        name = f"{row.arm} v {row.comparator}" if row.comparator else row.arm
        value = row.value_text if row.value is None else f"{row.value:g} {row.unit}"
        scored = "yes" if row.scored else row.why_not
        number = f"[{sources[_source(row)]}]"
        results.add_row(
            name, row.subgroup, row.endpoint, value, _interval(row), str(row.n or ""), row.role, scored, number
        )
    out.print(results)
    for source, position in sources.items():
        out.print(f"[{position}] {source}")


def _interval(row: PublishedResult) -> str:
    if row.ci_low is None and row.ci_high is None:
        return ""
    ends = " to ".join("not reached" if end is None else f"{end:g}" for end in (row.ci_low, row.ci_high))
    return ends if row.ci_level in (None, 95) else f"{ends} ({row.ci_level:g} %)"


def _source(row: PublishedResult) -> str:
    return f"{row.source}{f', doi:{row.doi}' if row.doi else ''} [{row.confidence}]"


def _show_drug(drug: Drug) -> None:
    out = console()
    out.print(f"{drug.drug_class}; target: {drug.target}; given {', '.join(drug.routes)}")
    out.print(f"How well founded in mesothelioma: {drug.founded}")
    if drug.translation is not None:
        out.print("Exploratory: what it does for people with mesothelioma is not known.", style="bold")
        factor = drug.translation
        out.print(
            f"Results are shown over a range of one factor, {factor.name} ({factor.meaning}): {factor.low:g} to {factor.high:g}. {factor.source}"
        )
    out.print("How it is given: " + "; ".join(_given(drug)))
    out.print(f"\n{drug.plain_words}\n\n{drug.how_it_works}\n")
    if drug.pk is not None:
        _show_pk(drug.pk)
    _show_rows("Effects", drug.effects)
    _show_rows("Side effects (hazards per year at risk)", [*drug.toxicity, *drug.background])
    _show_mapping("Sources", drug.sources)


def _show_pk(pk: PK) -> None:
    if pk.parameters:
        made = table(
            f"Pharmacokinetics ({pk.model})",
            "Parameter",
            "Value",
            "Unit",
            "Between patients",
            "Source",
            right=("Value",),
        )
        for name, one in pk.parameters.items():
            spread = (
                f"CV {one.cv_percent:g} %"
                if one.cv_percent is not None
                else f"SD {one.sd_additive:g}"
                if one.sd_additive is not None
                else ""
            )
            made.add_row(name, f"{one.value:.4g}", one.unit, spread, f"{one.source} [{one.status}]")
        for effect in pk.covariates:
            of = f"{effect.form} of {effect.covariate}" + (
                f" / {effect.reference:g}" if effect.reference is not None else ""
            )
            made.add_row(effect.on, f"{effect.value:g}", "", of, f"{effect.source} [{effect.status}]")
        console().print(made)
    else:
        console().print("No concentrations are simulated: the effect is one of each dose or cycle (K-PD).")
    if pk.alternatives:
        console().print(f"Other models: {pk.alternatives}\n")


def _given(drug: Drug) -> list[str]:
    """Return regimens of a drug: its own, else the standard one."""
    from mesotrial.catalogue import CatalogueError, therapy_from_text

    if drug.regimens:
        return list(drug.regimens)
    try:
        return [regimen.text for regimen in therapy_from_text(drug.name).regimens]
    except CatalogueError:
        return ["as a design says"]


def _show_rows(title: str, rows: Sequence[Any]) -> None:
    """Show dataclasses of one kind as a table of the fields that any of them fills."""
    if not rows:
        return
    dicts = [plain(row) for row in rows]
    shown = [name for name in dicts[0] if any(one.get(name) not in (None, "", {}, []) for one in dicts)]
    made = table(title, *(name.replace("_", " ") for name in shown))
    for one in dicts:
        made.add_row(*(_cell(one.get(name)) for name in shown))
    console().print(made)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(
            f"{key} {_cell(item.get('value', item) if isinstance(item, Mapping) else item)}"
            for key, item in value.items()
        )
    return "" if value is None else str(value)


def _show_mapping(title: str, values: Mapping[str, str]) -> None:
    if values:
        made = table(title, "", "")
        made.show_header = False
        for name, text in values.items():
            made.add_row(name, text)
        console().print(made)


def _show_statement(item: Statement) -> None:
    from mesotrial.catalogue import PATIENT_PAGE

    out = console()
    out.print(f"From {PATIENT_PAGE}, in our words:\n  {item.statement}\n")
    out.print(f"Verdict: {item.verdict}", style="bold")
    out.print(f"What is known: {item.what_is_known}\nSource: {item.source} [{item.confidence}]")
    for line in _simulated(item):
        out.print(line)


def _simulated(item: Statement) -> Iterator[str]:
    """Say which command simulates what a statement is about, and where in its output the model's value stands."""
    from mesotrial.catalogue import find
    from mesotrial.catalogue.evidence import trials_of_statement
    from mesotrial.report.relapse import CLAIMS

    for trial in trials_of_statement(item.id):
        yield f"Simulated: mesotrial run {find(trial).key} shows the page's figure, the paper's and the model's side by side"
    if item.id in CLAIMS:
        yield (
            "Simulated: mesotrial run checkmate743 (or any trial in which treatment ends) shows beside this claim how many relapse after the last dose, "
            "how soon, and how many of the relapses come from cells that escaped T cells instead of the drug's wash-out"
        )


def _show_approvals(rows: Iterable[Approval]) -> None:
    rows = list(rows)
    if rows:
        made = table("Approvals", "What", "Agency", "Date", "As of", "Status", "Indication", "Source")
        for row in rows:
            made.add_row(
                row.drug_or_combination,
                row.agency,
                row.date,
                row.as_of,
                row.status,
                row.indication,
                f"{row.source} [{row.confidence}]",
            )
        console().print(made)
