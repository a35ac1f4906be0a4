"""A client that calls the explorer without a network, and the explorer as people start it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from mesotrial.app import Settings, create_app


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")


class Client:
    """Calls an ASGI application; without its lifespan nothing runs in the background, so that jobs only wait."""

    def __init__(self, runs: Path) -> None:
        self.app = create_app(Settings(runs, prepare=False))
        self.state = self.app.app.state
        self.visitor = "a-visitor-of-the-tests-0"

    def get(self, path: str, query: str = "", **headers: str) -> Answer:
        return self.call("GET", path, query.encode(), b"", headers)

    def post(self, path: str, fields: dict[str, str] | bytes, **headers: str) -> Answer:
        body = fields if isinstance(fields, bytes) else urlencode(fields, errors="replace").encode()
        return self.call("POST", path, b"", body, {"content_type": "application/x-www-form-urlencoded", **headers})

    def call(self, method: str, path: str, query: bytes, body: bytes, headers: dict[str, str]) -> Answer:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"host": "localhost", "cookie": f"visitor={self.visitor}", "content-length": str(len(body))} | headers
        scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "path": path,
            "raw_path": path.encode(), "query_string": query, "root_path": "", "server": ("localhost", 80), "client": ("127.0.0.1", 1),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
        }  # fmt: skip
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(dict(message))

        asyncio.run(self.app(scope, receive, send))
        found = {name.decode().lower(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path / "runs")


@dataclass
class Server:
    """`mesotrial app` in a process of its own."""

    runs: Path
    process: subprocess.Popen[str]
    url: str

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()


def start(runs: Path) -> Server:
    command = [
        sys.executable,
        "-m",
        "mesotrial",
        "app",
        "--port",
        "0",
        "--no-browser",
        "--no-prepare",
        "--runs",
        str(runs),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://\S+?(?=/)", line)
    assert found is not None, line
    return Server(runs, process, found[0])


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts explorers, each with a folder of runs of its own if none is given, and ends them."""
    started: list[Server] = []

    def make(runs: Path | None = None) -> Server:
        server = start(runs or tmp_path_factory.mktemp("explorer") / "runs")
        started.append(server)
        return server

    yield make
    for server in started:
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGINT)
            try:
                server.process.wait(30)
            except subprocess.TimeoutExpired:
                server.process.kill()
                server.process.wait()
        if server.process.stdout is not None:
            server.process.stdout.close()
