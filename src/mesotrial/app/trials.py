"""Trials: look one up, see its design, run it; or bring a design of one's own."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from mesotrial.app.bounds import Refused, choice, text, whole
from mesotrial.app.check import MOST_LETTERS, check_design
from mesotrial.app.code import Snippet, command_line, list_code, run_code
from mesotrial.app.listing import ListedTrial, listed_trials, slug, trial_named
from mesotrial.app.pages import fields_of, form_of, page, picture
from mesotrial.app.runs import folder_of, listed_runs

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from mesotrial.catalogue import Design, PublishedResult

__all__ = ["MOST_PATIENTS", "ROUTES", "warm"]

MOST_PATIENTS, MOST_PER_ARM = 10_000, 3000
_BANK = 2000
_SETTINGS = ("", "first", "relapsed", "other")
_OWN, _EXAMPLE = "designs", "maps2"
_drawn: dict[str, str] = {}
_drawn_lock = threading.Lock()


def warm() -> None:
    """Load what draws."""
    for trial in listed_trials()[:1]:
        if trial.design is not None:
            _timeline(trial.design)


def _trials(request: Request) -> Response:
    fields = fields_of(request)
    wanted = text(fields, "q", most=100).strip()
    setting = choice(fields, "line", _SETTINGS, default="")
    runnable = choice(fields, "runs", ("", "yes"), default="")
    found = [
        trial
        for trial in listed_trials()
        if all(word in trial.words for word in wanted.lower().split())
        and setting in ("", trial.setting)
        and (not runnable or trial.design is not None)
    ]
    return page(
        request, "trials.html.j2", title="Trials", trials=found, q=wanted, line=setting, runs_only=runnable,
        total=len(listed_trials()), as_of=listed_trials()[0].as_of, runs=listed_runs(request)[:8], code=list_code("trials", 'entries("trial")'),
    )  # fmt: skip


def _trial(request: Request) -> Response:
    trial = trial_named(request.path_params["slug"])
    if trial is None:
        raise Refused("no trial of the catalogue has this address", status=404)
    return page(
        request,
        "trial.html.j2",
        title=trial.entry.name,
        trial=trial,
        key=trial.entry.key,
        results=_results(trial),
        odd=[],
        **(
            _design(trial.design, own=False)
            if trial.design
            else {"design": None, "code": _shown_code(trial.entry.name)}
        ),
    )


def _shown_code(name: str) -> list[Snippet]:
    python = f"from mesotrial import find, published_results\n\nname = {json.dumps(name)}\nfind(name)\npublished_results(name)\n"
    return [Snippet("Command line", "shell", command_line("show", name)), Snippet("Python", "python", python)]


def _design(design: Design, *, own: bool) -> dict[str, Any]:
    from mesotrial.report.colours import arm_style
    from mesotrial.report.lead_in import lead_in_words

    bank = sum(arm.n for arm in design.arms) + _BANK * len(design.arms)
    return {
        "design": design,
        "lead_in": None if design.lead_in is None else lead_in_words(design.lead_in),
        "timeline": picture(_timeline(design)),
        "style": picture(arm_style([arm.drugs for arm in design.arms])),
        "bank": bank if bank <= MOST_PATIENTS else None,
        "most": min(MOST_PER_ARM, MOST_PATIENTS // len(design.arms)),
        "code": run_code(design.name, design.to_yaml(), patients_per_arm=None, seed=1, own=own),
    }


def _timeline(design: Design) -> str:
    from mesotrial.report.svg import drawing
    from mesotrial.report.timeline_figure import timeline_figure

    yaml = design.to_yaml()
    with _drawn_lock:  # Matplotlib's settings are one for all threads
        if yaml not in _drawn:
            if len(_drawn) >= 100:
                _drawn.clear()
            with drawing():
                _drawn[yaml] = timeline_figure(design)
        return _drawn[yaml]


def _results(trial: ListedTrial) -> list[tuple[str, list[PublishedResult]]]:
    """Return published results of all patients by arm, in the words of the design, and those of subgroups after them."""
    labels = {arm.name: arm.label for arm in trial.design.arms} if trial.design else {}
    groups: dict[str, list[PublishedResult]] = {}
    for row in sorted(trial.rows, key=lambda row: (row.subgroup_code not in ("", "all"), not row.scored)):
        if row.superseded_by or row.role == "none":
            continue
        arm, other = (labels.get(name, name) for name in (row.arm, row.comparator))
        name = f"{arm} compared with {other}" if other else arm
        groups.setdefault(name or "All patients", []).append(row)
    return list(groups.items())


def _own(request: Request) -> Response:
    example = trial_named(text(fields_of(request), "from", most=100) or _EXAMPLE)
    if example is None or example.design is None:
        raise Refused("no trial of the catalogue with a design has this name", status=404)
    starter = example.design.to_yaml()
    return page(request, "own.html.j2", title="A design of your own", yaml=starter, message="", most=MOST_LETTERS)


async def _send_own(request: Request) -> Response:
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import RedirectResponse

    form = await form_of(request)
    given = form.get("design", "")
    try:
        _, yaml = await run_in_threadpool(check_design, given)
    except Refused as error:
        return page(
            request,
            "own.html.j2",
            status=error.status,
            title="A design of your own",
            yaml=given[:MOST_LETTERS],
            message=error.message,
            most=MOST_LETTERS,
        )
    digest = hashlib.sha256(yaml.encode()).hexdigest()[:16]
    folder = _own_folder(request)
    folder.mkdir(parents=True, exist_ok=True)
    if len(list(folder.iterdir())) >= 2000:
        raise Refused("too many designs are kept here already", status=503)
    (folder / f"{digest}.yaml").write_text(yaml, encoding="utf-8")
    return RedirectResponse(f"/trials/own/{digest}", status_code=303)


def _own_trial(request: Request) -> Response:
    from mesotrial.analysis.misgivings import misgivings
    from mesotrial.catalogue import load_design

    digest = request.path_params["digest"]
    design = load_design(_own_file(request, digest))
    return page(
        request,
        "trial.html.j2",
        title=design.title,
        trial=None,
        key=f"own:{digest}",
        results=[],
        odd=misgivings(design),
        **_design(design, own=True),
    )


async def _ask(request: Request) -> Response:
    """Put a run into the queue, or find it where it was done before."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import RedirectResponse

    form = await form_of(request)
    name = await run_in_threadpool(_asked, request, form)
    return RedirectResponse(f"/runs/{name}", status_code=303)


