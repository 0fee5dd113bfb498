"""A reading that a stranger wrote is told from one that was learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fathometer.kind import KINDS, PROBES, kind_named

ODD: tuple[Any, ...] = (None, True, 0, -1, 1.5, 10**30, "", "\\d+", [], ["a", 1], [[1]], {}, "x" * 1_000)


@pytest.mark.parametrize("name", KINDS.names())
def test_what_was_learned_has_no_fault(name: str) -> None:
    kind, rng = kind_named(name), np.random.default_rng(0)
    for cells in (kind.toy(np.linspace(0, 1, 50), rng), pd.Series([None, None], dtype=object)):
        assert kind.fault_of_reading(kind.learn_reading(cells)) == ""


@pytest.mark.parametrize("name", KINDS.names())
def test_any_other_value_is_a_fault_or_reads(name: str) -> None:
    kind = kind_named(name)
    learned = kind.learn_reading(kind.toy(np.linspace(0, 1, 50), np.random.default_rng(0)))
    for key in [*learned, "more"]:
        for odd in ODD:
            reading = {**learned, key: odd}
            fault = kind.fault_of_reading(reading)
            assert "\n" not in fault
            if not fault:
                assert len(kind.read(pd.Series(PROBES, dtype=object), reading)) == len(PROBES)
        if key in learned and key not in ("long", "markup"):
            assert kind.fault_of_reading({k: v for k, v in learned.items() if k != key})


def test_signs_that_would_never_end_are_refused() -> None:
    number = kind_named("number")
    learned = number.learn_reading(pd.Series(["1"]))
    for decimal, thousands in [(".", "1"), ("1", ","), ("", ""), ("..", ""), (".", "."), (".", "0")]:
        assert number.fault_of_reading({**learned, "decimal": decimal, "thousands": thousands})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("height", 10**6),
        ("width", 0),
        ("channels", 2),
        ("channels", True),
        ("floats", [1, 1]),
        ("top", 0),
        ("height", 32.0),
    ],
)
def test_pictures_of_absurd_sizes_are_refused(key: str, value: Any) -> None:
    assert kind_named("image").fault_of_reading({"height": 32, "width": 32, "channels": 3, key: value})
