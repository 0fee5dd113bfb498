"""Moments: dates, times of day, and both, in one of the many ways people write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core import states
from fathometer.core.files import State
from fathometer.kind import Features, Featurizer, Kind, Reading
from fathometer.kinds import _cells

Moments = npt.NDArray[np.datetime64]

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
CLOCK = (
    r"(?P<hour>[0-9]{1,2})[:.h](?P<minute>[0-9]{2})"
    r"(?:[:.](?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"\s?(?P<half>[AaPp]\.?[Mm]\.?)?\s?(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{2})?"
)
AFTER_DATE = rf"(?:(?:T|,?\s+|\s*at\s+){CLOCK})?"
WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
MONTH = r"(?P<word>[a-z]{3,9})\.?"
STYLES = {
    "year first": rf"(?P<year>[0-9]{{4}})([-/.])(?P<month>[0-9]{{1,2}})\2(?P<day>[0-9]{{1,2}}){AFTER_DATE}",
    "year last": rf"(?P<first>[0-9]{{1,2}})([-/. ])(?P<other>[0-9]{{1,2}})\2"
    rf"(?P<year>[0-9]{{4}}|[0-9]{{2}}){AFTER_DATE}",
    "day month": rf"{WEEKDAY}(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?[-\s./]*{MONTH}[-\s.,/]*"
    rf"(?P<year>[0-9]{{4}}|[0-9]{{2}}){AFTER_DATE}",
    "month day": rf"{WEEKDAY}{MONTH}\s*(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?,?\s+"
    rf"(?P<year>[0-9]{{4}}){AFTER_DATE}",
    "year at end": rf"{WEEKDAY}{MONTH}\s+(?P<day>[0-9]{{1,2}})\s+{CLOCK}\s+(?P<year>[0-9]{{4}})",
    "month": rf"{MONTH}[-\s.,/]*(?P<year>[0-9]{{4}})",
    "year month": r"(?P<year>[0-9]{4})[-/](?P<month>[0-9]{1,2})",
    "compact": r"(?P<year>(?:19|20)[0-9]{2})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
    r"(?:T?(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2})(?P<zone>Z)?)?",
    "clock": CLOCK,
}
"""One pattern per way of writing; the column takes the one that reads most of its cells."""
PATTERNS = {style: re.compile(pattern, re.IGNORECASE) for style, pattern in STYLES.items()}

NAMED_TIME = re.compile(
    r"(?:^|[^a-z])(?:date|time|timestamp|datetime|epoch|day|when|at|on|ts|created|updated)(?:$|[^a-z])"
)
EPOCHS = {"epoch seconds": (1e9, 2.1e9, 1_000_000), "epoch milliseconds": (1e12, 2.1e12, 1_000)}
"""Style -> lowest and highest value believed (2001 to 2036), and microseconds per unit."""
ISO: Reading = {"style": "year first", "day_first": False}
"""ISO 8601, in which programs write moments: read in every column, whatever the way its own cells were written."""
DAY = 86_400.0  # seconds
MOST_LEARNED = 20_000  # distinct texts from which the writing is learned


class Moment(Kind):
    """Cells that say when; values are datetime64[us] without zone, in UTC where a zone was written."""

    name: ClassVar[str] = "moment"

    def guess(self, cells: pd.Series) -> float:
        """High for dates and times; for bare numbers only if their name and their values both say so."""
        if pd.api.types.is_datetime64_any_dtype(cells.dtype):
            return 1.0
        if (
            pd.api.types.is_bool_dtype(cells.dtype)
            or not self.learn_reading(_cells.sample(cells, 50))["style"]
        ):
            return 0.0  # most columns are done with here, cheaply
        present = _cells.sample(cells)
        reading = self.learn_reading(present)
        if not reading["style"]:
            return 0.0
        share = float(self.read(present, reading).notna().mean())
        return round(0.95 * share**2, 4)

    def learn_reading(self, cells: pd.Series) -> Reading:
        """Find the one way of writing, and the order of day and month, from the column as a whole."""
        nothing: Reading = {"style": "", "day_first": False, "is_ambiguous": False}
        if pd.api.types.is_datetime64_any_dtype(cells.dtype):
            return nothing
        codes, texts = _cells.distinct_text(cells)
        counts = np.bincount(codes[codes >= 0], minlength=len(texts))
        places = [
            place for place, text in enumerate(texts) if text.lower() not in _cells.MISSING_WORDS and text
        ]
        spots = np.linspace(0, len(places) - 1, min(len(places), MOST_LEARNED)).astype(int)
        kept = [places[spot] for spot in spots] if places else []
        texts, weights = [texts[place] for place in kept], counts[kept].astype(float) if kept else np.zeros(0)
        style = _commonest_style(texts, weights, str(cells.name))
        if style != "year last":
            return nothing | {"style": style}
        day_first, is_ambiguous = _order_of_day(texts, weights)
        return {"style": style, "day_first": day_first, "is_ambiguous": is_ambiguous}

    def read(self, cells: pd.Series, reading: Reading) -> pd.Series:
        """Moments; a time of day alone falls on 1 January 1970."""
        dtype = cells.dtype
        if isinstance(dtype, pd.DatetimeTZDtype):
            moments = cells.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]")
        elif pd.api.types.is_datetime64_any_dtype(dtype):
            moments = cells.to_numpy().astype("datetime64[us]")
        elif pd.api.types.is_bool_dtype(dtype):
            moments = np.full(len(cells), np.datetime64("NaT", "us"))
        elif not reading["style"]:
            moments = _read_objects(cells, lambda text: _moment_of(text, ISO))
        elif reading["style"] in EPOCHS:
            moments = _read_epochs(cells, reading["style"])
        else:
            moments = _read_objects(cells, lambda text: _moment_of(text, reading))
        return pd.Series(moments, index=cells.index, name=cells.name)

    def describe(self, reading: Reading) -> str:
        if reading["style"] in EPOCHS:
            return f"{reading['style']} since 1970"
        if reading["style"] != "year last":
            return ""
        order = "the day before the month" if reading["day_first"] else "the month before the day"
        return order + (", though the cells could be read either way" if reading["is_ambiguous"] else "")

    def summary(self, values: pd.Series) -> dict[str, Any]:
        """First and last moment, as ISO text; None where there are none."""
        present = values.dropna()
        facts = {
            "rows": len(values),
            "missing": int(len(values) - len(present)),
            "distinct": int(present.nunique()),
        }
        if not len(present):
            return facts | {"low": None, "high": None}
        return facts | {"low": present.min().isoformat(), "high": present.max().isoformat()}

    def fit_features(self, values: pd.Series) -> MomentFeaturizer:
        moments = values.dropna().to_numpy().astype("datetime64[us]")
        name = _cells.column_name(values)
        if not len(moments):
            return MomentFeaturizer(name, 0, False, False)
        days = moments.astype("datetime64[D]")
        return MomentFeaturizer(
            name,
            int(moments.min().astype(np.int64)),
            bool((days != days[0]).any()),
            bool((_seconds_of_day(moments) != _seconds_of_day(moments)[0]).any()),
        )

    def load_features(self, state: State) -> MomentFeaturizer:
        states.table(state, "a moment's features", ("name", "start", "days_vary", "times_vary"))
        return MomentFeaturizer(
            states.text(state["name"], "name"),
            states.whole(state["start"], "start", -(1 << 62), 1 << 62),
            states.truth(state["days_vary"], "days_vary"),
            states.truth(state["times_vary"], "times_vary"),
        )

    def toy(self, signal: npt.NDArray[np.float64], rng: np.random.Generator) -> pd.Series:
        days = (signal * 700 + rng.normal(0, 10, len(signal))).astype("timedelta64[D]")
        texts = [str(day) for day in np.datetime64("2021-01-01") + days]
        return pd.Series(texts, dtype=object, name="joined")


@dataclass(frozen=True)
class MomentFeaturizer(Featurizer):
    """Trend in days, and the turn of the year, month, week and day; only what varied in training.

    start: microseconds since 1970 of the earliest training moment.
    """

    name: str
    start: int
    days_vary: bool
    times_vary: bool

    def transform(self, values: pd.Series) -> Features:
        moments = values.to_numpy().astype("datetime64[us]")
        absent = np.isnat(moments)
        moments = np.where(absent, np.datetime64(self.start, "us"), moments)
        numbers, codes = self._numbers(moments), self._codes(moments)
        columns = [np.where(absent, np.nan, column) for column in numbers.values()]
        coded = [np.where(absent, 0, column + 1) for column, _ in codes.values()]
        rows = len(values)
        return Features(
            np.array(columns, dtype=np.float64).T.reshape(rows, len(columns)).astype(np.float32),
            np.array(coded, dtype=np.int64).T.reshape(rows, len(coded)).astype(np.int32),
            tuple(f"{self.name}: {part}" for part in numbers),
            tuple(f"{self.name}: {part}" for part in codes),
            tuple(size + 1 for _, size in codes.values()),
        )

    def _numbers(self, moments: Moments) -> dict[str, npt.NDArray[np.float64]]:
        """Column name -> (rows,) float64."""
        since = moments.astype(np.int64).astype(np.float64) - self.start
        found = {"days": since / (DAY * 1e6)}
        if self.days_vary:
            days = moments.astype("datetime64[D]")
            of_year = (days - moments.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64)
            of_month = (days - moments.astype("datetime64[M]").astype("datetime64[D]")).astype(np.float64)
            turn = 2 * np.pi * of_year / 365.25
            found |= {"year (sin)": np.sin(turn), "year (cos)": np.cos(turn), "day of month": of_month + 1}
        if self.times_vary:
            turn = 2 * np.pi * _seconds_of_day(moments) / DAY
            found |= {"day (sin)": np.sin(turn), "day (cos)": np.cos(turn)}
        return found

    def _codes(self, moments: Moments) -> dict[str, tuple[npt.NDArray[np.int64], int]]:
        """Column name -> ((rows,) codes from 0, how many)."""
        found: dict[str, tuple[npt.NDArray[np.int64], int]] = {}
        if self.days_vary:
            day_numbers = moments.astype("datetime64[D]").astype(np.int64)
            found["weekday"] = ((day_numbers + 3) % 7, 7)  # 1 January 1970 was a Thursday
            found["month"] = (moments.astype("datetime64[M]").astype(np.int64) % 12, 12)
        if self.times_vary:
            found["hour"] = ((_seconds_of_day(moments) // 3600).astype(np.int64), 24)
        return found

    def state(self) -> State:
        return {
            "name": self.name,
            "start": self.start,
            "days_vary": self.days_vary,
            "times_vary": self.times_vary,
        }


def _seconds_of_day(moments: Moments) -> npt.NDArray[np.float64]:
    seconds: npt.NDArray[np.float64] = (moments - moments.astype("datetime64[D]")).astype(np.int64) / 1e6
    return seconds


def _commonest_style(texts: list[str], weights: npt.NDArray[np.float64], column: str) -> str:
    """The style that reads most cells, or "" when none reads half of them."""
    if not texts:
        return ""
    is_named_time = NAMED_TIME.search(_snake(column)) is not None
    best, most = "", 0.5 * float(weights.sum())
    for style, pattern in PATTERNS.items():
        if style == "compact" and not is_named_time:
            continue
        read = 0.0
        for text, weight in zip(texts, weights, strict=True):
            if pattern.fullmatch(text) is not None and _is_moment(text, style):
                read += float(weight)
        if read > most:
            best, most = style, read
    return best or (_epoch_style(texts) if is_named_time else "")


def _snake(column: str) -> str:
    """Lower case, humps parted: createdAt -> created_at."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).lower()


