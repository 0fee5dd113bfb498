"""Our own way to ask: rows as JSON objects by the names of their columns, described by /openapi.json."""

from __future__ import annotations

import functools
import math
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, ClassVar, TypeVar

import orjson

from fathometer.errors import UserError
from fathometer.serve import examples, openapi, page
from fathometer.serve.codecs.manners import demand_unpacked
from fathometer.serve.codecs.objects import reader_of, wish_of
from fathometer.serve.desk import Desk, request_in_hand
from fathometer.serve.explain import explain, notes_on
from fathometer.serve.feedback import keep, truths_of
from fathometer.serve.protocol import Protocol, Request, Response, Route
from fathometer.serve.protocols.mlflow import CSV, LINES, PARQUET
from fathometer.serve.question import RefusedError, Reply
from fathometer.serve.responses import REQUEST_HEADER
from fathometer.serve.routes import find_protocols
from fathometer.serve.truths import fitted

T = TypeVar("T")

MOST_LOOKED_AT = 4096  # bytes of a body, to tell a line of csv
LARGE_BODY = 256 * 1024  # bytes from which decoding is done on a thread
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Native(Protocol):
    """Rows as JSON objects."""

    name: ClassVar[str] = "native"
    title: ClassVar[str] = "Rows as JSON objects, described by /openapi.json"

    def routes(self) -> tuple[Route, ...]:
        """Questions, what the model is, and how the server does."""
        plain = {"text/plain": {"schema": {"type": "string"}}}
        html = {"text/html": {"schema": {"type": "string"}}} | _says("Model")
        asks, says = _asks("Question"), _says("Answer")
        return (
            Route("/predict", ("POST",), predict, describes={"post": _told("Answer rows", says, asks)}),
            Route(
                "/explain",
                ("POST",),
                explain_rows,
                describes={
                    "post": _told("Which columns answers rest on", _says("Explanation"), _asks("Wish"))
                },
            ),
            Route("/feedback", ("POST",), feedback, describes={"post": _told_of_feedback()}),
            Route("/model", ("GET",), model, describes={"get": _told("What the model is", _says("Model"))}),
            Route(
                "/example",
                ("GET",),
                example,
                describes={"get": _told("A question that works", _says("Question"))},
            ),
            Route("/openapi.json", ("GET",), api, describes={"get": _told("This document", _says("Model"))}),
            Route("/", ("GET",), front, describes={"get": _told("A page for people", html)}),
            Route(
                "/livez",
                ("GET",),
                live,
                is_open=True,
                describes={"get": _told("The server is alive", _says("Model"))},
            ),
            Route("/readyz", ("GET",), ready, is_open=True, describes={"get": _told_of_readiness()}),
            Route("/metrics", ("GET",), metrics, describes={"get": _told("Counts, for Prometheus", plain)}),
        )

    def owns(self, path: str) -> bool:
        """Whatever belongs to no other."""
        return True

    def refusal(self, status: int, sentence: str, headers: Mapping[str, str]) -> Response:
        """An object with a sentence, and the request's name."""
        request = headers.get(REQUEST_HEADER, "")
        return Response(status, orjson.dumps({"error": sentence, "request": request}))


async def predict(desk: Desk, request: Request) -> Response:
    """Answer rows."""
    _demand_json(request, "/predict")
    reader = desk.once(reader_of)
    if len(request.body) > LARGE_BODY:
        question = await desk.apart(reader.question, request.body)
        return await desk.apart(response_of, await desk.ask(question))
    return response_of(await desk.ask(reader.question(request.body)))


async def explain_rows(desk: Desk, request: Request) -> Response:
    """Which columns answers rest on."""
    _demand_json(request, "/explain")
    wish = await unhurried(desk, request.body, wish_of, desk, request.body)
    latest = time.monotonic() + desk.limits.seconds
    rows = await desk.slowly(functools.partial(explain, desk.bundle, wish, latest))
    named = {"model": desk.name, "version": desk.version, "family": wish.family}
    told = {"request": request_in_hand(), **named, "rows": rows, "notes": notes_on(desk.bundle.schema)}
    return Response(200, orjson.dumps(told))


async def feedback(desk: Desk, request: Request) -> Response:
    """Keep what turned out to be true."""
    if desk.log is None:
        raise RefusedError(
            409, "This server keeps no log, so a true answer has no place. Start it without --no-log."
        )
    demand_unpacked(request)
    body, media_type = request.body, request.headers.get("content-type", "")
    read = await unhurried(desk, body, truths_of, body, media_type, desk.limits)
    truths = await unhurried(desk, body, fitted, read, desk.labels)
    try:
        await desk.apart(desk.log.flush)
        received = await desk.apart(keep, desk.log.path, truths, desk.log.settings)
    except (sqlite3.Error, UserError) as error:
        desk.metrics.log_error()
        raise RefusedError(
            503, "The log cannot be written now. Send it again later.", retry_after=10
        ) from error
    desk.metrics.truths(received.new)
    return Response(200, orjson.dumps(asdict(received)))


