"""Inside one patient: the page, and the numbers it draws."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from mesotrial.app.bounds import Refused, choice, number, text
from mesotrial.app.code import Snippet, command_line
from mesotrial.app.inside import Case, medians, prepare, simulate_case
from mesotrial.app.pages import address, fields_of, page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from mesotrial.app.laboratory import Laboratory
    from mesotrial.catalogue import Entry
    from mesotrial.population import Distribution

__all__ = ["LABELS", "ROUTES", "given_as", "treatment_names", "warm"]

_LINES, _HISTOLOGIES = ("first", "relapsed"), ("epithelioid", "non-epithelioid")
_DEFAULT = "nivolumab + ipilimumab"
_NONE = "no treatment"
_SPREAD, _SPREAD_WITHOUT = 2.0, 1.1  # standard deviations, or units of the log where patients do not differ
LABELS = {
    "initial_volume": ("Size of the tumour", "what a scan encloses at the start, mL"),
    "growth_rate": ("Speed of growth", "when nothing holds it back, per day"),
    "escape_fraction": ("Hidden cells at the start", "share of cancer cells that T cells hardly see"),
    "escape_kill_ratio": ("How visible the hidden cells are", "killing of hidden cells, relative to the others"),
    "priming_strength": ("Strength of the T-cell answer", "new T cells against the tumour, million a day"),
    "pdl1_baseline": ("PD-L1 on the tumour", "relative, before it is induced"),
    "exhaustion_rate": ("Speed of exhaustion", "how fast T cells tire in the tumour, per day"),
    "infiltration": ("Entry of T cells", "from the blood into the tumour"),
    "cytotoxic_sensitivity": ("Sensitivity to chemotherapy", "killing by a full cycle, per day"),
    "dead_clearance": ("Clearing of dead cells", "dead cells still show on a scan, per day"),
    "ctla4_cost": ("Brake of CTLA-4", "on the training of T cells"),
    "stroma_fraction": ("Scar tissue", "share of the tumour that never shrinks"),
    "escape_selection": ("New hidden cells", "share of the killing by T cells that leaves a hidden cell behind"),
    "antigen_half": ("Dying tumour that trains T cells", "share dying a day that half trains new T cells"),
    "reinvigoration_rate": ("Recovery from exhaustion", "how fast tired T cells recover without the brake, per day"),
    "kill_inhibition": ("Brake of PD-1", "share of the killing that a full brake holds back"),
    "cytostasis_max": ("Growth held back by interferon", "largest share of growth that T cells' interferon holds back"),
    "interferon_half": (
        "T cells for half the interferon",
        "working T cells at half of the interferon's effect, million/mL",
    ),
    "resistance_rate": ("Resistance to chemotherapy", "how fast it builds up, per day"),
    "vascular_max": ("Need of new vessels", "largest share of growth that a drug against vessels holds back"),
    "lymphocyte_sensitivity": ("Lymphocytes and chemotherapy", "killing of lymphocytes by a full cycle, per day"),
}
_FIRST = ("initial_volume", "growth_rate", "priming_strength", "pdl1_baseline", "exhaustion_rate", "escape_fraction")
_STORIES: tuple[tuple[str, dict[str, float]], ...] = (
    ("Typical patient", {}),
    ("Strong T-cell answer", {"priming_strength": 1.6}),
    ("Weak T-cell answer", {"priming_strength": -1.5}),
    ("Fast tumour, much PD-L1", {"growth_rate": 1.5, "pdl1_baseline": 1.5}),
    ("Response, then escape", {"priming_strength": 1.7, "escape_fraction": 1.6, "growth_rate": 1.2}),
)


@dataclass(frozen=True)
class Slider:
    """A model input to move: its bounds, and the typical value of the group."""

    name: str
    label: str
    help: str
    low: float
    high: float
    typical: float
    value: float
    scale: str
    status: str


@cache
def treatment_names() -> tuple[str, ...]:
    """Return every treatment with a standard regimen whose drugs can be simulated: combinations first, then single drugs."""
    from mesotrial.catalogue import entries
    from mesotrial.catalogue.evidence import read_table

    drugs = [entry.name for entry in entries("drug") if entry.runnable]
    named = [row["therapy"] for row in read_table("standard_regimens.csv")]
    together = [given_as(entry) for entry in entries("therapy") if entry.runnable]
    found = [name for name in dict.fromkeys([*named, *together, *drugs]) if _is_readable(name)]
    return tuple(
        sorted(found, key=lambda name: (name != _DEFAULT, " + " not in name and name in drugs, found.index(name)))
    )


def given_as(entry: Entry) -> str:
    """Return what a treatment is called here: its name where it has a usual regimen, else its drugs together; empty where neither can be given."""
    if not entry.runnable or entry.kind not in ("drug", "therapy"):
        return ""
    return next(filter(_is_readable, (entry.name, " + ".join(entry.drugs))), "")


def _is_readable(name: str) -> bool:
    from mesotrial.catalogue import CatalogueError, therapy_from_text

    try:
        therapy_from_text(name)
    except CatalogueError:
        return False
    return True


def _bounds(name: str, one: Distribution, typical: float) -> tuple[float, float]:
    reach = _SPREAD * one.sd if one.sd else _SPREAD_WITHOUT
    if one.scale == "logit":
        middle = math.log(typical / (1 - typical))
        return tuple(1 / (1 + math.exp(-(middle + way))) for way in (-reach, reach))  # type: ignore[return-value]
    return typical * math.exp(-reach), typical * math.exp(reach)


def _sliders(fields: dict[str, str], line: str, histology: str) -> list[Slider]:
    from mesotrial.population import load_parameters

    typical = medians(line, histology)
    found = []
    for name, one in load_parameters().distributions.items():
        low, high = _bounds(name, one, typical[name])
        value = number(fields, name, low * 0.99, high * 1.01, typical[name])
        label, words = LABELS.get(
            name, (name.replace("_", " ").capitalize(), one.unit if one.unit != "1" else "relative")
        )
        found.append(
            Slider(name, label, words, low, high, typical[name], min(max(value, low), high), one.scale, one.status)
        )
    return sorted(found, key=lambda one: _FIRST.index(one.name) if one.name in _FIRST else len(_FIRST))


def _unknown(fields: dict[str, str], drugs: tuple[str, ...]) -> list[Slider]:
    """Return a slider for every human-translation factor of the drugs: how much of the mechanism works in people."""
    from mesotrial.catalogue import load_drug

    found = {}
    for name in drugs:
        if (one := load_drug(name).translation) is not None:
            key = f"translation_{one.name}"
            value = number(fields, key, one.low, one.high, one.middle)
            words = f"nobody knows how much: {one.meaning}"
            found[key] = Slider(
                key, "How much of it works in people", words, one.low, one.high, one.middle, value, "linear", one.status
            )
    return list(found.values())


def _case(fields: dict[str, str]) -> tuple[Case, list[Slider]]:
    line, histology = choice(fields, "line", _LINES), choice(fields, "histology", _HISTOLOGIES)
    treatment = text(fields, "treatment", most=200, default=_DEFAULT).strip()
    if treatment == _NONE:
        treatment = ""
    elif treatment not in treatment_names():
        raise Refused(
            f"no treatment here is called {treatment!r}; the list on the page has those that can be simulated"
        )
    sliders = [*_unknown(fields, _drugs(treatment)), *_sliders(fields, line, histology)]
    values = {one.name: one.value for one in sliders if one.name in fields}
    case = Case(
        treatment,
        line,
        histology,
        dose=number(fields, "dose", 0.0, 4.0, 1.0),
        interval=number(fields, "interval", 0.5, 4.0, 1.0),
        stop_month=number(fields, "stop", 0.0, 36.0, 24.0),
        values=values,
    )
    return case, sliders


def _page(request: Request) -> Response:
    from mesotrial.catalogue import load_drug, therapy_from_text
    from mesotrial.report.colours import treatment_place

    fields = fields_of(request)
    case, sliders = _case(fields)
    place = treatment_place(therapy_from_text(case.treatment).drugs) if case.treatment else 4
    unknown = [one for one in sliders if one.name.startswith("translation_")]
    known = [one for one in sliders if one not in unknown]
    exploratory = [one for one in map(load_drug, _drugs(case.treatment)) if one.exploratory]
    stories = [
        (
            words,
            address(
                "/patient",
                treatment=case.treatment or _NONE,
                line=case.line,
                histology=case.histology,
                **_story(sliders, moves),
            ),
        )
        for words, moves in _STORIES
    ]
    return page(
        request, "patient.html.j2", title="Inside one patient", case=case, place=place, none=_NONE, treatments=treatment_names(),
        first=[one for one in known if one.name in _FIRST], more=[one for one in known if one.name not in _FIRST], stories=stories,
        unknown=unknown, exploratory=exploratory,
        lines=_LINES, histologies=_HISTOLOGIES, code=_code(case),
    )  # fmt: skip


def _story(sliders: list[Slider], moves: dict[str, float]) -> dict[str, str]:
    """Return the values of a story: so many of the slider's quarters (2 to its end) away from typical."""
    found = {}
    for one in sliders:
        if one.name in moves:
            share = moves[one.name] / _SPREAD
            end = one.high if share > 0 else one.low
            if one.scale == "logit":
                middle, edge = (math.log(value / (1 - value)) for value in (one.typical, end))
                value = 1 / (1 + math.exp(-(middle + abs(share) * (edge - middle))))
            else:
                value = one.typical * (end / one.typical) ** abs(share)
            found[one.name] = f"{value:.4g}"
    return found


