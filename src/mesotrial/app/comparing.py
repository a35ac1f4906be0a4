"""Compare for a person like this: the same virtual people through two to four treatments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from mesotrial.app.bounds import Refused, choice, number, run_name, whole
from mesotrial.app.code import command_line, comparison_code
from mesotrial.app.curves import survival_curves
from mesotrial.app.pages import fields_of, form_of, page, picture
from mesotrial.app.patient import treatment_names
from mesotrial.app.runs import folder_of, state_of
from mesotrial.app.work import COMPARISON

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from mesotrial.app.jobs import Jobs

__all__ = ["ROUTES", "fingerprint", "prepare_cases"]

_SEXES = ("", "male", "female")
_HISTOLOGIES = ("", "epithelioid", "non-epithelioid", "biphasic", "sarcomatoid")
_ECOG = ("", "ECOG 0", "ECOG 1", "ECOG 2")
_PDL1 = ("", "PD-L1 negative", "PD-L1 positive")
_LINES = ("first line", "relapsed")
MOST_PEOPLE, _PEOPLE, _LEAST_PEOPLE = (
    2000,
    500,
    200,
)  # with fewer the posterior's draws have too few each for an interval
_YEARS = ((12.0, "1 year"), (24.0, "2 years"), (36.0, "3 years"))
_HOUSE = "the house"
_DECIDING = ("engine", "biology", "population", "catalogue", "trial", "analysis", "comparison")  # with validate.py
_CASES = (
    (("nivolumab + ipilimumab", "platinum-pemetrexed chemotherapy"), "age 70, male, epithelioid, ECOG 1, first line"),
    (
        ("nivolumab + ipilimumab", "platinum-pemetrexed chemotherapy"),
        "age 70, male, non-epithelioid, ECOG 1, first line",
    ),
    (("nivolumab", "best supportive care"), "age 70, male, epithelioid, ECOG 1, relapsed"),
)
_ROWS = (
    ("OS_RATE", "alive", "Alive"),
    ("PFS_RATE", "alive with the disease held back", "Alive, disease controlled"),
)
QUESTIONS = (
    "Which of these treatments are open to me, and why would you choose one over the other in my case?",
    "What did the people in the trials have in common with me, and in what am I different?",
    "What would we hope for with this treatment: longer life, less trouble from the disease, or both?",
    "Which side effects should make me call at once, day or night, and whom do I call?",
    "How will we know whether it works, and when would we stop?",
    "Is there a trial that I could take part in?",
    "What would palliative care add for me now?",
)
CANNOT = (
    "What will happen to you or to any one person. Among people with the same answers on this page some live for months and some for years.",
    "What is not in the model: other illnesses, medicines, complications, the skill of a centre, what you want from treatment.",
    "Whether the difference between two treatments is real where no trial compared them: then it rests on the model alone.",
    "Quality of life, pain, fatigue over time, cost, or how hard it is to get to treatment.",
)


def _form(request: Request) -> Response:
    fields = fields_of(request)
    shown = {
        name: fields.get(name, "")[:200]
        for name in ("t1", "t2", "t3", "t4", "age", "sex", "histology", "ecog", "pdl1", "tumour", "line")
    }
    shown["t1"] = shown["t1"] or "nivolumab + ipilimumab"
    shown["t2"] = shown["t2"] or next(
        name
        for name in ("platinum-pemetrexed chemotherapy", *treatment_names())
        if name != shown["t1"] and name in treatment_names()
    )
    ready = [
        (name, therapies, patient)
        for therapies, patient in _CASES
        if (folder_of(request, name := _name(therapies, patient, _PEOPLE, 1)) / COMPARISON).is_file()
    ]
    return page(
        request, "compare.html.j2", title="Compare", shown=shown, treatments=treatment_names(), ready=ready, people=_PEOPLE, most=MOST_PEOPLE,
        least=_LEAST_PEOPLE, sexes=_SEXES[1:], histologies=_HISTOLOGIES[1:], ecog=_ECOG[1:], pdl1=_PDL1[1:], lines=_LINES,
    )  # fmt: skip


async def _ask(request: Request) -> Response:
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import RedirectResponse

    form = await form_of(request)
    async with request.app.state.checking:  # one at a time: it draws people, on a core and in memory of the server
        name = await run_in_threadpool(_asked, request, form)
    return RedirectResponse(f"/compare/{name}", status_code=303)


def _asked(request: Request, form: Mapping[str, str]) -> str:
    from mesotrial.comparison import check_comparison
    from mesotrial.run import RequestError

    chosen = [choice(form, name, ("", *treatment_names()), default="") for name in ("t1", "t2", "t3", "t4")]
    therapies = tuple(filter(None, chosen))
    if len(therapies) < 2 or len(set(therapies)) < len(therapies):
        raise Refused("choose two to four different treatments")
    age = form.get("age", "").strip()
    parts = [
        f"age {number(form, 'age', 18, 100, 70):g}" if age else "",
        *(
            choice(form, name, known, default="")
            for name, known in (("sex", _SEXES), ("histology", _HISTOLOGIES), ("ecog", _ECOG), ("pdl1", _PDL1))
        ),
        f"tumour {number(form, 'tumour', 10, 500, 0):g} mm" if form.get("tumour", "").strip() else "",
        choice(form, "line", _LINES),
    ]
    patient = ", ".join(filter(None, parts))
    people, seed = whole(form, "people", _LEAST_PEOPLE, 10_000_000, _PEOPLE), whole(form, "seed", 0, 2**63 - 1, 1)
    if people > MOST_PEOPLE:
        raise Refused(
            f"at most {MOST_PEOPLE:,} people are taken through the treatments here. On your own computer there is no such bound; this command does it:",
            status=422,
            command=command_line(
                "compare", *therapies, "--patient", patient, "--people", str(people), "--seed", str(seed)
            ),
        )
    try:
        check_comparison(*therapies, patient=patient, people=people, seed=seed)
    except RequestError as error:
        raise Refused(str(error)) from None
    name = _name(therapies, patient, people, seed)
    if not (folder_of(request, name) / COMPARISON).is_file():
        _put(request.app.state.jobs, name, therapies, patient, people, seed, request.state.visitor)
    return name


def prepare_cases(jobs: Jobs) -> None:
    """Put the cases that the page offers into the queue, where they are not there yet; visitors' jobs go first."""
    for therapies, patient in _CASES:
        name = _name(therapies, patient, _PEOPLE, 1)
        if not (jobs.runs / name / COMPARISON).is_file():
            _put(jobs, name, therapies, patient, _PEOPLE, 1, _HOUSE)


