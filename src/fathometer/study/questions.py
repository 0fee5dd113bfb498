"""What may be asked of a row in words a person can read: about numbers, levels, moments, words and gaps."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.data.rows import Rows
from fathometer.study.disturb import as_numbers, by_relevance
from fathometer.study.facts import facts_of
from fathometer.task import Prediction

Floats = npt.NDArray[np.float64]

MOST_LEVELS = 12  # of a category that may be asked for
MOST_WORDS = 40  # of a text that may be asked for
MOST_INPUTS = 300
WORD = re.compile(r"[^\W_]+")
NO_ROWS = np.zeros(0, dtype=np.intp)
RARE_SHARE = 0.01  # of rows, and at least five, must mention a word, and as many lack it
MONTHS = "January February March April May June July August September October November December"
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
CLOCK: Mapping[str, tuple[str, ...]] = {
    "month": tuple(MONTHS.split()),
    "weekday": tuple(DAYS.split()),
    "hour": tuple(map(str, range(24))),
}
"""What a calendar and a clock say of a moment, from 0 on; no tree of few leaves could ask it of the moment itself."""


@dataclass(frozen=True)
class Asked:
    """One thing a rule may ask of a row.

    about: "value", "level" (whether it is that one), "missing" (whether it is), "word" (whether `level` is among a
    text's), or, of a moment, a part in `CLOCK`.
    fill: the value that stands for a missing one. is_whole: whether all values are. others: further levels of the
    column, the commonest first.
    """

    column: str
    kind: str
    about: str
    level: str = ""
    fill: float = 0.0
    has_gaps: bool = False
    is_whole: bool = False
    others: tuple[str, ...] = ()

    def of(self, rows: Rows) -> Floats:
        """(rows,) values; 0 or 1 for a level and for missing."""
        values = rows.column(self.column)
        if self.about == "missing":
            return values.isna().to_numpy().astype(np.float64)
        if self.about == "word":
            return np.array([_mentions(text, self.level) for text in values], dtype=np.float64)
        if self.about == "level":
            return (values.astype(object) == self.level).to_numpy().astype(np.float64)
        numbers = _numbers(rows, self.column, self.about)
        return np.where(np.isnan(numbers), self.fill, numbers)


def askable(rows: Rows, answers: Prediction) -> list[Asked]:
    """What may be asked of these rows, columns along with which the answers go most first.

    Of words and pictures: what a person can see in them, where it stands beside them (`with_facts`), and words.
    """
    found: list[Asked] = []
    for name in by_relevance(rows, answers):
        kind, values = rows.kinds[name], rows.column(name)
        has_gaps = bool(values.isna().any())
        if kind == "category":
            counts = (
                values.astype(object).value_counts().sort_index().sort_values(ascending=False, kind="stable")
            )
            levels = tuple(map(str, counts.index))
            for level in levels[:MOST_LEVELS]:
                others = tuple(other for other in levels if other != level)
                found.append(Asked(name, kind, "level", level, has_gaps=has_gaps, others=others))
        elif kind in ("number", "moment") or (kind == "text" and not facts_of(rows.take(NO_ROWS), name)):
            parts = ("value", *CLOCK) if kind == "moment" else ("value",)
            found += [_asked_value(rows, name, part) for part in parts]
        if kind == "text":
            found += [Asked(name, kind, "word", word) for word in _telling_words(rows, name, answers)]
        if has_gaps:
            found.append(Asked(name, kind, "missing"))
        if len(found) >= MOST_INPUTS:
            break
    return found


def _telling_words(rows: Rows, name: str, answers: Prediction) -> list[str]:
    """The words of these texts whose presence the answers go along with most, the best first."""
    table = answers.reshape(len(rows), -1)
    apart = table - table.mean(axis=0)
    shown: dict[str, list[int]] = {}
    for place, text in enumerate(rows.column(name)):
        for word in _words(text):
            shown.setdefault(word, []).append(place)
    least = max(5, math.ceil(RARE_SHARE * len(rows)))
    scores = {
        # the variance that the question alone would explain
        word: float((apart[places].sum(axis=0) ** 2).sum())
        * (1 / len(places) + 1 / (len(rows) - len(places)))
        for word, places in shown.items()
        if least <= len(places) <= len(rows) - least
    }
    return sorted(scores, key=lambda word: (-scores[word], word))[:MOST_WORDS]


def _mentions(text: Any, word: str) -> bool:
    # most texts lack the word, and looking for its letters is much quicker than parting all words
    return isinstance(text, str) and word in text.lower() and word in _words(text)


def _words(text: Any) -> frozenset[str]:
    """The words of a text in lower case; none where it is missing."""
    return frozenset(WORD.findall(text.lower())) if isinstance(text, str) else frozenset()


def _asked_value(rows: Rows, name: str, about: str) -> Asked:
    numbers = _numbers(rows, name, about)
    present = numbers[~np.isnan(numbers)]
    # the lower middle one: a value that is there keeps whole numbers whole
    fill = float(np.quantile(present, 0.5, method="lower")) if len(present) else 0.0
    is_whole = bool((present == np.round(present)).all())
    return Asked(name, rows.kinds[name], about, "", fill, len(present) < len(numbers), is_whole)


def _numbers(rows: Rows, name: str, about: str) -> Floats:
    """(rows,) the column as numbers, or a part of its moments; NaN where missing."""
    if about == "value":
        return as_numbers(rows, name)
    moments = rows.column(name).to_numpy().astype("datetime64[us]")
    days = moments.astype("datetime64[D]")
    parts: Mapping[str, npt.NDArray[np.int64]] = {
        "month": moments.astype("datetime64[M]").astype(np.int64) % 12,
        "weekday": (days.astype(np.int64) + 3) % 7,  # 1970 began on a Thursday
        "hour": (moments - days).astype("timedelta64[h]").astype(np.int64),
    }
    return np.where(np.isnat(moments), np.nan, parts[about])


def best_cut(asked: Asked, low: float, high: float) -> tuple[float, str]:
    """The roundest cut with low <= cut < high, and how it is told."""
    if asked.kind == "moment" and asked.about == "value":
        return _moment_cut(low, high)
    middle = low + (high - low) / 2
    if not math.isfinite(middle):
        return low, plainly(low)
    for digits in range(1, 18):
        rounded = float(f"{middle:.{digits}g}")
        if asked.is_whole and rounded != math.floor(rounded):
            rounded = float(math.floor(middle))
        if low <= rounded < high:
            return rounded, plainly(rounded)
    return low, plainly(low)


def _moment_cut(low: float, high: float) -> tuple[float, str]:
    """The roundest moment after `low` and not after `high` (seconds since 1970); rows before it go below."""
    try:
        late = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=high)
    except OverflowError:
        return low, f"{low:.0f} seconds after 1970"
    to_minute = late.replace(second=0, microsecond=0)
    to_day = to_minute.replace(hour=0, minute=0)
    choices = [to_day.replace(month=1, day=1), to_day.replace(day=1), to_day, to_minute.replace(minute=0)]
    choices += [to_minute, late.replace(microsecond=0), late]
    for moment in choices:
        seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)
        if low < seconds <= high:
            is_day = moment == moment.replace(hour=0, minute=0, second=0, microsecond=0)
            text = moment.replace(tzinfo=None).isoformat(sep=" ")
            return math.nextafter(seconds, -math.inf), text[: -len(" 00:00:00")] if is_day else text
    return low, late.replace(tzinfo=None).isoformat(sep=" ")


def plainly(number: float) -> str:
    """A number as people write it, with all its digits."""
    if number == 0 or 1e-4 <= abs(number) < 1e15:
        return str(np.format_float_positional(number + 0.0, trim="-"))
    return repr(number)
