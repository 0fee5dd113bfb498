"""KServe's version 1, which is TensorFlow Serving's REST [1] and, by other paths, that of Vertex AI's containers [2].

[1] https://www.tensorflow.org/tfx/serving/api_rest
[2] https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import orjson
import pandas as pd

from fathometer.data.sentences import counted
from fathometer.serve.codecs.manners import Manner, check_long_cells, decoded, encoded, manner_of, values_of
from fathometer.serve.codecs.objects import wish_of
from fathometer.serve.codecs.tables import from_instances, read_json
from fathometer.serve.desk import Desk
from fathometer.serve.explain import Wish, explain
from fathometer.serve.protocol import Protocol, Request, Response, Route
from fathometer.serve.question import RefusedError, Reply

VERTEX = "/v1/endpoints/{endpoint}/deployedModels/{deployed}"
VERSIONED = "/v1/models/{model}/versions/{version}"


class KServe(Protocol):
    """`instances` in, `predictions` out."""

    name: ClassVar[str] = "kserve"
    title: ClassVar[str] = "KServe v1, TensorFlow Serving, Vertex AI"

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("/v1/models", ("GET",), _models),
            Route("/v1/models/{model}:predict", ("POST",), _predict),
            Route("/v1/models/{model}:explain", ("POST",), _explain),
            Route(f"{VERSIONED}:predict", ("POST",), _predict),
            Route("/v1/models/{model}", ("GET",), _model),
            Route(VERSIONED, ("GET",), _model),
            Route(f"{VERTEX}:predict", ("POST",), _predict),
            Route(VERTEX, ("GET",), _health, is_open=True),
        )

    def owns(self, path: str) -> bool:
        return path == "/v1" or path.startswith("/v1/")

    def refusal(self, status: int, sentence: str, headers: Mapping[str, str]) -> Response:
        return Response(400 if status == 422 else status, orjson.dumps({"error": sentence}), headers=headers)


async def _models(desk: Desk, request: Request) -> Response:
    return Response(200, orjson.dumps({"models": [desk.name]}))


async def _model(desk: Desk, request: Request) -> Response:
    """What KServe asks about a model, and what TensorFlow Serving does, in one."""
    _demand_model(desk, request)
    _demand_ready(desk)
    state = {
        "version": desk.version,
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    return Response(200, orjson.dumps({"name": desk.name, "ready": True, "model_version_status": [state]}))


async def _health(desk: Desk, request: Request) -> Response:
    _demand_ready(desk)
    return Response(200, orjson.dumps({"ready": True}))


async def _predict(desk: Desk, request: Request) -> Response:
    _demand_model(desk, request)
    frame, manner = await decoded(desk, request, _rows)
    reply = await desk.ask(manner.question(frame))
    return await encoded(desk, reply, _written, manner.output)


async def _explain(desk: Desk, request: Request) -> Response:
    """Which columns answers rest on; its parameters are those of our own /explain."""
    _demand_model(desk, request)
    wish = await decoded(desk, request, _wish)
    latest = time.monotonic() + desk.limits.seconds
    told = await desk.slowly(functools.partial(explain, desk.bundle, wish, latest))
    predictions = [row["prediction"] for row in told]
    return Response(200, orjson.dumps({"predictions": predictions, "explanations": told}))


def _wish(desk: Desk, request: Request) -> Wish:
    instances, parameters = _instances(request.body)
    if len(instances) > desk.limits.rows:
        raise RefusedError(
            413, f"At most {desk.limits.rows:,} rows are read at once, got {len(instances):,}. Send fewer."
        )
    names = desk.bundle.schema.names
    rows = [dict(zip(names, row, strict=False)) if isinstance(row, list) else row for row in instances]
    if any(isinstance(row, list) and len(row) != len(names) for row in instances):
        raise RefusedError(400, f"Expected {counted(len(names), 'cell')} in every row that is a list.")
    return wish_of(desk, orjson.dumps({**parameters, "rows": rows}))


def _rows(desk: Desk, request: Request) -> tuple[pd.DataFrame, Manner]:
    instances, parameters = _instances(request.body)
    frame = from_instances(instances, desk.bundle.schema)
    return check_long_cells(request, frame, desk), manner_of(parameters)


def _instances(body: bytes) -> tuple[list[Any], Mapping[str, Any]]:
    """(rows, parameters) of a request.

    Raises:
        RefusedError: it has no instances, or names a signature.
    """
    value = read_json(body)
    if not isinstance(value, dict) or not isinstance(value.get("instances"), list):
        raise RefusedError(400, 'Expected a JSON object with "instances", a list of rows.')
    name = value.get("signature_name")
    if name not in (None, "", "serving_default"):
        raise RefusedError(400, f"There is no signature {str(name)[:60]!r}. Leave signature_name out.")
    parameters = value.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise RefusedError(400, "Expected the parameters as an object.")
    return value["instances"], parameters


def _written(reply: Reply, output: str) -> Response:
    values: list[Any] = values_of(reply, output)
    return Response(200, orjson.dumps({"predictions": values}))


def _demand_model(desk: Desk, request: Request) -> None:
    """Raise RefusedError where another model is asked for; Vertex has names of its own."""
    model = request.path.get("model", desk.name)
    if model != desk.name:
        raise RefusedError(404, f"There is no model {model[:80]!r} here. It is called {desk.name!r}.")
    version = request.path.get("version", desk.version)
    if version != desk.version:
        raise RefusedError(404, f"There is no version {version[:80]!r} here, only {desk.version!r}.")


def _demand_ready(desk: Desk) -> None:
    if not desk.is_ready:
        raise RefusedError(503, "The model is not ready. Ask again in a moment.", retry_after=1)
