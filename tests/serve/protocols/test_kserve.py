"""KServe's version 1, TensorFlow Serving and Vertex AI: instances in, predictions out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback

from fathometer.serve.settings import Settings

PREDICT = "/v1/models/parcels:predict"
ROW = {"size": 0.5, "colour": "red", "day": "2024-05-01", "note": "late parcel"}
VERTEX = "/v1/endpoints/123/deployedModels/456"
KEY = "k" * 32


def test_objects_and_lists_are_rows(server: Loopback) -> None:
    answer = server.post(PREDICT, {"instances": [ROW]})
    assert answer.status == 200
    assert set(answer.json) == {"predictions"}
    assert server.post(PREDICT, {"instances": [list(ROW.values())]}).json == answer.json
    version = server.desk.version
    for path in (f"/v1/models/parcels/versions/{version}:predict", f"{VERTEX}:predict"):
        assert server.post(path, {"instances": [ROW]}).json == answer.json


def test_no_content_type_is_needed(server: Loopback) -> None:
    assert server.ask("POST", PREDICT, b'{"instances": []}').json == {"predictions": []}


def test_probabilities_may_be_wished_for(server: Loopback) -> None:
    wish = {"instances": [ROW, ROW], "parameters": {"output": "probabilities"}}
    told = server.post(PREDICT, wish).json["predictions"]
    assert [sum(row) for row in told] == pytest.approx([1, 1])
    everything = server.post(PREDICT, {"instances": [ROW], "parameters": {"output": "all"}}).json
    assert set(everything["predictions"][0]) == {"prediction", *(f"probability_{x}" for x in "abc")}


def test_the_usual_signature_may_be_named(server: Loopback) -> None:
    assert server.post(PREDICT, {"instances": [ROW], "signature_name": "serving_default"}).status == 200
    assert server.post(PREDICT, {"instances": [ROW], "signature_name": "mine"}).status == 400


def test_models_say_that_they_are_ready(server: Loopback) -> None:
    assert server.get("/v1/models").json == {"models": ["parcels"]}
    told = server.get("/v1/models/parcels").json
    assert told["ready"] is True
    assert told["model_version_status"][0]["state"] == "AVAILABLE"
    assert server.get(f"/v1/models/parcels/versions/{server.desk.version}").json == told
    assert server.get(VERTEX).status == 200


def test_explanations_add_up_to_the_answer(server: Loopback) -> None:
    for row in (ROW, list(ROW.values())):
        asked = {"instances": [row], "parameters": {"permutations": 4, "label": "a"}}
        told = server.post("/v1/models/parcels:explain", asked)
        assert told.status == 200, told.body
        (one,) = told.json["explanations"]
        parts = sum(column["part"] for column in one["columns"].values())
        assert one["base"] + parts == pytest.approx(one["value"])
        assert (
            told.json["predictions"] == server.post(PREDICT, asked | {"parameters": {}}).json["predictions"]
        )
    for wrong in ({"instances": [[1]]}, {"instances": [1]}, {"instances": [ROW], "parameters": {"x": 1}}):
        assert server.post("/v1/models/parcels:explain", wrong).status == 400


def test_programs_read_at_the_root_that_the_server_is_alive(server: Loopback) -> None:
    assert server.get("/", accept="*/*").json == {"status": "alive"}
    assert server.get("/", accept="text/html,*/*").headers["content-type"].startswith("text/html")


def test_a_server_that_stops_is_not_ready(model: Path) -> None:
    server = Loopback(model)
    server.desk.is_ready = False
    assert server.get("/v1/models/parcels").status == 503
    assert server.get(VERTEX).status == 503


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        (PREDICT, {}, 400, '"instances"'),
        (PREDICT, [], 400, '"instances"'),
        (PREDICT, {"instances": {}}, 400, '"instances"'),
        (PREDICT, {"instances": [ROW, 1]}, 400, "every row"),
        (PREDICT, {"instances": [ROW], "parameters": {"x": 1}}, 400, "no parameter 'x'"),
        (PREDICT, {"instances": [{"size": 1}]}, 400, "'colour'"),
        ("/v1/models/other:predict", {"instances": [ROW]}, 404, "called 'parcels'"),
        ("/v1/models/parcels/versions/9:predict", {"instances": [ROW]}, 404, "version"),
        ("/v1/models/parcels:explode", {"instances": [ROW]}, 405, "POST"),
        ("/v1/nothing/here", {}, 404, "nothing"),
    ],
)
def test_refusals_have_the_shape_that_clients_read(
    server: Loopback, path: str, body: Any, status: int, told: str
) -> None:
    answer = server.post(path, body)
    assert answer.status == status
    assert set(answer.json) == {"error"}
    assert told in answer.json["error"]


def test_without_a_key_no_model_is_named(model: Path) -> None:
    server = Loopback(model, Settings(keys=(KEY,)))
    for answer in (
        server.post(PREDICT, {"instances": [ROW]}),
        server.get("/v1/models"),
        server.get("/v1/models/x"),
        server.post(f"{VERTEX}:predict", {"instances": [ROW]}),
    ):
        assert answer.status == 401
        assert "parcels" not in answer.json["error"]
    assert server.get(VERTEX).json == {"ready": True}
