"""Ask a server over and over, and note how long each answer took.

A closed loop: every connection asks again as soon as it is answered. A paced one: requests fall due at a fixed rate,
and their time counts from when they were due, so that a server that stalls cannot hide it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import uvloop


@dataclass(frozen=True)
class Question:
    """One HTTP request, ready to be sent."""

    path: str
    body: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def raw(self, host: str) -> bytes:
        """The bytes on the wire."""
        lines = [f"POST {self.path} HTTP/1.1", f"Host: {host}", f"Content-Type: {self.media_type}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return ("\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""])).encode() + self.body


@dataclass
class Result:
    """What came of it. seconds: of each answer; errors: answers that were none, by what they were."""

    took: float = 0.0
    seconds: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.took

    def percentile(self, share: float) -> float:
        """Milliseconds within which this share was answered."""
        return 1e3 * float(np.quantile(self.seconds, share))


def closed(port: int, question: Question, connections: int, seconds: float) -> Result:
    """As many requests as are answered in these seconds."""
    return uvloop.run(_closed(port, question, connections, seconds))


def paced(port: int, question: Question, connections: int, seconds: float, rate: float) -> Result:
    """So many requests a second."""
    return uvloop.run(_paced(port, question, connections, seconds, rate))


async def _closed(port: int, question: Question, connections: int, seconds: float) -> Result:
    result = Result()
    raw = question.raw(f"127.0.0.1:{port}")
    started = time.perf_counter()
    until = started + seconds

    async def one() -> None:
        connection = Connection(port)
        while time.perf_counter() < until:
            begun = time.perf_counter()
            _note(result, await connection.ask(raw), begun)
        connection.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    result.took = time.perf_counter() - started
    return result


async def _paced(port: int, question: Question, connections: int, seconds: float, rate: float) -> Result:
    result = Result()
    raw = question.raw(f"127.0.0.1:{port}")
    started = time.perf_counter()
    due: asyncio.Queue[float | None] = asyncio.Queue()

    async def clock() -> None:
        for number in range(int(rate * seconds)):
            when = started + number / rate
            wait = when - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            due.put_nowait(when)
        for _ in range(connections):
            due.put_nowait(None)

    async def one() -> None:
        connection = Connection(port)
        while (when := await due.get()) is not None:
            _note(result, await connection.ask(raw), when)
        connection.close()

    await asyncio.gather(clock(), *(one() for _ in range(connections)))
    result.took = time.perf_counter() - started
    return result


def _note(result: Result, status: str, begun: float) -> None:
    if status == "200":
        result.seconds.append(time.perf_counter() - begun)
    else:
        result.errors[status] = result.errors.get(status, 0) + 1


class Connection:
    """One that is kept open, and opened again where the server closed it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, raw: bytes) -> str:
        """The status of the answer, or what went wrong."""
        try:
            if self.streams is None:
                self.streams = await asyncio.open_connection("127.0.0.1", self.port)
            reader, writer = self.streams
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            await _body(reader, head)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            return type(error).__name__
        if b"connection: close" in head.lower():
            self.close()
        return head[9:12].decode("ascii", "replace")

    def close(self) -> None:
        """Hang up."""
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return await reader.readexactly(int(line.partition(b":")[2]))
        if line.startswith(b"transfer-encoding:") and b"chunked" in line:
            return await _chunks(reader)
    return b""


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(parts)
