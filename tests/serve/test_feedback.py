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

from fathometer.bundle import Bundle, open_bundle
from fathometer.serve.desk import Desk
from fathometer.serve.feedback import Truth, truths_of
from fathometer.serve.limits import Limits
from fathometer.serve.question import RefusedError
from fathometer.serve.settings import LogSettings, Settings
from fathometer.serve.truths import fitted

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
        "POST", "/feedback", {"feedback": [truth, {"id": "of another server", "value": "<b>yes"}]}
    ).json
    assert said == {"received": 2, "new": 2, "repeated": 0, "known": 1, "unknown": 1}
    assert truths_in(kept) == [
        (row, "crm", '"no"', "2026-01-01", "called"),
        ("of another server", "user", '"<b>yes"', None, None),
    ]
    assert "fathometer_labels_total 2.0" in kept.ask("GET", "/metrics").body.decode()


def test_said_again_it_is_kept_once_and_said_otherwise_beside(kept: Asked) -> None:
    for value, new in (("no", 1), ("no", 0), ("<b>yes", 1)):
        said = kept.ask("POST", "/feedback", {"feedback": [{"id": "a", "value": value}]}).json
        assert (said["new"], said["repeated"]) == (new, 1 - new)
    assert [truth[2] for truth in truths_in(kept)] == ['"no"', '"<b>yes"']


def test_csv_and_sagemaker_say_the_same(kept: Asked) -> None:
    table = b'\xef\xbb\xbfid,value,source\r\na,no,\r\nb,"<b>yes",crm\r\n'
    assert kept.ask("POST", "/feedback", table, {"content-type": "text/csv; charset=utf-8"}).json["new"] == 2
    event = {
        "groundTruthData": {"data": "no", "encoding": "CSV"},
        "eventMetadata": {"eventId": "c"},
        "eventVersion": "0",
    }
    lines = b"\n".join(json.dumps(event | {"eventMetadata": {"eventId": name}}).encode() for name in "cd")
    assert kept.ask("POST", "/feedback", lines).json["new"] == 2
    assert [truth[:3] for truth in truths_in(kept)] == [
        ("a", "user", '"no"'),
        ("b", "crm", '"<b>yes"'),
        ("c", "sagemaker", '"no"'),
        ("d", "sagemaker", '"no"'),
    ]


def test_a_compressed_body_is_refused_as_one(kept: Asked) -> None:
    assert kept.ask("POST", "/feedback", b"\x1f\x8b", {"content-encoding": "gzip"}).status == 415


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


NO_TRUTHS = [
    {"value": "No"},
    {"value": "maybe"},
    {"value": 1},
    {"value": True},
    {"value": "no", "time": "yesterday"},
    {"value": "no", "time": "2026-13-01"},
    {"value": "no", "time": ""},
]


@pytest.mark.parametrize("truth", NO_TRUTHS)
def test_what_the_model_can_never_answer_is_refused_whole_with_the_labels(
    kept: Asked, truth: dict[str, Any]
) -> None:
    sent = [{"id": "a", "value": "no"}, {"id": "b", **truth}]
    answer = kept.ask("POST", "/feedback", {"feedback": sent})
    assert answer.status == 422 and "True answer 1 (the first is 0)" in answer.json["error"]
    assert "time" in truth or "'no', '<b>yes'" in answer.json["error"]
    assert truths_in(kept) == []


def test_for_numbers_a_true_answer_is_a_number_however_it_travels(prices: Path, tmp_path: Path) -> None:
    desk = Desk(open_bundle(prices), Settings(log=LogSettings(tmp_path / "log")))
    served = Asked(desk)
    for value in ("much", True, "nan", "1_0", "", 10**400):
        assert served.ask(
            "POST", "/feedback", json.dumps({"feedback": [{"id": "a", "value": value}]}).encode()
        ).status in (400, 422)
    csv = {"content-type": "text/csv"}
    assert served.ask("POST", "/feedback", {"feedback": [{"id": "a", "value": 3.5}]}).json["new"] == 1
    assert served.ask("POST", "/feedback", b"id,value\na,3.50\n", csv).json["repeated"] == 1
    assert [truth[2] for truth in truths_in(served)] == ["3.5"]
    desk.close()


@pytest.mark.parametrize(
    ("value", "labels", "found"),
    [
        (1, ("0", "1"), "1"),
        (1.0, ("0", "1"), "1"),
        (1, ("0.0", "1.0"), "1.0"),
        (2, ("0", "1"), None),
        (True, ("False", "True"), "True"),
        (False, ("false", "true"), "false"),
        ("TRUE", ("False", "True"), None),
    ],
)
def test_a_number_or_a_truth_value_names_the_label_that_is_written_so(
    value: Any, labels: tuple[str, ...], found: str | None
) -> None:
    if found is None:
        with pytest.raises(RefusedError):
            fitted([Truth("a", value)], labels)
    else:
        assert fitted([Truth("a", value)], labels)[0].value == found


def test_there_is_an_end_to_how_many() -> None:
    body = json.dumps({"feedback": [{"id": "a", "value": 1}] * 11}).encode()
    with pytest.raises(RefusedError) as refusal:
        truths_of(body, JSON, Limits(feedback=10))
    assert refusal.value.status == 413
