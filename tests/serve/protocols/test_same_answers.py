"""The law of every way to ask: the same rows get bit-equal answers."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from loopback import Loopback
from small_models import make_model

import fathometer as fm
from fathometer.bundle import open_bundle, pack_archive
from fathometer.tasks.classification import Classification

ROWS = 1_000
CODES = ("007", "7", "1.0", "1", "x y", "true")
EXTREMES = ("1e308", "-1.7976931348623157e+308", "5e-324", "0", "-0.0", "9007199254740993", "1e-30", "12.50")
WORDS = ("good", "bad", "slow", 'so "fast"', "again,", "naïve", "line\nbreak", "Ω", "😀")

Floats = npt.NDArray[np.float64]


def numbers(rng: np.random.Generator, rows: int) -> list[str]:
    return [repr(float(value)) for value in rng.normal(size=rows) * 10.0 ** rng.integers(-3, 3, rows)]


def training(rng: np.random.Generator, rows: int = 160) -> pd.DataFrame:
    amounts, codes = numbers(rng, rows), rng.choice(np.array(CODES, dtype=object), rows)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300 * 86_400, rows), unit="s")
    notes = [" ".join(rng.choice(WORDS, 6)) for _ in range(rows)]
    signal = np.sign(np.array(amounts, dtype=float)) + (codes == "007") + (days.month > 6)
    kind = np.where(signal + rng.normal(0, 0.5, rows) > 0.5, "yes", "no")
    return pd.DataFrame(
        {
            "amount": amounts,
            "code": codes,
            "day": days.strftime("%Y-%m-%dT%H:%M:%S"),
            "note": notes,
            "kind": kind,
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a number, a category that looks like numbers, a moment and a text; a tree and a network answer."""
    frame = training(np.random.default_rng(0))
    target = (frame.pop("kind") == "yes").to_numpy().astype(np.int64)
    return make_model(
        tmp_path_factory.mktemp("law") / "model",
        frame,
        target,
        Classification("kind", "log_loss", 0.01, ("no", "yes")),
        kinds={"amount": "number", "code": "category", "day": "moment", "note": "text"},
        learners=("linear", "boosting", "mlp"),
    )


@pytest.fixture(scope="module")
def server(folder: Path) -> Loopback:
    return Loopback(folder)


@pytest.fixture(scope="module")
def asked() -> pd.DataFrame:
    """Rows as texts, None where missing: also far outside of what was trained on."""
    rng = np.random.default_rng(1)
    frame = training(rng, ROWS).drop(columns="kind").astype(object)
    frame.loc[: len(EXTREMES) - 1, "amount"] = EXTREMES
    frame.loc[10:30, "code"] = ["never seen", "nan?", "1.00", "0", "TRUE", "7.0", "'"] * 3
    frame.loc[40:44, "day"] = ["1969-12-31", "2262-01-01", "1677-12-31T00:00:01", "9999-12-31", "2024-02-29"]
    for name in frame.columns:
        frame.loc[rng.random(ROWS) < 0.1, name] = None
    return frame


@pytest.fixture(scope="module")
def wanted(folder: Path, asked: pd.DataFrame) -> Floats:
    return probabilities(open_bundle(folder).predict(asked))


def probabilities(answers: pd.DataFrame) -> Floats:
    return answers[["probability_no", "probability_yes"]].to_numpy(dtype=np.float64)


def typed(asked: pd.DataFrame) -> pd.DataFrame:
    """The same rows with numbers as numbers."""
    amounts = [None if cell is None else float(cell) for cell in asked["amount"]]
    return asked.assign(amount=pd.Series(amounts, dtype=object))


def cells(frame: pd.DataFrame) -> list[list[Any]]:
    return [list(row) for row in zip(*(frame[name].tolist() for name in frame), strict=True)]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(frame.columns, row, strict=True)) for row in cells(frame)]


def parquet_of(frame: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pandas(frame), stream)
    return stream.getvalue()