def _demand_json(request: Request, path: str) -> None:
    """Refuse what says, or shows, that it is something else; curl says nothing of use, so nothing need be said.

    Raises:
        RefusedError: 415.
    """
    demand_unpacked(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    line = request.body[:MOST_LOOKED_AT].partition(b"\n")[0].lstrip()
    is_csv = kind == CSV or (b"," in line and line[:1] not in (b"{", b"["))
    if is_csv or kind in LINES | PARQUET:
        raise RefusedError(
            415,
            f"{path} reads JSON. Rows as {'csv' if is_csv else kind} are answered at /invocations, with the header "
            f"Content-Type: {CSV if is_csv else kind}.",
        )


async def unhurried(desk: Desk, body: bytes, read: Callable[..., T], *arguments: object) -> T:
    """What a body says, read apart where it is large."""
    if len(body) > LARGE_BODY:
        return await desk.apart(read, *arguments)
    return read(*arguments)


async def model(desk: Desk, request: Request) -> Response:
    """What the model is."""
    return Response(200, desk.once(_described))


async def example(desk: Desk, request: Request) -> Response:
    """A question that works."""
    return Response(200, orjson.dumps({"rows": [desk.once(_row)]}))


async def api(desk: Desk, request: Request) -> Response:
    """The description of the API."""
    return Response(200, desk.once(_document))


async def front(desk: Desk, request: Request) -> Response:
    """The page for people; it names the server as whoever reads it does. Programs read that it is alive."""
    if "text/html" not in request.headers.get("accept", "text/html"):
        return Response(200, b'{"status":"alive"}')  # as KServe's version 1 reads it
    host = request.headers.get("host", "")
    scheme = "http" if desk.settings.is_local else request.headers.get("x-forwarded-proto", "http")
    shown = page.page(desk, f"{'https' if scheme == 'https' else 'http'}://{host}", desk.once(_row))
    return Response(200, shown, "text/html; charset=utf-8", {"content-security-policy": page.POLICY})


async def live(desk: Desk, request: Request) -> Response:
    """The event loop answers."""
    return Response(200, b'{"live":true}')


async def ready(desk: Desk, request: Request) -> Response:
    """Questions are answered."""
    return Response(200 if desk.is_ready else 503, b'{"ready":true}' if desk.is_ready else b'{"ready":false}')


async def metrics(desk: Desk, request: Request) -> Response:
    """What Prometheus reads."""
    return Response(200, desk.metrics.page(), METRICS_TYPE)


def response_of(reply: Reply) -> Response:
    """A reply as JSON; numbers in the fewest digits that read back as the same number."""
    said: dict[str, Any] = {
        "request": reply.request,
        "model": reply.model,
        "version": reply.version,
        "family": reply.family,
        "rows": _rows(reply),
        "notes": reply.notes,
    }
    if reply.bad_rows:
        said["bad_rows"] = reply.bad_rows
        said["bad"] = [
            {"row": cell.row, "column": cell.column, "shown": cell.shown, "why": cell.why}
            for cell in reply.bad
        ]
    if reply.unseen:
        said["unseen"] = dict(reply.unseen)
    return Response(200, orjson.dumps(said))


def _rows(reply: Reply) -> list[dict[str, Any]]:
    numbers = reply.prediction.tolist()
    if not reply.labels:
        return [
            {"id": row_id, "prediction": None if math.isnan(number) else number}
            for row_id, number in zip(reply.row_ids, numbers, strict=True)
        ]
    labels = reply.answers["prediction"].tolist()
    return [
        {"id": row_id, "prediction": label, "probabilities": dict(zip(reply.labels, row, strict=True))}
        if isinstance(label, str)
        else {"id": row_id, "prediction": None, "probabilities": None}
        for row_id, label, row in zip(reply.row_ids, labels, numbers, strict=True)
    ]


def _row(desk: Desk) -> dict[str, Any]:
    return examples.example_row(desk.bundle)


def _document(desk: Desk) -> bytes:
    routes = [route for protocol in find_protocols() for route in protocol.routes()]
    return orjson.dumps(openapi.describe(desk, routes, desk.once(_row)))


def _described(desk: Desk) -> bytes:
    """What the model is: plain data."""
    bundle, limits = desk.bundle, desk.limits
    return orjson.dumps(
        {
            "name": desk.name,
            "version": desk.version,
            "task": bundle.task.name,
            "target": bundle.task.target,
            "labels": list(desk.labels),
            "family": bundle.default,
            "families": {
                family: sorted({bundle.learners[key] for mix in mixes for key in mix})
                for family, mixes in bundle.mixes.items()
            },
            "verdict": str(bundle.about.get("verdict", "")),
            "created": str(bundle.about.get("created", "")),
            "columns": [
                {"name": column.name, "kind": column.kind, "why": column.why, "summary": column.summary}
                for column in bundle.schema.columns
            ],
            "limits": {"body_bytes": limits.body_bytes, "rows": limits.rows, "seconds": limits.seconds},
        }
    )


def _asks(schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"required": True, "content": content}


def _says(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _told(summary: str, says: Mapping[str, Any], asks: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One operation of the API's description."""
    told = {"summary": summary, "responses": {"200": {"description": summary, "content": dict(says)}}}
    return told | ({"requestBody": dict(asks)} if asks else {})


def _told_of_readiness() -> dict[str, Any]:
    told = _told("Questions are answered", _says("Model"))
    told["responses"]["503"] = {"description": "Not yet, or no more", "content": _says("Model")}
    return told


def _told_of_feedback() -> dict[str, Any]:
    asks = _asks("Feedback")
    lines = {"schema": {"type": "string"}, "example": "id,value\n4f1c-0,Yes\n"}
    return _told(
        "Keep what turned out to be true",
        _says("Received"),
        {**asks, "content": asks["content"] | {"text/csv": lines}},
    )
