"""Rows as JSON objects, decoded: what is there is checked by hand, for this is done for every request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pandas as pd

from fathometer.data.schema import Schema
from fathometer.data.sentences import counted
from fathometer.data.wire import from_wire
from fathometer.errors import UnknownName, UnreadableData
from fathometer.serve.codecs.tables import MOST_UNKNOWN, no_json
from fathometer.serve.desk import Desk
from fathometer.serve.explain import Wish
from fathometer.serve.limits import Limits, check_parts, check_text
from fathometer.serve.openapi import holds_bytes
from fathometer.serve.question import Question, RefusedError

FIELDS = ("rows", "family", "on_bad", "keys")
PLAIN = frozenset({str, bool, int, float, type(None)})
LONGEST_KEY = 200
WISH_FIELDS = ("rows", "family", "label", "permutations", "seed")
USUAL_ORDERS = 64
MOST_EXPLAINED_COLUMNS = 2_000


class ObjectReader:
    """Reads rows for one model; what can be known of its columns beforehand is."""

    def __init__(self, schema: Schema, limits: Limits) -> None:
        self.limits = limits
        self.names = schema.names
        self._columns = pd.Index(schema.names, dtype=object)
        self._bytes = frozenset(column.name for column in schema.columns if holds_bytes(column.kind))

    def question(self, body: bytes) -> Question:
        """The question in a body.

        Raises:
            RefusedError: 400 for what is no JSON, 413 for too many rows, 422 for what is JSON but no question.
        """
        asked = object_of(body, FIELDS)
        frame = self.frame(asked.get("rows"))
        if len(body) > self.limits.cell_bytes:
            self._check_lengths(frame)
        return Question(
            frame,
            family=text_of(asked, "family"),
            keys=_keys(asked.get("keys"), len(frame)),
            on_bad=text_of(asked, "on_bad") or "missing",
        )

    def frame(self, rows: Any) -> pd.DataFrame:
        """Rows as cells, one object each; names that the model does not know are ignored.

        Raises:
            RefusedError: 413 for too many rows, 422 for a row without a column, or a cell that is none.
        """
        if isinstance(rows, list) and len(rows) > self.limits.rows:
            raise RefusedError(
                413,
                f"At most {self.limits.rows:,} rows are answered at once, got {len(rows):,}. Send them in parts.",
            )
        if not isinstance(rows, list) or not all(type(row) is dict for row in rows):
            raise RefusedError(
                422, 'Expected "rows" to be a list of objects, one per row: {"COLUMN": VALUE}.'
            )
        names, cells = self.names, []
        for place, row in enumerate(rows):
            try:
                values = [row[name] for name in names]
            except KeyError:
                return self._other_names(rows)
            if self._bytes or not PLAIN.issuperset(map(type, values)):
                values = [self._cell(value, name, place) for name, value in zip(names, values, strict=True)]
            cells.append(values)
        # only now is it known that the body holds a cell for each place
        table = np.empty((len(rows), len(names)), dtype=object)
        for place, values in enumerate(cells):
            table[place] = values
        # as objects: pandas would make texts of another kind, which takes as long as answering
        return pd.DataFrame(table, columns=self._columns, dtype=object)

    def _other_names(self, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """Rows whose names are not the model's own: they may be after tidying; of others, plain cells alone are kept.

        Raises:
            RefusedError: a row lacks a column that another has, or there are more than may be.
        """
        names = list(rows[0])
        if len(names) > self.limits.columns:
            raise RefusedError(413, f"At most {self.limits.columns:,} columns are read, got {len(names):,}.")
        spelled = [{_tidy(name): name for name in row} for row in rows]
        there: set[str] = set().union(*spelled)
        known = [name for name in self.names if name in there]
        for place, those in enumerate(spelled):
            lacking = next((name for name in known if name not in those), None)
            if lacking is not None:
                raise RefusedError(
                    422, f"{_row(place)} has no {lacking[:80]!r}. Give null where a cell is missing."
                )
        learned = set(known)
        further = [name for name in names if _tidy(name) not in learned][:MOST_UNKNOWN]
        cells = [
            [self._cell(row[those[name]], name, place) for name in known]
            + [value if type(value := row.get(name)) in PLAIN else None for name in further]
            for place, (row, those) in enumerate(zip(rows, spelled, strict=True))
        ]
        return pd.DataFrame(cells, columns=[*known, *further], dtype=object)

    def _cell(self, value: Any, name: str, place: int) -> Any:
        """A cell as a value; pictures come as bytes, and nothing else does.

        Raises:
            RefusedError: 422.
        """
        if name not in self._bytes:
            return self._scalar(value, name, place)
        if value is not None and not isinstance(value, dict):
            raise RefusedError(422, f'{_row(place)}, column {name[:80]!r}: expected {{"b64": ...}} or null.')
        try:
            return from_wire(value)
        except UnreadableData as error:
            raise RefusedError(422, f"{_row(place)}, column {name[:80]!r}: {error}") from error

    def _scalar(self, value: Any, name: str, place: int) -> Any:
        if type(value) in PLAIN:
            return value
        raise RefusedError(
            422, f"{_row(place)}, column {name[:80]!r}: expected a number, a text, true, false or null."
        )

    def _check_lengths(self, frame: pd.DataFrame) -> None:
        for name in frame:
            for cell in frame[name]:
                if isinstance(cell, str):
                    check_text(cell, str(name), self.limits)


def reader_of(desk: Desk) -> ObjectReader:
    """The reader for a desk's model."""
    return ObjectReader(desk.bundle.schema, desk.limits)


