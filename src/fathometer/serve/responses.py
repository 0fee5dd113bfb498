"""What leaves the server: refusals in the shape of a protocol, and headers that keep browsers from doing anything."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from fathometer.serve.protocol import Protocol, Response
from fathometer.serve.question import RefusedError
from fathometer.serve.routes import WrongMethodError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

REQUEST_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
REQUEST_HEADER = "x-request-id"

SAFE_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_SAFE_PAIRS = {name: (name.encode(), value.encode()) for name, value in SAFE_HEADERS.items()}


def refused(protocol: Protocol, refusal: RefusedError, request: str, **further: str) -> Response:
    """A refusal in the shape of a protocol; what was not read of the request is never read."""
    headers = {REQUEST_HEADER: request, **further}
    if refusal.retry_after:
        headers["retry-after"] = str(refusal.retry_after)
    if refusal.status in (400, 408, 413, 431, 503):
        headers["connection"] = "close"  # part of the request may not have been read
    if isinstance(refusal, WrongMethodError):
        headers["allow"] = refusal.allowed
    response = protocol.refusal(refusal.status, str(refusal), headers)
    return Response(response.status, response.body, response.media_type, headers | dict(response.headers))


async def respond(
    send: Send, response: Response, request: str, *, with_body: bool = True, is_last: bool = False
) -> None:
    """Send a response, with the headers that keep browsers from doing anything with it.

    Args:
        is_last: the client is told to ask elsewhere next time, for this server stops.
    """
    headers = [pair for name, pair in _SAFE_PAIRS.items() if name not in response.headers]
    if response.status != 204:
        headers.append((b"content-type", response.media_type.encode("latin-1")))
        headers.append((b"content-length", b"%d" % len(response.body)))
    own = {REQUEST_HEADER: request, **response.headers}
    if is_last:
        own["connection"] = "close"
    headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in own.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body if with_body else b""})


def request_name(headers: Mapping[str, str]) -> str:
    """The client's own name of the request, or one made for it."""
    given = headers.get(REQUEST_HEADER, "")
    return given if REQUEST_NAME.fullmatch(given) else secrets.token_hex(8)
