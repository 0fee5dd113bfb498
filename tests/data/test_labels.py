"""Labels as text."""

from __future__ import annotations

import pandas as pd

from fathometer.data.labels import label_order, label_text


def test_labels_lose_blanks_and_needless_decimals() -> None:
    assert label_text(pd.Series([" yes", "no ", "", None])).tolist()[:2] == ["yes", "no"]
    assert label_text(pd.Series([" yes", "no ", "", None])).isna().tolist() == [False, False, True, True]
    assert label_text(pd.Series([1.0, 2.0, None])).tolist()[:2] == ["1", "2"]
    assert label_text(pd.Series([True, False])).tolist() == ["True", "False"]


def test_numbers_are_ordered_by_size_and_words_by_alphabet() -> None:
    assert label_order(["10", "9", "-1"]) == ["-1", "9", "10"]
    assert label_order(["b", "10", "a"]) == ["10", "a", "b"]
