"""What a text cell looks like at a glance: enough to tell a header from data and one dialect from another.

This is not the reading of cells: how a column's numbers and dates are really written is for its kind to find
out.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

Look = Literal["empty", "missing", "number", "moment", "word", "text"]

LONGEST_WORD = 40
MISSING_WORDS = frozenset(
    {
        "na",
        "n/a",
        "#n/a",
        "nan",
        "null",
        "none",
        "nil",
        "-",
        "--",
        "?",
        ".",
        "missing",
        "nd",
        "n.d.",
        "(null)",
    }
)

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-zé]*\.?"
_CLOCK = r"\d{1,2}[:.h]\d{2}(?:[:.]\d{2}(?:[.,]\d+)?)?(?:\s?[ap]\.?m\.?)?(?:\s?(?:z|utc|[-+]\d{2}:?\d{2}))?"
_DAY = (
    r"(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
    rf"|\d{{1,2}}[- .]{_MONTH}[- .,]+\d{{2,4}}|{_MONTH} \d{{1,2}},? \d{{4}}|{_MONTH}[- ]\d{{2,4}})"
)
_MOMENT = re.compile(rf"(?:{_DAY}(?:[ t,]+{_CLOCK})?|{_CLOCK})", re.IGNORECASE)
_NUMBER = re.compile(
    r"\(?[-+−]?\s?[$€£¥]?\s?[-+−]?"
    r"(?:\d{1,3}(?:[ ,.'\u00a0\u202f]\d{3})+|\d+)?(?:[.,]\d*)?"
    r"(?:[eE][-+]?\d+)?\s?[%€$£]?\)?"
)
_WORD = re.compile(r"[^,;|\t\"\n]+")


def look(cell: str) -> Look:
    """The look of one cell."""
    text = cell.strip()
    if not text:
        return "empty"
    return "text" if len(text) > LONGEST_WORD else _look_short(text)


@lru_cache(maxsize=65_536)
def _look_short(text: str) -> Look:
    if text.lower() in MISSING_WORDS:
        return "missing"
    if any(character.isdigit() for character in text):
        if _NUMBER.fullmatch(text):
            return "number"
        if _MOMENT.fullmatch(text):
            return "moment"
    return "word" if _WORD.fullmatch(text) else "text"
