"""Treatments: everything the catalogue knows, how it works, how well founded it is, and what the patient page says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from starlette.routing import Route

from mesotrial.app.bounds import Refused, choice, text
from mesotrial.app.code import Snippet, command_line, list_code
from mesotrial.app.cycle import STEPS, Step, cycle_drawing, steps_of
from mesotrial.app.listing import ListedTrial, slug, trials_with
from mesotrial.app.pages import fields_of, page, picture
from mesotrial.app.patient import given_as
from mesotrial.catalogue.drug import ACTIVATION_PER_DAY

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from mesotrial.catalogue import Approval, Drug, Entry, Toxicity

__all__ = ["FOUNDED", "ROUTES", "Treatment", "all_treatments"]

FOUNDED = (
    "approved for mesothelioma",
    "compared in a randomised trial",
    "given to people with mesothelioma",
    "no result in mesothelioma",
)
_KINDS = ("drug", "therapy", "class")
_IMMUNITY = ("", "active", "passive")
_AIMS = ("", "specific", "nonspecific")
_VERDICTS = ("supported", "partly", "contradicted", "outdated", "unclear", "spelling")
_MONTHS_TREATED = 6.0
_MOST_SIDE_EFFECTS = 8
_PLATINUM = {"cisplatin": "platinum", "carboplatin": "platinum"}


@dataclass(frozen=True)
class SideEffect:
    """How many of 100 people treated for six months meet an event: of any grade, and severe."""

    term: str
    any_of_100: float
    severe_of_100: float
    sourced: str


@dataclass(frozen=True)
class Treatment:
    """A drug, a combination or a kind of treatment, as its page shows it."""

    slug: str
    entry: Entry
    drugs: tuple[Drug, ...]
    approvals: tuple[Approval, ...]
    trials: tuple[ListedTrial, ...]
    steps: tuple[Step, ...]
    founded: str
    place: int

    @property
    def lead(self) -> str:
        """Plain words: what it is."""
        if self.drugs:
            return " ".join(drug.plain_words for drug in self.drugs)
        note = self.entry.note
        return note[:1].upper() + note[1:] + ("" if note.endswith(".") else ".") if note else ""

    @property
    def target(self) -> str:
        """What it is aimed at."""
        return ", ".join(dict.fromkeys(drug.target for drug in self.drugs if drug.target))

    @property
    def exploratory(self) -> bool:
        """Whether what it does in people with mesothelioma is not known: one of its drugs, of a class all, were never shown to help there."""
        unknown = [drug.exploratory for drug in self.drugs]
        return bool(unknown) and (all(unknown) if self.entry.kind == "class" else any(unknown))

    @property
    def evidence(self) -> str:
        """How well founded it is, in words."""
        if self.entry.founded:
            return self.entry.founded
        if len(self.drugs) == 1:
            return self.drugs[0].founded
        return ""

    @property
    def words(self) -> str:
        """Everything a search may find it by, in lower case."""
        classes = (drug.drug_class for drug in self.drugs)
        names = (name for drug in self.drugs for name in (drug.name, *drug.other_names))
        parts = (
            self.entry.name,
            *self.entry.other_names,
            self.target,
            self.lead,
            *self.entry.immunity,
            *classes,
            *names,
            self.entry.note,
        )
        return " ".join(parts).lower()


@cache
def all_treatments() -> tuple[Treatment, ...]:
    """Return every treatment of the catalogue, best founded first within its kind."""
    from mesotrial.catalogue import entries

    kinds = ("therapy", "drug", "class")
    found: dict[str, Treatment] = {}
    for kind in kinds:
        for entry in entries(kind):  # type: ignore[arg-type]
            if "classification node" in entry.note or (
                kind == "therapy" and entry.note.startswith(("a schedule", "route of", "synonym"))
            ):
                continue
            one = _treatment(entry)
            found.setdefault(one.slug, one)
    return tuple(sorted(found.values(), key=lambda one: (FOUNDED.index(one.founded), kinds.index(one.entry.kind))))


def _treatment(entry: Entry) -> Treatment:
    from mesotrial.catalogue import CatalogueError, load_drug
    from mesotrial.report.colours import treatment_place

    names = entry.drugs or ((entry.name,) if entry.kind == "drug" else ())
    drugs = []
    for name in names:
        try:
            drugs.append(load_drug(name))
        except CatalogueError:
            drugs = []
            break
    approvals = _approvals(entry)
    trials = _trials(entry, names)
    acts = [
        on for drug in drugs if drug.pk is not None for on in (drug.pk.model, *(effect.on for effect in drug.effects))
    ]
    steps = steps_of(acts, f"{entry.name} {entry.note}")
    place = treatment_place(drug.name for drug in drugs) if drugs else 7
    return Treatment(
        slug(entry.name),
        entry,
        tuple(drugs),
        approvals,
        trials,
        steps,
        _founded(entry, approvals, trials, drugs),
        place,
    )


def _trials(entry: Entry, drugs: tuple[str, ...]) -> tuple[ListedTrial, ...]:
    if len(drugs) > 2 and entry.kind == "therapy":  # one platinum or the other
        found = {trial.slug: trial for drug in drugs for trial in trials_with((drugs[0], drug))}
        return tuple(trial for trial in found.values() if set(drugs) & set(_given(trial)) >= {drugs[0]})
    return trials_with(drugs)


def _given(trial: ListedTrial) -> tuple[str, ...]:
    return trial.design.drugs if trial.design is not None else ()


def _founded(entry: Entry, approvals: Iterable[Approval], trials: Sequence[ListedTrial], drugs: Iterable[Drug]) -> str:
    mine = _parts(entry)
    if any(one.status == "approved for mesothelioma" and _approved_parts(one) == mine for one in approvals):
        return FOUNDED[0]
    if any(row.comparator for trial in trials for row in trial.rows):
        return FOUNDED[1]
    return FOUNDED[2] if trials and not any(drug.exploratory for drug in drugs) else FOUNDED[3]


def _approvals(entry: Entry) -> tuple[Approval, ...]:
    """Return the approvals of a treatment and of what it is part of; one platinum stands for the other."""
    from mesotrial.catalogue import approvals

    mine = _parts(entry)
    found = [row for row in approvals() if mine and mine <= _approved_parts(row)]
    return tuple(sorted(found, key=lambda row: len(_approved_parts(row))))


def _parts(entry: Entry) -> frozenset[str]:
    names = entry.drugs or (entry.name,)
    return frozenset(_PLATINUM.get(name.lower(), name.lower()) if len(names) > 1 else name.lower() for name in names)


def _approved_parts(row: Approval) -> frozenset[str]:
    names = (name.split(" (")[0].split(",")[0].strip().lower() for name in row.drug_or_combination.split(" + "))
    parts = set(names)
    if len(parts) > 1:
        parts = {_PLATINUM.get(name, name) for name in parts}
    return frozenset((parts - {"chemotherapy"}) | {"pemetrexed", "platinum"} if "chemotherapy" in parts else parts)


def side_effects(drugs: Sequence[Drug], *, most: int | None = _MOST_SIDE_EFFECTS) -> list[SideEffect]:
    """Return the commonest side effects (None: all) that the drugs add, of 100 people treated for six months, in the model.

    Terms that follow from a simulated blood count have no share here and are left out.
    """
    parts: dict[str, list[tuple[Drug, Toxicity]]] = {}
    for drug in drugs:
        for one in drug.toxicity:
            if one.driver != "myelosuppression":
                parts.setdefault(one.term, []).append((drug, one))
    blocks_pd1 = any(effect.on in ("pd1", "pdl1") for drug in drugs for effect in drug.effects)
    found = []
    for term, mine in parts.items():
        burdens = [sum(_burden(drug, one, severe, blocks_pd1) for drug, one in mine) for severe in (False, True)]
        guess = "guess" if any(one.status == "guess" for _, one in mine) else ""
        found.append(SideEffect(term, 100 * _share(burdens[0]), 100 * _share(burdens[1]), guess))
    return sorted(found, key=lambda one: (-one.any_of_100, one.term))[:most]


def _burden(drug: Drug, one: Toxicity, severe: bool, blocks_pd1: bool) -> float:
    """Return the cumulative hazard of a term over six months of treatment, for a person of average proneness."""
    days = _MONTHS_TREATED * 30.4375
    if one.driver == "dose":
        return ((one.g34_per_dose if severe else one.any_per_dose) or 0.0) * _doses(drug.name, days)
    per_day = (one.g34_hazard_per_year if severe else one.any_hazard_per_year) / 365.25
    if not one.is_immune:
        return per_day * days * one.relative_hazard(0.0, days)
    tolerance = one.tolerance_per_day[0 if severe else 1]
    both = tolerance + ACTIVATION_PER_DAY
    alone = one.alone_factor if one.driver == "ctla4_trough" and not blocks_pd1 else 1.0
    return alone * per_day * (-math.expm1(-tolerance * days) / tolerance + math.expm1(-both * days) / both)


def _doses(drug: str, days: float) -> int:
    """Return how many doses the standard regimen gives in so many days."""
    from mesotrial.catalogue import CatalogueError, therapy_from_text

    try:
        return sum(len(regimen.dose_days(days)) for regimen in therapy_from_text(drug).regimens if regimen.drug == drug)
    except CatalogueError:
        return 0


def _share(burden: float) -> float:
    """Return the share with at least one event: 1 - E[exp(-f h)] over the proneness f of people (log-normal, mean 1)."""
    import numpy as np

    from mesotrial.catalogue import TOXICITY_FRAILTY_SD

    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    proneness = np.exp(TOXICITY_FRAILTY_SD * nodes - TOXICITY_FRAILTY_SD**2 / 2)
    return float(1 - (weights * np.exp(-proneness * burden)).sum() / math.sqrt(2 * math.pi))


def _list(request: Request) -> Response:
    fields = fields_of(request)
    wanted = text(fields, "q", most=100).strip()
    chosen = {
        "kind": choice(fields, "kind", ("", *_KINDS), default=""),
        "immunity": choice(fields, "immunity", _IMMUNITY, default=""),
        "aim": choice(fields, "aim", _AIMS, default=""),
        "founded": choice(fields, "founded", ("", *FOUNDED), default=""),
        "step": choice(fields, "step", ("", *STEPS), default=""),
        "target": text(fields, "target", most=60),
    }
    everything = all_treatments()
    found = [
        one
        for one in everything
        if all(word in one.words for word in wanted.lower().split())
        and chosen["kind"] in ("", one.entry.kind)
        and (not chosen["immunity"] or chosen["immunity"] in one.entry.immunity)
        and (not chosen["aim"] or chosen["aim"] in one.entry.immunity)
        and chosen["founded"] in ("", one.founded)
        and (not chosen["step"] or chosen["step"] in one.steps)
        and (not chosen["target"] or chosen["target"] == one.target)
    ]
    targets = sorted({one.target for one in everything if one.target and "," not in one.target})
    return page(
        request, "treatments.html.j2", title="Treatments", found=found, total=len(everything), q=wanted, chosen=chosen,
        founded=FOUNDED, steps=STEPS, targets=targets, code=list_code("therapies", 'entries("therapy")'),
    )  # fmt: skip


def _one(request: Request) -> Response:
    wanted = request.path_params["slug"]
    one = next((one for one in all_treatments() if one.slug == wanted), None)
    if one is None:
        raise Refused("no treatment has this address", status=404)
    return page(
        request,
        "treatment.html.j2",
        title=one.entry.name,
        one=one,
        cycle=picture(cycle_drawing(one.steps)),
        steps=STEPS,
        schedule=_schedule(one),
        side_effects=side_effects(one.drugs),
        months=_MONTHS_TREATED,
        statements=_statements_on(one),
        code=[
            Snippet("Command line", "shell", command_line("show", one.entry.name)),
            Snippet("Python", "python", _python(one)),
        ],
    )


def _python(one: Treatment) -> str:
    lines = ["from mesotrial import find, load_drug", "", f'find("{one.entry.name}")']
    return "\n".join([*lines, *(f'load_drug("{drug.name}")' for drug in one.drugs)]) + "\n"


def _schedule(one: Treatment) -> dict[str, object] | None:
    from mesotrial.catalogue import therapy_from_text

    name = given_as(one.entry)
    if not name:
        return None
    therapy = therapy_from_text(name)
    return {
        "name": name,
        "regimens": [regimen.text for regimen in therapy.regimens],
        "weeks": therapy.max_treatment_days / 7 if therapy.max_treatment_days else None,
        "source": therapy.source,
    }


def _statements_on(one: Treatment) -> list[object]:
    from mesotrial.catalogue import statements

    names = [
        name.lower()
        for name in (one.entry.name, *(drug.name for drug in one.drugs), *one.entry.other_names)
        if len(name) > 2
    ]
    return [
        item for item in statements() if any(name in f"{item.statement} {item.what_is_known}".lower() for name in names)
    ]


def _statements(request: Request) -> Response:
    from mesotrial.catalogue import PATIENT_PAGE, statements

    fields = fields_of(request)
    wanted = text(fields, "q", most=100).strip()
    topics = tuple(dict.fromkeys(item.topic for item in statements()))
    topic = choice(fields, "topic", ("", *topics), default="")
    verdict = choice(fields, "verdict", ("", *_VERDICTS), default="")
    found = [
        item
        for item in statements()
        if topic in ("", item.topic)
        and verdict in ("", item.verdict)
        and all(word in f"{item.id} {item.statement} {item.what_is_known}".lower() for word in wanted.lower().split())
    ]
    counts = {one: sum(item.verdict == one for item in statements()) for one in _VERDICTS}
    return page(
        request, "statements.html.j2", title="Statements of a patient page", found=found, q=wanted, topic=topic, verdict=verdict,
        topics=topics, counts=counts, source=PATIENT_PAGE, code=list_code("statements", "statements()"),
    )  # fmt: skip


ROUTES = [
    Route("/treatments", _list, methods=["GET"]),
    Route("/treatments/{slug}", _one, methods=["GET"]),
    Route("/statements", _statements, methods=["GET"]),
]
