"""All columns of some rows as one set of features, the same for every learner."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.files import State
from fathometer.core.memo import is_remembering, name_of, once, recalled_rows, recalled_state
from fathometer.core.states import demand, several, sound_state, table, text, texts
from fathometer.data.rows import Rows
from fathometer.kind import KINDS, Features, Featurizer, Kind, kind_named


@dataclass(frozen=True)
class Inputs:
    """The fitted featurizers of every column, in order: (column name, kind name, featurizer).

    made_from: of a column whose features are remembered, the name of what its featurizer was learned from; else "".
    """

    columns: tuple[tuple[str, str, Featurizer], ...]
    made_from: tuple[str, ...] = ()

    @classmethod
    def fit(cls, train: Rows, only: Iterable[str] | None = None) -> Inputs:
        """Learn every column's features from training rows.

        Args:
            only: names of the columns; all of them unless given.
        """
        chosen = list(train.kinds) if only is None else [name for name in train.kinds if name in set(only)]
        fitted = [_fitted(name, train) for name in chosen]
        return cls(
            tuple((name, train.kinds[name], one) for name, (one, _) in zip(chosen, fitted, strict=True)),
            tuple(made_from for _, made_from in fitted),
        )

    def features(self, rows: Rows) -> Features:
        """Numbers (rows, a) and codes (rows, b) of all columns side by side."""
        return once((rows.frame, self), lambda: self._made(rows))

    @cached_property
    def shape(self) -> tuple[int, tuple[int, ...]]:
        """How many numbers there are, and the sizes of the codes."""
        parts = [featurizer.transform(_no_values(kind)) for _, kind, featurizer in self.columns]
        empty = join(parts, 0)
        return empty.numbers.shape[1], empty.sizes

    def _made(self, rows: Rows) -> Features:
        for name, kind, _ in self.columns:
            demand(
                rows.kinds.get(name) == kind,
                f"a member reads {name[:60]!r} as a {kind}, and the model does not",
            )
        names = self.made_from or ("",) * len(self.columns)
        parts = [
            _transformed(rows, name, kind, featurizer, made_from)
            for (name, kind, featurizer), made_from in zip(self.columns, names, strict=True)
        ]
        return join(parts, len(rows))

    def state(self) -> State:
        """What was learned, as data."""
        return {
            "columns": [
                {"name": name, "kind": kind, "state": featurizer.state()}
                for name, kind, featurizer in self.columns
            ],
            "made_from": list(self.made_from),
        }

    @classmethod
    def from_state(cls, state: State) -> Inputs:
        """The inputs that gave this state."""
        table(state, "inputs", ("columns",), ("made_from",))
        described = [
            table(one, "an input", ("name", "kind", "state")) for one in several(state["columns"], "inputs")
        ]
        columns = tuple(_loaded(text(one["name"], "a name"), one["kind"], one["state"]) for one in described)
        demand(len({name for name, _, _ in columns}) == len(columns), "an input stands in it twice")
        made_from = texts(state.get("made_from", ()), "made_from")
        demand(len(made_from) in (0, len(columns)), "made_from has another length than the inputs")
        return _the_same(cls(columns, made_from))


def _loaded(name: str, kind: Any, state: State) -> tuple[str, str, Featurizer]:
    """A column's featurizer, of a kind that is installed."""
    with sound_state():
        return name, kind, kind_named(text(kind, "a kind", _kind_names())).load_features(state)


@lru_cache(maxsize=1)
def _kind_names() -> frozenset[str]:
    """Looked up once, for each look-up reads folders, and every column of every member asks."""
    return frozenset(KINDS.names())


@lru_cache(maxsize=64)
def _no_values(kind_name: str) -> pd.Series:
    kind, cells = kind_named(kind_name), pd.Series([], dtype=object)
    return kind.read(cells, kind.learn_reading(cells))


def _the_same(inputs: Inputs) -> Inputs:
    """One object for equal inputs: models of one fold then share what they make of the rows they are asked."""
    try:
        return _first_of(inputs)
    except TypeError:  # a featurizer with arrays has no hash
        return inputs


@lru_cache(maxsize=64)
def _first_of(inputs: Inputs) -> Inputs:
    return inputs


def structured_columns(rows: Rows) -> tuple[str, ...]:
    """The columns that are neither words nor pictures nor the like."""
    return tuple(name for name, kind in rows.kinds.items() if not kind_named(kind).unstructured)


def join(parts: list[Features], rows: int) -> Features:
    """Features side by side; (rows, 0) where there are none."""
    numbers = [part.numbers for part in parts] or [np.zeros((rows, 0), dtype=np.float32)]
    codes = [part.codes for part in parts] or [np.zeros((rows, 0), dtype=np.int32)]
    starts = accumulate((part.numbers.shape[1] for part in parts), initial=0)
    return Features(
        numbers=np.concatenate(numbers, axis=1),
        codes=np.concatenate(codes, axis=1),
        number_names=tuple(name for part in parts for name in part.number_names),
        code_names=tuple(name for part in parts for name in part.code_names),
        sizes=tuple(size for part in parts for size in part.sizes),
        common=tuple(
            (start + first, start + last)
            for part, start in zip(parts, starts, strict=False)
            for first, last in part.common
        ),
    )


def _fitted(name: str, train: Rows) -> tuple[Featurizer, str]:
    """A column's featurizer, and the name under which its features are remembered; "" where they are not."""
    kind_name, values = train.kinds[name], train.column(name)
    kind: Kind = kind_named(kind_name)
    if not kind.unstructured:
        return kind.fit_features(values), ""
    learned_from = name_of("featurizer", kind_name, name, kind.digests(values).tobytes())
    made: list[Featurizer] = []

    def make() -> State:
        made.append(kind.fit_features(values))
        return made[0].state()

    state = recalled_state(learned_from, make)
    return (made[0] if made else kind.load_features(state)), name_of("features", _content(state))


def _transformed(rows: Rows, name: str, kind_name: str, featurizer: Featurizer, made_from: str) -> Features:
    values = rows.column(name)
    if not made_from or not is_remembering():
        return featurizer.transform(values)  # its answer is shared as a whole, by `once`
    empty = featurizer.transform(values.iloc[:0])
    if empty.sizes:  # only numbers are remembered
        return featurizer.transform(values)

    def make(positions: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        return featurizer.transform(values.iloc[positions]).numbers

    digests = kind_named(kind_name).digests(values)
    numbers = recalled_rows(made_from, digests, empty.numbers.shape[1], make)
    codes = np.zeros((len(rows), 0), dtype=np.int32)
    return Features(numbers, codes, empty.number_names, (), (), empty.common)


def _content(state: State) -> bytes:
    """A state's content, so that featurizers that came out the same share what is remembered of them."""
    parts: list[bytes] = []

    def walk(value: object) -> None:
        if isinstance(value, dict):
            for key in sorted(value):
                parts.append(str(key).encode("utf-8", "surrogatepass"))
                walk(value[key])
        elif isinstance(value, list | tuple):
            parts.append(b"[%d" % len(value))
            for item in value:
                walk(item)
        elif isinstance(value, np.ndarray):
            parts.extend((str((value.dtype, value.shape)).encode(), np.ascontiguousarray(value).tobytes()))
        else:
            parts.append(repr(value).encode("utf-8", "surrogatepass"))

    walk(state)
    return name_of(*parts).encode()
