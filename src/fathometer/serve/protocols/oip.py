"""The Open Inference Protocol over HTTP [1], as KServe v2 and Triton speak it, with Triton's binary tensors [2].

[1] https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
[2] https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Any, ClassVar

import orjson

from fathometer.data.schema import Column
from fathometer.serve.codecs.inference import (
    LENGTH_HEADER,
    PREDICTION,
    PROBABILITIES,
    Inference,
    read_inference,
    write_inference,
)
from fathometer.serve.codecs.manners import check_long_cells, decoded, encoded
from fathometer.serve.codecs.tensors import BYTES
from fathometer.serve.desk import Desk
from fathometer.serve.protocol import Protocol, Request, Response, Route
from fathometer.serve.question import RefusedError, Reply

EXTENSIONS = ("binary_tensor_data", "classification", "model_repository")
PLATFORM = "fathometer_bundle"
MODEL = "/v2/models/{model}"
VERSIONED = f"{MODEL}/versions/{{version}}"


class OpenInference(Protocol):
    """Tensors in, tensors out."""

    name: ClassVar[str] = "oip"
    title: ClassVar[str] = "Open Inference Protocol v2 (KServe, Triton)"

    def routes(self) -> tuple[Route, ...]:
        models = (
            route
            for path in (MODEL, VERSIONED)
            for route in (
                Route(path, ("GET",), _metadata),
                Route(f"{path}/ready", ("GET",), _model_ready),
                Route(f"{path}/infer", ("POST",), _infer),
            )
        )
        return (
            Route("/v2", ("GET",), _server),
            Route("/v2/", ("GET",), _server),
            Route("/v2/health/live", ("GET",), _live, is_open=True),
            Route("/v2/health/ready", ("GET",), _ready, is_open=True),
            Route("/v2/models", ("GET",), _models),
            Route("/v2/repository/index", ("POST",), _index),
            *models,
        )

    def owns(self, path: str) -> bool:
        return path == "/v2" or path.startswith("/v2/")

    def refusal(self, status: int, sentence: str, headers: Mapping[str, str]) -> Response:
        # Triton's clients know 400, 404, 500, 501 and 503; others are HTTP's own business
        return Response(400 if status == 422 else status, orjson.dumps({"error": sentence}), headers=headers)


async def _live(desk: Desk, request: Request) -> Response:
    # the specification asks for "live" of both calls, and its clients for "ready" of one
    return Response(200, orjson.dumps({"live": True, "ready": desk.is_ready}))


async def _ready(desk: Desk, request: Request) -> Response:
    is_ready = desk.is_ready
    return Response(200 if is_ready else 503, orjson.dumps({"live": True, "ready": is_ready}))


async def _server(desk: Desk, request: Request) -> Response:
    version = importlib.metadata.version("fathometer")
    return Response(200, orjson.dumps({"name": "fathometer", "version": version, "extensions": EXTENSIONS}))


async def _models(desk: Desk, request: Request) -> Response:
    return Response(200, orjson.dumps({"models": [desk.name]}))


async def _index(desk: Desk, request: Request) -> Response:
    state = "READY" if desk.is_ready else "UNAVAILABLE"
    return Response(
        200, orjson.dumps([{"name": desk.name, "version": desk.version, "state": state, "reason": ""}])
    )


async def _model_ready(desk: Desk, request: Request) -> Response:
    _demand_model(desk, request)
    return Response(200 if desk.is_ready else 503, orjson.dumps({"name": desk.name, "ready": desk.is_ready}))


async def _metadata(desk: Desk, request: Request) -> Response:
    _demand_model(desk, request)
    said = {
        "name": desk.name,
        "versions": [desk.version],
        "platform": PLATFORM,
        "inputs": [_input(column) for column in desk.bundle.schema.columns],
        "outputs": _outputs(desk.labels),
    }
    return Response(200, orjson.dumps(said))


async def _infer(desk: Desk, request: Request) -> Response:
    _demand_model(desk, request)
    asked = await decoded(desk, request, _asked)
    reply = await desk.ask(asked.manner.question(asked.frame, asked.request))
    return await encoded(desk, reply, _written, asked)


def _asked(desk: Desk, request: Request) -> Inference:
    length = request.headers.get(LENGTH_HEADER)
    asked = read_inference(request.body, length, desk.bundle.schema, desk.limits)
    check_long_cells(request, asked.frame, desk)
    return asked


def _written(reply: Reply, asked: Inference) -> Response:
    body, length = write_inference(reply, asked)
    if length is None:
        return Response(200, body)
    return Response(200, body, "application/octet-stream", {LENGTH_HEADER: str(length)})


def _input(column: Column) -> dict[str, Any]:
    datatype = "FP64" if column.kind == "number" else BYTES
    return {
        "name": column.name,
        "datatype": datatype,
        "shape": [-1],
        "parameters": {"kind": column.kind},
    }


def _outputs(labels: tuple[str, ...]) -> list[dict[str, Any]]:
    if not labels:
        return [{"name": PREDICTION, "datatype": "FP64", "shape": [-1]}]
    # a parameter holds one text, number or truth value, so the labels are JSON within one
    named = {"labels": orjson.dumps(labels).decode()}
    return [
        {"name": PREDICTION, "datatype": BYTES, "shape": [-1], "parameters": named},
        {"name": PROBABILITIES, "datatype": "FP64", "shape": [-1, len(labels)], "parameters": named},
    ]


def _demand_model(desk: Desk, request: Request) -> None:
    model, version = request.path["model"], request.path.get("version", desk.version)
    if model != desk.name:
        raise RefusedError(404, f"There is no model {model[:80]!r} here. It is called {desk.name!r}.")
    if version != desk.version:
        raise RefusedError(404, f"There is no version {version[:80]!r} here, only {desk.version!r}.")