def _asked(request: Request, form: dict[str, str]) -> str:
    from mesotrial.catalogue import load_design

    key = text(form, "design", most=100)
    size = choice(form, "size", ("chosen", "own"))
    seed = whole(form, "seed", 0, 2**63 - 1, 1)
    if key.startswith("own:"):
        file = _own_file(request, key[4:])
        design = load_design(file)
        source, stem = (
            str(file.relative_to(request.app.state.settings.runs.parent)),
            f"{slug(design.name)[:40] or 'design'}-{key[4:12]}",
        )
    else:
        trial = next((one for one in listed_trials() if one.design is not None and one.entry.key == key), None)
        if trial is None or trial.design is None:
            raise Refused("no design of the catalogue has this name", status=404)
        design, source, stem = trial.design, key, key
    patients = whole(form, "patients", 1, 10_000_000, 200) if size == "chosen" else None
    arms = len(design.arms)
    wanted = patients * arms if patients else sum(arm.n for arm in design.arms) + _BANK * arms
    flags = [
        *(["--patients-per-arm", str(patients)] if patients else []),
        *(["--seed", str(seed)] if seed != 1 else []),
    ]
    if wanted > MOST_PATIENTS or (patients or 0) > MOST_PER_ARM:
        shown = f"{design.name}.yaml" if key.startswith("own:") else key
        raise Refused(
            f"this run has {wanted:,} patients. Here at most {MOST_PER_ARM:,} an arm and {MOST_PATIENTS:,} in all are simulated, so that the "
            "pages stay quick for everybody. On your own computer there is no such bound; this command does it:",
            status=422,
            command=command_line("run", shown, *flags),
        )
    name = "-".join([stem, *([f"n{patients}"] if patients else []), *([f"seed{seed}"] if seed != 1 else [])])
    folder = folder_of(request, name)
    runs = request.app.state.settings.runs
    arguments = ["mesotrial", "run", source, "--out", f"{runs.name}/{name}", "--threads", "1", "--quiet", *flags]
    if not _finished(folder):
        request.app.state.jobs.ask(name, design.title, arguments, request.state.visitor)
    return name


def _finished(folder: Path) -> bool:
    from mesotrial.run.files import REPORT, STATUS, read_json

    return (read_json(folder / STATUS) or {}).get("state") == "finished" and (folder / REPORT).is_file()


def _own_folder(request: Request) -> Path:
    folder: Path = request.app.state.settings.runs / ".explorer" / _OWN
    return folder


def _own_file(request: Request, digest: str) -> Path:
    file = _own_folder(request) / f"{digest}.yaml"
    if not (len(digest) == 16 and all(letter in "0123456789abcdef" for letter in digest)) or not file.is_file():
        raise Refused("no design has this address", status=404)
    return file


ROUTES = [
    Route("/trials", _trials, methods=["GET"]),
    Route("/trials/own", _own, methods=["GET"]),
    Route("/trials/own", _send_own, methods=["POST"]),
    Route("/trials/own/{digest}", _own_trial, methods=["GET"]),
    Route("/trials/{slug}", _trial, methods=["GET"]),
    Route("/runs", _ask, methods=["POST"]),
]
