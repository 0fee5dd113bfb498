"""The app: one table of routes from all protocols, each request read whole, answered, and counted.

It is plain ASGI: the few microseconds of a framework's layers are as much as all the rest that is done here.
"""

from __future__ import annotations

import logging
import urllib.parse
from collections.abc import Mapping

from fathometer.errors import BadBundle, UserError
from fathometer.serve.bodies import Bodies
from fathometer.serve.desk import Asking, Desk, asking
from fathometer.serve.gate import Gate
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
        self._bodies = Bodies(desk.limits)

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
                with self._bodies.holding() as holding:
                    body = await self._bodies.read(headers, receive, holding)
                    asking.set(Asking(request, protocol.name, len(body)))
                    asked = Request(method, headers, _query(scope["query_string"]), parameters, body)
                    response = await route.answer(self.desk, asked)
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


def _query(query: bytes) -> Mapping[str, str]:
    if not query:
        return {}
    try:
        return dict(urllib.parse.parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=100))
    except ValueError as error:
        raise RefusedError(400, "The part of the address behind ? cannot be read.") from error


def make_app(desk: Desk, settings: Settings | None = None) -> Gate:
    """The whole server as one ASGI app: the gate, and every protocol behind it."""
    app = App(desk, Routes(find_protocols()))
    return Gate(app, app.routes, desk.metrics, settings or desk.settings)
