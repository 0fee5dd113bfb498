"""What the characters of texts are: digits, capitals, punctuation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.kinds.text.words import plain_text


@dataclass(frozen=True)
class Signs:
    """Of each text's beginning, without markup, (texts,) each: shares of its characters, and how many "!"."""

    digits: npt.NDArray[np.float64]
    capitals: npt.NDArray[np.float64]
    punctuation: npt.NDArray[np.float64]
    exclamations: npt.NDArray[np.int64]


def texts_of(values: pd.Series) -> list[str]:
    """Every value as text, "" where missing."""
    return [text if isinstance(text, str) else "" for text in values]


def present(values: pd.Series) -> npt.NDArray[np.bool_]:
    """(rows,) which values are there."""
    return np.array([isinstance(text, str) for text in values], dtype=bool)


def signs_of(texts: list[str]) -> Signs:
    """Shares of digits, capitals and punctuation in each text."""
    seen = [plain_text(text) for text in texts]
    lengths = np.array([len(text) for text in seen], dtype=np.int64)
    codes = np.frombuffer("".join(seen).encode("utf-32-le", "replace"), dtype=np.uint32)
    shown = np.flatnonzero(np.bincount(codes, minlength=1))
    kinds = np.zeros((4, int(shown.max(initial=0)) + 1), dtype=np.uint8)
    for code in shown:
        sign = chr(code)
        kinds[:, code] = (
            sign.isdigit(),
            sign.isupper(),
            not sign.isalnum() and not sign.isspace(),
            sign == "!",
        )
    counts = np.zeros((4, len(texts)), dtype=np.int64)
    filled = lengths > 0  # reduceat takes no empty stretches
    if filled.any():
        starts = (np.cumsum(lengths) - lengths)[filled]
        counts[:, filled] = [np.add.reduceat(row[codes], starts, dtype=np.int64) for row in kinds]
    scale = np.maximum(lengths, 1)
    return Signs(counts[0] / scale, counts[1] / scale, counts[2] / scale, counts[3])
