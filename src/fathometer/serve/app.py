"""The app: one table of routes from all protocols, each request read whole, answered, and counted.

It is plain ASGI: the few microseconds of a framework's layers are as much as all the rest that is done here.
"""

from __future__ import annotations

import asyncio
import logging
import time
import urllib.parse
from collections.abc import Mapping, MutableMapping
from typing import Any

from fathometer.errors import BadBundle, UserError
from fathometer.serve.desk import Asking, Desk, asking
from fathometer.serve.gate import Gate
from fathometer.serve.limits import Limits
from fathometer.serve.protocol import Request, Response
from fathometer.serve.question import RefusedError
from fathometer.serve.responses import Receive, Scope, Send, refused, request_name, respond
from fathometer.serve.routes import Routes, allowed_methods, find_protocols, route_of
from fathometer.serve.settings import Settings

OURS = "Something went wrong on our side. The server's own log tells more, under the request's name."

logger = logging.getLogger("fathometer.serve")


class App:
    """Everything behind the gate."""

    def __init__(self, desk: Desk, routes: Routes) -> None:
        self.desk = desk
        self.routes = routes
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request = request_name(headers)
        path, method = scope["path"], scope["method"]
        places, parameters = self.routes.at(path)
        protocol = places[0].protocol if places else self.routes.owner(path)
        asking.set(Asking(request, protocol.name))
        try:
            route = route_of(places, method, path)
            if route is None:
                allowed = allowed_methods(places)
                response = Response(204, b"", headers={"allow": allowed})
            else:
                body = await self._body(headers, receive)
                try:
                    asked = Request(method, headers, _query(scope["query_string"]), parameters, body)
                    response = await route.answer(self.desk, asked)
                finally:
                    self._held_bytes -= len(body)
        except RefusedError as refusal:
            response = refused(protocol, refusal, request)
        except Exception as error:
            if isinstance(error, UserError) and not isinstance(error, BadBundle):
                response = refused(protocol, RefusedError(422, str(error)), request)
            else:
                logger.exception("request %s was not answered: %s", request, type(error).__name__)
                response = refused(protocol, RefusedError(500, OURS), request)
        self.desk.metrics.request(protocol.name, response.status)
        await respond(send, response, request, with_body=method != "HEAD", is_last=not self.desk.is_ready)

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """The whole body, counted as it comes.

        Raises:
            RefusedError: 408, 413 or 503.
        """
        limits = self.desk.limits
        told = headers.get("content-length", "0")
        if told.isdecimal() and int(told) > limits.body_bytes:
            if "expect" not in headers:
                await _discard(receive, limits)
            raise too_large(limits)
        message = await _received(receive, limits.read_seconds)
        body = bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return self._held(body)
        parts, size, latest = [body], len(body), time.monotonic() + limits.read_seconds
        while message.get("more_body", False):
            if size + self._held_bytes > limits.held_bytes:
                raise RefusedError(
                    503, "Too much is being sent at once. Ask again in a moment.", retry_after=1
                )
            message = await _received(receive, latest - time.monotonic())
            part = bytes(message.get("body", b""))
            size += len(part)
            if size > limits.body_bytes:
                raise too_large(limits)
            parts.append(part)
        return self._held(b"".join(parts))

    def _held(self, body: bytes) -> bytes:
        self._held_bytes += len(body)
        return body


def too_large(limits: Limits) -> RefusedError:
    """A body beyond the limit."""
    return RefusedError(
        413, f"A request may have at most {limits.body_bytes:,} bytes. Send the rows in parts."
    )


def _query(query: bytes) -> Mapping[str, str]:
    if not query:
        return {}
    try:
        return dict(urllib.parse.parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=100))
    except ValueError as error:
        raise RefusedError(400, "The part of the address behind ? cannot be read.") from error


async def _received(receive: Receive, seconds: float) -> MutableMapping[str, Any]:
    """The next part of a request.

    Raises:
        RefusedError: 408 where it takes too long, or the client has gone.
    """
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            message = await receive()
    except TimeoutError as error:
        raise RefusedError(408, "The request did not arrive whole in time. Send it again.") from error
    if message["type"] == "http.disconnect":
        raise RefusedError(400, "The request broke off.")
    return message


async def _discard(receive: Receive, limits: Limits) -> None:
    """Let a client that sends somewhat too much finish, for most read no answer before they have sent all."""
    left, latest = 4 * limits.body_bytes, time.monotonic() + limits.read_seconds
    while left > 0:
        message = await _received(receive, latest - time.monotonic())
        left -= len(message.get("body", b""))
        if not message.get("more_body", False):
            return


def make_app(desk: Desk, settings: Settings | None = None) -> Gate:
    """The whole server as one ASGI app: the gate, and every protocol behind it."""
    app = App(desk, Routes(find_protocols()))
    return Gate(app, app.routes, desk.metrics, settings or desk.settings)
