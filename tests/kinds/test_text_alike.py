"""Near-copies of texts are found, and short or merely similar ones are left apart."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fathometer.kinds.text import Text

TEXT = Text()
VOCABULARY = [f"word{number}" for number in range(3000)]


def told(count: int, words: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(VOCABULARY, words)) for _ in range(count)]


def pairs_of(texts: list[str | None]) -> set[tuple[int, int]]:
    return {(int(a), int(b)) for a, b in TEXT.alike(pd.Series(texts, dtype=object))}


def test_copies_with_words_changed_added_or_left_out_are_found() -> None:
    texts = told(400, 20)
    copies = []
    for text in texts[:100]:
        words = text.split()
        copies += [
            " ".join([*words[:7], "changed", *words[8:]]),
            " ".join(["RT", "@someone:", *words]).upper(),
            "<p>" + " ".join(words[2:]) + "</p>",
        ]
    found = pairs_of([*texts, *copies])
    wanted = {(place // 3, 400 + place) for place in range(300)}
    assert len(wanted - found) <= 3  # a band is missed by chance in one of some hundreds
    assert all(lower == (upper - 400) // 3 or lower >= 400 for lower, upper in found)


def test_different_texts_are_never_alike() -> None:
    assert pairs_of(told(2000, 12)) == set()


def test_the_same_words_in_another_order_say_something_else() -> None:
    words = told(1, 30)[0].split()
    assert pairs_of([" ".join(words), " ".join(np.random.default_rng(1).permutation(words))]) == set()


def test_short_texts_are_alike_only_if_equal_but_for_case_and_blanks() -> None:
    texts = ["ok thanks", "OK  Thanks", "ok thanks!", "thanks", None, None, "Thank you", "thank you"]
    assert pairs_of(texts) == {(0, 1), (6, 7)}


def test_order_of_rows_does_not_matter_and_pairs_lie_within() -> None:
    base = told(60, 15)
    texts = [*base, *(f"{text} more" for text in base), *(f"so {text}" for text in base[:30])]
    order = np.random.default_rng(2).permutation(len(texts))
    pairs = TEXT.alike(pd.Series(texts, dtype=object))
    assert pairs.dtype == np.int64 and (pairs[:, 0] < pairs[:, 1]).all() and (pairs >= 0).all()
    assert (pairs < len(texts)).all() and len(np.unique(pairs, axis=0)) == len(pairs)
    mixed = TEXT.alike(pd.Series([texts[place] for place in order], dtype=object))
    back = {(int(a), int(b)) for a, b in np.sort(order[mixed], axis=1)}
    assert back == {(int(a), int(b)) for a, b in pairs}


def test_equal_values_are_represented_by_their_first() -> None:
    text = told(1, 15)[0]
    assert pairs_of([text, "other", text, f"{text} again", f"{text} again"]) == {(0, 3)}


def test_empty_single_and_missing_columns_have_no_pairs() -> None:
    for texts in ([], [None], ["one text alone"], [None, "?!", "!!", "..."]):
        assert TEXT.alike(pd.Series(texts, dtype=object)).shape == (0, 2)
