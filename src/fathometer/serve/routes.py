"""Every path of every protocol, and which route answers a request."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fathometer.serve.protocol import PROTOCOLS, Protocol, Route
from fathometer.serve.question import RefusedError


@dataclass(frozen=True)
class Place:
    """A route with the protocol it belongs to, and its path as a pattern where it has parameters."""

    route: Route
    protocol: Protocol
    pattern: re.Pattern[str] | None


class Routes:
    """Every path of every protocol."""

    def __init__(self, protocols: Sequence[Protocol]) -> None:
        self.protocols = protocols
        self.places = [
            Place(route, protocol, _pattern(route.path))
            for protocol in protocols
            for route in protocol.routes()
        ]
        self._plain: dict[str, list[Place]] = {}
        for place in self.places:
            if place.pattern is None:
                self._plain.setdefault(place.route.path, []).append(place)
        self._patterned = [place for place in self.places if place.pattern is not None]

    def at(self, path: str) -> tuple[list[Place], Mapping[str, str]]:
        """The routes of this path, with the parameters in it; no routes where there is no such path."""
        plain = self._plain.get(path)
        if plain is not None:
            return plain, {}
        found: list[Place] = []
        parameters: Mapping[str, str] = {}
        for place in self._patterned:
            match = place.pattern.fullmatch(path) if place.pattern else None
            if match and (not found or place.route.path == found[0].route.path):
                found.append(place)
                parameters = match.groupdict()
        return found, parameters

    def owner(self, path: str) -> Protocol:
        """The protocol in whose shape a refusal of this path is told."""
        for protocol in self.protocols:
            if protocol.name != "native" and protocol.owns(path):
                return protocol
        return next(protocol for protocol in self.protocols if protocol.name == "native")


def find_protocols() -> list[Protocol]:
    """Every protocol, ready to answer."""
    return [PROTOCOLS.get(name)() for name in PROTOCOLS.names()]


class WrongMethodError(RefusedError):
    """A path that does not know this method."""

    def __init__(self, method: str, path: str, allowed: str) -> None:
        super().__init__(405, f"{path[:200]} does not answer {method[:20]}. Use {allowed}.")
        self.allowed = allowed


def route_of(places: Sequence[Place], method: str, path: str) -> Route | None:
    """The route that answers; None for OPTIONS."""
    if not places:
        raise RefusedError(404, f"There is nothing at {path[:200]!r}. What there is: /openapi.json.")
    wanted = "GET" if method == "HEAD" else method
    for place in places:
        if wanted in place.route.methods:
            return place.route
    if method == "OPTIONS":
        return None
    raise WrongMethodError(method, path, allowed_methods(places))


def allowed_methods(places: Sequence[Place]) -> str:
    methods = {method for place in places for method in place.route.methods}
    return ", ".join(sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))


def _pattern(path: str) -> re.Pattern[str] | None:
    """A path with parameters in braces as a pattern; a parameter spans no slash."""
    if "{" not in path:
        return None
    pieces = re.split(r"\{(\w+)\}", path)
    return re.compile(
        "".join(
            re.escape(piece) if place % 2 == 0 else f"(?P<{piece}>[^/]+)"
            for place, piece in enumerate(pieces)
        )
    )
