"""A model of one's own, in Antimony or SBML: read as data, integrated, drawn; never executed."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from mesotrial.app.bounds import Refused, number, text
from mesotrial.app.code import Snippet, command_line
from mesotrial.app.course import MOST_DAYS, MOST_LETTERS, POINTS, model_course
from mesotrial.app.curves import small_course
from mesotrial.app.pages import address, fields_of, form_of, page, picture

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["ROUTES"]

_UNTIL, _MOST_SET, _MOST_DRAWN, _MOST_KEPT = 365.0, 40, 40, 2000
_KEEPING = threading.Lock()
_SETTING = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,199})\s*=\s*([-+0-9.eE]{1,30})")
_STARTER = """// A tumour that grows towards a limit, and a drug that kills it. Time is in days.
tumour = 100;            // mL
tumour' = growth * tumour * (1 - tumour / limit) - kill * drug * tumour;
drug = 0;                // mg/L
drug' = -elimination * drug;
growth = 0.02; limit = 1000; kill = 0.004; elimination = 0.1;
dose_one: at time >= 30: drug = drug + 20;
dose_two: at time >= 60: drug = drug + 20;
"""


def _new(request: Request) -> Response:
    return _form(request, _STARTER)


def _form(request: Request, given: str, refusal: Refused | None = None) -> Response:
    return page(
        request,
        "model_new.html.j2",
        status=refusal.status if refusal else 200,
        title="A model of your own",
        text=given[:MOST_LETTERS],
        message=refusal.message if refusal else "",
        command=refusal.command if refusal else "",
        most=MOST_LETTERS,
    )


async def _send(request: Request) -> Response:
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import RedirectResponse

    given = (await form_of(request)).get("model", "").replace("\r\n", "\n")
    try:
        if len(given) > MOST_LETTERS:
            command = command_line("simulate", _file_name(given), "--until", f"{_UNTIL:g}", "--out", "course.csv")
            words = (
                f"the model has {len(given):,} letters; here at most {MOST_LETTERS:,} are read. "
                "On your own computer there is no such bound; this command does it:"
            )
            raise Refused(words, status=413, command=command)
        await run_in_threadpool(model_course, given, _UNTIL)
        digest = await run_in_threadpool(_keep, request, given)
    except Refused as refusal:
        return _form(request, given, refusal)
    return RedirectResponse(f"/patient/model/{digest}", status_code=303)


def _keep(request: Request, given: str) -> str:
    """Keep a model under the hash of its text, once: who reads it meanwhile never sees half of it."""
    from mesotrial.run.files import write_whole

    folder, content = _folder(request), given.encode("utf-8", errors="replace")
    digest = hashlib.sha256(content).hexdigest()[:16]
    file = folder / f"{digest}.txt"
    with _KEEPING:
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            if len(list(folder.glob("*.txt"))) >= _MOST_KEPT:
                raise Refused("too many models are kept here already", status=503)
            write_whole(file, lambda temporary: temporary.write_bytes(content))
    return digest


def _folder(request: Request) -> Path:
    folder: Path = request.app.state.settings.runs / ".explorer" / "models"
    return folder


def _asked(request: Request) -> tuple[str, str, float, tuple[tuple[str, float], ...]]:
    """Return digest, text, days and settings of the address."""
    digest = request.path_params["digest"]
    file = _folder(request) / f"{digest}.txt"
    if not re.fullmatch(r"[0-9a-f]{16}", digest) or not file.is_file():
        raise Refused("no model has this address", status=404)
    fields = fields_of(request)
    settings = _settings(text(fields, "set", most=2000))
    return digest, file.read_text(encoding="utf-8"), number(fields, "until", 1e-6, MOST_DAYS, _UNTIL), settings


def _settings(given: str) -> tuple[tuple[str, float], ...]:
    """Read ``CL = 0.2, V1 = 3.1``."""
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in re.split(r"[,;\n]", given))):
        match = _SETTING.fullmatch(part)
        try:
            value = float(match[2]) if match else float("nan")
        except ValueError:
            value = float("nan")
        if match is None or not abs(value) < float("inf"):
            raise Refused(f"set: {part[:60]!r} is not of the form CL = 0.2")
        if match[1] in found:
            raise Refused(f"set: {match[1]} is given twice")
        found[match[1]] = value
    if len(found) > _MOST_SET:
        raise Refused(f"set: at most {_MOST_SET} values are set at a time")
    return tuple(found.items())


def _one(request: Request) -> Response:
    digest, model, until, settings = _asked(request)
    found = model_course(model, until, settings)
    given = ", ".join(f"{name} = {value:.6g}" for name, value in settings)
    names = [*found["states"], *(name for name in found["course"] if name not in found["states"])]
    return page(
        request,
        "model.html.j2",
        title="A model of your own",
        found=found,
        digest=digest,
        until=f"{until:g}",
        given=given,
        drawn=[
            (name, picture(small_course(name, found["time"], found["course"][name]))) for name in names[:_MOST_DRAWN]
        ],
        left_out=max(len(names) - _MOST_DRAWN, 0),
        numbers=address(f"/patient/model/{digest}/course.csv", until=f"{until:g}", set=given),
        file=_file_name(model),
        code=_code(model, until, settings, names),
    )


def _file_name(model: str) -> str:
    return "model.xml" if model.lstrip("\ufeff \n\t").startswith("<") else "model.ant"


def _code(model: str, until: float, settings: tuple[tuple[str, float], ...], names: list[str]) -> list[Snippet]:
    file = _file_name(model)
    flags = [part for name, value in settings for part in ("--set", f"{name}={value:.6g}")]
    step = f"{until / POINTS:.6g}"
    command = command_line("simulate", file, "--until", f"{until:g}", "--step", step, *flags, "--out", "course.csv")
    values = json.dumps(dict(settings))
    python = (
        "import numpy as np\nfrom mesotrial import compile_model, load_model\n\n"
        f'model = load_model("{file}")\nvalues = {values}\n'
        "inputs = [name for name in values if name in model.constants]\nstates = {name: values[name] for name in values if name in model.states}\n"
        f"seen = {json.dumps(names[:6])}\n"
        'simulator = compile_model(model, observables=seen, inputs=inputs, dosed=list(states), backend="reference")\n'
        "start = simulator.start([[values[name] for name in inputs]], initial=states)\n"
        f"end = simulator.advance(start, until={until:g}, save_at=np.linspace(0, {until:g}, {POINTS + 1}))\n"
        "simulator.observe_saved(end, seen)\n"
    )
    return [
        Snippet("Command line", "shell", command),
        Snippet("Python", "python", python),
        Snippet(f"The model ({file})", "xml" if file.endswith("xml") else "antimony", model),
    ]


def _numbers(request: Request) -> Response:
    from starlette.responses import Response as Plain

    _, model, until, settings = _asked(request)
    found = model_course(model, until, settings)
    lines = [",".join(["TIME", *found["course"]])]
    for i, time in enumerate(found["time"]):
        values = (series[i] for series in found["course"].values())
        lines.append(",".join(["" if value is None else f"{value:g}" for value in (time, *values)]))
    headers = {"content-disposition": 'attachment; filename="course.csv"'}
    return Plain("\n".join(lines) + "\n", media_type="text/csv; charset=utf-8", headers=headers)


def _file(request: Request) -> Response:
    from starlette.responses import Response as Plain

    _, model, _, _ = _asked(request)
    headers = {"content-disposition": f'attachment; filename="{_file_name(model)}"'}
    return Plain(model, media_type="text/plain; charset=utf-8", headers=headers)


ROUTES: list[Any] = [
    Route("/patient/model", _new, methods=["GET"]),
    Route("/patient/model", _send, methods=["POST"]),
    Route("/patient/model/{digest}", _one, methods=["GET"]),
    Route("/patient/model/{digest}/course.csv", _numbers, methods=["GET"]),
    Route("/patient/model/{digest}/model.txt", _file, methods=["GET"]),
]
