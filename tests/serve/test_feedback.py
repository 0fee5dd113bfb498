"""True answers: kept beside what was predicted, each once, whatever the shape they come in."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_process import ROW, Asked

from fathometer.bundle import Bundle
from fathometer.serve.desk import Desk
from fathometer.serve.feedback import truths_of
from fathometer.serve.limits import Limits
from fathometer.serve.question import RefusedError
from fathometer.serve.settings import LogSettings, Settings

QUIET = settings(max_examples=200, deadline=None)
JSON = "application/json"


@pytest.fixture
def kept(bundle: Bundle, tmp_path: Path) -> Iterator[Asked]:
    desk = Desk(bundle, Settings(log=LogSettings(tmp_path / "log")))
    yield Asked(desk)
    desk.close()


def truths_in(served: Asked) -> list[Any]:
    assert served.desk.log is not None
    connection = sqlite3.connect(served.desk.log.path)
    found = connection.execute(
        "SELECT row_key, source, value, ts_event, note FROM feedback ORDER BY id"
    ).fetchall()
    connection.close()
    return found


def test_a_true_answer_finds_its_prediction(kept: Asked) -> None:
    row = kept.ask("POST", "/predict", {"rows": [ROW]}).json["rows"][0]["id"]
    truth = {"id": row, "value": "no", "time": "2026-01-01", "source": "crm", "note": "called"}
    said = kept.ask(
        "POST", "/feedback", {"feedback": [truth, {"id": "of another server", "value": 3.5}]}
    ).json
    assert said == {"received": 2, "new": 2, "repeated": 0, "known": 1, "unknown": 1}
    assert truths_in(kept) == [
        (row, "crm", '"no"', "2026-01-01", "called"),
        ("of another server", "user", "3.5", None, None),
    ]
    assert "fathometer_labels_total 2.0" in kept.ask("GET", "/metrics").body.decode()


def test_said_again_it_is_kept_once_and_said_otherwise_beside(kept: Asked) -> None:
    for value, new in (("no", 1), ("no", 0), ("yes", 1)):
        said = kept.ask("POST", "/feedback", {"feedback": [{"id": "a", "value": value}]}).json
        assert (said["new"], said["repeated"]) == (new, 1 - new)
    assert [truth[2] for truth in truths_in(kept)] == ['"no"', '"yes"']


def test_csv_and_sagemaker_say_the_same(kept: Asked) -> None:
    table = b'\xef\xbb\xbfid,value,source\r\na,no,\r\nb,"yes, really",crm\r\n'
    assert kept.ask("POST", "/feedback", table, {"content-type": "text/csv; charset=utf-8"}).json["new"] == 2
    event = {
        "groundTruthData": {"data": "1", "encoding": "CSV"},
        "eventMetadata": {"eventId": "c"},
        "eventVersion": "0",
    }
    lines = b"\n".join(json.dumps(event | {"eventMetadata": {"eventId": name}}).encode() for name in "cd")
    assert kept.ask("POST", "/feedback", lines).json["new"] == 2
    assert [truth[:3] for truth in truths_in(kept)] == [
        ("a", "user", '"no"'),
        ("b", "crm", '"yes, really"'),
        ("c", "sagemaker", '"1"'),
        ("d", "sagemaker", '"1"'),
    ]


BAD: list[tuple[bytes, str]] = [
    (b"", JSON),
    (b"[]", JSON),
    (b'{"feedback": [1]}', JSON),
    (b'{"feedback": [{"id": 1, "value": 1}]}', JSON),
    (b'{"feedback": [{"id": "a"}]}', JSON),
    (b'{"feedback": [{"id": "", "value": 1}]}', JSON),
    (b'{"feedback": [{"id": "a", "value": null}]}', JSON),
    (b'{"feedback": [{"id": "a", "value": []}]}', JSON),
    (b'{"feedback": [{"id": "a", "value": 1, "more": 1}]}', JSON),
    (b'{"feedback": [{"id": "a", "value": 1, "source": 1}]}', JSON),
    (b'{"groundTruthData": 1, "eventMetadata": {}}', JSON),
    (b'{"groundTruthData": {"data": 1, "encoding": "BASE64"}, "eventMetadata": {"eventId": "a"}}', JSON),
    (b"id,truth\na,1\n", "text/csv"),
    (b"id,value\n\xff,1\n", "text/csv"),
    (b"id,value\na\n", "text/csv"),
    (b"id,value\na,1,2\n", "text/csv"),
    (b'id,value\n"a,1\n', "text/csv"),
    (b"id,value,value\na,1,2\n", "text/csv"),
]


@pytest.mark.parametrize(("body", "media_type"), BAD)
def test_what_is_no_true_answer_is_refused_and_nothing_kept(
    kept: Asked, body: bytes, media_type: str
) -> None:
    answer = kept.ask("POST", "/feedback", body, {"content-type": media_type})
    assert answer.status in (400, 422), answer.body
    assert truths_in(kept) == []


@given(
    st.binary(max_size=100) | st.text('id,value\n"\r', max_size=40).map(str.encode),
    st.sampled_from([JSON, "text/csv"]),
)
@QUIET
def test_whatever_the_bytes_are_they_are_read_or_refused(body: bytes, media_type: str) -> None:
    try:
        truths_of(body, media_type, Limits())
    except RefusedError as refusal:
        assert 400 <= refusal.status < 500


def test_there_is_an_end_to_how_many() -> None:
    body = json.dumps({"feedback": [{"id": "a", "value": 1}] * 11}).encode()
    with pytest.raises(RefusedError) as refusal:
        truths_of(body, JSON, Limits(feedback=10))
    assert refusal.value.status == 413
