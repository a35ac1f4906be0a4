"""Templates filled and sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, Response

__all__ = ["STATIC", "address", "fields_of", "form_of", "page", "picture", "static_file"]

STATIC: Mapping[str, tuple[str, str]] = {
    "page.css": ("mesotrial.report", "text/css; charset=utf-8"),
    "app.css": ("mesotrial.app", "text/css; charset=utf-8"),
    "app.js": ("mesotrial.app", "text/javascript; charset=utf-8"),
    "patient.js": ("mesotrial.app", "text/javascript; charset=utf-8"),
    "icon.svg": ("mesotrial.app", "image/svg+xml"),
}
_SECTIONS = (
    ("/treatments", "Treatments"),
    ("/compare", "Compare"),
    ("/patient", "Inside one patient"),
    ("/trials", "Trials"),
    ("/evidence", "Evidence"),
)
_MOST_FIELDS = 100


def page(request: Request, template: str, *, status: int = 200, **content: Any) -> HTMLResponse:
    """Return a page: a template with `content` and what every page has."""
    from starlette.responses import HTMLResponse

    from mesotrial.report import CONTEXT_OF_USE

    body = (
        _environment()
        .get_template(template)
        .render(
            sections=_SECTIONS,
            here=next((path for path, _ in _SECTIONS if request.url.path.startswith(path)), ""),
            context_of_use=CONTEXT_OF_USE,
            version_of=_version_of,
            **content,
        )
    )
    return HTMLResponse(body, status_code=status, headers={"cache-control": "no-cache"})


def static_file(request: Request) -> Response:
    """Return one of our own files; only names of `STATIC` exist."""
    from starlette.responses import PlainTextResponse, Response

    name = request.path_params["name"]
    if name not in STATIC:
        return PlainTextResponse("There is no such file.", status_code=404)
    return Response(
        _read(name), media_type=STATIC[name][1], headers={"cache-control": "public, max-age=31536000, immutable"}
    )


def fields_of(request: Request) -> dict[str, str]:
    """Return the fields of the address; of a field given twice the first counts."""
    return _first(request.url.query)


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a posted form, URL-encoded; nothing else is read."""
    from mesotrial.app.bounds import Refused

    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise Refused("only forms of these pages are read", status=415)
    return _first((await request.body()).decode("utf-8", errors="replace"))


def address(path: str, **fields: Any) -> str:
    """Return an address with its fields; None and empty ones are left out."""
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def picture(svg: str) -> Any:
    """Mark SVG that our own code drew as safe."""
    from markupsafe import Markup

    return Markup(svg)


def _first(query: str) -> dict[str, str]:
    from mesotrial.app.bounds import Refused

    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Refused(f"at most {_MOST_FIELDS} fields are read") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("mesotrial.app", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["address"] = address
    made.filters["path"] = lambda value: quote(str(value), safe="")
    return made


@cache
def _read(name: str) -> bytes:
    room = files(STATIC[name][0])
    return (room / name if STATIC[name][0] == "mesotrial.report" else room / "static" / name).read_bytes()


@cache
def _version_of(name: str) -> str:
    return hashlib.sha256(_read(name)).hexdigest()[:12]
