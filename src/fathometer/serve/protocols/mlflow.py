"""MLflow's scoring server [1], which is the contract of a SageMaker container too [2].

Rows come as csv, JSON, JSON lines or parquet; what comes back is `{"predictions": [...]}`, or csv or JSON lines where
the Accept header asks for it. Errors say what is wrong and never where in the code it was found.

[1] https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally
[2] https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

import csv
import importlib.metadata
import io
from collections.abc import Mapping
from typing import Any, ClassVar

import orjson
import pandas as pd

from fathometer.data.schema import Schema
from fathometer.serve.codecs.csv_rows import HEADERS, from_csv
from fathometer.serve.codecs.manners import Manner, check_long_cells, decoded, encoded, manner_of, values_of
from fathometer.serve.codecs.parquet_rows import from_parquet
from fathometer.serve.codecs.tables import from_columns, from_instances, from_records, from_split, read_json
from fathometer.serve.desk import Desk
from fathometer.serve.limits import Limits
from fathometer.serve.protocol import Protocol, Request, Response, Route
from fathometer.serve.question import RefusedError, Reply

CSV, JSON = "text/csv", "application/json"
LINES = frozenset({"application/jsonlines", "application/x-jsonlines", "application/x-ndjson"})
PARQUET = frozenset({"application/vnd.apache.parquet", "application/x-parquet"})
GRAMMARS = ("dataframe_split", "dataframe_records", "instances", "inputs")
ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
PATHS = ("/ping", "/health", "/version", "/invocations")
CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Mlflow(Protocol):
    """POST /invocations, and what is asked about the server's health."""

    name: ClassVar[str] = "mlflow"
    title: ClassVar[str] = "MLflow scoring server and SageMaker container"

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("/ping", ("GET",), _ping, is_open=True),
            Route("/health", ("GET",), _ping, is_open=True),
            Route("/version", ("GET",), _version, is_open=True),
            Route("/invocations", ("POST",), _invocations),
        )

    def owns(self, path: str) -> bool:
        return path in PATHS

    def refusal(self, status: int, sentence: str, headers: Mapping[str, str]) -> Response:
        # MLflow knows no 422: rows that do not fit are a bad request
        status = 400 if status == 422 else status
        told = {"error_code": CODES.get(status, "BAD_REQUEST"), "message": sentence}
        return Response(status, orjson.dumps(told), headers=headers)


async def _ping(desk: Desk, request: Request) -> Response:
    if not desk.is_ready:
        raise RefusedError(503, "The model is not ready. Ask again in a moment.", retry_after=1)
    return Response(200, b"\n")


async def _version(desk: Desk, request: Request) -> Response:
    return Response(200, importlib.metadata.version("fathometer").encode(), "text/plain; charset=utf-8")


async def _invocations(desk: Desk, request: Request) -> Response:
    frame, manner = await decoded(desk, request, _rows)
    reply = await desk.ask(manner.question(frame))
    return await encoded(desk, reply, _written, manner.output, request.headers.get("accept", ""))


def _rows(desk: Desk, request: Request) -> tuple[pd.DataFrame, Manner]:
    """The rows of a request, and how to answer them.

    Raises:
        RefusedError: 415 for a type that is not read; 400 for a body that is not of its type.
    """
    kind, options = _content_type(request.headers.get("content-type", ""))
    parameters: dict[str, Any] = {**request.query, **_attributes(request.headers.get(ATTRIBUTES, ""))}
    schema, limits = desk.bundle.schema, desk.limits
    if kind == CSV:
        frame = from_csv(request.body, schema, limits, options.get("header"))
    elif kind in PARQUET:
        frame = from_parquet(request.body, schema, limits)
    elif kind in LINES:
        frame = from_instances([read_json(line) for line in _lines(request.body, limits)], schema)
    else:
        frame, given = _from_json(request.body, schema)
        parameters |= given
    return check_long_cells(request, frame, desk), manner_of(parameters)


def _lines(body: bytes, limits: Limits) -> list[bytes]:
    """The lines that are not blank.

    Raises:
        RefusedError: 413 for more than rows are answered.
    """
    lines: list[bytes] = []
    for line in io.BytesIO(body):  # one after another, for there may be millions of them
        if line.isspace():
            continue
        if len(lines) == limits.rows:
            raise RefusedError(413, f"At most {limits.rows:,} rows are answered at once. Send them in parts.")
        lines.append(line)
    return lines


def _from_json(body: bytes, schema: Schema) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    value = read_json(body)
    given = [name for name in GRAMMARS if isinstance(value, dict) and name in value]
    if len(given) != 1:
        what = ", ".join(given) if given else "none of them"
        raise RefusedError(
            400, f"Expected a JSON object with exactly one of {', '.join(GRAMMARS)}; got {what}."
        )
    parameters = value.get("params", value.get("parameters")) or {}
    if not isinstance(parameters, dict):
        raise RefusedError(400, "Expected params as an object.")
    rows = value[given[0]]
    if given[0] == "dataframe_split":
        return from_split(rows, schema), parameters
    if given[0] == "dataframe_records":
        return from_records(rows, schema), parameters
    if isinstance(rows, dict):
        return from_columns(rows, schema), parameters
    return from_instances(rows, schema), parameters


def _content_type(header: str) -> tuple[str, Mapping[str, str]]:
    """(type, parameters) in lower case.

    Raises:
        RefusedError: 415 for an unknown type or parameter, or text that is not UTF-8.
    """
    kind, *parts = (part.strip() for part in header.split(";"))
    kind = kind.lower()
    known = [CSV, JSON, *sorted(LINES), *sorted(PARQUET)]
    if kind not in known:
        raise RefusedError(
            415, f"Expected a Content-Type header with one of {', '.join(known)}; got {kind[:60]!r}."
        )
    options = {}
    for part in filter(None, parts):
        name, _, value = part.partition("=")
        options[name.strip().lower()] = value.strip().strip('"').lower()
    if options.get("charset", "utf-8") not in ("utf-8", "utf8"):
        raise RefusedError(415, f"Expected UTF-8, got the charset {options['charset'][:40]!r}.")
    allowed = {"charset", "header"} if kind == CSV else {"charset"}
    unknown = sorted(set(options) - allowed)
    if unknown or options.get("header", HEADERS[0]) not in HEADERS:
        raise RefusedError(
            415,
            f"Expected no parameter of {kind} but charset=utf-8"
            f"{', header=present and header=absent' if kind == CSV else ''}; got {'; '.join(parts)[:60]!r}.",
        )
    return kind, options


def _attributes(header: str) -> dict[str, str]:
    """Parameters that SageMaker hands through, as `output=probabilities; family=deep`."""
    pairs = (part.partition("=") for part in header.split(";") if "=" in part)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _written(reply: Reply, output: str, accept: str) -> Response:
    values = values_of(reply, output)
    for wanted in (part.split(";")[0].strip().lower() for part in accept.split(",")):
        if wanted == CSV:
            return Response(200, _as_csv(values, reply, output), "text/csv; charset=utf-8")
        if wanted in LINES:
            return Response(200, b"".join(orjson.dumps(value) + b"\n" for value in values), wanted)
        if wanted == JSON:
            break
    return Response(200, orjson.dumps({"predictions": values}))


def _as_csv(values: list[Any], reply: Reply, output: str) -> bytes:
    """One line per row and no header, as SageMaker's own containers write; with "all" a header names the cells."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    if output == "all":
        writer.writerow(map(str, reply.answers.columns))
    for value in values:
        row = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        writer.writerow(None if cell != cell else cell for cell in row)  # NaN: a row without an answer
    return stream.getvalue().encode()
