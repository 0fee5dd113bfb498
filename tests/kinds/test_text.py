"""Text is told from names and codes, and its topics carry what is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fathometer.kind import KINDS
from fathometer.kinds.text import MOST_TOPICS, Text

TEXT = Text()
SAID = "the cat sat on a mat and saw one bird fly over our old red house today"
WORDS = SAID.split()


def guessed(cells: list[str]) -> str:
    guesses = {name: KINDS.get(name)().guess(pd.Series(cells, dtype=object)) for name in KINDS.names()}
    return max(guesses, key=lambda name: guesses[name])


def sentences(count: int, words: int = 8) -> list[str]:
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, words)) for _ in range(count)]


def test_sentences_are_text() -> None:
    assert guessed(sentences(200)) == "text"


def test_persons_with_titles_are_text() -> None:
    first = ["John", "Mary", "William", "Anna", "Owen", "Laina"]
    title = ["Mr.", "Mrs.", "Miss.", "Master."]
    names = [f"Name{place}, {title[place % 4]} {first[place % 6]} {first[place % 5]}" for place in range(200)]
    assert guessed(names) == "text"


@pytest.mark.parametrize(
    "cells",
    [
        [f"{place:04d}-VHVEG" for place in range(300)],
        [f"PC {17599 + place}" for place in range(300)],
        [f"user{place}" for place in range(300)],
        ["Electronic check", "Bank transfer (automatic)", "Credit card (automatic)"] * 100,
        ["one of a few answers that are rather long", "another of these few long answers"] * 100,
    ],
)
def test_codes_names_and_answers_are_categories(cells: list[str]) -> None:
    assert guessed(cells) == "category"


def test_scripts_without_blanks_are_text() -> None:
    signs = "今日は天気がいいから散歩しましょう本読"
    rng = np.random.default_rng(0)
    assert guessed(["".join(rng.choice(list(signs), 15)) for _ in range(100)]) == "text"


def test_topics_separate_two_subjects() -> None:
    rng = np.random.default_rng(1)
    sport, money = (
        ["goal", "match", "team", "coach", "league"],
        ["bank", "stock", "market", "shares", "profit"],
    )
    texts = pd.Series(
        [" ".join(rng.choice(sport if place % 2 else money, 6)) for place in range(200)], name="t"
    )
    topics = TEXT.fit_features(texts[:100]).transform(texts).numbers[:, 7:].astype(float)
    labels = np.arange(200) % 2
    weights = np.linalg.lstsq(topics[:100], labels[:100] - 0.5, rcond=None)[0]
    assert ((topics[100:] @ weights > 0) == labels[100:]).mean() > 0.98


def test_topics_span_what_a_trusted_decomposition_spans() -> None:
    svd = pytest.importorskip("sklearn.decomposition").TruncatedSVD
    sklearn_tfidf = pytest.importorskip("sklearn.feature_extraction.text").TfidfVectorizer
    texts = sentences(300)
    ours = TEXT.fit_features(pd.Series(texts, name="t"))
    theirs = sklearn_tfidf(
        vocabulary=list(ours.terms), ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b"
    )
    matrix = theirs.fit_transform(texts)
    mine = ours.transform(pd.Series(texts, name="t")).numbers[:, 7:]
    kept = mine.shape[1]
    assert kept == MOST_TOPICS
    reference = svd(kept, algorithm="arpack", random_state=0).fit(matrix)
    captured = float((mine.astype(np.float64) ** 2).sum())
    assert captured == pytest.approx(float((reference.singular_values_**2).sum()), rel=0.01)


def test_counts_tell_shouting_from_talking() -> None:
    values = pd.Series(["FREE entry!!! Win 1000", "see you at lunch", None], name="t")
    features = TEXT.fit_features(values).transform(values)
    shown = dict(zip(features.number_names, features.numbers.T.tolist(), strict=True))
    assert shown["t: capitals"][0] > shown["t: capitals"][1] == 0
    assert shown["t: exclamations"][0] > 0 and np.isnan(shown["t: words"][2])
