"""The folders of runs as pages: progress, results, downloads."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from mesotrial.app.bounds import Refused, run_name
from mesotrial.app.code import run_code
from mesotrial.app.pages import page, picture
from mesotrial.app.work import COMPARISON
from mesotrial.run.files import DESIGN, PROVENANCE, REPORT, STATUS, SUMMARY, read_json

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from mesotrial.app.jobs import Job

__all__ = ["ROUTES", "RunState", "folder_of", "listed_runs", "state_of"]

_QUIET_SECONDS = 60.0
_MOST_LISTED = 200
_MAIN = re.compile(r'<main id="content">(.*)</main>', re.DOTALL)
_WORDS = {
    "waiting": "Waiting",
    "running": "Running",
    "finished": "Finished",
    "failed": "Failed",
    "interrupted": "Interrupted",
}
_PLAIN_FILES = {
    REPORT: ("The report, one page", "text/html; charset=utf-8"),
    SUMMARY: ("Endpoints beside what was published", "application/json"),
    DESIGN: ("The design as it was run", "application/yaml"),
    PROVENANCE: ("Versions, seed, hashes", "application/json"),
}


@dataclass(frozen=True)
class RunState:
    """How far a run is: from its own folder, and from the queue."""

    name: str
    state: str
    done: int
    total: int
    message: str
    before: int = 0

    @property
    def word(self) -> str:
        """The state as a word."""
        return _WORDS.get(self.state, self.state)

    @property
    def share(self) -> float:
        """Share of the people done, from 0 to 1."""
        return 1.0 if self.state == "finished" else self.done / self.total if self.total else 0.0

    @property
    def sentence(self) -> str:
        """What is going on, in one sentence."""
        if self.state == "waiting":
            return "Next in line." if self.before == 0 else f"Waiting: {self.before} before it."
        if self.state == "running":
            people = f" {self.done:,} of {self.total:,} people done." if self.total else ""
            return f"{self.message or 'Starting'}.{people}"
        if self.state == "interrupted":
            return "Stopped before its end. What was finished is kept; go on with Resume."
        return self.message if self.state == "failed" else "Finished."


def folder_of(request: Request, name: str) -> Path:
    """Return the folder of a run; it lies directly below the runs folder, and no link leads out of it."""
    runs: Path = request.app.state.settings.runs.resolve()
    folder = runs / run_name(name)
    if folder.resolve().parent != runs:
        raise Refused("no run is called that", status=404)
    return folder


def state_of(request: Request, name: str) -> RunState | None:
    """Return how far a run is, None where there is none."""
    folder = folder_of(request, name)
    job: Job | None = request.app.state.jobs.find(name)
    status = read_json(folder / STATUS) or {}
    if job is None and not status:
        return None
    state, message = str(status.get("state", "")), str(status.get("message", ""))
    done, total = (status.get(key) if isinstance(status.get(key), int) else 0 for key in ("done", "total"))
    if job is not None and not (job.state in ("interrupted", "finished") and state == "finished"):
        if job.state == "running" and state in ("finished", "failed", "interrupted"):
            state, done, total, message = (
                "running",
                0,
                0,
                "Starting",
            )  # an older status: the new process has not written yet
        else:
            state, message = job.state, job.message or message
    elif state == "running" and time.time() - (folder / STATUS).stat().st_mtime > _QUIET_SECONDS:
        state = "interrupted"
    return RunState(name, state, done or 0, total or 0, message, request.app.state.jobs.place(name))


def listed_runs(request: Request) -> list[tuple[str, RunState, str]]:
    """Return (name, state, title) of the runs and comparisons that are there or asked for, the newest first."""
    runs: Path = request.app.state.settings.runs
    found: dict[str, float] = {}
    for folder in runs.iterdir():
        if folder.is_dir() and not folder.name.startswith(".") and (folder / STATUS).is_file():
            found[folder.name] = (folder / STATUS).stat().st_mtime
    for record in (runs / ".explorer").glob("*.json"):
        found.setdefault(record.stem, record.stat().st_mtime)
    listed = []
    for name in sorted(found, key=lambda one: -found[one])[:_MOST_LISTED]:
        try:
            state = state_of(request, name)
        except Refused:
            continue
        if state is not None:
            listed.append((name, state, _title(request, name)))
    return listed


def _title(request: Request, name: str) -> str:
    job = request.app.state.jobs.find(name)
    if job is not None:
        return str(job.title)
    provenance = read_json(folder_of(request, name) / PROVENANCE) or {}
    return str(provenance.get("design") or name)


def _runs(request: Request) -> Response:
    return page(request, "runs.html.j2", title="Runs", runs=listed_runs(request))


def _run(request: Request) -> Response:
    from starlette.responses import RedirectResponse

    name = request.path_params["name"]
    state = _known(request, name)
    folder = folder_of(request, name)
    if (folder / COMPARISON).is_file() or name.startswith("compare-"):
        return RedirectResponse(f"/compare/{name}", status_code=303)
    if name.startswith("scoreboard-"):
        return RedirectResponse("/evidence", status_code=303)
    job = request.app.state.jobs.find(name)
    mine = job is not None and _is_mine(request, job)
    content = _results(folder) if state.state == "finished" and (folder / REPORT).is_file() else {}
    title = content.get("heading") or (job.title if job else name)
    return page(
        request, "run.html.j2", title=title, state=state, mine=mine, can_resume=job is not None, content=content
    )


def _results(folder: Path) -> dict[str, Any]:
    """Return what the page of a finished run shows."""
    from mesotrial.report.colours import arm_style
    from mesotrial.run import load_run

    run = load_run(folder)
    about = run.provenance
    found = _MAIN.search(run.report.read_text(encoding="utf-8"))
    own = _is_own(run.design.name, run.design.to_yaml())
    return {
        "heading": run.design.title,
        "registry": run.design.registry,
        "report": picture(found[1]) if found else "",
        "style": picture(arm_style([arm.drugs for arm in run.design.arms])),
        "files": [(name, words) for name, (words, _) in _PLAIN_FILES.items() if (folder / name).is_file()],
        "tables": [(name, spec.title) for name, spec in _tables() if (folder / f"{name}.parquet").is_file()],
        "figures": sorted(path.name for path in (folder / "figures").glob("*.csv")),
        "drawings": [(name, title) for name, (title, _) in _drawings(folder).items()],
        "code": run_code(
            run.design.name,
            run.design.to_yaml(),
            patients_per_arm=about.get("patients_per_arm"),
            seed=about.get("seed", 1),
            population=about.get("population", "fitted"),
            own=own,
        ),
    }


def _drawings(folder: Path) -> dict[str, tuple[str, str]]:
    """Return the figures of a run's report, as `figures_of`."""
    from mesotrial.app.figures import figures_of
    from mesotrial.run import load_run

    report = (folder / REPORT).read_text(encoding="utf-8")
    return figures_of(report, [arm.drugs for arm in load_run(folder).design.arms])