def wish_of(desk: Desk, body: bytes) -> Wish:
    """What is to be explained.

    Raises:
        RefusedError: 400, 404, 413 or 422, as for a question, or for more than an explanation may take.
    """
    asked = object_of(body, WISH_FIELDS)
    frame = desk.once(reader_of).frame(asked.get("rows"))
    orders = whole_of(asked, "permutations", 2, 10_000, usual=USUAL_ORDERS)
    label = text_of(asked, "label")
    if label is not None and label not in desk.labels:
        raise RefusedError(422, str(UnknownName("label of this model", label[:80], desk.labels)))
    columns = len(desk.bundle.schema.names)
    answers, most = len(frame) * (orders + orders % 2) * (columns + 1), desk.limits.explained_predictions
    if answers > most or columns > MOST_EXPLAINED_COLUMNS:
        raise RefusedError(
            413,
            f"An explanation may take {most:,} answers of a model with {MOST_EXPLAINED_COLUMNS:,} columns at most; "
            f"this one takes {answers:,}, with {columns:,}. Ask for fewer rows or permutations.",
        )
    desk.packed.check(frame, desk.limits)
    seed = whole_of(asked, "seed", 0, 2**32 - 1, usual=0)
    return Wish(frame, desk.family(text_of(asked, "family")), label, orders, seed)


def object_of(body: bytes, fields: Sequence[str]) -> dict[str, Any]:
    """The JSON object in a body, with no other fields than these.

    Raises:
        RefusedError: 400 for what is no JSON, 413 for more parts than may be, 422 for what is no such object.
    """
    check_parts(body)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise no_json(body, error) from error
    if not isinstance(value, dict):
        raise RefusedError(422, f"Expected a JSON object with the fields {', '.join(fields)}.")
    unknown = [name for name in value if name not in fields]
    if unknown:
        raise RefusedError(422, f"Expected the fields {', '.join(fields)}; got {unknown[0][:80]!r} as well.")
    return value


def text_of(asked: Mapping[str, Any], field: str) -> str | None:
    """A field that is a text, where it is there.

    Raises:
        RefusedError: 422 where it is something else.
    """
    value = asked.get(field)
    if value is not None and not isinstance(value, str):
        raise RefusedError(422, f"Expected {field!r} to be a text.")
    return value


def whole_of(asked: Mapping[str, Any], field: str, low: int, high: int, usual: int) -> int:
    """A field that is a whole number, or the usual one.

    Raises:
        RefusedError: 422 where it is something else, or out of range.
    """
    value = asked.get(field)
    if value is None:
        return usual
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RefusedError(422, f"Expected {field!r} to be a whole number from {low:,} to {high:,}.")
    return value


def _keys(keys: Any, rows: int) -> tuple[str, ...] | None:
    if keys is None or keys == []:
        return None
    if not isinstance(keys, list) or not all(
        isinstance(key, str) and 0 < len(key) <= LONGEST_KEY for key in keys
    ):
        raise RefusedError(422, f'Expected "keys" to be a list of texts of 1 to {LONGEST_KEY} characters.')
    if len(keys) != rows:
        raise RefusedError(
            422, f"Expected one key per row, got {counted(len(keys), 'key')} for {counted(rows, 'row')}."
        )
    return tuple(keys)


def _row(place: int) -> str:
    return f"Row {place} (the first is 0)"


def _tidy(name: str) -> str:
    return " ".join(name.split())