def _code(case: Case) -> list[Snippet]:
    from mesotrial.catalogue import therapy_from_text

    drugs = ",".join(therapy_from_text(case.treatment).drugs) if case.treatment else ""
    python = (
        "from mesotrial.app.inside import Case, simulate_case\n\n"
        f"case = Case(\n    treatment={json.dumps(case.treatment)}, line={json.dumps(case.line)}, histology={json.dumps(case.histology)},\n"
        f"    dose={case.dose:g}, interval={case.interval:g}, stop_month={case.stop_month:g},\n"
        f"    values={json.dumps({name: float(f'{value:.4g}') for name, value in case.values.items()})},\n)\n"
        'simulate_case(case)["series"]["tumour_volume"]  # mL, every third day\n'
    )
    found = [Snippet("Python", "python", python)]
    if drugs:
        found.append(
            Snippet(
                "The model's equations",
                "shell",
                command_line("export-model", "--therapies", drugs, "--format", "antimony"),
            )
        )
    return found


async def _course(request: Request) -> Response:
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse

    case, _ = await run_in_threadpool(_case, fields_of(request))
    laboratory = request.app.state.laboratory
    drugs = await run_in_threadpool(_drugs, case.treatment)
    await laboratory.once((*drugs, case.line), prepare, drugs, case.line)
    found: dict[str, Any] = await laboratory.quick(simulate_case, case)
    snippets = await run_in_threadpool(_code, case)
    return JSONResponse({**found, "code": [one.text for one in snippets]}, headers={"cache-control": "no-store"})


async def warm(laboratory: Laboratory) -> None:
    """Compile the model that the page opens with."""
    with contextlib.suppress(Exception):
        drugs = await asyncio.to_thread(_drugs, _DEFAULT)
        await laboratory.once((*drugs, _LINES[0]), prepare, drugs, _LINES[0])
        await laboratory.quick(simulate_case, Case(_DEFAULT))


def _drugs(treatment: str) -> tuple[str, ...]:
    from mesotrial.catalogue import therapy_from_text

    return tuple(sorted(therapy_from_text(treatment).drugs)) if treatment else ()


ROUTES = [
    Route("/patient", _page, methods=["GET"]),
    Route("/patient/course.json", _course, methods=["GET"]),
]