def _is_own(name: str, yaml: str) -> bool:
    """Say whether a design is another than the catalogue's of that name."""
    from mesotrial.catalogue import CatalogueError, load_design

    try:
        return load_design(name).to_yaml() != yaml
    except CatalogueError:
        return True


def _tables() -> list[tuple[str, Any]]:
    from mesotrial.trial import TABLES

    return list(TABLES.items())


def _status(request: Request) -> Response:
    from starlette.responses import JSONResponse

    state = _known(request, request.path_params["name"])
    content = {"state": state.state, "word": state.word, "share": state.share, "sentence": state.sentence}
    return JSONResponse(content, headers={"cache-control": "no-store"})


def _cancel(request: Request) -> Response:
    from starlette.responses import RedirectResponse

    name = run_name(request.path_params["name"])
    request.app.state.jobs.cancel(name, request.state.visitor)
    return RedirectResponse(f"/runs/{name}", status_code=303)


def _resume(request: Request) -> Response:
    from starlette.responses import RedirectResponse

    name = run_name(request.path_params["name"])
    job = request.app.state.jobs.find(name)
    if job is None:
        raise Refused("this run was not started here; the command that started it resumes it", status=404)
    request.app.state.jobs.ask(name, job.title, job.arguments, request.state.visitor)
    return RedirectResponse(f"/runs/{name}", status_code=303)


def _file(request: Request) -> Response:
    """Send one file of a run: only the names that a run has."""
    from starlette.responses import FileResponse
    from starlette.responses import Response as Plain

    name, file = request.path_params["name"], request.path_params["file"]
    folder = folder_of(request, name)
    stem, _, ending = file.rpartition(".")
    if file in _PLAIN_FILES and (folder / file).is_file():
        kind = "inline" if file == REPORT else "attachment"
        return FileResponse(
            folder / file, media_type=_PLAIN_FILES[file][1], filename=f"{name}-{file}", content_disposition_type=kind
        )
    if stem in dict(_tables()) and (folder / f"{stem}.parquet").is_file():
        if ending == "parquet":
            return FileResponse(folder / f"{stem}.parquet", filename=f"{name}-{file}")
        if ending == "csv":
            from mesotrial.run.files import read_table

            content = read_table(folder / f"{stem}.parquet").write_csv()
            headers = {"content-disposition": f'attachment; filename="{name}-{file}"'}
            return Plain(content, media_type="text/csv; charset=utf-8", headers=headers)
    if file in {path.name for path in (folder / "figures").glob("*.csv")}:
        return FileResponse(folder / "figures" / file, filename=f"{name}-{file}")
    if ending == "svg" and (folder / REPORT).is_file() and (found := _drawings(folder).get(file)):
        headers = {"content-disposition": f'attachment; filename="{name}-{file}"'}
        return Plain(found[1], media_type="image/svg+xml", headers=headers)
    if file == "all.zip" and (folder / REPORT).is_file():
        headers = {"content-disposition": f'attachment; filename="{name}.zip"'}
        return Plain(_zipped(folder), media_type="application/zip", headers=headers)
    raise Refused("this run has no such file", status=404)


def _zipped(folder: Path) -> bytes:
    """Return the run in one archive, without the bank of patients."""
    import io
    import zipfile

    buffer = io.BytesIO()
    names = [*_PLAIN_FILES, *(f"{name}.parquet" for name, _ in _tables())]
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in [*(folder / name for name in names), *sorted((folder / "figures").glob("*.csv"))]:
            if path.is_file():
                archive.write(path, f"{folder.name}/{path.relative_to(folder).as_posix()}")
        for name, (_, drawn) in _drawings(folder).items():
            archive.writestr(f"{folder.name}/figures/{name}", drawn)
    return buffer.getvalue()


def _known(request: Request, name: str) -> RunState:
    state = state_of(request, name)
    if state is None:
        raise Refused("no run is called that", status=404)
    return state


def _is_mine(request: Request, job: Job) -> bool:
    return request.app.state.jobs.is_owner(job, request.state.visitor)  # type: ignore[no-any-return]


ROUTES = [
    Route("/runs", _runs, methods=["GET"]),
    Route("/runs/{name}", _run, methods=["GET"]),
    Route("/runs/{name}/status.json", _status, methods=["GET"]),
    Route("/runs/{name}/cancel", _cancel, methods=["POST"]),
    Route("/runs/{name}/resume", _resume, methods=["POST"]),
    Route("/runs/{name}/files/{file}", _file, methods=["GET"]),
]
