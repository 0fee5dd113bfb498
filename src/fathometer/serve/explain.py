"""Which columns an answer rests on: Shapley values by sampled orders [1], each order with its mirror image [2].

Of a row x and a made-up background row b, one column after another, in some order, is taken from x instead of b; a
column's part is how the answer changes when its turn comes, on average over orders and background rows. The parts of
one order add up to f(x) - f(b) whatever the order, so those of a row add up to its answer less the mean answer to the
background exactly, however few orders are sampled; what is uncertain is how that is shared out.

Background rows are drawn column by column from the model's sketches, so a column's part is what it changes where the
others take their usual values independently of it.

[1] Strumbelj & Kononenko (2014). Explaining prediction models and individual predictions with feature contributions.
    https://doi.org/10.1007/s10115-013-0679-x
[2] Mitchell et al. (2022). Sampling permutations for Shapley value estimation.
    https://www.jmlr.org/papers/v23/21-0439.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.bundle.asking import ask, tidied
from fathometer.bundle.read import Bundle
from fathometer.bundle.reference import drawn_cells
from fathometer.data.rows import Rows
from fathometer.data.schema import Schema
from fathometer.kind import kind_named
from fathometer.serve.question import RefusedError

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]
Answer = Callable[[Places], Floats]
"""Answers to mixed rows: (rows, columns) places, one for each cell, of the row it is taken from -> (rows,) numbers."""

ROWS_AT_ONCE = 2_000
BACKGROUND = 64


@dataclass(frozen=True)
class Order:
    """One walk from a background row to the row in question. columns: all of them, in the order of their turns."""

    columns: tuple[int, ...]
    background: int


@dataclass(frozen=True)
class Explanation:
    """Of one row. parts: (columns,) Shapley values. errors: (columns,) their standard errors.

    prediction = base + sum of parts. base_error: of the base, the mean answer to the background rows that were drawn.
    An error is NaN where nothing tells it: of a single pair, a single background row, or a column that changed no
    answer in any order (more orders might have met one).
    """

    prediction: float
    base: float
    base_error: float
    parts: Floats
    errors: Floats


def sampled_orders(columns: int, background: int, count: int, seed: int) -> list[Order]:
    """So many orders (rounded up to pairs), each followed by its mirror image with the same background row."""
    rng = np.random.default_rng(seed)
    orders: list[Order] = []
    for place in range((count + 1) // 2):
        turns = tuple(int(column) for column in rng.permutation(columns))
        orders += [Order(turns, place % background), Order(turns[::-1], place % background)]
    return orders


def explained(answer: Answer, row: int, orders: Sequence[Order]) -> Explanation:
    """Shapley values of a row over these orders.

    Args:
        answer: asks the model. row: the place of the row in question.
    """
    columns = len(orders[0].columns)
    at_once = max(1, ROWS_AT_ONCE // (columns + 1))
    answers = np.concatenate(
        [
            answer(np.concatenate([_walk(row, order) for order in orders[start : start + at_once]]))
            for start in range(0, len(orders), at_once)
        ]
    ).reshape(len(orders), columns + 1)
    changes = np.empty((len(orders), columns))
    for place, order in enumerate(orders):
        changes[place, list(order.columns)] = np.diff(answers[place])
    pairs = changes.reshape(len(orders) // 2, 2, columns).mean(axis=1)
    errors = np.where((changes == 0).all(axis=0), np.nan, _standard_error(pairs))
    _, firsts = np.unique([order.background for order in orders], return_index=True)
    begins = answers[:, 0]
    base_error = float(_standard_error(begins[firsts, None])[0])
    return Explanation(float(answers[0, -1]), float(begins.mean()), base_error, changes.mean(axis=0), errors)


def _standard_error(draws: Floats) -> Floats:
    """(draws, columns) -> (columns,) of their mean; NaN for a single draw."""
    if len(draws) < 2:
        return np.full(draws.shape[1], np.nan)
    found: Floats = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    return found


def _walk(row: int, order: Order) -> Places:
    """(columns + 1, columns) places: first all of the background row, last all of the row in question."""
    columns = len(order.columns)
    places = np.full((columns + 1, columns), order.background, dtype=np.intp)
    for turn, column in enumerate(order.columns):
        places[turn + 1 :, column] = row
    return places


class Mixed:
    """Rows to explain behind background rows, read once, and mixed cell by cell as values.

    Background rows have the places 0 .. background - 1, those in question the places behind.
    """

    def __init__(self, bundle: Bundle, frame: pd.DataFrame, seed: int) -> None:
        self._bundle = bundle
        drawn = drawn_cells(bundle.reference, bundle.schema, BACKGROUND, seed, oddities=False)
        self._rows = bundle.schema.read(tidied(frame, bundle.schema))
        self._behind = bundle.schema.read(drawn)
        self.names = bundle.schema.names
        self._values = {
            name: _joined(self._behind.column(name), self._rows.column(name)) for name in self.names
        }
        self.count = len(self._rows)

    def answers_by(self, family: str, label: int | None) -> Answer:
        """The model's answers to mixed rows: numbers, or the probabilities of the class of that place."""

        def answer(places: Places) -> Floats:
            values = {
                name: self._values[name].take(places[:, column]).reset_index(drop=True)
                for column, name in enumerate(self.names)
            }
            prediction = self._bundle.predict_raw(Rows(pd.DataFrame(values), self._rows.kinds), family)
            return prediction if label is None else prediction[:, label]

        return answer


