"""Clients that exist already get the model's own answers, bit by bit, without a line of theirs being changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from live_models import ROWS, Server

Client = Callable[..., Any]

# a client that has no missing texts sends empty ones, which count as missing too
MODEL = "parcels"


@pytest.fixture(scope="module")
def wanted(server: Server) -> dict[str, Any]:
    told = server.answers()
    probabilities = told.drop(columns="prediction").to_numpy()
    return {"prediction": told["prediction"].tolist(), "probabilities": probabilities.tolist()}


def test_tritonclient(server: Server, client: Client, wanted: dict[str, Any]) -> None:
    told = client("triton.py", host=server.host, model=MODEL, rows=ROWS)
    assert told["live"] and told["ready"] and told["model ready"]
    assert told["server"]["name"] == "fathometer"
    assert told["model"]["versions"] == [server.bundle.version]
    assert told["index"][0]["name"] == MODEL
    assert set(told["answers"]) == {
        *("True True", "True False", "False True", "False False"),
        *("by default", "not waited for"),
    }
    for mode, answers in told["answers"].items():
        assert answers == wanted | {"id": "mine"}, mode
    numbers = np.array(wanted["probabilities"])
    for row, (first, second) in zip(numbers, told["likeliest"], strict=True):
        assert float(first.split(":")[0]) == row.max()
        assert float(second.split(":")[0]) == np.sort(row)[-2]
    statuses, messages = zip(*told["errors"], strict=True)
    assert [str(status) for status in statuses] == ["404", "400", "400", "415"]
    assert "nobody" in messages[0] and "'colour'" in messages[1] and "nothing" in messages[2]


def test_kserve(server: Server, client: Client, wanted: dict[str, Any]) -> None:
    columns = {"size": "FP64", "colour": "BYTES", "day": "BYTES", "note": "BYTES"}
    told = client("kserve_rest.py", url=server.url, model=MODEL, rows=ROWS, columns=columns)
    first, second = told["1"], told["2"]
    assert first["live"] and first["ready"]
    assert first["labels"] == wanted["prediction"]
    assert first["probabilities"] == wanted["probabilities"]
    assert first["explained"]["predictions"] == wanted["prediction"][:1]
    assert "colour" in first["error"]
    assert second["live"] and second["ready"] and second["model ready"]
    assert not second["no such model"]
    assert set(second["answers"]) == {"True True", "True False", "False True", "False False"}
    for mode, answers in second["answers"].items():
        assert answers == wanted | {"id": "mine"}, mode


def test_mlflow(server: Server, client: Client, wanted: dict[str, Any]) -> None:
    told = client("mlflow_scoring.py", host=server.host, rows=ROWS)
    assert told["version"].count(".") == 2
    assert told["labels"] == wanted["prediction"]
    for way in ("frame", "moments", "list", "array"):
        assert told[way] == wanted["probabilities"], way
    assert [row["prediction"] for row in told["all"]] == wanted["prediction"]
    assert "colour" in told["error"] and "400" in told["error"]
