"""Cells as plain text, however the source held them."""

from __future__ import annotations

import math
import numbers
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.attachments import Attachment
from fathometer.core.pictures import Picture

MOST_SAMPLED = 4000  # cells looked at for a guess: enough for a share within two points
SURROGATE = re.compile(r"[\ud800-\udfff]")
FEW = 200
MISSING_WORDS = frozenset(
    {"na", "n/a", "n.a.", "#n/a", "#na", "<na>", "nan", "null", "none", "nil", "?", "-", "--", "---", ".",
     "..", "...", "missing", "unknown", "not available", "nd", "n.d.", "#value!", "#div/0!", "#ref!", "nat"}
)  # fmt: skip
"""Lower case words for "no value" in a column that otherwise holds numbers or moments."""
MACHINE_WORDS = frozenset({"?", "#N/A", "#NA", "<NA>", "nan", "NaN", "NULL", "null", "NaT"})
"""What programs write for "no value". Not "NA", "None", "-": people use these as answers ("no pool")."""


def is_text(cells: pd.Series) -> bool:
    """Whether the cells are text, or objects of any type that must be read as text."""
    dtype = cells.dtype
    return pd.api.types.is_object_dtype(dtype) or isinstance(dtype, pd.StringDtype | pd.CategoricalDtype)


def is_only_text(cells: pd.Series) -> bool:
    """Whether every present cell is a Python text."""
    if isinstance(cells.dtype, pd.StringDtype):
        return True
    return (
        pd.api.types.is_object_dtype(cells.dtype) and pd.api.types.infer_dtype(cells, skipna=True) == "string"
    )


def sample(cells: pd.Series, most: int = MOST_SAMPLED) -> pd.Series:
    """At most so many present cells, evenly spread over the column, so that a sorted column is seen whole."""
    present = cells[cells.notna()]
    if len(present) > most:
        present = present.iloc[np.linspace(0, len(present) - 1, most).astype(np.intp)]
    return present[~missing(present)]


def missing(cells: pd.Series) -> npt.NDArray[np.bool_]:
    """Which cells hold nothing: NaN, None, NaT, or text of blanks only; (rows,)."""
    nothing = np.asarray(cells.isna(), dtype=bool)
    if is_text(cells):
        codes, texts = distinct_text(cells)
        blank = np.array([text == "" for text in texts] + [False], dtype=bool)
        nothing = nothing | blank[codes]
    return nothing


def distinct_text(cells: pd.Series) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Codes (rows,) into the distinct texts, -1 where missing; blanks around a text are taken off.

    Work is done once per distinct text, which is what makes long columns cheap.
    """
    if len(cells) <= FEW:
        return _distinct_of_few(cells)
    objects = cells.astype(object)
    if is_only_text(cells):
        codes, distinct = pd.factorize(objects)
        stripped = [_clean(str(text)) for text in distinct]
    else:
        # 1, 1.0 and True are equal, so objects of mixed type are turned to text before they are told apart
        codes, texts = pd.factorize(np.array([cell_text(cell) for cell in objects], dtype=object))
        stripped = list(texts)
    return merge_equal(codes.astype(np.intp), stripped)


def _distinct_of_few(cells: pd.Series) -> tuple[npt.NDArray[np.intp], list[str]]:
    """As `distinct_text`; for the few rows of a question to a server, plain Python is ten times as fast."""
    places: dict[str, int] = {}
    texts = [cell_text(cell) for cell in cells.tolist()]
    codes = [-1 if text is None else places.setdefault(text, len(places)) for text in texts]
    return np.array(codes, dtype=np.intp), list(places)


def merge_equal(codes: npt.NDArray[np.intp], texts: list[str]) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Codes into the texts, each text once."""
    merged, distinct = pd.factorize(np.array(texts, dtype=object))
    places = np.append(merged, -1).astype(np.intp)
    return places[codes], [str(text) for text in distinct]


def cell_text(cell: Any) -> str | None:
    """One cell as text without blanks around it; whole numbers without a decimal point; None when missing."""
    if isinstance(cell, str):
        return _clean(cell)
    if cell is None or cell is pd.NaT or cell is pd.NA:
        return None
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell))
    if isinstance(cell, numbers.Integral):
        return _long_text(int(cell))
    if isinstance(cell, float | np.floating):
        return _float_text(float(cell))
    if isinstance(cell, bytes):
        return cell.decode("utf-8", errors="replace").strip()
    if isinstance(cell, Attachment | Picture | np.ndarray):
        return None  # a file's name, or what an array prints, is not what the cell holds
    return _clean(str(cell))


def _clean(text: str) -> str:
    """Text without blanks around it that can be written as UTF-8 (JSON may bring half a surrogate pair)."""
    text = text.strip()
    if text.isascii() or SURROGATE.search(text) is None:
        return text
    return SURROGATE.sub("\ufffd", text)


def _float_text(number: float) -> str | None:
    if math.isnan(number):
        return None
    if number.is_integer() and abs(number) < 1e16:
        return str(int(number))
    return repr(number)


def _long_text(number: int) -> str:
    # Python refuses to write integers of more than 4,300 digits in decimal
    return str(number) if number.bit_length() < 10_000 else hex(number)


def column_name(values: pd.Series) -> str:
    """The column's name as text."""
    return "" if values.name is None else str(values.name)
