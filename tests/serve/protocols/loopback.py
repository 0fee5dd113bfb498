"""The whole server in one process, asked as uvicorn would ask it."""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from fathometer.bundle import open_bundle
from fathometer.serve.app import make_app
from fathometer.serve.desk import Desk
from fathometer.serve.settings import Settings


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Loopback:
    """A server without a socket."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.desk = Desk(open_bundle(folder), settings or Settings())
        self.app = make_app(self.desk, settings or Settings())

    def ask(
        self, method: str, path: str, body: bytes | Any = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request; what is no bytes is sent as JSON."""
        given = dict(headers or {})
        if not isinstance(body, bytes):
            body = orjson.dumps(body)
            given.setdefault("content-type", "application/json")
        return asyncio.run(self._ask(method, path, body, given))

    def post(self, path: str, body: bytes | Any, **headers: str) -> Answer:
        """POST, with header names as Python writes names."""
        return self.ask(
            "POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )

    def get(self, path: str, **headers: str) -> Answer:
        """GET."""
        return self.ask("GET", path, b"", {name.replace("_", "-"): value for name, value in headers.items()})

    async def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        path, _, query = path.partition("?")
        told = {"host": "127.0.0.1:8080", "content-length": str(len(body)), **headers}
        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": urllib.parse.unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in told.items()],
            "server": ("127.0.0.1", 8080),
            "client": ("127.0.0.1", 50000),
        }
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], found, b"".join(part.get("body", b"") for part in sent[1:]))
