"""Class labels as text."""

from __future__ import annotations

import pandas as pd


def label_text(cells: pd.Series) -> pd.Series:
    """Class labels as text, stripped; whole numbers without a decimal point; missing stays so."""
    if pd.api.types.is_float_dtype(cells.dtype):
        whole = cells.dropna()
        if len(whole) and bool((whole == whole.round()).all()) and float(whole.abs().max()) < 2**53:
            cells = cells.astype("Int64")
    text = cells.astype("string").str.strip()
    return text.mask(text == "")


def label_order(labels: list[str]) -> list[str]:
    """Labels in the order people expect: numbers by size, text by alphabet."""
    numbers = pd.to_numeric(pd.Series(labels, dtype=object), errors="coerce")
    if bool(numbers.notna().all()):
        return [label for _, label in sorted(zip(numbers.tolist(), labels, strict=True))]
    return sorted(labels)
