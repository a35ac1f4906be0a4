"""The explorer's web server."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesotrial.app.bounds import Refused
from mesotrial.app.guard import Guard
from mesotrial.app.pages import page, static_file

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["Settings", "create_app", "exposure", "serve"]

_WILDCARDS = ("0.0.0.0", "::", "")
_OURS = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Settings:
    """How the explorer runs: where the folders of runs are, on which names it answers, and whether it prepares cases by itself."""

    runs: Path
    host: str = "127.0.0.1"
    port: int = 8765
    public_names: tuple[str, ...] = ()
    prepare: bool = True


def create_app(settings: Settings) -> Guard:
    """Return the explorer as an ASGI application; the folder of runs is made if need be."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    from mesotrial.app import comparing, evidence, models, patient, runs, treatments, trials
    from mesotrial.app.jobs import Jobs
    from mesotrial.app.laboratory import Laboratory
    from mesotrial.catalogue import CatalogueError

    settings.runs.mkdir(parents=True, exist_ok=True)
    jobs, laboratory = Jobs(settings.runs), Laboratory()

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if settings.prepare:
            comparing.prepare_cases(jobs)
            evidence.prepare_scoreboard(jobs)
        jobs.start()
        laboratory.start()
        threading.Thread(target=_warm, name="warm", daemon=True).start()
        warming = asyncio.create_task(patient.warm(laboratory))
        try:
            yield
        finally:
            warming.cancel()
            laboratory.stop()
            jobs.stop()

    app = Starlette(
        routes=[
            Route("/", _home, methods=["GET"]),
            Route("/static/{name}", static_file, methods=["GET"]),
            Route("/favicon.ico", _icon, methods=["GET"]),
            Route("/robots.txt", _robots, methods=["GET"]),
            *treatments.ROUTES,
            *trials.ROUTES,
            *runs.ROUTES,
            *comparing.ROUTES,
            *models.ROUTES,
            *patient.ROUTES,
            *evidence.ROUTES,
        ],
        exception_handlers={
            Refused: _refused,
            CatalogueError: _refused,
            404: _not_found,
            405: _not_found,
            500: _failed,
        },
        lifespan=lifespan,
    )
    app.state.settings, app.state.jobs, app.state.laboratory = settings, jobs, laboratory
    app.state.checking = asyncio.Semaphore(1)
    hosts = {*settings.public_names, *(() if settings.host in _WILDCARDS else (settings.host,))}
    return Guard(app, hosts, any_host=settings.host in _WILDCARDS and not settings.public_names)


def exposure(settings: Settings) -> str:
    """Return a plain warning where others can reach the explorer, empty where only this machine can."""
    if settings.host in _OURS:
        return ""
    warning = f"listening on {settings.host or 'every address'}: whoever can reach this machine can open these pages, see every run and start runs."
    if settings.host in _WILDCARDS and not settings.public_names:
        warning += (
            " It answers to any name, so a hostile site can reach it through the browser of somebody near; "
            "give the name that people use with --public-name NAME."
        )
    return (
        f"{warning} There are no accounts and no encryption: put a proxy with TLS, and where wanted a log-in, in front."
    )


def serve(settings: Settings, announce: Callable[[str], object], *, open_browser: bool = False) -> None:
    """Serve until interrupted; `announce` is called with the address once it is listened on.

    Raises `OSError` where the address cannot be had.
    """
    import socket
    import webbrowser

    import uvicorn

    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=256,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=3,
    )
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
        listening.listen(128)
        port = listening.getsockname()[1]
        shown = "localhost" if settings.host in (*_WILDCARDS, "127.0.0.1") else settings.host
        where = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"
        announce(where)
        if open_browser:
            threading.Timer(0.8, webbrowser.open, [where]).start()
        uvicorn.Server(config).run(sockets=[listening])


def _warm() -> None:
    """Load what the first page would wait for."""
    from mesotrial.app.treatments import all_treatments
    from mesotrial.app.trials import warm

    all_treatments()
    warm()


def _home(request: Request) -> Response:
    return page(request, "home.html.j2", title="mesotrial explorer")


def _icon(request: Request) -> Response:
    from starlette.responses import RedirectResponse

    return RedirectResponse("/static/icon.svg", status_code=308)


def _robots(request: Request) -> Response:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse("User-agent: *\nDisallow: /\n")


def _refused(request: Request, error: Exception) -> Response:
    from starlette.responses import JSONResponse

    found = error if isinstance(error, Refused) else Refused(str(error))
    if request.url.path.endswith(".json"):
        return JSONResponse({"error": found.message}, status_code=found.status)
    return page(
        request,
        "refused.html.j2",
        status=found.status,
        title="Not possible",
        message=found.message,
        command=found.command,
    )


def _not_found(request: Request, error: Any) -> Response:
    return _refused(request, Refused("there is no such page", status=error.status_code))


def _failed(request: Request, error: Exception) -> Response:
    return _refused(request, Refused("something went wrong here, and it is our fault", status=500))
