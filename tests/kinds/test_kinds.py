"""Every kind of column keeps the promise of `fathometer.kind`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathometer.kind import KINDS, Kind
from fathometer.testing.kinds import check_kind, check_reading

ALL = {name: KINDS.get(name)() for name in KINDS.names()}


@pytest.fixture(params=sorted(ALL))
def kind(request: pytest.FixtureRequest) -> Kind:
    return ALL[request.param]


@pytest.mark.parametrize("seed", [0, 1])
def test_every_kind_keeps_its_promise(kind: Kind, seed: int) -> None:
    check_kind(kind, seed)


def test_every_toy_is_guessed_to_be_of_its_own_kind(kind: Kind) -> None:
    rng = np.random.default_rng(3)
    cells = kind.toy(rng.random(400), rng)
    guesses = {name: other.guess(cells) for name, other in ALL.items()}
    assert max(guesses, key=lambda name: guesses[name]) == kind.name


def test_a_kind_is_called_as_its_file(kind: Kind) -> None:
    assert KINDS.get(kind.name) is type(kind)


CELLS = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.from_regex(
        r"[-+($€]{0,2}[0-9]{1,3}([., '][0-9]{3}){0,2}([.,][0-9]{0,2})?( ?kg|%|M|\))?", fullmatch=True
    ),
    st.from_regex(r"[0-9]{1,4}[-/. ][0-9]{1,2}[-/. ][0-9]{1,4}( [0-9]{1,2}:[0-9]{2})?", fullmatch=True),
)


@settings(max_examples=150, deadline=None)
@given(cells=st.lists(CELLS, max_size=12))
def test_reading_keeps_its_laws_on_any_cells(cells: list[object]) -> None:
    for kind in ALL.values():
        check_reading(kind, pd.Series(cells, dtype=object, name="cells"))


@settings(max_examples=60, deadline=None)
@given(cells=st.lists(st.one_of(st.none(), st.text(max_size=12)), max_size=12))
def test_reading_keeps_its_laws_on_any_text(cells: list[str | None]) -> None:
    for kind in ALL.values():
        check_reading(kind, pd.Series(cells, dtype="str", name="cells"))
