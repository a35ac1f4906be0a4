"""Evidence: how often the model was right, what in it is a guess, what a result hangs on, and the credibility page."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from mesotrial.app.bounds import Refused
from mesotrial.app.code import Snippet, command_line
from mesotrial.app.comparing import fingerprint
from mesotrial.app.inside import Case, prepare, sensitivity
from mesotrial.app.pages import page, picture
from mesotrial.app.patient import LABELS
from mesotrial.app.runs import folder_of, state_of
from mesotrial.app.work import SCOREBOARD

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from mesotrial.app.jobs import Jobs

__all__ = ["ROUTES", "prepare_scoreboard"]

_LOG = logging.getLogger(__name__)
# 32 patients of an arm for each of 25 draws of the posterior. Below 30 for each (750 an arm) `Predictor.unknown_sd` cannot tell what is not known of the
# parameters from chance and is 0, so that intervals come out too narrow; some more, because those whose simulation fails do not count.
_PEOPLE = 800
_TREATMENT, _DRUGS, _LINE = "nivolumab + ipilimumab", ("ipilimumab", "nivolumab"), "first"
_MOST_INPUTS = 12
_ROW = ("role", "code", "label", "arm", "subgroup", "simulated", "lo90", "hi90", "published", "inside90")
_FAMILIES = {"response": "Response", "pfs": "Progression", "os": "Survival", "toxicity": "Side effects"}


def _page(request: Request) -> Response:
    name = _name()
    shown = _shown(_board(request, name))
    state = state_of(request, name)
    waiting = state is not None and state.state in ("waiting", "running")
    job = request.app.state.jobs.find(name)
    mine = job is not None and request.app.state.jobs.is_owner(job, request.state.visitor)
    code = [
        Snippet("The scoreboard", "shell", command_line("validate", "--patients", str(_PEOPLE), "--json")),
        Snippet("The credibility page", "shell", command_line("credibility")),
        Snippet(
            "Python",
            "python",
            f"from mesotrial.validate import validate\n\nboard = validate(patients_per_arm={_PEOPLE}, seed=1)\n",
        ),
        Snippet(
            "What a result hangs on, in Python",
            "python",
            f"from mesotrial.app.inside import Case, sensitivity\n\nsensitivity(Case({json.dumps(_TREATMENT)}, {json.dumps(_LINE)}))\n",
        ),
    ]
    return page(
        request, "evidence.html.j2", title="Evidence", **shown,
        state=state if waiting else None, mine=mine, guesses=_guesses(), parameters=_parameters(), drugs=_drugs(), people=_PEOPLE, code=code,
    )  # fmt: skip


def _name() -> str:
    return f"scoreboard-{_PEOPLE}-{fingerprint()}"


def _board(request: Request, name: str) -> dict[str, Any] | None:
    from mesotrial.run.files import read_json

    return read_json(folder_of(request, name) / SCOREBOARD)


def _shown(board: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the page shows of a scoreboard; nothing where it is of a version that wrote other things into it."""
    try:
        return {
            "board": board and {key: board[key] for key in ("patients_per_arm", "seed")},
            "roles": _roles(board),
            "rows": _rows(board),
            "credibility": _credibility(board),
        }
    except (AttributeError, LookupError, TypeError, ValueError):
        _LOG.warning("the scoreboard of this model cannot be read; it has to be computed again", exc_info=True)
        return _shown(None)


def prepare_scoreboard(jobs: Jobs) -> None:
    """Put the scoreboard of this model into the queue where it is not there yet; visitors' jobs go first."""
    if not (jobs.runs / _name() / SCOREBOARD).is_file():
        _put(jobs, "the house", house=True)


def _put(jobs: Jobs, visitor: str, *, house: bool) -> None:
    name = _name()
    arguments = [
        "mesotrial.app.work",
        "scoreboard",
        f"{jobs.runs.name}/{name}",
        "--people",
        str(_PEOPLE),
        "--seed",
        "1",
    ]
    jobs.ask(name, "The scoreboard of every trial", arguments, visitor, house=house)


def _ask(request: Request) -> Response:
    from starlette.responses import RedirectResponse

    if _shown(_board(request, _name()))["board"] is None:
        _put(request.app.state.jobs, request.state.visitor, house=False)
    return RedirectResponse("/evidence", status_code=303)


