"""Writes are whole or nothing, and states come back as they went, without pickle."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from hypothesis.extra import numpy as some_numpy

from fathometer.core import files
from fathometer.core.files import (
    digest,
    read_json,
    read_state,
    size_bytes,
    sync_tree,
    write_json,
    write_state,
    write_text,
)

TEXT = some.text(some.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN = some.none() | some.booleans() | some.integers() | some.floats() | TEXT
ARRAYS = some_numpy.arrays(
    some.sampled_from([np.float64, np.float32, np.int64, np.int32, np.uint8, np.bool_]),
    some_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
STATES = some.dictionaries(
    # Names that the file format uses itself are as good as any other: they come from people's data.
    TEXT | some.sampled_from(["$array", "$float", "shape", "$$array"]),
    some.recursive(
        PLAIN | ARRAYS,
        lambda inner: some.lists(inner, max_size=3) | some.dictionaries(TEXT, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def same(left: Any, right: Any) -> bool:
    """Equal in value and type, NaN being equal to itself."""
    if isinstance(left, np.ndarray):
        return (
            isinstance(right, np.ndarray)
            and left.dtype == right.dtype
            and left.shape == right.shape
            and left.tobytes() == right.tobytes()
        )
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and math.isnan(left):
        return math.isnan(right)
    return bool(left == right)


@given(state=STATES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_state_comes_back_as_it_went(tmp_path: Path, state: dict[str, Any]) -> None:
    folder = tmp_path / hashlib.md5(repr(state).encode()).hexdigest()
    write_state(folder, "state", state)
    assert same(read_state(folder, "state"), state)


@pytest.mark.parametrize(
    "number", [np.float32("nan"), np.float64("inf"), np.float64(-0.5), np.int32(3), np.bool_(True)]
)
def test_single_numpy_values_become_plain_ones(tmp_path: Path, number: Any) -> None:
    write_state(tmp_path, "state", {"value": number})
    assert same(read_state(tmp_path, "state")["value"], number.item())


def test_arrays_of_any_layout_keep_their_values(tmp_path: Path) -> None:
    table = np.arange(24.0).reshape(4, 6)
    layouts = {"transposed": table.T, "every_second": table[:, ::2], "reversed": table[::-1]}
    write_state(tmp_path, "state", layouts)
    for name, found in read_state(tmp_path, "state").items():
        np.testing.assert_array_equal(found, layouts[name])


@pytest.mark.parametrize("array", [np.array(["a", None], dtype=object), np.array(["a", "b"])])
def test_arrays_that_hold_no_numbers_are_refused(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(TypeError, match="list of text"):
        write_state(tmp_path, "state", {"array": array})


def test_a_state_is_read_without_running_anything(tmp_path: Path) -> None:
    write_state(tmp_path, "state", {"array": np.ones(3), "text": "x"})
    assert {path.name for path in tmp_path.iterdir()} == {"state.json", "state.safetensors"}
    json.loads((tmp_path / "state.json").read_text())


def test_writing_changes_nothing_it_is_given(tmp_path: Path) -> None:
    state = {"array": np.ones(3), "inner": {"values": [1, math.inf]}}
    write_state(tmp_path, "state", state)
    assert set(state) == {"array", "inner"} and state["inner"] == {"values": [1, math.inf]}


def test_text_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "note.txt"
    write_text(path, "first ü")

    def break_down(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "fsync", break_down)
    with pytest.raises(OSError, match="disk full"):
        write_text(path, "second")
    assert path.read_text(encoding="utf-8") == "first ü"
    assert list(tmp_path.iterdir()) == [path]


def test_json_comes_back_as_it_went(tmp_path: Path) -> None:
    value = {"größe": [1, 2.5, None, True, "ß"]}
    write_json(tmp_path / "value.json", value)
    assert read_json(tmp_path / "value.json") == value


def test_json_refuses_what_json_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "value.json", {"score": math.nan})
    assert list(tmp_path.iterdir()) == []


def test_the_digest_is_sha_256(tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(b"abc" * 100_000)
    assert digest(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "one").write_bytes(b"12345")
    (tmp_path / "two").write_bytes(b"123")
    sync_tree(tmp_path)
    assert size_bytes(tmp_path) == 8
