"""Numbers: amounts, counts, measurements, however they are written."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.files import State
from fathometer.core.states import number, table, text
from fathometer.kind import Features, Featurizer, Kind, Reading
from fathometer.kinds import _cells

PLAIN: Reading = {
    "decimal": ".",
    "thousands": "",
    "prefix": "",
    "suffix": "",
    "scaled": False,
    "parentheses": False,
    "typeset": False,
    "missing": [],
}
"""How a program writes numbers: the reading of most columns."""

LARGEST_EXACT = 2**53  # whole numbers above lose digits in float64
LARGEST_FEATURE = 1e30  # float32 ends at 3e38, and learners square
MOST_ANALYSED = 20_000  # distinct texts from which the writing is learned
CURRENCIES = r"[$€£¥₹₽₩₺₫₪₴฿]|(?:US|CA|AU|NZ|HK|S|R)\$|"
CURRENCIES += r"(?:USD|EUR|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|BRL|Rs|kr|zł)\.?"
UNITS = frozenset(
    [
        "%",
        "‰",
        "°",
        "°c",
        "°f",
        "k",
        "kg",
        "g",
        "mg",
        "µg",
        "t",
        "lb",
        "lbs",
        "oz",
        "km",
        "m",
        "cm",
        "mm",
        "µm",
        "mi",
        "ft",
        "in",
        "yd",
        "l",
        "ml",
        "cl",
        "gal",
        "h",
        "hr",
        "hrs",
        "min",
        "mins",
        "s",
        "sec",
        "ms",
        "d",
        "day",
        "days",
        "yr",
        "yrs",
        "year",
        "years",
        "month",
        "months",
        "week",
        "weeks",
        "w",
        "kw",
        "mw",
        "kwh",
        "mwh",
        "wh",
        "v",
        "mv",
        "a",
        "ma",
        "hz",
        "khz",
        "mhz",
        "ghz",
        "b",
        "kb",
        "mb",
        "gb",
        "tb",
        "kib",
        "mib",
        "gib",
        "bit",
        "bits",
        "px",
        "pt",
        "hp",
        "cc",
        "kmh",
        "mph",
        "rpm",
        "bar",
        "pa",
        "hpa",
        "kpa",
        "cal",
        "kcal",
        "mol",
        "ppm",
        "db",
        "x",
        "+",
        "pcs",
    ]
)
SCALES = {
    "": 1.0,
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "m": 1e6,
    "B": 1e9,
    "bn": 1e9,
    "Bn": 1e9,
    "G": 1e9,
    "T": 1e12,
}
SIGNS = str.maketrans({"\u2212": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'"})
STYLES = ((".", ""), (".", ","), (",", ""), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"))
"""Pairs (decimal sign, thousands sign); of two that read equally many cells the earlier is taken."""

SHELL = re.compile(
    rf"(?P<sign>[+-]?)\s?(?P<prefix>{CURRENCIES}|)\s?"
    r"(?P<inner>[+-]?[0-9.,][0-9., ']*?(?:[eE][+-]?[0-9]{1,3})?)"
    r"(?P<gap>\s?)(?P<suffix>[^0-9\s.,'+-][^0-9]{0,11}|\+|)"
)
LEADING_ZERO = re.compile(r"0[0-9]+")


class Number(Kind):
    """Cells that are amounts; values are float64, infinities and what cannot be read are missing."""

    name: ClassVar[str] = "number"

    def guess(self, cells: pd.Series) -> float:
        """High when nearly every cell reads as a number and the digits are not a code.

        Codes are: digits with leading zeros, whole numbers too long for float64, and flags of two values.
        """
        dtype = cells.dtype
        if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_datetime64_any_dtype(dtype):
            return 0.0
        present = _cells.sample(cells)
        if not len(present):
            return 0.3
        reading = self.learn_reading(present)
        values = self.read(present, reading)
        told = present[~_is_missing_word(present, reading)]
        share = float(values.notna().sum()) / max(len(told), 1) if len(told) else 0.0
        return round(0.9 * min(share, 1.0) ** 3 * _looks_counted(told, values, cells), 4)

    def learn_reading(self, cells: pd.Series) -> Reading:
        """Find decimal and thousands sign, a constant currency or unit, and the words for missing."""
        if not _cells.is_text(cells):
            return dict(PLAIN)
        if _is_plain(cells):
            return dict(PLAIN)
        codes, texts = _cells.distinct_text(cells)
        counts = np.bincount(codes[codes >= 0], minlength=len(texts))
        plain = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").notna().to_numpy()
        odd = [place for place, text in enumerate(texts) if not plain[place] and not _names_nothing(text)]
        if not odd:
            return dict(PLAIN)
        signed = [text.translate(SIGNS) for text in texts]
        kept = _spread([place for place, text in enumerate(signed) if not _names_nothing(text)])
        reading = _learn_style([signed[place] for place in kept], counts[kept].astype(np.float64))
        return reading | {"typeset": signed != texts}

    def read(self, cells: pd.Series, reading: Reading) -> pd.Series:
        """Float64 values."""
        if pd.api.types.is_datetime64_any_dtype(cells.dtype) or pd.api.types.is_timedelta64_dtype(
            cells.dtype
        ):
            numbers = np.full(len(cells), np.nan)
        elif not _cells.is_text(cells):
            numbers = _to_float(cells)
        else:
            numbers = _read_texts(cells, reading)
        numbers[~np.isfinite(numbers)] = np.nan
        return pd.Series(numbers, index=cells.index, name=cells.name)

    def fault_of_reading(self, reading: Mapping[str, Any]) -> str:
        # other signs, digits say, would make a pattern that never ends
        if (reading.get("decimal"), reading.get("thousands")) not in STYLES:
            return "its signs are none in which numbers are written"
        return super().fault_of_reading(reading)

    def describe(self, reading: Reading) -> str:
        parts = [f"'{reading['decimal']}' is the decimal sign"] if reading["decimal"] != "." else []
        parts += [f"{reading['thousands']!r} parts thousands"] if reading["thousands"] else []
        parts += [f"{affix!r} is left out" for affix in (reading["prefix"], reading["suffix"]) if affix]
        parts += ["k, M and B multiply"] if reading["scaled"] else []
        parts += ["brackets mean minus"] if reading["parentheses"] else []
        parts += (
            [f"{', '.join(map(repr, reading['missing']))} counts as missing"] if reading["missing"] else []
        )
        return "; ".join(parts)

    def summary(self, values: pd.Series) -> dict[str, Any]:
        """Range, middle and deciles of the values; None where there are none."""
        present = values.dropna().to_numpy(dtype=np.float64)
        facts: dict[str, Any] = {"rows": len(values), "missing": int(len(values) - len(present))}
        facts["distinct"] = len(np.unique(present))
        if not len(present):
            return facts | {"low": None, "high": None, "mean": None, "spread": None, "deciles": []}
        with np.errstate(over="ignore", invalid="ignore"):
            mean, spread = float(present.mean()), float(present.std())
            deciles = np.quantile(present, np.linspace(0, 1, 11))
        return facts | {
            "low": float(present.min()),
            "high": float(present.max()),
            "mean": mean if math.isfinite(mean) else None,
            "spread": spread if math.isfinite(spread) else None,
            "deciles": [float(decile) if math.isfinite(decile) else None for decile in deciles],
        }

    def fit_features(self, values: pd.Series) -> NumberFeaturizer:
        return NumberFeaturizer(_cells.column_name(values), _centre(values.to_numpy(dtype=np.float64)))

    def load_features(self, state: State) -> NumberFeaturizer:
        table(state, "a number's features", ("name", "centre"))
        return NumberFeaturizer(text(state["name"], "name"), number(state["centre"], "centre"))

    def toy(self, signal: npt.NDArray[np.float64], rng: np.random.Generator) -> pd.Series:
        noisy = 100 * signal + rng.normal(0, 3, len(signal))
        return pd.Series([f"{value:.2f}" for value in noisy], dtype=object, name="amount")


@dataclass(frozen=True)
class NumberFeaturizer(Featurizer):
    """The number itself; `centre` is taken off only where float32 would lose its last digits."""

    name: str
    centre: float

    def transform(self, values: pd.Series) -> Features:
        numbers = values.to_numpy(dtype=np.float64) - self.centre
        clipped = np.clip(numbers, -LARGEST_FEATURE, LARGEST_FEATURE).astype(np.float32)
        return Features(clipped[:, None], np.zeros((len(values), 0), dtype=np.int32), (self.name,), (), ())

    def state(self) -> State:
        return {"name": self.name, "centre": self.centre}


def _centre(numbers: npt.NDArray[np.float64]) -> float:
    """A middle worth subtracting before the cast: for large numbers close together (float32 has 7 digits)."""
    present = numbers[np.isfinite(numbers)]
    if not len(present):
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        low, middle, high = (float(part) for part in np.quantile(present, [0.01, 0.5, 0.99]))
    size = max(abs(low), abs(high))
    if not math.isfinite(size) or size < 1e5 or high - low > 0.05 * size:
        return 0.0
    return middle


def _is_plain(cells: pd.Series) -> bool:
    """Whether all text is numbers as programs write them, but for words for missing; quick."""
    if not _cells.is_only_text(cells):
        return False
    unread = cells[pd.to_numeric(cells.astype(object), errors="coerce").isna() & cells.notna()]
    return all(_names_nothing(text.strip()) for text in unread.unique())


def _to_float(cells: pd.Series) -> npt.NDArray[np.float64]:
    """Numbers of a column of numbers; complex and other odd types give missing."""
    if pd.api.types.is_complex_dtype(cells.dtype):
        return np.full(len(cells), np.nan)
    try:
        return np.array(cells.to_numpy(dtype=np.float64, na_value=np.nan))
    except (TypeError, ValueError):
        return np.array([_float_of(cell) for cell in cells], dtype=np.float64)


def _float_of(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _read_texts(cells: pd.Series, reading: Reading) -> npt.NDArray[np.float64]:
    objects = cells.astype(object)
    if _cells.is_only_text(cells):
        if reading == PLAIN:
            return np.array(pd.to_numeric(objects, errors="coerce"), dtype=np.float64)
        codes, texts = _cells.distinct_text(cells)
        return np.append(_parse(texts, reading), np.nan)[codes]
    numbers = np.full(len(cells), np.nan)
    is_word = np.fromiter((isinstance(cell, str) for cell in objects), dtype=bool, count=len(objects))
    # numbers among text are numbers already: the reading is for what was written down
    numbers[~is_word] = [_float_of(cell) for cell in objects[~is_word]]
    if is_word.any():
        numbers[is_word] = _read_texts(objects[is_word], reading)
    return numbers


def _parse(texts: list[str], reading: Reading) -> npt.NDArray[np.float64]:
    """Numbers of distinct texts, NaN where one does not read."""
    if all(reading[key] == PLAIN[key] for key in PLAIN if key != "missing"):
        plain = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce")
        numbers = plain.to_numpy(dtype=np.float64, na_value=np.nan).copy()
    else:
        body = _body_pattern(reading["decimal"], reading["thousands"])
        numbers = np.array(
            [_parse_one(text.translate(SIGNS), reading, body) for text in texts], dtype=np.float64
        )
    named = set(reading["missing"])
    if named and len(texts):
        numbers[np.array([text in named for text in texts], dtype=bool)] = np.nan
    return numbers


def _parse_one(text: str, reading: Reading, body: re.Pattern[str]) -> float:
    negative = 1.0
    if reading["parentheses"] and text.startswith("(") and text.endswith(")"):
        negative, text = -1.0, text[1:-1].strip()
    parts = SHELL.fullmatch(text)
    if parts is None or parts["prefix"] not in ("", reading["prefix"]):
        return math.nan
    if parts["sign"] == "-":
        negative = -negative
    suffix = parts["suffix"].strip()
    if suffix not in ("", reading["suffix"]) and not (reading["scaled"] and suffix in SCALES):
        return math.nan
    inner = parts["inner"].strip()
    if body.fullmatch(inner) is None:
        return math.nan
    digits = inner.replace(reading["thousands"], "") if reading["thousands"] else inner
    number = _float_of(digits.replace(reading["decimal"], "."))
    return negative * number * (SCALES[suffix] if reading["scaled"] and suffix in SCALES else 1.0)


def _body_pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    point, power = re.escape(decimal), r"(?:[eE][+-]?[0-9]{1,3})?"
    plain = rf"[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+"
    if not thousands:
        return re.compile(rf"[+-]?(?:{plain}){power}")
    comma = re.escape(thousands)
    # groups of three, or the Indian 12,34,567
    grouped = rf"[1-9][0-9]{{0,2}}(?:{comma}[0-9]{{2,3}})*{comma}[0-9]{{3}}(?:{point}[0-9]*)?"
    return re.compile(rf"[+-]?(?:{grouped}|{plain}){power}")


def _learn_style(texts: list[str], counts: npt.NDArray[np.float64]) -> Reading:
    """The reading under which most of these cells are numbers."""
    reading = dict(PLAIN)
    bracketed = [text.startswith("(") and text.endswith(")") for text in texts]
    inside = [text[1:-1].strip() if held else text for text, held in zip(texts, bracketed, strict=True)]
    shells = [SHELL.fullmatch(text) for text in inside]
    # counted over distinct texts: a price of 0 is often written bare, and may be most of the rows
    prefixes = Counter(shell["prefix"] for shell in shells if shell is not None)
    suffixes = Counter(shell["suffix"].strip() for shell in shells if shell is not None)
    reading["prefix"] = _agreed(prefixes)
    in_scale = {suffix: count for suffix, count in suffixes.items() if suffix in SCALES and suffix}
    if len(in_scale) > 1 and sum(in_scale.values()) + suffixes[""] >= 0.95 * suffixes.total():
        reading["scaled"] = True
    else:
        reading["suffix"] = _agreed_unit(inside, suffixes)
    bodies = [shell["inner"].strip() if shell is not None else "" for shell in shells]
    reading["decimal"], reading["thousands"] = _best_signs(bodies, counts)
    reading["parentheses"] = any(bracketed)
    reading["missing"] = _words_for_missing(texts, reading, counts)
    return reading


def _agreed(affixes: Counter[str]) -> str:
    """The affix that at least half of the distinct texts have and the others lack, or that nearly all have."""
    for affix, count in affixes.most_common(2):
        others = affixes.total() - count - affixes[""]
        if affix and (count >= 0.9 * affixes.total() or (others == 0 and count >= 0.5 * affixes.total())):
            return affix
    return ""


def _agreed_unit(texts: list[str], suffixes: Counter[str]) -> str:
    """A constant unit; letters that are no known unit need many different numbers before them."""
    unit = _agreed(suffixes)
    is_known = unit.lower() in UNITS or re.fullmatch(CURRENCIES, unit) is not None
    return unit if is_known or len(set(texts)) >= 20 else ""


def _best_signs(bodies: list[str], counts: npt.NDArray[np.float64]) -> tuple[str, str]:
    best, most = STYLES[0], -1.0
    for style in STYLES:
        pattern = _body_pattern(*style)
        read = sum(
            float(count)
            for body, count in zip(bodies, counts, strict=True)
            if pattern.fullmatch(body) is not None
        )
        if read > most:
            best, most = style, read
    return best


def _words_for_missing(texts: list[str], reading: Reading, counts: npt.NDArray[np.float64]) -> list[str]:
    """Up to three words that stand where a number should, in a column of otherwise many different numbers."""
    body = _body_pattern(reading["decimal"], reading["thousands"])
    unread = {text for text in texts if math.isnan(_parse_one(text, reading, body))}
    read_count = sum(float(count) for text, count in zip(texts, counts, strict=True) if text not in unread)
    few = len(unread) <= 3 and len(texts) - len(unread) >= 20 and read_count >= 0.5 * float(counts.sum())
    return sorted(unread) if few else []


def _names_nothing(text: str) -> bool:
    return text == "" or text.lower() in _cells.MISSING_WORDS


def _is_missing_word(cells: pd.Series, reading: Reading) -> npt.NDArray[np.bool_]:
    """Which present cells are a word for missing; (rows,)."""
    if not _cells.is_text(cells):
        return np.zeros(len(cells), dtype=bool)
    codes, texts = _cells.distinct_text(cells)
    named = set(reading["missing"])
    nothing = np.array([_names_nothing(text) or text in named for text in texts] + [True], dtype=bool)
    return nothing[codes]


def _looks_counted(cells: pd.Series, values: pd.Series, column: pd.Series) -> float:
    """A factor that is small for digits that name things instead of counting them; `column` is all cells."""
    present = values.dropna()
    if not len(present):
        return 0.1
    whole = bool((present == present.round()).all())
    if whole and float(present.abs().max()) > LARGEST_EXACT:
        return 0.2
    if whole and len(present) > 2 and present.nunique() <= 2 and column.nunique() <= 4:
        return 0.4  # (a word or two for missing may stand beside the flag's two values)
    if _cells.is_text(cells):
        codes, texts = _cells.distinct_text(cells)
        zeros = np.array([LEADING_ZERO.fullmatch(text) is not None for text in texts] + [False], dtype=bool)
        if zeros[codes].mean() > 0.005:
            return 0.2
    return 1.0


def _spread(places: list[int]) -> list[int]:
    if len(places) <= MOST_ANALYSED:
        return places
    return [places[spot] for spot in np.linspace(0, len(places) - 1, MOST_ANALYSED).astype(int)]
