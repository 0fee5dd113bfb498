"""One client's connection: what uvicorn leaves unbounded before any request has been read is bounded here."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fathometer.serve.limits import Limits

OWN_FILES = 100
CHUNK_FRAME = 16  # bytes around one chunk of a body
TOO_MUCH = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\ncontent-length: 41\r\n"
    b'connection: close\r\n\r\n{"error":"The header fields are too long."}'
)


class Connection(HttpToolsProtocol):
    """HTTP/1.1 with an end to headers: in bytes, and in seconds.

    httptools gathers header fields, and the fields behind a chunked body, however long they are; and uvicorn waits for
    them for ever. Whoever reaches the socket could so fill the memory without knowing a key.
    """

    limits = Limits()
    most = limits.connections

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._beside_bodies = 0
        self._headers_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_headers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._beside_bodies += len(data)
        if self._headers_due is None and self._is_idle():
            self._expect_headers()
        super().data_received(data)
        if self._beside_bodies > self.limits.header_bytes and not self.transport.is_closing():
            self._refuse()

    def on_headers_complete(self) -> None:
        self._forget_headers()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._beside_bodies -= len(body) + CHUNK_FRAME
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._beside_bodies = 0
        super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # a client that does not read its answer
        else:
            super().timeout_keep_alive_handler()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _expect_headers(self) -> None:
        self._headers_due = self.loop.call_later(self.limits.header_seconds, self.transport.abort)

    def _forget_headers(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _refuse(self) -> None:
        if self._is_idle():
            self.transport.write(TOO_MUCH)
            self.transport.close()
        else:
            self.transport.abort()


def connections_within(limits: Limits) -> type[Connection]:
    """The class of connections that keep to these limits; uvicorn makes them, and is told no more than a class."""
    return type("BoundedConnection", (Connection,), {"limits": limits, "most": _most_connections(limits)})


def _most_connections(limits: Limits) -> int:
    """As many as there may be, or as many files as this process may open less those that it needs itself."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limits.connections if files < 0 else max(1, min(limits.connections, files - OWN_FILES))