def _joined(behind: pd.Series, asked: pd.Series) -> pd.Series:
    """One column of both; levels that only one of them has are levels of both."""
    if isinstance(behind.dtype, pd.CategoricalDtype) and isinstance(asked.dtype, pd.CategoricalDtype):
        levels = behind.cat.categories.union(asked.cat.categories, sort=False)
        behind, asked = behind.cat.set_categories(levels), asked.cat.set_categories(levels)
    return pd.concat([behind, asked], ignore_index=True)


@dataclass(frozen=True)
class Wish:
    """What is to be explained. label: whose probability; each row's answer unless given. orders: per row."""

    frame: pd.DataFrame
    family: str
    label: str | None
    orders: int
    seed: int


def explain(bundle: Bundle, wish: Wish, latest: float) -> list[dict[str, Any]]:
    """Every row explained, as plain data.

    Args:
        latest: by `time.monotonic`, when to give up.

    Raises:
        UserError: the rows do not fit the model.
        RefusedError: 504 where it is not done in time.
    """
    asked = ask(bundle, wish.frame, family=wish.family)
    labels: tuple[str, ...] = tuple(getattr(bundle.task, "labels", ()))
    mixed = Mixed(bundle, wish.frame, wish.seed)
    orders = sampled_orders(len(mixed.names), BACKGROUND, wish.orders, wish.seed)
    told = []
    for row, said in enumerate(asked.answers["prediction"].tolist()):
        label = (wish.label or str(said)) if labels else None
        answer = mixed.answers_by(wish.family, labels.index(label) if label is not None else None)
        found = explained(_until(latest, answer), BACKGROUND + row, orders)
        told.append(_told(said, label, found, mixed.names))
    return told


def _told(said: Any, label: str | None, found: Explanation, names: Sequence[str]) -> dict[str, Any]:
    parts = {
        name: {"part": part, "error": _known(error)}
        for name, part, error in zip(names, found.parts.tolist(), found.errors.tolist(), strict=True)
    }
    of_label = {"label": label} if label is not None else {}
    base = {"base": found.base, "base_error": _known(found.base_error)}
    return {"prediction": said, **of_label, "value": found.prediction, **base, "columns": parts}


def _known(error: float) -> float | None:
    return None if np.isnan(error) else error


def notes_on(schema: Schema) -> list[str]:
    """What is to be known of every explanation of a model with these columns, in sentences."""
    if len(schema.columns) != 1:
        return []
    (column,) = schema.columns
    within = "which words" if column.kind == "text" else "what in it"
    told = (
        f"The model has the column {column.name!r} alone, so all of the difference from the base is its part"
    )
    return [
        f"{told}; {within} the answer rests on is not told."
        if kind_named(column.kind).unstructured
        else f"{told}."
    ]


def _until(latest: float, answer: Answer) -> Answer:
    def in_time(places: Places) -> Floats:
        if time.monotonic() > latest:
            raise RefusedError(
                504, "The explanation was not done in time. Ask for fewer rows or permutations."
            )
        return answer(places)

    return in_time