def csv_of(frame: pd.DataFrame, header: bool = True) -> bytes:
    return frame.to_csv(index=False, header=header).encode()


def of_mlflow(server: Loopback, body: Any, **headers: str) -> Floats:
    answer = server.post("/invocations?output=probabilities", body, **headers)
    assert answer.status == 200, answer.body[:500]
    return np.array(answer.json["predictions"], dtype=np.float64)


def native(server: Loopback, frame: pd.DataFrame) -> Floats:
    answer = server.post("/predict", {"rows": records(frame)})
    assert answer.status == 200, answer.body[:500]
    told = [row["probabilities"] for row in answer.json["rows"]]
    return np.array([[row["no"], row["yes"]] for row in told], dtype=np.float64)


def kserve(server: Loopback, instances: list[Any]) -> Floats:
    asked = {"instances": instances, "parameters": {"output": "probabilities"}}
    answer = server.post(f"/v1/models/{server.desk.name}:predict", asked)
    assert answer.status == 200, answer.body[:500]
    return np.array(answer.json["predictions"], dtype=np.float64)


def mlflow_json(grammar: str, rows: Callable[[pd.DataFrame], Any]) -> Callable[..., Floats]:
    return lambda server, frame: of_mlflow(server, {grammar: rows(frame)})


def in_csv(server: Loopback, frame: pd.DataFrame) -> Floats:
    return of_mlflow(server, csv_of(frame), content_type="text/csv")


def in_csv_without_header(server: Loopback, frame: pd.DataFrame) -> Floats:
    return of_mlflow(server, csv_of(frame, header=False), content_type="text/csv; charset=utf-8")


def out_as_csv(server: Loopback, frame: pd.DataFrame) -> Floats:
    answer = server.post(
        "/invocations?output=probabilities", csv_of(frame), content_type="text/csv", accept="text/csv"
    )
    assert answer.status == 200, answer.body[:500]
    lines = answer.body.decode().splitlines()
    return np.array([[float(cell) for cell in line.split(",")] for line in lines])


def in_lines(server: Loopback, frame: pd.DataFrame) -> Floats:
    body = b"\n".join(map(orjson.dumps, records(frame)))
    return of_mlflow(server, body, content_type="application/jsonlines")


def in_parquet(server: Loopback, frame: pd.DataFrame) -> Floats:
    return of_mlflow(server, parquet_of(frame), content_type="application/x-parquet")


def in_typed_parquet(server: Loopback, frame: pd.DataFrame) -> Floats:
    amounts = typed(frame)["amount"].astype(float)
    return in_parquet(server, frame.assign(amount=amounts))


