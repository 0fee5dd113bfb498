"""Open Inference Protocol: every call that clients make, and what they read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import Loopback

from fathometer.serve.settings import Settings

MODEL = "/v2/models/parcels"
KEY = "k" * 32


def column(name: str, *data: Any, datatype: str = "BYTES") -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": list(data)}


def one_row(**changes: Any) -> dict[str, Any]:
    inputs = [
        column("size", 0.5, datatype="FP64"),
        column("colour", "red"),
        column("day", "2024-05-01"),
        column("note", "late parcel"),
    ]
    return {"inputs": inputs} | changes


def test_health_says_both_words_for_every_client(server: Loopback) -> None:
    for path in ("/v2/health/live", "/v2/health/ready"):
        answer = server.get(path)
        assert (answer.status, answer.json) == (200, {"live": True, "ready": True})


def test_a_server_that_stops_lives_but_is_not_ready(model: Path) -> None:
    server = Loopback(model)
    server.desk.is_ready = False
    assert server.get("/v2/health/live").json == {"live": True, "ready": False}
    assert server.get("/v2/health/live").status == 200
    assert server.get("/v2/health/ready").status == 503
    assert server.get(f"{MODEL}/ready").status == 503
    assert server.ask("POST", "/v2/repository/index", b"").json[0]["state"] == "UNAVAILABLE"


def test_the_server_and_its_models_are_described(server: Loopback) -> None:
    told = server.get("/v2").json
    assert told["name"] == "fathometer"
    assert "binary_tensor_data" in told["extensions"]
    assert server.get("/v2/").json == told
    assert server.get("/v2/models").json == {"models": ["parcels"]}
    version = server.desk.version
    index = server.ask("POST", "/v2/repository/index", b"{}").json
    assert index == [{"name": "parcels", "version": version, "state": "READY", "reason": ""}]
    for path in (MODEL, f"{MODEL}/versions/{version}"):
        assert server.get(f"{path}/ready").json == {"name": "parcels", "ready": True}
        described = server.get(path).json
        assert described["name"] == "parcels"
        assert described["versions"] == [version]


def test_what_is_described_is_accepted_and_answered(server: Loopback) -> None:
    described = server.get(MODEL).json
    examples: dict[str, Any] = {"FP64": 1.5, "BYTES": "text"}
    inputs = [
        column(one["name"], examples[one["datatype"]], None, datatype=one["datatype"])
        for one in described["inputs"]
    ]
    assert [one["name"] for one in described["inputs"]] == list(server.desk.bundle.schema.names)
    answered = server.post(f"{MODEL}/infer", {"inputs": inputs}).json["outputs"]
    for promised, told in zip(described["outputs"], answered, strict=True):
        assert (told["name"], told["datatype"]) == (promised["name"], promised["datatype"])
        assert told["shape"] == [2 if size == -1 else size for size in promised["shape"]]
        labels = orjson.loads(promised["parameters"]["labels"])
        assert labels == list(server.desk.labels)
        if told["datatype"] == "BYTES":
            assert set(told["data"]) <= set(labels)


def test_answers_are_those_of_the_model(server: Loopback) -> None:
    frame = pd.DataFrame(
        [{"size": 0.5, "colour": "red", "day": "2024-05-01", "note": "late parcel"}], dtype=object
    )
    for family in (None, "linear", "tree"):
        told = server.desk.bundle.predict(frame, family)
        parameters = {} if family is None else {"family": family}
        answer = server.post(f"{MODEL}/infer", one_row(id="a/b ü", parameters=parameters)).json
        assert answer["id"] == "a/b ü"
        assert answer["outputs"][0]["data"] == told["prediction"].tolist()
        assert answer["outputs"][1]["data"] == told.drop(columns="prediction").to_numpy()[0].tolist()


def test_no_content_type_is_needed(server: Loopback) -> None:
    body = orjson.dumps(one_row())
    for headers in ({}, {"content-type": "text/plain"}, {"content-type": "application/octet-stream"}):
        assert server.ask("POST", f"{MODEL}/infer", body, headers).status == 200


def test_binary_answers_say_where_they_begin(server: Loopback) -> None:
    answer = server.post(f"{MODEL}/infer", one_row(parameters={"binary_data_output": True}))
    length = int(answer.headers["inference-header-content-length"])
    head = orjson.loads(answer.body[:length])
    sizes = [one["parameters"]["binary_data_size"] for one in head["outputs"]]
    assert sum(sizes) == len(answer.body) - length
    assert answer.headers["content-type"] == "application/octet-stream"
    told = np.frombuffer(answer.body[length + sizes[0] :])
    assert told.sum() == pytest.approx(1)
    answer = server.post(f"{MODEL}/infer", one_row())
    assert "inference-header-content-length" not in answer.headers


def test_bad_rows_may_have_no_answer(server: Loopback) -> None:
    inputs = one_row()["inputs"]
    inputs[0] = column("size", "no number")
    answer = server.post(f"{MODEL}/infer", {"inputs": inputs, "parameters": {"on_bad": "null"}}).json
    assert answer["outputs"][0]["data"] == [None]
    assert answer["outputs"][1]["data"] == [None] * 3
    stopped = server.post(f"{MODEL}/infer", {"inputs": inputs, "parameters": {"on_bad": "stop"}})
    assert stopped.status == 400
    assert "no number" in stopped.json["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/other", 404),
        ("GET", "/v2/models/other/ready", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("GET", "/v2/models/parcels/versions/2", 404),
        ("POST", "/v2/models/parcels/versions/2/infer", 404),
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/models/parcels/config", 404),
        ("GET", "/v2/models/parcels/infer", 405),
        ("POST", "/v2/models/parcels/infer", 400),
        ("DELETE", "/v2", 405),
    ],
)
def test_refusals_have_the_shape_that_clients_read(
    server: Loopback, method: str, path: str, status: int
) -> None:
    answer = server.ask(method, path, b"")
    assert answer.status == status
    assert set(answer.json) == {"error"}
    assert answer.headers["content-type"] == "application/json"


def test_missing_columns_are_named(server: Loopback) -> None:
    answer = server.post(f"{MODEL}/infer", {"inputs": [column("size", 1.0, datatype="FP64")]})
    assert answer.status == 400
    assert "'colour', 'day', 'note'" in answer.json["error"]


def test_without_a_key_only_health_is_told(model: Path) -> None:
    server = Loopback(model, Settings(keys=(KEY,)))
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert server.get(path).status == 200
    for path in ("/v2", "/v2/models", MODEL, f"{MODEL}/ready"):
        assert server.get(path).status == 401
        assert set(server.get(path).json) == {"error"}
        assert server.get(path, authorization=f"Bearer {KEY}").status == 200
    assert server.post(f"{MODEL}/infer", one_row()).status == 401


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_whatever_comes_is_answered_or_refused(server: Loopback, data: st.DataObject) -> None:
    body = bytearray(orjson.dumps(one_row()))
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    header = data.draw(st.none() | st.integers(-1, len(body) + 2).map(str))
    headers = {} if header is None else {"inference-header-content-length": header}
    answer = server.ask("POST", f"{MODEL}/infer", bytes(body), headers)
    assert answer.status in (200, 400, 404, 413)
