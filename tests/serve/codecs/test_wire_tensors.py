"""Tensors come back as they were sent, in JSON and in raw bytes, and nothing but a refusal comes of anything else."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fathometer.serve.codecs.tensors import (
    DATATYPES,
    DTYPES,
    MOST_AXES,
    Tensor,
    checked_shape,
    from_bytes,
    from_json,
    to_bytes,
    to_json,
)
from fathometer.serve.question import RefusedError

SHAPES = st.lists(st.integers(0, 5), min_size=1, max_size=4).map(tuple)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=3), inside, max_size=3),
    max_leaves=12,
)


@st.composite
def numbers(draw: st.DrawFn) -> Tensor:
    datatype, shape = draw(st.sampled_from(sorted(DTYPES))), draw(SHAPES)
    values = draw(hnp.arrays(DTYPES[datatype], math.prod(shape)))
    return Tensor("x", datatype, shape, values)


@st.composite
def texts(draw: st.DrawFn) -> Tensor:
    shape = draw(SHAPES)
    size = math.prod(shape)
    return Tensor(
        "x", "BYTES", shape, None, tuple(draw(st.lists(TEXTS | st.none(), min_size=size, max_size=size)))
    )


def nested(flat: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """Row by row, one list within another, as the shape says."""
    if len(shape) == 1:
        return flat
    width = math.prod(shape[1:])
    return [nested(flat[row * width : (row + 1) * width], shape[1:]) for row in range(shape[0])]


def same(one: Tensor, other: Tensor) -> bool:
    assert one.numbers is not None and other.numbers is not None
    return one.shape == other.shape and one.numbers.tobytes() == other.numbers.tobytes()


@given(numbers())
def test_numbers_come_back_from_bytes_bit_by_bit(tensor: Tensor) -> None:
    assert same(from_bytes("x", tensor.datatype, tensor.shape, to_bytes(tensor)), tensor)


@given(numbers(), st.booleans())
def test_finite_numbers_come_back_from_json_bit_by_bit_and_others_as_nan(
    tensor: Tensor, is_nested: bool
) -> None:
    assert tensor.numbers is not None
    data = orjson.loads(orjson.dumps(to_json(tensor)))
    back = from_json("x", tensor.datatype, tensor.shape, nested(data, tensor.shape) if is_nested else data)
    assert back.numbers is not None
    is_finite = np.isfinite(tensor.numbers)
    assert back.numbers[is_finite].tobytes() == tensor.numbers[is_finite].tobytes()
    assert np.isnan(back.numbers[~is_finite].astype(float)).all()


@given(texts())
def test_texts_come_back_from_both(tensor: Tensor) -> None:
    assert from_json("x", "BYTES", tensor.shape, orjson.loads(orjson.dumps(to_json(tensor)))) == tensor
    back = from_bytes("x", "BYTES", tensor.shape, to_bytes(tensor))
    places = [int(place) for place in tensor.null_index().split(",") if place]
    assert [None if text is None else text.encode() for text in tensor.texts] == list(
        back.without(places).texts
    )


@given(texts())
def test_bytes_of_any_kind_come_back(tensor: Tensor) -> None:
    raw = Tensor(
        "x", "BYTES", tensor.shape, None, tuple(bytes([255, 0]) * len(text or "") for text in tensor.texts)
    )
    assert from_bytes("x", "BYTES", raw.shape, to_bytes(raw)) == raw


@given(st.sampled_from(DATATYPES), SHAPES, st.binary(max_size=200))
def test_of_any_bytes_comes_a_tensor_of_that_size_or_a_refusal(
    datatype: str, shape: tuple[int, ...], raw: bytes
) -> None:
    try:
        tensor = from_bytes("x", datatype, shape, raw)
    except RefusedError as refusal:
        assert refusal.status == 400
    else:
        assert tensor.elements == math.prod(shape)
        assert to_bytes(tensor) == raw


@given(JSON, JSON, JSON)
def test_of_any_json_comes_a_tensor_or_a_refusal(datatype: Any, shape: Any, data: Any) -> None:
    for named in [datatype, *DATATYPES]:
        for sized in (shape, [len(data)] if isinstance(data, list) else [1]):
            try:
                tensor = from_json("x", named, checked_shape("x", named, sized), data)
            except RefusedError as refusal:
                assert refusal.status == 400
                assert len(str(refusal)) < 400
            else:
                assert tensor.elements == math.prod(tensor.shape)


@pytest.mark.parametrize(
    "shape",
    [
        [-1],
        [2.0],
        [True],
        ["2"],
        [],
        None,
        [2**31],
        [1] * (MOST_AXES + 1),
        {"0": 1},
        [10**30],
    ],
)
def test_a_shape_that_cannot_be_is_refused(shape: Any) -> None:
    with pytest.raises(RefusedError, match="shape"):
        checked_shape("x", "FP64", shape)


@pytest.mark.parametrize("datatype", ["FP8", "fp64", "", None, 3, ["FP64"], "BF16"])
def test_an_unknown_datatype_is_refused(datatype: Any) -> None:
    with pytest.raises(RefusedError, match="datatype"):
        checked_shape("x", datatype, [1])


def test_a_shape_is_never_believed() -> None:
    huge = (2**31 - 1,) * MOST_AXES
    tracemalloc.start()
    for datatype in DATATYPES:
        for read in (from_bytes, from_json):
            with pytest.raises(RefusedError):
                read("x", datatype, huge, b"\1" * 64 if read is from_bytes else [1] * 64)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_many_short_texts_are_counted_before_they_are_made() -> None:
    with pytest.raises(RefusedError):
        from_bytes("x", "BYTES", (2**31 - 1,), b"\0" * 4096)


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        ("INT8", [128]),
        ("UINT8", [-1]),
        ("UINT64", [2**64]),
        ("INT64", [1.5]),
        ("INT64", [True]),
        ("FP64", ["1"]),
        ("FP64", [True]),
        ("FP64", [10**400]),
        ("FP32", [1e300]),
        ("FP16", [70000]),
        ("BOOL", [1]),
        ("BYTES", [1]),
        ("FP64", [[1.0]]),
        ("FP64", {}),
    ],
)
def test_what_a_datatype_does_not_hold_is_refused(datatype: str, data: Any) -> None:
    with pytest.raises(RefusedError):
        from_json("x", datatype, (1,), data)


def test_ragged_nesting_is_refused() -> None:
    with pytest.raises(RefusedError, match="nested"):
        from_json("x", "INT64", (2, 2), [[1, 2, 3], [4]])


def test_null_is_a_missing_number_of_every_datatype() -> None:
    for datatype in DTYPES:
        value = True if datatype == "BOOL" else 1
        cells = from_json("x", datatype, (3,), [value, None, value]).cells()
        assert [bool(cell) and cell == cell for cell in cells] == [True, False, True]


def test_whole_numbers_beyond_floats_keep_their_digits_beside_a_missing_one() -> None:
    assert from_json("x", "INT64", (2,), [2**53 + 1, None]).cells() == [2**53 + 1, None]


def test_bytes_of_truth_values_are_zero_or_one() -> None:
    with pytest.raises(RefusedError, match="0 or 1"):
        from_bytes("x", "BOOL", (2,), b"\x01\x02")
