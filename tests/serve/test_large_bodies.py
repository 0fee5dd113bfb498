"""Bodies that take long to be read are read elsewhere than where all others wait, and some are not read at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from in_process import NAMES, ROW, Asked

from fathometer.bundle import Bundle
from fathometer.serve import limits
from fathometer.serve.codecs.objects import object_of
from fathometer.serve.codecs.tables import read_json
from fathometer.serve.desk import Desk
from fathometer.serve.feedback import truths_of
from fathometer.serve.limits import Limits
from fathometer.serve.question import RefusedError
from fathometer.serve.settings import LogSettings, Settings

BLANK = b" " * 300_000
CELLS = list(ROW.values())
INFERENCE = {
    "inputs": [
        {"name": name, "datatype": "FP64" if name == "age" else "BYTES", "shape": [1], "data": [ROW[name]]}
        for name in NAMES
    ]
}
WAYS: dict[str, tuple[str, bytes, str]] = {
    "predict": ("/predict", json.dumps({"rows": [ROW]}).encode(), ""),
    "explain": ("/explain", json.dumps({"rows": [ROW], "permutations": 2}).encode(), ""),
    "feedback": ("/feedback", b'{"feedback": [{"id": "a", "value": "no"}]}', ""),
    "feedback as csv": ("/feedback", b"id,value\na,no\n", "text/csv"),
    "kserve": ("/v1/models/churn:predict", json.dumps({"instances": [CELLS]}).encode(), ""),
    "kserve explain": ("/v1/models/churn:explain", json.dumps({"instances": [CELLS]}).encode(), ""),
    "mlflow": ("/invocations", json.dumps({"instances": [CELLS]}).encode(), "application/json"),
    "mlflow lines": ("/invocations", json.dumps(CELLS).encode(), "application/jsonlines"),
    "oip": ("/v2/models/churn/infer", json.dumps(INFERENCE).encode(), ""),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_large_is_read_apart(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    path, body, media_type = WAYS[way]
    desk = Desk(bundle, Settings(log=LogSettings(tmp_path / "log")))
    apart, run_apart = [], desk.apart

    async def noted(function: Callable[..., Any], *arguments: Any) -> Any:
        apart.append(function.__name__)
        return await run_apart(function, *arguments)

    monkeypatch.setattr(desk, "apart", noted)
    blank = b"\n" * len(BLANK) if "csv" in way else BLANK
    said = []
    for sent in (body, body + blank):
        answer = Asked(desk).ask("POST", path, sent, {"content-type": media_type})
        assert answer.status == 200, answer.body
        said.append(list(apart))
        apart.clear()
    desk.close()
    assert len(said[1]) > len(said[0]), said


@pytest.mark.parametrize("read", [read_json, lambda body: object_of(body, ("rows",))])
def test_json_of_very_many_parts_is_not_read(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[bytes], Any]
) -> None:
    monkeypatch.setattr(limits, "MOST_PARTS", 100)
    assert read(b'{"rows": [' + b"[]," * 97 + b"[]]}") == {"rows": [[]] * 98}
    for part in (b"[]", b"{}"):
        with pytest.raises(RefusedError) as refusal:
            read(b'{"rows": [' + (part + b",") * 98 + part + b"]}")
        assert refusal.value.status == 413


def test_of_json_with_nan_each_value_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_VALUES", 100)
    assert len(read_json(b"[" + b"1," * 200 + b"1]")) == 201
    assert len(read_json(b"[" + b"1," * 99 + b"NaN]")) == 100
    with pytest.raises(RefusedError) as refusal:
        read_json(b"[" + b"1," * 100 + b"NaN]")
    assert refusal.value.status == 413


def test_true_answers_beyond_the_limit_are_not_looked_at() -> None:
    most = Limits(feedback=3)
    for body, media_type in (
        (b"id,value\n" + b"a,1\n" * 4 + b'"', "text/csv"),
        (b'{"feedback": [1, 2, 3, 4]}', "application/json"),
        (b'{"groundTruthData": 1}\n' * 4, "application/json"),
    ):
        with pytest.raises(RefusedError) as refusal:
            truths_of(body, media_type, most)
        assert refusal.value.status == 413


@pytest.mark.parametrize(
    ("path", "body", "media_type"),
    [
        ("/predict", b'{"rows": [1, 2, 3, 4]}', ""),
        ("/explain", b'{"rows": [1, 2, 3, 4]}', ""),
        ("/v1/models/churn:explain", b'{"instances": [1, 2, 3, 4]}', ""),
        ("/invocations", b"1\n" * 4, "application/jsonlines"),
    ],
)
def test_rows_beyond_the_limit_are_not_looked_at(
    bundle: Bundle, path: str, body: bytes, media_type: str
) -> None:
    served = Asked(Desk(bundle, Settings(limits=Limits(rows=3))))
    assert served.ask("POST", path, body, {"content-type": media_type}).status == 413
    served.desk.close()
