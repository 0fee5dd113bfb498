"""What a protocol must do: turn requests into questions and replies into responses, and nothing else.

One file in `serve/protocols/` is one protocol, found by its name. A protocol owns its paths; the app in front of it
has already checked host, key, size and method (405 with Allow), and reads the body whole.

Laws, checked in tests/serve:
- the same rows give bit-equal answers through every protocol and codec;
- decoding never executes, fetches or opens anything, and whatever the bytes are it returns a Question or raises
  RefusedError (4xx): never another error;
- refusals, also those of the app (401, 404, 405, 413, 503 ...), have the shape that the protocol's own clients read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from fathometer.core.plugins import Plugins

if TYPE_CHECKING:
    from fathometer.serve.desk import Desk


@dataclass(frozen=True)
class Request:
    """A request as a protocol sees it. headers: lower-case names. path: parameters of the route, decoded once."""

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    path: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """What goes back."""

    status: int
    body: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Answerer = Callable[["Desk", Request], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """One path (Starlette's syntax) with its methods.

    is_open: needs no key (health and version only). describes: an OpenAPI path item per method, plain data, or empty
    where the page of the API does not list it.
    """

    path: str
    methods: tuple[str, ...]
    answer: Answerer
    is_open: bool = False
    describes: Mapping[str, Any] = field(default_factory=dict)


class Protocol(ABC):
    """A way to ask over HTTP."""

    name: ClassVar[str]
    title: ClassVar[str]

    @abstractmethod
    def routes(self) -> tuple[Route, ...]:
        """Every path it answers."""

    @abstractmethod
    def owns(self, path: str) -> bool:
        """Whether a refusal of this path is to have this protocol's shape."""

    @abstractmethod
    def refusal(self, status: int, sentence: str, headers: Mapping[str, str]) -> Response:
        """A request that is not answered, as this protocol's clients read it."""


PROTOCOLS: Plugins[Protocol] = Plugins(
    "protocol",
    Protocol,  # type: ignore[type-abstract]
    ("fathometer.serve.protocols",),
    "fathometer.protocols",
    {},
)
