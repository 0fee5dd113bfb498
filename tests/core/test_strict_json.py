"""JSON from strangers is read as the standard says, or refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathometer.core import strict_json
from fathometer.core.strict_json import DEEPEST, parse_json

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inside: st.lists(inside) | st.dictionaries(TEXTS, inside), max_leaves=30
)


@given(VALUES)
def test_what_python_writes_is_read_back(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False, indent=1)) == value


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff", "no UTF-8"),
        (b"\xef\xbb\xbf{}", "no JSON"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' stands twice"),
        (b'[{"a": {"x": 1, "x": 1}}]', "'x' stands twice"),
        (b"[NaN]", "NaN is no number"),
        (b"-Infinity", "-Infinity is no number"),
        (b"[1e999]", "too large"),
        (b"[-1e999]", "too large"),
        (b"9" * 5_000, "."),
        (b'"\\ud800"', "half a character"),
        (b'{"\\udfff": 1}', "half a character"),
        (b"[" * 65 + b"]" * 65, "nested deeper"),
        (b"[" * 200_000, "nested deeper|no JSON"),
        (b'{"a":' * 200_000, "nested deeper|no JSON"),
        (b"[1] [2]", "no JSON"),
    ],
)
def test_anything_doubtful_is_refused(raw: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        parse_json(raw)
    assert "\n" not in str(caught.value)


def test_the_deepest_that_is_allowed_is_read() -> None:
    assert parse_json(b"[" * DEEPEST + b"]" * DEEPEST) is not None
    assert parse_json(b"[" * (DEEPEST - 1) + b'"a"' + b"]" * (DEEPEST - 1)) is not None


@pytest.mark.parametrize("piece", ["[],", '{"a":1},', "1,", '"",'])
def test_a_text_of_millions_of_values_is_refused_before_any_is_made(
    piece: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strict_json, "MOST_VALUES", 1_000)
    monkeypatch.setattr(strict_json, "MOST_OBJECTS", 500)
    few, many = (f"[{piece * times}0]" for times in (499, 1_001))
    assert len(parse_json(few)) == 500
    monkeypatch.setattr(json, "loads", lambda *told, **more: pytest.fail("it was parsed"))
    for raw in (many, many.encode()):
        with pytest.raises(ValueError, match="millions"):
            parse_json(raw)


def test_a_text_for_which_there_is_no_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*told: object, **more: object) -> None:
        raise MemoryError

    monkeypatch.setattr(json, "loads", full)
    with pytest.raises(ValueError, match="memory"):
        parse_json("[]")
