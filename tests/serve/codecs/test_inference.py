"""Tensors are the columns of a table, however they are sent; and nothing but a refusal comes of anything else."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathometer.data.schema import Column, Schema
from fathometer.serve.codecs.inference import Inference, Wanted, read_inference, write_inference
from fathometer.serve.codecs.tensors import DATATYPES, Tensor, from_bytes, to_bytes, to_json
from fathometer.serve.limits import Limits
from fathometer.serve.question import RefusedError, Reply

LIMITS = Limits()


def schema_of(**kinds: str) -> Schema:
    return Schema(tuple(Column(name, kind, {}, {}, False, "") for name, kind in kinds.items()))


SCHEMA = schema_of(age="number", plan="category")
NUMBERS = schema_of(a="number", b="number", c="number")
PNG = b"\x89PNG\r\n\x1a\n"


def floats(name: str, shape: Sequence[int], values: Sequence[float], datatype: str = "FP64") -> Tensor:
    kind = {"FP64": "<f8", "FP32": "<f4", "INT64": "<i8"}[datatype]
    return Tensor(name, datatype, tuple(shape), np.array(values, dtype=kind))


def texts(name: str, *values: str | bytes | None) -> Tensor:
    return Tensor(name, "BYTES", (len(values),), None, values)


def sent(*tensors: Tensor, is_binary: bool, **asked: Any) -> tuple[bytes, str | None]:
    """(body, header) as a client sends these tensors."""
    inputs, tails = [], []
    for tensor in tensors:
        one: dict[str, Any] = {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": list(tensor.shape),
        }
        if is_binary:
            tails.append(to_bytes(tensor))
            nulls = tensor.null_index()
            one["parameters"] = {"binary_data_size": len(tails[-1])} | (
                {"null_index": nulls} if nulls else {}
            )
        else:
            one["data"] = to_json(tensor)
        inputs.append(one)
    head = orjson.dumps({"inputs": inputs} | asked)
    return b"".join([head, *tails]), str(len(head)) if is_binary else None


def read(*tensors: Tensor, schema: Schema = SCHEMA, is_binary: bool = False, **asked: Any) -> Inference:
    return read_inference(*sent(*tensors, is_binary=is_binary, **asked), schema, LIMITS)


def rows(frame: pd.DataFrame) -> list[list[Any]]:
    values = zip(*(frame[name].tolist() for name in frame), strict=True)
    return [[None if cell is None or cell != cell else cell for cell in row] for row in values]


@pytest.mark.parametrize("is_binary", [False, True])
def test_one_input_is_one_column(is_binary: bool) -> None:
    age, plan = floats("age", [3], [1.5, np.nan, 1e300]), texts("plan", "007", None, "ü")
    frame = read(age, plan, is_binary=is_binary).frame
    assert rows(frame[["age", "plan"]]) == [[1.5, "007"], [None, None], [1e300, "ü"]]


@pytest.mark.parametrize("is_binary", [False, True])
def test_a_column_may_stand_upright(is_binary: bool) -> None:
    frame = read(floats("age", [2, 1], [1, 2]), texts("plan", "a", "b"), is_binary=is_binary).frame
    assert rows(frame) == [[1.0, "a"], [2.0, "b"]]


@pytest.mark.parametrize("is_binary", [False, True])
@pytest.mark.parametrize("datatype", ["FP64", "FP32", "INT64"])
def test_one_input_of_two_dimensions_is_the_table_in_the_schemas_order(
    is_binary: bool, datatype: str
) -> None:
    table = floats("input0", [2, 3], [1, 2, 3, 4, 5, 6], datatype)
    frame = read(table, schema=NUMBERS, is_binary=is_binary).frame
    assert list(frame.columns) == ["a", "b", "c"]
    assert rows(frame) == [[1, 2, 3], [4, 5, 6]]


def test_a_table_may_be_of_texts() -> None:
    table = Tensor("rows", "BYTES", (2, 2), None, ("1", "a", None, "b"))
    assert rows(read(table).frame) == [["1", "a"], [None, "b"]]
    assert rows(read(table, is_binary=True).frame) == [["1", "a"], [None, "b"]]


def test_numbers_keep_their_type() -> None:
    frame = read(floats("age", [1], [2**53 + 1], "INT64"), texts("plan", "a")).frame
    assert frame["age"].tolist() == [2**53 + 1]
    assert frame["age"].dtype == np.int64


def test_pictures_come_raw_or_in_base64_or_as_pixels() -> None:
    schema, coded = schema_of(face="image"), base64.b64encode(PNG)
    assert read(texts("face", PNG, None), schema=schema, is_binary=True).frame["face"].tolist() == [PNG, None]
    assert read(texts("face", coded.decode()), schema=schema).frame["face"].tolist() == [PNG]
    body = orjson.dumps(
        {
            "inputs": [
                {
                    "name": "face",
                    "datatype": "BYTES",
                    "shape": [1],
                    "parameters": {"content_type": "base64", "binary_data_size": 4 + len(coded)},
                }
            ]
        }
    )
    tail = len(coded).to_bytes(4, "little") + coded
    frame = read_inference(body + tail, str(len(body)), schema, LIMITS).frame
    assert frame["face"].tolist() == [PNG]
    pixels = Tensor("face", "UINT8", (2, 2, 3, 1), np.arange(12, dtype=np.uint8))
    frame = read(pixels, schema=schema, is_binary=True).frame
    assert [cell.shape for cell in frame["face"]] == [(2, 3, 1)] * 2


def test_a_body_without_json_is_the_one_input() -> None:
    assert read_inference(PNG, "0", schema_of(face="image"), LIMITS).frame["face"].tolist() == [PNG]
    assert read_inference(b"caf\xc3\xa9", "0", schema_of(note="text"), LIMITS).frame["note"].tolist() == [
        "café"
    ]
    raw = np.array([1.5, 2.5]).tobytes()
    assert read_inference(raw, "0", schema_of(a="number"), LIMITS).frame["a"].tolist() == [1.5, 2.5]
    for body, schema in ((raw, NUMBERS), (raw[:-1], schema_of(a="number")), (b"\xff", schema_of(n="text"))):
        with pytest.raises(RefusedError):
            read_inference(body, "0", schema, LIMITS)


def test_what_is_asked_for_besides_is_read() -> None:
    asked = read(
        floats("age", [1], [1]),
        texts("plan", "a"),
        id="mine",
        parameters={
            "family": "deep",
            "on_bad": "null",
            "binary_data_output": True,
            "content_type": "pd",
            "priority": 3,
        },
        outputs=[
            {"name": "probabilities", "parameters": {"binary_data": False, "classification": 2}},
            {"name": "prediction"},
        ],
    )
    assert asked.request == "mine"
    assert (asked.manner.family, asked.manner.on_bad) == ("deep", "null")
    assert asked.outputs == (Wanted("probabilities", False, 2), Wanted("prediction", True, 0))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"inputs": []}, "at least one"),
        ({"inputs": None}, "at least one"),
        ({"id": 3}, '"id"'),
        ({"outputs": {}}, '"outputs"'),
        ({"outputs": [{"name": "prediction"}] * 2}, "Two"),
        ({"parameters": []}, "parameters of the request"),
        ({"parameters": {"on_bad": "skip"}}, "on_bad"),
        ({"parameters": {"binary_data_output": 1}}, "binary_data_output"),
    ],
)
def test_a_request_that_is_none_is_refused(change: Mapping[str, Any], told: str) -> None:
    one = {"name": "age", "datatype": "FP64", "shape": [1], "data": [1]}
    body = orjson.dumps({"inputs": [one]} | dict(change))
    with pytest.raises(RefusedError, match=told):
        read_inference(body, None, SCHEMA, LIMITS)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 2000}, "name"),
        ({"shape": [2]}, "Expected 2 values"),
        ({"shape": [1, 1, 1]}, r"\[rows\] or \[rows, 1\]"),
        ({"shape": [2**31 - 1]}, "At most 10,000 rows"),
        ({"datatype": "BYTES"}, "Expected texts"),
        ({"data": None}, "a list"),
        ({"parameters": {"binary_data_size": 8}}, "binary_data_size"),
        ({"parameters": {"null_index": "0,9"}}, "null_index"),
        ({"parameters": {"null_index": 3}}, "null_index"),
        ({"parameters": {"null_index": "-1"}}, "null_index"),
    ],
)
def test_an_input_that_is_none_is_refused(change: Mapping[str, Any], told: str) -> None:
    one = {"name": "age", "datatype": "FP64", "shape": [1], "data": [1]} | dict(change)
    with pytest.raises(RefusedError, match=told):
        read_inference(orjson.dumps({"inputs": [one]}), None, SCHEMA, LIMITS)


def test_inputs_of_different_lengths_or_one_name_are_refused() -> None:
    with pytest.raises(RefusedError, match="from 1 to 2"):
        read(floats("age", [1], [1]), texts("plan", "a", "b"))
    with pytest.raises(RefusedError, match="Two"):
        read(floats("age", [1], [1]), floats("age", [1], [1]))


def test_a_binary_body_must_be_used_up_and_not_be_cut() -> None:
    body, header = sent(floats("age", [2], [1, 2]), texts("plan", "a", "b"), is_binary=True)
    for wrong in (body[:-1], body + b"x"):
        with pytest.raises(RefusedError) as refusal:
            read_inference(wrong, header, SCHEMA, LIMITS)
        assert refusal.value.status == 400
    for length in ("-1", "x", str(len(body) + 1), "9" * 30, "٣", ""):
        with pytest.raises(RefusedError):
            read_inference(body, length, SCHEMA, LIMITS)


def test_empty_shapes_hold_no_rows_and_make_none() -> None:
    assert read(floats("age", [0], []), texts("plan")).frame.shape == (0, 2)
    with pytest.raises(RefusedError):
        read(
            Tensor("face", "UINT8", (2**31 - 1, 0, 0), np.zeros(0, np.uint8)), schema=schema_of(face="image")
        )


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, str | None]:
    """Requests that are nearly right: true ones with bytes changed, cut or put in."""
    body, header = sent(floats("age", [2], [1, 2]), texts("plan", "a", "b"), is_binary=draw(st.booleans()))
    raw = bytearray(body)
    for place, byte in draw(
        st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), max_size=4)
    ):
        raw[place] = byte
    cut = draw(st.integers(0, len(raw)))
    raw = raw[:cut] + draw(st.binary(max_size=5)) + raw[cut:] if draw(st.booleans()) else raw[:cut]
    return bytes(raw), draw(st.sampled_from([header, None, "0", str(cut)]))


@given(bodies())
def test_of_any_bytes_comes_an_inference_or_a_refusal(body: tuple[bytes, str | None]) -> None:
    for schema in (SCHEMA, NUMBERS, schema_of(face="image"), schema_of(age="number")):
        try:
            read_inference(*body, schema, LIMITS)
        except RefusedError as refusal:
            assert refusal.status in (400, 413)
            assert len(str(refusal)) < 500


SMALL = st.recursive(
    st.sampled_from([None, True, 0, 1, -1, 2**40, 0.5, "age", "plan", "FP64", "BYTES", "1,2", "base64", ""]),
    lambda inside: st.lists(inside, max_size=3),
    max_leaves=5,
)
INPUT = st.fixed_dictionaries(
    {"name": st.sampled_from(["age", "plan", "x"]) | SMALL, "datatype": st.sampled_from(DATATYPES) | SMALL},
    optional={
        "shape": st.lists(st.integers(0, 3), max_size=3) | SMALL,
        "data": st.lists(SMALL, max_size=4) | SMALL,
        "parameters": st.dictionaries(
            st.sampled_from(["binary_data_size", "null_index", "content_type"]), SMALL
        ),
    },
)


@given(
    st.fixed_dictionaries(
        {"inputs": st.lists(INPUT, max_size=3) | SMALL},
        optional={
            "id": SMALL,
            "outputs": SMALL | st.lists(st.dictionaries(st.sampled_from(["name", "parameters"]), SMALL)),
            "parameters": SMALL | st.dictionaries(st.sampled_from(["family", "binary_data_output"]), SMALL),
        },
    ),
    st.binary(max_size=30),
)
def test_of_any_json_comes_an_inference_or_a_refusal(value: Any, tail: bytes) -> None:
    head = json.dumps(value).encode()
    for schema in (SCHEMA, NUMBERS, schema_of(face="image")):
        for body, header in ((head, None), (head + tail, str(len(head)))):
            try:
                read_inference(body, header, schema, LIMITS)
            except RefusedError as refusal:
                assert refusal.status in (400, 413)


def reply(prediction: Any, labels: Sequence[str] = ()) -> Reply:
    prediction = np.asarray(prediction, dtype=np.float64)
    if labels:
        names = [None if np.isnan(row).any() else labels[int(row.argmax())] for row in prediction]
        answers = pd.DataFrame({"prediction": pd.Series(names, dtype=object)})
    else:
        answers = pd.DataFrame({"prediction": prediction})
    places = np.arange(len(prediction))
    return Reply(
        "mine", "churn", "abc", "deep", places, answers, prediction, tuple(labels), ("r",) * len(places)
    )


def outputs_of(body: bytes, length: int | None) -> dict[str, Tensor]:
    """The outputs as a client reads them."""
    head = orjson.loads(body if length is None else body[:length])
    tail = b"" if length is None else body[length:]
    found = {}
    for one in head["outputs"]:
        shape = tuple(one["shape"])
        if "data" in one:
            assert "parameters" not in one
            kind = "<f8" if one["datatype"] == "FP64" else None
            numbers = None if kind is None else np.array(one["data"], dtype=kind)
            found[one["name"]] = Tensor(
                one["name"], one["datatype"], shape, numbers, () if kind else tuple(one["data"])
            )
        else:
            size = one["parameters"]["binary_data_size"]
            tensor = from_bytes(one["name"], one["datatype"], shape, tail[:size])
            nulls = one["parameters"].get("null_index", "")
            found[one["name"]] = tensor.without([int(place) for place in nulls.split(",") if place])
            tail = tail[size:]
    assert not tail
    return found


LABELS = ("no", "ja, später", "")


@pytest.mark.parametrize("is_binary", [False, True])
def test_answers_are_labels_and_probabilities_bit_by_bit(is_binary: bool) -> None:
    numbers = np.random.default_rng(0).dirichlet([1, 1, 1], 5)
    numbers[3] = np.nan
    asked = Inference(pd.DataFrame(), read(floats("a", [1], [1])).manner, "mine", (), is_binary)
    found = outputs_of(*write_inference(reply(numbers, LABELS), asked))
    assert set(found) == {"prediction", "probabilities"}
    told = found["probabilities"].numbers
    assert told is not None
    np.testing.assert_array_equal(told.reshape(5, 3), numbers)
    wanted = [None if np.isnan(row).any() else LABELS[int(row.argmax())] for row in numbers]
    given = [text.decode() if isinstance(text, bytes) else text for text in found["prediction"].texts]
    assert given == wanted


def test_numbers_are_answered_as_numbers() -> None:
    asked = read(floats("age", [1], [1]), texts("plan", "a"))
    body, length = write_inference(reply([0.1, 1e300, np.nan]), asked)
    said = orjson.loads(body)
    assert length is None
    assert said["outputs"] == [
        {"name": "prediction", "datatype": "FP64", "shape": [3], "data": [0.1, 1e300, None]}
    ]
    assert (said["model_name"], said["model_version"]) == ("churn", "abc")
    assert "id" not in said


def test_only_what_is_asked_for_is_answered_in_its_order() -> None:
    asked = read(
        floats("age", [1], [1]),
        texts("plan", "a"),
        id="7",
        outputs=[
            {"name": "probabilities", "parameters": {"binary_data": True}},
            {"name": "prediction"},
        ],
    )
    body, length = write_inference(reply([[0.25, 0.75]], ("no", "yes")), asked)
    said = orjson.loads(body[:length])
    assert [one["name"] for one in said["outputs"]] == ["probabilities", "prediction"]
    assert body[length:] == np.array([0.25, 0.75]).tobytes()
    assert said["id"] == "7"


def test_the_likeliest_classes_are_texts() -> None:
    asked = read(
        floats("age", [1], [1]),
        outputs=[{"name": "probabilities", "parameters": {"classification": 2}}],
    )
    found = outputs_of(*write_inference(reply([[0.2, 0.5, 0.3]], ("a", "b", "c")), asked))
    assert found["probabilities"].shape == (1, 2)
    assert found["probabilities"].texts == ("0.5:1:b", "0.3:2:c")


@pytest.mark.parametrize("name", ["probability", "", "PREDICTION", "probabilities"])
def test_an_output_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(RefusedError, match=r"name|output"):
        write_inference(reply([1.0]), read(floats("age", [1], [1]), outputs=[{"name": name}]))