def _put(jobs: Jobs, name: str, therapies: Sequence[str], patient: str, people: int, seed: int, visitor: str) -> None:
    title = f"{', '.join(therapies[:-1])} and {therapies[-1]}: {patient}"
    options = ["--patient", patient, "--people", str(people), "--seed", str(seed)]
    arguments = [
        "mesotrial.app.work",
        "compare",
        f"{jobs.runs.name}/{name}",
        *options,
        *(f"--therapy={one}" for one in therapies),
    ]
    jobs.ask(name, title, arguments, visitor, house=visitor == _HOUSE)


def _name(therapies: Sequence[str], patient: str, people: int, seed: int) -> str:
    asked = json.dumps([list(therapies), patient, people, seed, fingerprint()])
    return f"compare-{hashlib.sha256(asked.encode()).hexdigest()[:16]}"


@cache
def fingerprint() -> str:
    """Return a hash of everything that decides results: the version, the model, its parameters, the catalogue, the solver and the statistics."""
    from importlib.metadata import version

    import mesotrial
    from mesotrial.run.files import file_hash, folder_hash

    package = Path(mesotrial.__file__).parent
    parts = [folder_hash(package / room) for room in _DECIDING]
    parts.append(str(file_hash(package / "validate.py")))
    return hashlib.sha256("".join([version("mesotrial"), *parts]).encode()).hexdigest()[:16]


