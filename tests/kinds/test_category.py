"""Categories keep people's words, and rare levels do no harm."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fathometer.kinds.category import MOST_CODES, Category

CATEGORY = Category()


def read(cells: list[object]) -> list[object]:
    series = pd.Series(cells, dtype=object, name="c")
    values = CATEGORY.read(series, CATEGORY.learn_reading(series))
    return [None if value is np.nan or pd.isna(value) else value for value in values]


def test_blanks_around_a_level_do_not_count() -> None:
    assert read([" yes", "yes ", "no", "", "  ", None]) == ["yes", "yes", "no", None, None, None]


def test_na_is_an_answer_where_people_use_words() -> None:
    assert read(["Gd", "NA", "None", "TA"]) == ["Gd", "NA", "None", "TA"]


def test_na_is_missing_among_numbers() -> None:
    assert read(["0", "1", "NA", "1"]) == ["0", "1", None, "1"]


@pytest.mark.parametrize("word", ["?", "NaN", "null", "#N/A"])
def test_what_programs_write_for_missing_is_missing(word: str) -> None:
    assert read(["Private", word, "State-gov"]) == ["Private", None, "State-gov"]


def test_three_and_three_point_nought_are_the_same_level() -> None:
    assert read(["3.0", "2.0", "2.0"]) == ["3", "2", "2"] == read([3.0, 2, 2.0])


def test_versions_keep_their_last_nought() -> None:
    assert read(["1.0", "1.0.1", "2.0"]) == ["1.0", "1.0.1", "2.0"]


def test_codes_go_by_falling_frequency_then_alphabet() -> None:
    values = CATEGORY.read(pd.Series(["b", "a", "c", "c", None], name="c"), {"missing": [], "whole": False})
    features = CATEGORY.fit_features(values).transform(values)
    assert features.codes[:, 0].tolist() == [3, 2, 1, 1, 0]
    assert features.sizes == (4,) and features.numbers.shape == (5, 0)


def test_a_new_level_is_nought() -> None:
    reading = {"missing": [], "whole": False}
    featurizer = CATEGORY.fit_features(CATEGORY.read(pd.Series(["a", "b"], name="c"), reading))
    assert featurizer.transform(CATEGORY.read(pd.Series(["z", "a"], name="c"), reading)).codes[
        :, 0
    ].tolist() == [0, 1]


def test_very_many_levels_are_capped_and_counted() -> None:
    texts = [f"level {place}" for place in range(3000)] + [f"level {place}" for place in range(1500)] * 2
    values = CATEGORY.read(pd.Series(texts, dtype=object, name="c"), {"missing": [], "whole": False})
    features = CATEGORY.fit_features(values).transform(values)
    assert features.sizes == (MOST_CODES + 1,)
    assert features.number_names == ("c: how common",)
    np.testing.assert_allclose(features.numbers[:3, 0], np.log1p([3, 3, 3]), rtol=1e-6)
    np.testing.assert_allclose(features.numbers[2999, 0], np.log1p(1), rtol=1e-6)


def test_few_levels_are_not_counted() -> None:
    values = CATEGORY.read(pd.Series(list("abcab"), name="c"), {"missing": [], "whole": False})
    assert CATEGORY.fit_features(values).transform(values).number_names == ()


@pytest.mark.parametrize("learned", [["0", "1", "0"], [0, 1, 0], [0.0, 1.0, None], ["0.0", "1.0", "0"]])
def test_whole_numbers_are_the_same_level_however_they_are_written(learned: list[object]) -> None:
    reading = CATEGORY.learn_reading(pd.Series(learned, dtype=object, name="c"))
    asked = [pd.Series(cells, name="c") for cells in (["0", "1"], ["0.0", "1.0"], [0, 1], [0.0, 1.0])]
    assert [list(CATEGORY.read(cells, reading)) for cells in asked] == [["0", "1"]] * 4
