"""In front of everything: whose name was called, whether a web page sent it, and whether whoever asks has a key."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Mapping

from fathometer.serve.metrics import Metrics
from fathometer.serve.question import RefusedError
from fathometer.serve.responses import Receive, Scope, Send, refused, request_name, respond
from fathometer.serve.routes import Routes
from fathometer.serve.settings import Settings

AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
FROM_HERE = ("same-origin", "none")
METRICS_PATH = "/metrics"


class Gate:
    """ASGI in front of the app: http requests are checked, all else is refused."""

    def __init__(self, app: AsgiApp, routes: Routes, metrics: Metrics, settings: Settings) -> None:
        self.app, self.routes, self.metrics = app, routes, metrics
        self.settings = settings
        self._names = frozenset(name.lower() for name in settings.names)
        self._digests = [_digest(key.encode()) for key in settings.keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or refuse it."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: HTTP 403
        elif scope["type"] == "http":
            refusal = self._refusal(scope)
            if refusal is None:
                await self.app(scope, receive, send)
            else:
                await self._refuse(scope, send, refusal)

    def _refusal(self, scope: Scope) -> RefusedError | None:
        """Why this request is not let through."""
        raw = scope["headers"]
        hosts = [value for name, value in raw if name == b"host"]
        if len(hosts) != 1:
            return RefusedError(400, f"Expected one Host header, got {len(hosts)}.")
        host = hosts[0].decode("latin-1").lower()
        asked_for = [(name, value) for name, value in raw if name in _ASKED_FOR]
        headers = dict(asked_for)
        if len(headers) < len(asked_for):  # of two, another program may believe the other
            twice = next(name for name, _ in asked_for if sum(name == other for other, _ in asked_for) > 1)
            return RefusedError(400, f"Expected one {twice.decode()} header at most, got several.")
        if not self._is_ours(host, scope):
            return RefusedError(
                421,
                f"This server does not go by the name {host[:100]!r}. Where the name is right, start it with --name.",
            )
        if _is_from_elsewhere(headers, str(scope.get("scheme", "http")), host):
            return RefusedError(403, "A web page of another origin may not ask here.")
        if self._digests and not self._is_open(scope["path"]) and not self._knows(headers):
            return RefusedError(401, "A key is needed. Send the header: Authorization: Bearer KEY")
        return None

    def _is_ours(self, host: str, scope: Scope) -> bool:
        """Whether the Host header names this server: a page that rebinds its own name to our address does not."""
        settings = self.settings
        if settings.unix_socket is not None or "*" in self._names:
            return True
        name, port = _split(host)
        if host in self._names or name in self._names:
            return True
        if settings.is_local:
            server = scope.get("server") or (None, None)
            return name in LOCAL_NAMES and port == str(server[1] or settings.port)
        # a key is asked for, which no page has; without one, a page could have its own name lead here, but no number
        return bool(self._digests) or name in LOCAL_NAMES or _is_number(name)

    def _is_open(self, path: str) -> bool:
        if path == METRICS_PATH and self.settings.open_metrics:
            return True
        places, _ = self.routes.at(path)
        return bool(places) and all(place.route.is_open for place in places)

    def _knows(self, headers: Mapping[bytes, bytes]) -> bool:
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer":
            given = headers.get(b"x-api-key", b"")
        digest = _digest(given.strip())
        # every key is compared, so that the time tells nothing
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0

    async def _refuse(self, scope: Scope, send: Send, refusal: RefusedError) -> None:
        request = request_name({})
        protocol = self.routes.owner(scope["path"])
        further = {"www-authenticate": "Bearer"} if refusal.status == 401 else {}
        response = refused(protocol, refusal, request, connection="close", **further)
        self.metrics.request(protocol.name, response.status)
        await respond(send, response, request, with_body=scope["method"] != "HEAD")


_ASKED_FOR = frozenset({b"authorization", b"x-api-key", b"origin", b"sec-fetch-site"})


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _is_from_elsewhere(headers: Mapping[bytes, bytes], scheme: str, host: str) -> bool:
    """Whether a browser says that a page of another origin sent this."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site.decode("latin-1") not in FROM_HERE
    origin = headers.get(b"origin")
    return origin is not None and origin.decode("latin-1").lower() != f"{scheme}://{host}"


def _split(host: str) -> tuple[str, str]:
    """Name and port of a Host header; the port is 80 unless given."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host, "80"
    return name, port


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