def _result(request: Request) -> Response:
    from mesotrial.run.files import read_json

    name = run_name(request.path_params["name"])
    folder, state = folder_of(request, name), state_of(request, name)
    found = read_json(folder / COMPARISON)
    job = request.app.state.jobs.find(name)
    if found is None and state is None:
        raise Refused("no comparison has this address", status=404)
    if found is None:
        mine = job is not None and request.app.state.jobs.is_owner(job, request.state.visitor)
        return page(
            request,
            "comparing.html.j2",
            title="Comparison",
            state=state,
            mine=mine,
            can_resume=job is not None,
            about=job.title if job else name,
        )
    return page(request, "comparison.html.j2", title="Comparison", name=name, **_shown(found))


def _shown(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page of a comparison shows."""
    from mesotrial.report.colours import arm_places, arm_style

    options = found["options"]
    drugs = [option["drugs"] for option in options]
    therapies = [option["therapy"] for option in options]
    return {
        "found": found,
        "patient": found["patient"]["text"],
        "options": [_option(option, place) for place, option in enumerate(options)],
        "style": picture(arm_style(drugs)),
        "places": arm_places(drugs),
        "curves": [picture(survival_curves(options, code)) for code in ("OS", "PFS")],
        "arithmetic": _pairs(found),
        "years": _YEARS,
        "notes": [*found["patient"].get("notes", []), *found["certainty"]],
        "extrapolation": [
            *found["extrapolation"],
            *(f"{one['therapy']}: {text}" for one in options for text in one["extrapolation"]),
        ],
        "cannot": CANNOT,
        "questions": QUESTIONS,
        "code": comparison_code(therapies, found["patient"]["text"], found["people"], found["seed"]),
    }


def _option(option: Mapping[str, Any], place: int) -> dict[str, Any]:
    outcomes = {(one["code"], one["time_months"]): one for one in (*option["outcomes"], *option.get("bands", ()))}
    rows = [
        (heading, [_cell(outcomes[code, months], words, f"after {when}", option["therapy"], place)
                   for months, when in _YEARS if (code, months) in outcomes])
        for code, words, heading in _ROWS
    ]  # fmt: skip
    severe = outcomes.get(("TRAE_G34", None))
    if severe is not None:
        words = "with a serious side effect"
        rows.append(("Serious side effect", [_cell(severe, words, "at any time", option["therapy"], place)]))
    return {
        **option,
        "place": place,
        "rows": [(heading, cells) for heading, cells in rows if cells],
        "founded": _founded(option["exploratory"]),
        "results": [_published(row) for row in (option["published"] or {"rows": []})["rows"]],
    }


def _cell(one: Mapping[str, Any], words: str, when: str, therapy: str, place: int) -> dict[str, Any]:
    """Return an outcome of 100 people as shown; where nobody knows it there is no count, and the picture holds the range."""
    from markupsafe import escape

    from mesotrial.report.marks import one_hundred

    low, high = round(100 * one["lo90"]), round(100 * one["hi90"])
    count = round(100 * one["value"]) if "value" in one else None
    told = f"Not known: between {low} and {high}" if count is None else f"{count}"
    label = str(escape(f"{told} of 100 {words} {when} with {therapy}"))
    filled, perhaps = (low, high - low) if count is None else (count, 0)
    drawn = picture(one_hundred(filled, f"arm-{place}", label, perhaps=perhaps))
    return {"when": when, "count": count, "low": low, "high": high, "drawn": drawn}


def _founded(drugs: Sequence[str]) -> list[tuple[str, str]]:
    """Return what the catalogue says of each drug: how well its benefit is founded."""
    from mesotrial.catalogue import CatalogueError, load_drug

    found = []
    for name in drugs:
        try:
            found.append((name, load_drug(name).founded))
        except CatalogueError:  # a comparison of an earlier catalogue
            found.append((name, ""))
    return found


def _published(row: Mapping[str, Any]) -> dict[str, Any]:
    from mesotrial.analysis.codes import is_rate

    rate = is_rate(row["code"])

    def value(key: str) -> str:
        if row[key] is None:
            return "not reached"
        return f"{100 * row[key]:.0f} of 100" if rate else f"{row[key]:g} months"

    names = {
        "ORR": "Tumour shrinks",
        "PFS_MEDIAN": "Half progressed or died by",
        "OS_MEDIAN": "Half had died by",
        "TRAE_G34": "Serious side effect of treatment",
    }
    kinds = {"OS_RATE": "Alive after", "PFS_RATE": "Alive without progression after"}
    name = names.get(row["code"]) or f"{kinds.get(row['code'], row['code'])} {row['time_months']:g} months"
    who = "" if row["subgroup"] in ("all", None) else str(row["subgroup"]).replace("_", " ")
    interval = "" if row["published_lo"] is None else f"{value('published_lo')} to {value('published_hi')}"
    return {
        "name": name,
        "who": who,
        "value": value("published"),
        "interval": interval.replace(" of 100 to", " to"),
        "source": str(row["source"]),
        "checked": row.get("checked", True),
    }


def _pairs(found: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Return (pair, lines) for every two options; where neither is known nothing can be said of their difference."""
    unknown = {option["therapy"] for option in found["options"] if not option["known"]}
    pairs: dict[tuple[str, str], list[str]] = {}
    for one in (*found["differences"], *found.get("difference_bands", ())):
        lines = pairs.setdefault((one["first"], one["second"]), [])
        if {one["first"], one["second"]} <= unknown:
            lines[:] = ["Neither is known, so nothing can be said of their difference."]
        elif line := _arithmetic(found, one):
            lines.append(line)
    return [(f"{first} and {second}", lines) for (first, second), lines in pairs.items()]


def _arithmetic(found: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    """Write a difference as people count: so many with one, so many with the other."""
    key = (one["code"], one["time_months"])
    wanted = {("OS_RATE", 12.0): "are alive after one year", ("OS_RATE", 24.0): "are alive after two years", ("OS_RATE", 36.0): "are alive after three years",
              ("TRAE_G34", None): "have a serious side effect"}.get(key)  # fmt: skip
    if wanted is None:
        return ""
    counts, ranges = {}, {}
    for option in found["options"]:
        for outcome in (*option["outcomes"], *option.get("bands", ())):
            if (outcome["code"], outcome["time_months"]) == key:
                counts[option["therapy"]] = round(100 * outcome["value"]) if "value" in outcome else None
                ranges[option["therapy"]] = f"{round(100 * outcome['lo90'])} to {round(100 * outcome['hi90'])}"
    first, second = counts[one["first"]], counts[one["second"]]
    if first is None or second is None:
        told = [
            f"{'it is not known how many' if count is None else str(count)} of 100 {wanted}"
            + (f": anything from {ranges[name]}" if count is None else "")
            for name, count in ((one["first"], first), (one["second"], second))
        ]
        return (
            f"With {one['first']}, {told[0]}; with {one['second']}, {told[1]}. "
            f"The difference could be anything between {_signed(one['lo90'])} and {_signed(one['hi90'])} of 100 with {one['first']}."
        )
    away = first - second
    words = "the same" if away == 0 else f"{abs(away)} {'more' if away > 0 else 'fewer'} of 100 with {one['first']}"
    return (
        f"With {one['first']}, {first} of 100 {wanted}; with {one['second']}, {second}. {first} − {second} = {str(away).replace('-', '−')}: {words}. "
        f"9 times in 10 the difference lies between {_signed(one['lo90'])} and {_signed(one['hi90'])} of 100."
    )


def _signed(value: float) -> str:
    rounded = round(value)
    return "0" if rounded == 0 else f"{abs(rounded)} {'more' if rounded > 0 else 'fewer'}"


def _download(request: Request) -> Response:
    from starlette.responses import FileResponse

    name = run_name(request.path_params["name"])
    file = folder_of(request, name) / COMPARISON
    if not name.startswith("compare-") or not file.is_file():
        raise Refused("no comparison has this address", status=404)
    return FileResponse(file, media_type="application/json", filename=f"{name}.json")


ROUTES = [
    Route("/compare", _form, methods=["GET"]),
    Route("/compare", _ask, methods=["POST"]),
    Route("/compare/{name}", _result, methods=["GET"]),
    Route("/compare/{name}/comparison.json", _download, methods=["GET"]),
]
