"""Cells as JSON values come back as the cells they were."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pandas as pd
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathometer.core.pictures import Picture
from fathometer.data.wire import from_wire, to_wire
from fathometer.errors import UserError

PLAIN = st.one_of(
    st.none(),
    st.text(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.binary(),
)


@given(PLAIN)
def test_a_cell_comes_back_through_json(cell: Any) -> None:
    back = from_wire(json.loads(json.dumps(to_wire(cell), allow_nan=False)))
    assert back == cell and type(back) is type(cell)


@pytest.mark.parametrize("cell", [float("nan"), float("inf"), None, pd.NaT, pd.NA, np.float32("nan")])
def test_what_is_no_value_is_null(cell: Any) -> None:
    assert to_wire(cell) is None


def test_typed_cells_become_plain_ones() -> None:
    assert to_wire(np.int32(3)) == 3 and to_wire(np.bool_(True)) is True
    assert to_wire(np.float64(0.1)) == 0.1
    assert to_wire(pd.Timestamp("2024-05-01 12:30")) == "2024-05-01T12:30:00"


def test_a_picture_comes_back_pixel_by_pixel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    with PIL.Image.open(io.BytesIO(from_wire(to_wire(pixels)))) as image:
        assert np.array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize("shape", [(4, 5, 3), (4, 5, 1), (1, 5, 3), (4, 1, 1), (1, 1, 3), (4, 5)])
def test_a_picture_of_any_size_comes_back(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for cell in [pixels] + ([Picture.of(pixels)] if len(shape) == 3 else []):
        read = np.asarray(PIL.Image.open(io.BytesIO(from_wire(to_wire(cell)))))
        assert np.array_equal(read.reshape(shape), pixels)


@pytest.mark.parametrize(
    "value", [[1], {}, {"b64": 5}, {"b64": "AA==", "more": 1}, {"b64": "no base64!"}, {"a": "b"}]
)
def test_anything_else_is_refused_in_a_sentence(value: Any) -> None:
    with pytest.raises(UserError, match="Expected"):
        from_wire(value)