def _epoch_style(texts: list[str]) -> str:
    numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").to_numpy(dtype=np.float64)
    for style, (low, high, _) in EPOCHS.items():
        if bool(((numbers >= low) & (numbers <= high)).all()):
            return style
    return ""


def _is_moment(text: str, style: str) -> bool:
    """Whether a text of that style is a true date (13.5 is no clock, 31.02.2020 no day)."""
    if style == "clock" and re.fullmatch(r"[0-9]{1,2}\.[0-9]{2}", text):
        return False
    orders = (True, False) if style == "year last" else (False,)
    return any(not np.isnat(_moment_of(text, {"style": style, "day_first": order})) for order in orders)


def _order_of_day(texts: list[str], weights: npt.NDArray[np.float64]) -> tuple[bool, bool]:
    """(day comes first, it is ambiguous): by parts above 12, then by sorted order, then by the separator."""
    pattern = PATTERNS["year last"]
    matches = [(text, pattern.fullmatch(text), weight) for text, weight in zip(texts, weights, strict=True)]
    found = [(text, match, weight) for text, match, weight in matches if match is not None]
    day_first = sum(weight for _, match, weight in found if int(match["first"]) > 12)
    month_first = sum(weight for _, match, weight in found if int(match["other"]) > 12)
    if day_first != month_first:
        return bool(day_first > month_first), False
    by_day, by_month = (_share_rising([text for text, _, _ in found], order) for order in (True, False))
    if max(by_day, by_month) > 0.95 and abs(by_day - by_month) > 0.02:
        return by_day > by_month, False
    # America writes 1/2/2020 for January; with dots or dashes the day nearly always comes first
    return found[0][1][2] != "/", True