def _roles(board: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the scores of each role in words: all, then by family."""
    found = []
    for role, scores in (board or {"roles": {}})["roles"].items():
        if scores["rows"]:
            lines = [
                ("All", _line(scores)),
                *(
                    (words, _line(scores["families"][key]))
                    for key, words in _FAMILIES.items()
                    if scores["families"][key]["rows"]
                ),
            ]
            found.append(
                {
                    "role": role,
                    "rows": scores["rows"],
                    "trials": scores["trials"],
                    "inside": scores["inside90"],
                    "lines": lines,
                }
            )
    return sorted(found, key=lambda one: one["role"] != "validation")


def _line(scores: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: scores[key] for key in ("rows", "inside90", "mean_abs_z")}
    return {**own, "carry_over": {"mean_abs_z": scores["carry_over"]["mean_abs_z"]}}


def _rows(board: Mapping[str, Any] | None) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Return (trial, role, rows) with each row's drawing."""
    from mesotrial.analysis.codes import is_hazard_ratio, is_median, is_rate
    from mesotrial.report.marks import interval_mark

    groups: dict[str, list[dict[str, Any]]] = {}
    for row in (board or {"rows": []})["rows"]:
        if row.get("simulated") is None or row.get("published") is None:
            continue
        longest = 1.1 * max(filter(None, (row["published_hi"], row["hi90"], row["published"], row["simulated"])))
        shown = {
            "unit": " %" if is_rate(row["code"]) else "" if is_hazard_ratio(row["code"]) else " months",
            "factor": 100 if is_rate(row["code"]) else 1,
        }
        drawn = interval_mark(row, longest if is_median(row["code"]) else 40.0, "c-0")
        groups.setdefault(row["trial"], []).append(
            {**{key: row[key] for key in _ROW}, **shown, "drawn": picture(drawn)}
        )
    listed = [(trial, rows[0]["role"], rows) for trial, rows in groups.items()]
    return sorted(listed, key=lambda one: (one[1] != "validation", one[0]))


def _credibility(board: Mapping[str, Any] | None) -> list[Any]:
    """Return the blocks of the credibility page but for the scores, which stand above it."""
    if board is None:
        return []
    from mesotrial.credibility import credibility_page
    from mesotrial.report.svg import drawing

    with drawing():
        return [_block(one) for one in credibility_page(board)]


def _block(one: Any) -> dict[str, Any]:
    kind = type(one).__name__
    content = {
        name: getattr(one, name)
        for name in ("text", "level", "items", "columns", "rows", "numbers_from", "caption")
        if hasattr(one, name)
    }
    content = {("entries" if name == "items" else name): value for name, value in content.items()}
    return {"kind": kind, **content, "svg": picture(one.svg) if kind == "Figure" else ""}


def _parameters() -> list[dict[str, Any]]:
    from mesotrial.population import load_parameters

    fitted = load_parameters()
    return [
        {
            "name": LABELS.get(name, (name.replace("_", " ").capitalize(),))[0],
            "symbol": name,
            "value": one.median,
            "unit": one.unit,
            "status": one.status,
            "source": one.source,
        }
        for name, one in fitted.distributions.items()
    ]


def _guesses() -> dict[str, int]:
    """Count the numbers of the model by what they rest on."""
    from collections import Counter

    from mesotrial.population import load_parameters

    fitted = load_parameters()
    counts = Counter([one.status for one in fitted.distributions.values()] + list(fitted.readout_status.values()))
    for _, statuses in _drugs():
        counts.update(statuses)
    return dict(counts.most_common())


def _drugs() -> list[tuple[str, dict[str, int]]]:
    """Return for each drug how many of its numbers rest on what."""
    from collections import Counter

    from mesotrial.catalogue import entries, load_drug

    found = []
    for entry in entries("drug"):
        if entry.runnable:
            drug = load_drug(entry.key)
            numbers = [
                *(drug.pk.parameters.values() if drug.pk else ()),
                *(drug.pk.covariates if drug.pk else ()),
                *drug.effects,
                *drug.toxicity,
                *drug.background,
            ]
            found.append((drug.name, dict(Counter(one.status for one in numbers).most_common())))
    return found


async def _sensitivity(request: Request) -> Response:
    from starlette.responses import JSONResponse

    laboratory = request.app.state.laboratory
    await laboratory.once((*_DRUGS, _LINE), prepare, _DRUGS, _LINE)
    found = await laboratory.quick(sensitivity, Case(_TREATMENT, _LINE))
    rows = [
        {**one, "label": LABELS.get(one["name"], (one["name"].replace("_", " ").capitalize(),))[0]}
        for one in found[:_MOST_INPUTS]
    ]
    return JSONResponse({"rows": rows})


async def _download(request: Request) -> Response:
    from starlette.responses import FileResponse

    file = await asyncio.to_thread(lambda: folder_of(request, _name()) / SCOREBOARD)
    if not file.is_file():
        raise Refused("the scoreboard of this model has not been computed yet", status=404)
    return FileResponse(file, media_type="application/json", filename="scoreboard.json")


ROUTES = [
    Route("/evidence", _page, methods=["GET"]),
    Route("/evidence", _ask, methods=["POST"]),
    Route("/evidence/sensitivity.json", _sensitivity, methods=["GET"]),
    Route("/evidence/scoreboard.json", _download, methods=["GET"]),
]
