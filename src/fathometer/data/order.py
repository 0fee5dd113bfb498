"""Rows that belong together, and rows in the order of time: how the data should be split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fathometer.data.finding import Finding, as_option, name_words
from fathometer.data.rows import Rows
from fathometer.data.schema import Schema

PERSONS = frozenset(
    {"animal", "author", "client", "customer", "donor", "driver", "employee", "family", "household"}
    | {"member", "participant", "patient", "person", "player", "pupil", "speaker", "student"}
    | {"subject", "user", "writer"}
)
"""New rows mostly come from new ones of these."""
THINGS = frozenset(
    {"account", "clinic", "device", "document", "film", "group", "hospital", "image", "item"}
    | {"machine", "movie", "plot", "product", "recording", "scene", "school", "sensor", "session"}
    | {"shop", "site", "song", "station", "store", "video", "well"}
)
FEWEST_GROUPS = 20
FEWEST_PER_GROUP = 2.0
LARGEST_GROUP = 0.3  # of all rows
SORTED = 0.99  # of the steps from row to row
FOLLOWS = 0.2  # correlation of the target with that of the row before


def find_groups(
    frame: pd.DataFrame, schema: Schema, left_out: Sequence[str], asked: str | None
) -> tuple[str | None, list[Finding]]:
    """(column whose rows belong in one fold, or None; what to tell).

    A column named after persons whose values come again is used; other identifiers are only proposed.
    """
    if asked == "none":
        return None, []
    if asked is not None:
        sentence = f"Rows with the same {asked!r} are kept in one part, as you asked."
        return asked, [Finding("group", "action", sentence, (asked,))]
    used: str | None = None
    told: list[Finding] = []
    for column in schema.columns:
        if column.name in left_out or column.kind not in ("category", "number"):
            continue
        words = set(name_words(column.name))
        by_person, by_thing = bool(PERSONS & words), bool(THINGS & words)
        is_id = bool({"id", "no", "nr", "number", "code", "name", "key"} & words)
        if not (by_person or (by_thing and is_id) or "id" in words) or not _comes_again(frame[column.name]):
            continue
        # "customer_age" is a fact about a customer, not which customer it is
        if by_person and used is None and (is_id or len(words) == 1):
            used = column.name
            sentence = (
                f"Rows with the same {column.name!r} are kept in one part, so that models are tested on new "
                "ones. Overrule: --group none."
            )
            told.append(Finding("group", "action", sentence, (column.name,)))
        elif "id" in words or is_id:
            sentence = (
                f"{column.name!r} seems to say which rows belong together. If new rows will come with new "
                f"values of it, say {as_option('--group', column.name)}."
            )
            told.append(Finding("group_proposed", "warning", sentence, (column.name,)))
    return used, told


def find_time(
    frame: pd.DataFrame, rows: Rows, answers: pd.Series | None, asked: str | None
) -> tuple[str | None, list[Finding]]:
    """(column by which to split forward, or None; what to tell).

    It is used when the rows lie in its order and the target follows the row before: then a random split tests
    on rows whose neighbours were learned.
    """
    if asked == "none":
        return None, []
    if asked is not None:
        sentence = (
            f"Models learn from the earlier rows and are tested on the later, by {asked!r}, as you asked."
        )
        return asked, [Finding("time", "action", sentence, (asked,))]
    for name in [name for name, kind in rows.kinds.items() if kind == "moment"]:
        if not _in_order(rows.column(name)):
            continue
        if answers is not None and _follows(answers) > FOLLOWS:
            sentence = (
                f"The rows lie in the order of {name!r} and the target follows the row before, so models "
                "learn from the "
                "earlier rows and are tested on the later. Overrule: --time none."
            )
            return name, [Finding("time", "action", sentence, (name,))]
        sentence = (
            f"The rows lie in the order of {name!r}. If the models are to answer for later days, "
            f"say {as_option('--time', name)}."
        )
        return None, [Finding("time_proposed", "info", sentence, (name,))]
    clock = _clock(rows)
    if clock is not None:
        sentence = (
            f"The rows lie in the order of {clock!r}, which seems to be a time. If the models are to answer "
            f"for later rows, say {as_option('--time', clock)}."
        )
        return None, [Finding("time_proposed", "info", sentence, (clock,))]
    return None, []


def _comes_again(cells: pd.Series) -> bool:
    counts = cells.value_counts()
    if len(counts) < FEWEST_GROUPS:
        return False
    total = int(counts.sum())
    return total / len(counts) >= FEWEST_PER_GROUP and int(counts.iloc[0]) <= LARGEST_GROUP * total


def _in_order(values: pd.Series) -> bool:
    """Whether nearly every step from row to row goes the same way, over many different values."""
    present = values.dropna()
    if present.nunique() < 10:
        return False
    steps = np.diff(present.to_numpy()).astype(np.float64)
    return bool(max((steps >= 0).mean(), (steps <= 0).mean()) >= SORTED)


def _follows(answers: pd.Series) -> float:
    """How alike the targets of neighbouring rows are: rank correlation, or agreement beyond chance; to 1."""
    present = answers.dropna()
    if len(present) < 30:
        return 0.0
    if pd.api.types.is_float_dtype(present.dtype):
        numbers = present.to_numpy(dtype=np.float64)
        if numbers.std() == 0:
            return 0.0
        ranks = pd.Series(numbers).rank().to_numpy(dtype=np.float64)
        return float(np.corrcoef(ranks[1:], ranks[:-1])[0, 1])
    codes = pd.factorize(present)[0]
    chance = float(((np.bincount(codes) / len(codes)) ** 2).sum())
    return (float((codes[1:] == codes[:-1]).mean()) - chance) / max(1 - chance, 1e-9)


def _clock(rows: Rows) -> str | None:
    """A number named as a time, in whose order the rows lie."""
    for name, kind in rows.kinds.items():
        if (
            kind == "number"
            and {"time", "timestamp", "date", "datetime"} & set(name_words(name))
            and _in_order(rows.column(name))
        ):
            return name
    return None
