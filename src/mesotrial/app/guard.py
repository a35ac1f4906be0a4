"""What stands before every page: hosts, origins, size of requests, who is asking, and the headers of every answer."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

__all__ = ["MOST_BYTES", "Guard"]

MOST_BYTES = 256 * 1024
_COOKIE = "visitor"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,64}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_YEAR_SECONDS = 365 * 24 * 3600
_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
        b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class _TooLarge(Exception):
    """The body grew beyond what is read."""


class Guard:
    """ASGI middleware around the explorer.

    `hosts` are the names it answers to besides this machine's own; with `any_host` it answers to all (bound to every address, no name given).
    """

    def __init__(self, app: Application, hosts: Iterable[str], *, any_host: bool) -> None:
        """Take the application in."""
        self.app = app
        self.hosts = _LOOPBACK | {host.lower() for host in hosts}
        self.any_host = any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        known = _visitor(headers)
        scope.setdefault("state", {})["visitor"] = visitor = known or secrets.token_urlsafe(24)
        secure = scope.get("scheme") == "https" or headers.get(b"x-forwarded-proto") == "https"
        cookie = None if known else _cookie(visitor, secure=secure)
        size, started = 0, False

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > MOST_BYTES:
                raise _TooLarge
            return message

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", []), *_HEADERS, *([cookie] if cookie else [])]
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _plain(guarded, *refusal)
            return
        try:
            await self.app(scope, bounded, guarded)
        except _TooLarge:
            if not started:
                await _plain(guarded, 413, f"At most {MOST_BYTES // 1024} kB are read.")

    def _refusal(self, scope: Scope, headers: dict[bytes, str]) -> tuple[int, str] | None:
        host = headers.get(b"host", "")
        if not self.any_host and _name(f"//{host}") not in self.hosts:
            return 421, "This server does not answer to that name. Start it with --public-name NAME."
        if scope["method"] not in ("GET", "HEAD"):
            origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site", "same-origin")
            if site not in ("same-origin", "none") or (origin is not None and _place(origin) != host.lower()):
                return 403, "This request came from another site."
        length = headers.get(b"content-length", "0")
        if not length.isdigit() or int(length[:12]) > MOST_BYTES:
            return 413, f"At most {MOST_BYTES // 1024} kB are read."
        return None


def _name(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


def _place(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _visitor(headers: dict[bytes, str]) -> str | None:
    try:
        found = SimpleCookie(headers.get(b"cookie", "")).get(_COOKIE)
    except CookieError:
        return None
    return found.value if found is not None and _TOKEN.fullmatch(found.value) else None


def _cookie(visitor: str, *, secure: bool) -> tuple[bytes, bytes]:
    text = f"{_COOKIE}={visitor}; Path=/; Max-Age={_YEAR_SECONDS}; HttpOnly; SameSite=Strict"
    return b"set-cookie", (text + ("; Secure" if secure else "")).encode()


async def _plain(send: Send, status: int, words: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": words.encode()})
