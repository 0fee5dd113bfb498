"""What MLflow's and SageMaker's clients send is answered as they read it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import Loopback
from small_models import make_model

from fathometer.serve.settings import Settings
from fathometer.tasks.regression import Regression

ROW = {"size": 0.5, "colour": "red", "day": "2024-05-01", "note": "late, slow parcel"}
CSV = b'0.5,red,2024-05-01,"late, slow parcel"\n'
KEY = "k" * 32


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Loopback:
    """A model of two numbers that predicts a number."""
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 2)), columns=["a", "b"])
    target = (2 * frame["a"] + frame["b"]).to_numpy()
    folder = make_model(
        tmp_path_factory.mktemp("numbers") / "model",
        frame,
        target,
        Regression("y", "rmse", 0.01),
        learners=("linear",),
    )
    return Loopback(folder)


def test_labels_are_answered_unless_probabilities_are_wished_for(server: Loopback) -> None:
    told = server.desk.bundle.predict(server_frame(ROW))
    answer = server.post("/invocations", {"dataframe_records": [ROW]})
    assert answer.json == {"predictions": told["prediction"].tolist()}
    assert answer.headers["content-type"] == "application/json"
    wanted = told.drop(columns="prediction").to_numpy().tolist()
    for body, headers, query in [
        ({"dataframe_records": [ROW], "params": {"output": "probabilities"}}, {}, ""),
        ({"instances": [ROW], "parameters": {"output": "probabilities"}}, {}, ""),
        ({"dataframe_records": [ROW]}, {}, "?output=probabilities"),
        (CSV, {"content_type": "text/csv"}, "?output=probabilities"),
        (
            CSV,
            {
                "content_type": "text/csv",
                "x_amzn_sagemaker_custom_attributes": "output=probabilities; on_bad=stop",
            },
            "",
        ),
    ]:
        assert server.post(f"/invocations{query}", body, **headers).json == {"predictions": wanted}
    everything = server.post("/invocations?output=all", {"dataframe_records": [ROW]}).json["predictions"]
    assert everything == told.to_dict("records")


def server_frame(*rows: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), dtype=object)


def test_the_family_may_be_chosen(server: Loopback) -> None:
    for family in ("linear", "tree"):
        told = server.desk.bundle.predict(server_frame(ROW), family).drop(columns="prediction")
        answer = server.post(
            "/invocations",
            {"dataframe_records": [ROW], "params": {"output": "probabilities", "family": family}},
        )
        assert answer.json["predictions"] == told.to_numpy().tolist()
    answer = server.post("/invocations", {"dataframe_records": [ROW], "params": {"family": "nobody"}})
    assert (answer.status, answer.json["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_numbers_are_answered_as_numbers(numbers: Loopback) -> None:
    answer = numbers.post("/invocations", {"inputs": [[0.5, 1.0], [None, 2.0]]})
    frame = server_frame({"a": 0.5, "b": 1.0}, {"a": None, "b": 2.0})
    assert answer.json["predictions"] == numbers.desk.bundle.predict(frame)["prediction"].tolist()
    refused = numbers.post("/invocations?output=probabilities", {"inputs": [[0.5, 1.0]]})
    assert (refused.status, refused.json["error_code"]) == (400, "BAD_REQUEST")
    assert "no probabilities" in refused.json["message"]


def test_what_python_writes_for_a_missing_number_is_read(numbers: Loopback) -> None:
    body = b'{"dataframe_split": {"columns": ["a", "b"], "data": [[NaN, 1.0]]}}'
    nothing = numbers.post("/invocations", body, content_type="application/json")
    assert nothing.json == numbers.post("/invocations", {"inputs": [[None, 1.0]]}).json


@pytest.mark.parametrize(
    "header",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/json;",
    ],
)
def test_content_types_that_are_read(server: Loopback, header: str) -> None:
    body = orjson.dumps({"dataframe_records": [ROW]})
    assert server.post("/invocations", body, content_type=header).status == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "application/xml",
        "application/json; charset=latin-1",
        "application/json; version=2",
        "application/json; header=absent",
        "text/csv; header=maybe",
        "text/csv; delimiter=;",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
    ],
)
def test_content_types_that_are_not_read_are_told(server: Loopback, header: str) -> None:
    answer = server.post("/invocations", CSV, content_type=header)
    assert answer.status == 415
    assert set(answer.json) == {"error_code", "message"}


def test_a_compressed_body_is_not_read(server: Loopback) -> None:
    answer = server.post("/invocations", CSV, content_type="text/csv", content_encoding="gzip")
    assert answer.status == 415


def test_csv_comes_with_a_header_or_without(server: Loopback) -> None:
    wanted = server.post("/invocations", {"dataframe_records": [ROW]}).json
    for body in (CSV, b"size,colour,day,note\n" + CSV, CSV.strip()):
        for header in ("text/csv", "text/csv; charset=utf-8"):
            assert server.post("/invocations", body, content_type=header).json == wanted
    assert server.post("/invocations", CSV, content_type="text/csv; header=absent").json == wanted


def test_the_answer_is_written_as_accepted(server: Loopback) -> None:
    body = {"dataframe_records": [ROW, ROW], "params": {"output": "probabilities"}}
    wanted = server.post("/invocations", body).json["predictions"]
    for accept in ("text/csv", "text/csv; charset=utf-8", "application/x-unknown, text/csv"):
        answer = server.post("/invocations", body, accept=accept)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.reader(io.StringIO(answer.body.decode())))
        assert [[float(cell) for cell in row] for row in rows] == wanted
    answer = server.post("/invocations", body, accept="application/jsonlines")
    assert answer.headers["content-type"] == "application/jsonlines"
    assert [orjson.loads(line) for line in answer.body.splitlines()] == wanted
    for accept in ("*/*", "application/json", "application/json, text/csv", "image/png", ""):
        assert server.post("/invocations", body, accept=accept).json["predictions"] == wanted


def test_lines_of_json_are_rows(server: Loopback) -> None:
    row = list(ROW.values())
    body = orjson.dumps(ROW) + b"\n\n" + orjson.dumps(ROW) + b"\n"
    lists = orjson.dumps(row) + b"\n" + orjson.dumps(row)
    for lines in (body, lists):
        answer = server.post("/invocations", lines, content_type="application/jsonlines")
        assert len(answer.json["predictions"]) == 2


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "exactly one of"),
        ([], "exactly one of"),
        ({"inputs": [ROW], "instances": [ROW]}, "inputs"),
        ({"messages": []}, "exactly one of"),
        ({"dataframe_split": []}, "columns"),
        ({"dataframe_records": [1]}, "list of objects"),
        ({"instances": [ROW], "params": [1]}, "params"),
        ({"instances": [ROW], "params": {"outputs": "x"}}, "'outputs'"),
        ({"instances": [ROW], "params": {"output": "x"}}, "output"),
        ({"instances": [ROW], "params": {"on_bad": "skip"}}, "on_bad"),
        ({"instances": [ROW], "params": {"on_bad": ["stop"]}}, "on_bad"),
        ({"instances": [ROW], "params": {"fill_missing": "maybe"}}, "fill_missing"),
        ({"instances": [ROW], "params": {"family": 3}}, "family"),
        ({"inputs": {"size": 1}}, "object of lists"),
        ({"inputs": {"size": [1], "colour": []}}, "as many cells"),
        ({"dataframe_records": [{"size": 1}]}, "not there: 'colour', 'day', 'note'"),
        ({"dataframe_records": [{**ROW, "size": []}]}, "'size'"),
    ],
)
def test_refusals_name_what_is_wrong_and_show_no_trace(server: Loopback, body: Any, told: str) -> None:
    answer = server.post("/invocations", body)
    assert answer.status == 400
    assert set(answer.json) == {"error_code", "message"}
    assert answer.json["error_code"] == "BAD_REQUEST"
    assert re.search(told, answer.json["message"])


def test_bad_cells_are_missing_or_stop_or_leave_their_row_empty(server: Loopback) -> None:
    rows = [ROW, {**ROW, "size": "no number"}]
    assert len(server.post("/invocations", {"dataframe_records": rows}).json["predictions"]) == 2
    stopped = server.post("/invocations", {"dataframe_records": rows, "params": {"on_bad": "stop"}})
    assert stopped.status == 400
    assert "no number" in stopped.json["message"]
    empty = server.post("/invocations?on_bad=null", {"dataframe_records": rows}).json["predictions"]
    assert empty[0] is not None
    assert empty[1] is None
    lines = server.post(
        "/invocations?on_bad=null&output=probabilities", {"dataframe_records": rows}, accept="text/csv"
    )
    assert lines.body.decode().splitlines()[1] == ",,"


def test_missing_columns_may_be_filled(server: Loopback) -> None:
    answer = server.post("/invocations", {"inputs": [{"size": 1}], "params": {"fill_missing": True}})
    assert answer.status == 200


def test_no_rows_get_no_answers(server: Loopback) -> None:
    for body in ({"dataframe_records": []}, {"instances": []}, {"dataframe_split": {"data": []}}):
        answer = server.post("/invocations", body)
        assert (answer.status, answer.json) == (200, {"predictions": []})
    answer = server.post("/invocations", b"size,colour,day,note\n", content_type="text/csv")
    assert answer.json == {"predictions": []}


def test_health_is_told(server: Loopback) -> None:
    for path in ("/ping", "/health"):
        answer = server.get(path)
        assert (answer.status, answer.body) == (200, b"\n")
    assert server.get("/version").body.decode().count(".") == 2


def test_a_server_that_stops_is_not_healthy(model: Path) -> None:
    server = Loopback(model)
    server.desk.is_ready = False
    for path in ("/ping", "/health"):
        answer = server.get(path)
        assert answer.status == 503
        assert answer.json["error_code"] == "TEMPORARILY_UNAVAILABLE"


def test_without_a_key_only_health_is_told(model: Path) -> None:
    server = Loopback(model, Settings(keys=(KEY,)))
    for path in ("/ping", "/health", "/version"):
        assert server.get(path).status == 200
    refused = server.post("/invocations", {"dataframe_records": [ROW]})
    assert (refused.status, refused.json["error_code"]) == (401, "UNAUTHENTICATED")
    allowed = server.post("/invocations", {"dataframe_records": [ROW]}, authorization=f"Bearer {KEY}")
    assert allowed.status == 200


def test_other_methods_are_refused_in_mlflows_words(server: Loopback) -> None:
    answer = server.get("/invocations")
    assert answer.status == 405
    assert "POST" in answer.headers["allow"]
    assert answer.json["error_code"] == "BAD_REQUEST"


@settings(deadline=None, max_examples=150)
@given(
    st.binary(max_size=60) | st.text('size,colour"\n1[]{}: NaN', max_size=60).map(str.encode),
    st.sampled_from(["text/csv", "application/json", "application/jsonlines", "application/x-parquet"]),
)
def test_whatever_comes_is_answered_or_refused(server: Loopback, body: bytes, kind: str) -> None:
    answer = server.post("/invocations?fill_missing=true", body, content_type=kind, accept="text/csv")
    assert answer.status in (200, 400, 413, 415)
