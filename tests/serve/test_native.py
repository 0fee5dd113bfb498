"""Rows as JSON objects: answered to the last bit, and whatever else comes is refused in a sentence."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from in_process import NAMES, ROW, Asked, scope_of, table

from fathometer.bundle import Bundle, open_bundle
from fathometer.data.schema import Column, Schema, learn_schema
from fathometer.serve.codecs.objects import ObjectReader
from fathometer.serve.desk import Desk
from fathometer.serve.limits import Limits
from fathometer.serve.question import Question, RefusedError
from fathometer.serve.settings import Settings

QUIET = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
SCHEMA, _ = learn_schema(table())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ROWS = st.lists(st.dictionaries(st.sampled_from([*NAMES, "other"]), VALUES, max_size=4), max_size=4)
QUESTIONS = st.dictionaries(
    st.sampled_from(["rows", "family", "on_bad", "keys", "row"]), ROWS | VALUES | st.just(["a"]), max_size=4
)


def read(body: bytes, limits: Limits | None = None) -> Question:
    return ObjectReader(SCHEMA, limits or Limits()).question(body)


@given(st.binary(max_size=200))
@QUIET
def test_whatever_the_bytes_are_they_are_read_or_refused(body: bytes) -> None:
    try:
        read(body)
    except RefusedError as refusal:
        assert 400 <= refusal.status < 500


@given(QUESTIONS)
@QUIET
def test_whatever_the_json_is_it_is_read_or_refused(question: Any) -> None:
    try:
        found = read(json.dumps(question, default=str).encode())
    except RefusedError as refusal:
        assert 400 <= refusal.status < 500
    else:
        assert len(found.frame) == len(question["rows"])


@given(ROWS)
@QUIET
def test_no_rows_whatever_make_the_server_fail(served_for_all: Asked, rows: Any) -> None:
    body = json.dumps({"rows": rows}).encode()
    assert served_for_all.ask("POST", "/predict", body).status in (200, 400, 422)


@pytest.fixture(scope="module")
def served_for_all(churn: Path) -> Asked:
    return Asked(Desk(open_bundle(churn)))


def test_json_cells_reach_the_model_as_they_are() -> None:
    cells = {"age": 0.1 + 0.2, "<i>plan": "ä\u2028\U0001f600", "since": None}
    frame = read(orjson.dumps({"rows": [cells, cells | {"age": -0.0}, cells | {"age": True}]})).frame
    assert frame.to_dict("records")[0] == cells
    assert [type(cell) for cell in frame["age"]] == [float, float, bool]


def test_thousand_rows_are_answered_to_the_last_bit(bundle: Bundle, served: Asked) -> None:
    frame = table(1000, seed=9)
    said = served.ask("POST", "/predict", {"rows": frame.to_dict("records")}).json
    wanted = bundle.predict(frame)
    assert [row["prediction"] for row in said["rows"]] == wanted["prediction"].tolist()
    for label in ("no", "<b>yes"):
        assert [row["probabilities"][label] for row in said["rows"]] == wanted[
            f"probability_{label}"
        ].tolist()


def test_numbers_are_answered_as_numbers(prices: Path) -> None:
    bundle = open_bundle(prices)
    frame = table(20, seed=4)
    said = Asked(Desk(bundle)).ask("POST", "/predict", {"rows": frame.to_dict("records")}).json
    assert [row["prediction"] for row in said["rows"]] == bundle.predict(frame)["prediction"].tolist()
    assert "probabilities" not in said["rows"][0]


def test_order_of_names_and_further_names_change_nothing(served: Asked) -> None:
    one = served.ask("POST", "/predict", {"rows": [ROW]}).json["rows"][0]
    turned = dict(reversed(ROW.items())) | {"other": [1, {"b64": "?"}]}
    two = served.ask("POST", "/predict", {"rows": [turned]}).json["rows"][0]
    assert one["probabilities"] == two["probabilities"]


def test_names_are_tidied_as_in_training(served: Asked) -> None:
    spaced = {f" {name} ": cell for name, cell in ROW.items()}
    assert served.ask("POST", "/predict", {"rows": [spaced]}).status in (200, 422)
    odd = served.ask("POST", "/predict", {"rows": [ROW, {"age": 1}]})
    assert odd.status == 422 and "Row 1 (the first is 0) has no" in odd.json["error"]


def test_what_a_further_name_holds_never_matters(served: Asked) -> None:
    one = served.ask("POST", "/predict", {"rows": [ROW]}).json["rows"][0]["probabilities"]
    spaced = {f" {name} ": cell for name, cell in ROW.items()}
    rows = [spaced | {"other": {"b64": "?"}}, ROW, spaced | {"another": [[]]}]
    said = served.ask("POST", "/predict", {"rows": rows})
    assert said.status == 200 and [row["probabilities"] for row in said.json["rows"]] == [one] * 3
    misspelt = {"photo" if name == "age" else name: cell for name, cell in ROW.items()} | {
        "photo": {"b64": ""}
    }
    for path, key in (("/predict", "rows"), ("/v1/models/churn:predict", "instances")):
        refused = served.ask("POST", path, {key: [misspelt]})
        assert refused.status in (400, 422) and "There is no column 'age'" in refused.json["error"]


def test_a_row_that_lacks_what_another_has_is_named(served: Asked) -> None:
    part = {name: cell for name, cell in ROW.items() if name != "age"}
    for rows, place in (([part, ROW], 0), ([ROW, part], 1)):
        error = served.ask("POST", "/predict", {"rows": rows}).json["error"]
        assert error.startswith(f"Row {place} (the first is 0) has no 'age'")


def test_bytes_that_are_no_text_are_called_so(served: Asked) -> None:
    for path in ("/predict", "/v1/models/churn:predict"):
        refused = served.ask("POST", path, b'{"rows": ["\xff"]}')
        assert refused.status == 400 and "not valid UTF-8 (from byte 11 on)" in refused.json["error"]


@pytest.mark.parametrize("path", ["/predict", "/explain"])
def test_a_compressed_body_is_refused_as_one(served: Asked, path: str) -> None:
    packed = gzip.compress(orjson.dumps({"rows": [ROW]}))
    refused = served.ask("POST", path, packed, {"content-encoding": "gzip"})
    assert refused.status == 415 and "compressed ('gzip')" in refused.json["error"]
    assert served.ask("POST", "/predict", {"rows": [ROW]}, {"content-encoding": "identity"}).status == 200


@pytest.mark.parametrize("path", ["/predict", "/explain"])
def test_what_is_no_json_is_sent_where_it_is_read(served: Asked, path: str) -> None:
    table = b"age,<i>plan,since\n41,gold,2024-03-01\n"
    form = "application/x-www-form-urlencoded"  # as curl says unless told otherwise
    for kind in ("text/csv", "Text/CSV; charset=utf-8", form):
        refused = served.ask("POST", path, table, {"content-type": kind})
        assert (
            refused.status == 415
            and "/invocations, with the header Content-Type: text/csv." in refused.json["error"]
        )
    assert served.ask("POST", "/invocations", table, {"content-type": "text/csv"}).status == 200
    lines = served.ask("POST", path, b"{}", {"content-type": "application/x-ndjson"})
    assert lines.status == 415 and "application/x-ndjson" in lines.json["error"]
    for kind in (form, "application/json", "text/plain", ""):
        assert served.ask("POST", path, {"rows": [ROW]}, {"content-type": kind}).status == 200


def test_one_row_is_not_called_several(served: Asked) -> None:
    error = served.ask("POST", "/predict", {"rows": [ROW], "keys": ["a", "b"]}).json["error"]
    assert "2 keys for 1 row." in error


def test_what_did_not_fit_is_told(served: Asked) -> None:
    rows = [ROW | {"age": "old"}, ROW | {"<i>plan": "paper"}, ROW]
    said = served.ask("POST", "/predict", {"rows": rows, "keys": ["a", "b", "c"]}).json
    assert said["bad_rows"] == 1
    assert said["bad"] == [{"row": 0, "column": "age", "shown": "old", "why": "it does not read as number"}]
    assert said["unseen"] == {"<i>plan": 1}
    assert [row["id"] for row in said["rows"]] == ["a", "b", "c"]
    skipped = served.ask("POST", "/predict", {"rows": rows, "on_bad": "skip"}).json
    assert [row["id"].rpartition("-")[2] for row in skipped["rows"]] == ["1", "2"]
    emptied = served.ask("POST", "/predict", {"rows": rows, "on_bad": "null"}).json
    assert emptied["rows"][0]["prediction"] is None and emptied["rows"][0]["probabilities"] is None
    assert served.ask("POST", "/predict", {"rows": rows, "on_bad": "stop"}).status == 422


def test_another_family_answers_when_asked(bundle: Bundle, served: Asked) -> None:
    said = served.ask("POST", "/predict", {"rows": [ROW], "family": "baseline"}).json
    frame = pd.DataFrame([ROW])
    assert said["family"] == "baseline"
    assert said["rows"][0]["probabilities"]["no"] == bundle.predict(frame, "baseline")["probability_no"][0]


BAD = {
    b"": 400,
    b"{": 400,
    b"\xff\xfe": 400,
    b'{"rows": [{"age": NaN}]}': 400,
    b'{"rows": [{"age": 1e999}]}': 400,
    b'{"rows": [{"age": Infinity}]}': 400,
    b'{"rows": [{"age": "\\ud800"}]}': 400,
    b"[" * 200_000: 400,
    b'{"rows":' + b"[" * 900 + b"]" * 900 + b"}": 422,
    b"null": 422,
    b"[]": 422,
    b'{"rows": {}}': 422,
    b'{"rows": [1]}': 422,
    b'{"rows": null}': 422,
    b'{"rows": [{}]}': 422,
    b"{}": 422,
    b'{"rows": [], "row": []}': 422,
    b'{"rows": [], "family": 1}': 422,
    b'{"rows": [], "family": "x"}': 404,
    b'{"rows": [], "on_bad": "x"}': 422,
    b'{"rows": [], "keys": ["a"]}': 422,
    b'{"rows": [], "keys": "a"}': 422,
}


@pytest.mark.parametrize(("body", "status"), BAD.items(), ids=[str(body[:30]) for body in BAD])
def test_bodies_that_are_no_question_are_refused(served: Asked, body: bytes, status: int) -> None:
    answer = served.ask("POST", "/predict", body)
    assert answer.status == status
    assert set(answer.json) == {"error", "request"} and answer.json["error"].endswith((".", "}", "?"))


def test_of_a_name_given_twice_the_last_counts(served: Asked) -> None:
    twice = orjson.dumps({"rows": [ROW]}).replace(b'{"age":', b'{"age":"old","age":')
    assert served.ask("POST", "/predict", twice).json["notes"] == []


def test_cells_and_rows_have_an_end() -> None:
    row = dict.fromkeys(NAMES, "x")
    with pytest.raises(RefusedError) as refusal:
        read(orjson.dumps({"rows": [row | {"age": "y" * 101}]}), Limits(cell_bytes=100))
    assert refusal.value.status == 422
    with pytest.raises(RefusedError) as refusal:
        read(orjson.dumps({"rows": [row] * 11}), Limits(rows=10))
    assert refusal.value.status == 413
    wide = {str(place): 1 for place in range(21)}
    with pytest.raises(RefusedError) as refusal:
        read(orjson.dumps({"rows": [wide]}), Limits(columns=20))
    assert refusal.value.status == 413


def test_pictures_come_as_base64_and_as_nothing_else() -> None:
    column = Column("face", "image", {}, {}, True, "")
    reader = ObjectReader(Schema((column,)), Limits())
    stream = io.BytesIO()
    PIL.Image.fromarray(np.zeros((2, 2), dtype=np.uint8)).save(stream, "PNG")
    coded = base64.b64encode(stream.getvalue()).decode()
    frame = reader.question(orjson.dumps({"rows": [{"face": {"b64": coded}}, {"face": None}]})).frame
    assert frame["face"].tolist() == [stream.getvalue(), None]
    for cell in (
        coded,
        "/etc/passwd",
        1,
        {"b64": "?"},
        {"b64": 1},
        {"bytes": "", "path": "/etc/passwd"},
        [1],
    ):
        with pytest.raises(RefusedError):
            reader.question(orjson.dumps({"rows": [{"face": cell}]}))


def test_methods_that_a_path_does_not_know_are_told_those_it_does(served: Asked) -> None:
    answer = served.ask("DELETE", "/predict")
    assert (answer.status, answer.headers["allow"]) == (405, "OPTIONS, POST")
    assert served.ask("OPTIONS", "/model").headers["allow"] == "GET, HEAD, OPTIONS"
    head, got = served.ask("HEAD", "/model"), served.ask("GET", "/model")
    assert head.body == b"" and head.headers["content-length"] == str(len(got.body))


def test_large_bodies_are_refused_by_what_they_say_and_by_what_they_are(bundle: Bundle) -> None:
    served = Asked(Desk(bundle, Settings(limits=Limits(body_bytes=1000))))
    parts = [b"x" * 300] * 5
    told = {"host": "127.0.0.1:8080", "content-length": "1500"}
    chunked = {"host": "127.0.0.1:8080", "transfer-encoding": "chunked"}
    for headers in (told, chunked, chunked | {"content-length": "abc"}):
        answer = asyncio.run(served.asking_in_parts("POST", "/predict", parts, headers))
        assert answer.status == 413 and answer.headers["connection"] == "close"
    enough = orjson.dumps({"rows": [ROW]})
    halves = [enough[:20], enough[20:]]
    assert asyncio.run(served.asking_in_parts("POST", "/predict", halves, chunked)).status == 200


def test_what_all_send_together_has_an_end_and_is_let_go(bundle: Bundle) -> None:
    served = Asked(Desk(bundle, Settings(limits=Limits(body_bytes=1000, held_bytes=1500))))
    headers = {"host": "127.0.0.1:8080", "transfer-encoding": "chunked"}

    async def scene() -> list[int]:
        going_on = asyncio.Event()

        async def slow(parts: list[bytes]) -> int:
            sent: list[Any] = []

            async def receive() -> Any:
                if len(parts) == 1:
                    await going_on.wait()
                return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

            async def send(message: Any) -> None:
                sent.append(message)

            await served.app(scope_of("POST", "/predict", headers), receive, send)
            return int(sent[0]["status"])

        tasks = [asyncio.create_task(slow([b"x" * 700, b"x"])) for _ in range(3)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        going_on.set()
        return [*[task.result() for task in done], *sorted([await task for task in tasks])]

    assert asyncio.run(scene()) == [503, 400, 400, 503]
    assert served.ask("POST", "/predict", {"rows": [ROW]}).status == 200
    assert served.app.app._bodies.held_bytes == 0


def test_a_length_that_is_none_is_too_large(served: Asked) -> None:
    headers = {"host": "127.0.0.1:8080", "content-length": "9" * 5000}
    assert asyncio.run(served.asking_in_parts("POST", "/predict", [b"{}"], headers)).status == 413


def test_large_questions_are_answered_the_same(served: Asked) -> None:
    rows = [ROW | {"other": "x" * 1000}] * 400
    said = served.ask("POST", "/predict", {"rows": rows}).json["rows"]
    small = served.ask("POST", "/predict", {"rows": [ROW]}).json["rows"]
    assert {json.dumps(row["probabilities"]) for row in said} == {json.dumps(small[0]["probabilities"])}


def test_requests_keep_the_clients_name_where_it_is_one(served: Asked) -> None:
    names = {"abc-1": True, "a b": False, "x" * 65: False, "é": False}
    for name, is_kept in names.items():
        answer = served.ask("POST", "/predict", {"rows": [ROW]}, {"x-request-id": name})
        assert (answer.headers["x-request-id"] == name) is is_kept
        assert answer.json["request"] == answer.headers["x-request-id"]


def test_a_server_that_stops_says_so(served: Asked) -> None:
    assert served.ask("GET", "/readyz").status == 200
    served.desk.is_ready = False
    assert served.ask("GET", "/readyz").status == 503
    assert served.ask("GET", "/livez").status == 200
    answer = served.ask("POST", "/predict", {"rows": [ROW]})
    assert answer.status == 200 and answer.headers["connection"] == "close"