def _share_rising(texts: list[str], day_first: bool) -> float:
    """The larger share of steps that go up, or down, in the order of first appearance."""
    moments = np.array([_moment_of(text, {"style": "year last", "day_first": day_first}) for text in texts])
    steps = np.diff(moments[~np.isnat(moments)].astype("datetime64[us]").astype(np.int64))
    if not len(steps):
        return 0.0
    return float(max((steps >= 0).mean(), (steps <= 0).mean()))


def _read_objects(cells: pd.Series, read_text: Callable[[str], np.datetime64]) -> Moments:
    """Moments of a column of text, or of objects that may themselves be dates."""
    if pd.api.types.is_object_dtype(cells.dtype) and not _cells.is_only_text(cells):
        return np.array([_moment_of_object(cell, read_text) for cell in cells], dtype="datetime64[us]")
    codes, texts = _cells.distinct_text(cells)
    return np.array([read_text(text) for text in texts] + ["NaT"], dtype="datetime64[us]")[codes]


def _moment_of_object(cell: Any, read_text: Callable[[str], np.datetime64]) -> np.datetime64:
    isoformat = getattr(cell, "isoformat", None)
    if isoformat is not None and cell is not pd.NaT:
        style = "year first" if hasattr(cell, "year") else "clock"
        return _moment_of(str(isoformat()), {"style": style, "day_first": False})
    text = _cells.cell_text(cell)
    return np.datetime64("NaT", "us") if text is None else read_text(text)


