"""Our own way to ask: rows as JSON objects by the names of their columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import orjson
import pandas as pd

from fathometer.data.wire import from_wire
from fathometer.errors import UnreadableData
from fathometer.serve.desk import Desk
from fathometer.serve.limits import Limits, check_text
from fathometer.serve.protocol import Protocol, Request, Response, Route
from fathometer.serve.question import Question, RefusedError, Reply
from fathometer.serve.responses import REQUEST_HEADER

LARGE_BODY = 256 * 1024  # bytes from which decoding is done on a thread
FIELDS = ("rows", "family", "on_bad", "keys")
PLAIN = (str, bool, int, float, type(None))


class Native(Protocol):
    """Rows as JSON objects."""

    name: ClassVar[str] = "native"
    title: ClassVar[str] = "Rows as JSON objects, described by /openapi.json"

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("/predict", ("POST",), predict),
            Route("/livez", ("GET",), live, is_open=True),
            Route("/readyz", ("GET",), ready, is_open=True),
            Route("/metrics", ("GET",), metrics),
        )

    def owns(self, path: str) -> bool:
        return True  # whatever belongs to no other

    def refusal(self, status: int, sentence: str, headers: Mapping[str, str]) -> Response:
        request = headers.get(REQUEST_HEADER, "")
        return Response(status, orjson.dumps({"error": sentence, "request": request}))


async def predict(desk: Desk, request: Request) -> Response:
    """Answer rows."""
    if len(request.body) > LARGE_BODY:
        question = await desk.apart(question_of, request.body, desk.limits)
        return await desk.apart(response_of, await desk.ask(question))
    return response_of(await desk.ask(question_of(request.body, desk.limits)))


async def live(desk: Desk, request: Request) -> Response:
    """The event loop answers."""
    return Response(200, b'{"live":true}')


async def ready(desk: Desk, request: Request) -> Response:
    """Questions are answered."""
    return Response(200 if desk.is_ready else 503, b'{"ready":true}' if desk.is_ready else b'{"ready":false}')


async def metrics(desk: Desk, request: Request) -> Response:
    """What Prometheus reads."""
    return Response(200, desk.metrics.page(), "text/plain; version=0.0.4; charset=utf-8")


def question_of(body: bytes, limits: Limits) -> Question:
    """The question in a body.

    Raises:
        RefusedError: 400 for what is no JSON, 413 for too many rows, 422 for what is JSON but no question.
    """
    asked = object_of(body)
    unknown = sorted(set(asked) - set(FIELDS))
    if unknown:
        raise RefusedError(422, f"Expected the fields {', '.join(FIELDS)}; got {unknown[0][:80]!r} as well.")
    frame = frame_of(asked.get("rows"), limits)
    return Question(
        frame,
        family=_text(asked, "family"),
        keys=_keys(asked.get("keys"), len(frame)),
        on_bad=_text(asked, "on_bad") or "missing",
    )


def object_of(body: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    Raises:
        RefusedError: 400 for what is no JSON, 422 for what is no object.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, f"The body is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise RefusedError(422, 'Expected an object such as {"rows": [{"COLUMN": VALUE}]}.')
    return value


def frame_of(rows: Any, limits: Limits) -> pd.DataFrame:
    """Rows as cells: an object per row; a name that some rows lack is missing in these.

    Raises:
        RefusedError: 413 or 422.
    """
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RefusedError(422, 'Expected "rows" to be a list of objects, one per row: {"COLUMN": VALUE}.')
    if len(rows) > limits.rows:
        raise RefusedError(
            413, f"At most {limits.rows:,} rows are answered at once, got {len(rows):,}. Send them in parts."
        )
    names = list(rows[0]) if rows else []
    if any(list(row) != names for row in rows[1:]):
        names = list(dict.fromkeys(name for row in rows for name in row))
    if len(names) > limits.columns:
        raise RefusedError(
            413, f"At most {limits.columns:,} columns are read, got {len(names):,}. Send fewer."
        )
    if len(names) * len(rows) > MOST_CELLS:
        raise RefusedError(413, f"At most {MOST_CELLS:,} cells are read at once. Send the rows in parts.")
    cells = np.empty((len(rows), len(names)), dtype=object)
    for place, row in enumerate(rows):
        cells[place] = [_cell(row.get(name), name, place, limits) for name in names]
    return pd.DataFrame(cells, columns=names)


MOST_CELLS = 20_000_000


def _cell(value: Any, name: str, place: int, limits: Limits) -> Any:
    if isinstance(value, str):
        if len(value) > 1000:
            check_text(value, name, limits)
        return value
    if isinstance(value, PLAIN):
        return value
    try:
        return from_wire(value)
    except UnreadableData as error:
        raise RefusedError(422, f"Row {place}, column {name[:80]!r}: {error}") from error


def _text(asked: Mapping[str, Any], field: str) -> str | None:
    value = asked.get(field)
    if value is not None and not isinstance(value, str):
        raise RefusedError(422, f"Expected {field!r} to be a text.")
    return value


def _keys(keys: Any, rows: int) -> tuple[str, ...] | None:
    if keys is None:
        return None
    if not isinstance(keys, list) or not all(isinstance(key, str) and 0 < len(key) <= 200 for key in keys):
        raise RefusedError(422, 'Expected "keys" to be a list of texts of 1 to 200 characters, one per row.')
    if len(keys) != rows:
        raise RefusedError(422, f"Expected one key per row, got {len(keys):,} keys for {rows:,} rows.")
    return tuple(keys)


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
    if reply.bad:
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
    return [
        {
            "id": row_id,
            "prediction": label,
            "probabilities": dict(zip(reply.labels, row, strict=True)) if label is not None else None,
        }
        for row_id, label, row in zip(reply.row_ids, _labels(reply), numbers, strict=True)
    ]


def _labels(reply: Reply) -> Sequence[str | None]:
    return [label if isinstance(label, str) else None for label in reply.answers["prediction"].tolist()]