WAYS: Mapping[str, Callable[[Loopback, pd.DataFrame], Floats]] = {
    "native": native,
    "native, numbers": lambda server, frame: native(server, typed(frame)),
    "split": mlflow_json("dataframe_split", lambda frame: {"columns": list(frame), "data": cells(frame)}),
    "split, numbers": mlflow_json(
        "dataframe_split", lambda frame: {"columns": list(frame), "data": cells(typed(frame))}
    ),
    "records": mlflow_json("dataframe_records", lambda frame: records(typed(frame))),
    "instances": mlflow_json("instances", lambda frame: cells(typed(frame))),
    "inputs": mlflow_json("inputs", lambda frame: {name: frame[name].tolist() for name in frame}),
    "csv": in_csv,
    "csv without header": in_csv_without_header,
    "csv there and back": out_as_csv,
    "lines": in_lines,
    "parquet": in_parquet,
    "parquet, numbers": in_typed_parquet,
    "kserve v1, objects": lambda server, frame: kserve(server, records(typed(frame))),
    "kserve v1, lists": lambda server, frame: kserve(server, cells(frame)),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_rows_get_bit_equal_answers(
    way: str, server: Loopback, asked: pd.DataFrame, wanted: Floats
) -> None:
    assert WAYS[way](server, asked).tobytes() == wanted.tobytes()


def as_tensors(frame: pd.DataFrame, is_binary: bool, as_numbers: bool) -> tuple[bytes, dict[str, str]]:
    """(body, headers): every column a tensor; missing ones are null, NaN or in null_index."""
    inputs: list[dict[str, Any]] = []
    tails: list[bytes] = []
    for name in frame:
        column = frame[name].tolist()
        told: dict[str, Any] = {"name": name, "shape": [len(column)], "datatype": "BYTES"}
        if name == "amount" and as_numbers:
            told["datatype"] = "FP64"
            column = [None if cell is None else float(cell) for cell in column]
        if not is_binary:
            told["data"] = column
        elif told["datatype"] == "FP64":
            tails.append(np.array(column, dtype=np.float64).tobytes())
            told["parameters"] = {"binary_data_size": len(tails[-1])}
        else:
            raw = [(cell or "").encode() for cell in column]
            tails.append(b"".join(len(text).to_bytes(4, "little") + text for text in raw))
            nulls = ",".join(str(place) for place, cell in enumerate(column) if cell is None)
            told["parameters"] = {"binary_data_size": len(tails[-1]), "null_index": nulls}
        inputs.append(told)
    head = orjson.dumps({"inputs": inputs, "outputs": [{"name": "probabilities"}]})
    headers = {"inference-header-content-length": str(len(head))} if is_binary else {}
    return b"".join([head, *tails]), headers


@pytest.mark.parametrize("is_binary", [False, True])
@pytest.mark.parametrize("as_numbers", [False, True])
def test_tensors_get_bit_equal_answers(
    is_binary: bool, as_numbers: bool, server: Loopback, asked: pd.DataFrame, wanted: Floats
) -> None:
    body, headers = as_tensors(asked, is_binary, as_numbers)
    path = f"/v2/models/{server.desk.name}/versions/{server.desk.version}/infer"
    answer = server.ask("POST", path, body, headers)
    assert answer.status == 200, answer.body[:500]
    told = answer.json["outputs"][0]
    assert np.array(told["data"]).reshape(told["shape"]).tobytes() == wanted.tobytes()
    body = body.replace(
        b'{"name":"probabilities"}', b'{"name":"probabilities","parameters":{"binary_data":true}}'
    )
    if is_binary:
        head = int(headers["inference-header-content-length"])
        headers["inference-header-content-length"] = str(head + len(',"parameters":{"binary_data":true}'))
    answer = server.ask("POST", path, body, headers)
    assert answer.status == 200, answer.body[:500]
    assert answer.body[int(answer.headers["inference-header-content-length"]) :] == wanted.tobytes()


def test_files_and_archives_get_bit_equal_answers(
    folder: Path, asked: pd.DataFrame, wanted: Floats, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_bytes(csv_of(asked))
    answers = fm.predict(folder, tmp_path / "rows.csv")
    assert probabilities(answers).tobytes() == wanted.tobytes()
    pack_archive(folder, tmp_path / "model.fathom")
    again = open_bundle(tmp_path / "model.fathom").predict(typed(asked))
    assert probabilities(again).tobytes() == wanted.tobytes()


def test_the_rows_tell_the_ways_apart(folder: Path, asked: pd.DataFrame, wanted: Floats) -> None:
    """Or the law would be kept by a model that looks at nothing."""
    assert len(np.unique(wanted, axis=0)) > 0.5 * ROWS
    bundle = open_bundle(folder)
    seven = asked.assign(code=asked["code"].where(asked["code"] != "007", "7"))
    assert (probabilities(bundle.predict(seven)) != wanted).any()


def test_a_row_alone_is_answered_as_among_others(
    server: Loopback, asked: pd.DataFrame, wanted: Floats
) -> None:
    for place in (0, 1, 5, 12, 41, 500):
        row = asked.iloc[place : place + 1]
        np.testing.assert_allclose(in_csv(server, row)[0], wanted[place], rtol=0, atol=1e-6)