def _read_epochs(cells: pd.Series, style: str) -> Moments:
    _, high, unit = EPOCHS[style]
    codes, texts = _cells.distinct_text(cells)
    numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").to_numpy(dtype=np.float64)
    believed = np.isfinite(numbers) & (np.abs(numbers) <= 10 * high)
    moments = (np.where(believed, numbers, 0.0) * unit).astype(np.int64).astype("datetime64[us]")
    moments[~believed] = [_moment_of(texts[place], ISO) for place in np.flatnonzero(~believed)]
    return np.append(moments, np.datetime64("NaT", "us"))[codes]


def _moment_of(text: str, reading: Reading) -> np.datetime64:
    """One text to a moment, NaT when it reads neither as the column does nor as ISO 8601."""
    match = PATTERNS[reading["style"]].fullmatch(text)
    if match is None:
        return np.datetime64("NaT", "us") if reading["style"] == ISO["style"] else _moment_of(text, ISO)
    parts = match.groupdict()
    if reading["style"] == "year last":
        first, other = (parts["first"], parts["other"])
        parts["day"], parts["month"] = (first, other) if reading["day_first"] else (other, first)
    if parts.get("word"):
        word = parts["word"].lower()[:3]
        parts["month"] = str(MONTHS.index(word) + 1) if word in MONTHS else "0"
    date = _date_of(parts.get("year"), parts.get("month"), parts.get("day"))
    seconds = _seconds_of(parts)
    if date is None or seconds is None:
        return np.datetime64("NaT", "us")
    return date + np.timedelta64(round(seconds * 1e6), "us")


def _date_of(year: str | None, month: str | None, day: str | None) -> np.datetime64 | None:
    if year is None:
        return np.datetime64("1970-01-01", "us")
    full_year = int(year)
    if len(year) == 2:  # the POSIX rule for two digits
        full_year += 1900 if full_year >= 69 else 2000
    try:
        return np.datetime64(f"{full_year:04d}-{int(month or 1):02d}-{int(day or 1):02d}", "us")
    except ValueError:
        return None


def _seconds_of(parts: dict[str, str | Any]) -> float | None:
    """Seconds after midnight UTC of the clock's parts; 0 without a clock, None when it is no time of day."""
    if parts.get("hour") is None:
        return 0.0
    hour, minute, second = int(parts["hour"]), int(parts["minute"]), int(parts.get("second") or 0)
    half = (parts.get("half") or "").lower()[:1]
    is_clock = hour <= 23 or (hour == 24 and minute + second == 0)
    if not is_clock or minute > 59 or second > 60 or (half and not 1 <= hour <= 12):
        return None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    fraction = float(f"0.{parts.get('fraction') or 0}")
    return hour * 3600 + minute * 60 + second + fraction - _zone_seconds(parts.get("zone") or "")


def _zone_seconds(zone: str) -> int:
    if not zone or zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * (-1 if zone[0] == "-" else 1)
