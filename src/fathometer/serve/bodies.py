"""The body of a request, read whole: counted as it comes, for each and for all together, and with an end in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from fathometer.serve.limits import Limits
from fathometer.serve.question import RefusedError
from fathometer.serve.responses import Receive

LONGEST_LENGTH = 18  # digits of a Content-Length that is a length at all


class Bodies:
    """The bodies that are being received or answered in this process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.held_bytes = 0

    @contextmanager
    def holding(self) -> Iterator[Holding]:
        """Inside, one request's body is held."""
        holding = Holding()
        try:
            yield holding
        finally:
            self.held_bytes -= holding.size_bytes

    async def read(self, headers: Mapping[str, str], receive: Receive, holding: Holding) -> bytes:
        """The whole body.

        Raises:
            RefusedError: 408 where it takes too long, 413 where it is too large, 503 where all together are.
        """
        limits, latest = self._limits, time.monotonic() + self._limits.read_seconds
        told = headers.get("content-length", "")
        if told.isdecimal() and (len(told) > LONGEST_LENGTH or int(told) > limits.body_bytes):
            if "expect" not in headers:
                await self._discard(receive, latest)
            raise self._too_large()
        parts = []
        while True:
            message = await _received(receive, latest)
            part = bytes(message.get("body", b""))
            self.held_bytes += len(part)
            holding.size_bytes += len(part)
            if holding.size_bytes > limits.body_bytes:
                raise self._too_large()
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)
            if self.held_bytes > limits.held_bytes:
                raise RefusedError(
                    503, "Too much is being sent at once. Ask again in a moment.", retry_after=1
                )

    async def _discard(self, receive: Receive, latest: float) -> None:
        """Let a client that sends somewhat too much finish, for most read no answer before they have sent all."""
        left = 4 * self._limits.body_bytes
        while left > 0:
            message = await _received(receive, latest)
            left -= len(message.get("body", b""))
            if not message.get("more_body", False):
                return

    def _too_large(self) -> RefusedError:
        most = self._limits.body_bytes
        return RefusedError(413, f"A request may have at most {most:,} bytes. Send the rows in parts.")


class Holding:
    """What one request holds."""

    def __init__(self) -> None:
        self.size_bytes = 0


async def _received(receive: Receive, latest: float) -> MutableMapping[str, Any]:
    """The next part of a request.

    Raises:
        RefusedError: 408 where it takes too long, or the client has gone.
    """
    try:
        async with asyncio.timeout(max(0.0, latest - time.monotonic())):
            message = await receive()
    except TimeoutError as error:
        raise RefusedError(408, "The request did not arrive whole in time. Send it again.") from error
    if message["type"] == "http.disconnect":
        raise RefusedError(400, "The request broke off.")
    return message
