"""Markup is taken out before words are taken, and every script has words."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathometer.kinds.text import MOST_SIGNS, Text, folded, plain_text, words_of

TEXT = Text()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("so bad.<br /><br />Avoid", "so bad.  Avoid"),
        ("<b>bold</b>ly", "boldly"),
        ('<a href="x" class=y>a link</a>', "a link"),
        ("<P>one</P><LI>two", " one  two"),
        ("a <!-- not said --> b", "a   b"),
        ("a<script type='x'>if (1<2) say()</script>b", "a b"),
        ("salt &amp; pepper &#39;n&#39; &quot;oil&quot;", "salt & pepper 'n' \"oil\""),
        ("isn #39;t Wednesday #39;s", "isn't Wednesday's"),
        (" quot;no, quot; for  #36;10", ' "no, " for  $10'),
        ("&lt;strong&gt;Opinion&lt;/strong&gt;", "Opinion"),
        ("here&nbsp;there", "here there"),
    ],
)
def test_markup_becomes_plain_text(written: str, meant: str) -> None:
    assert plain_text(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "a < b and c > d",
        "if a <b and c> d",
        "i <3 you",
        "<user> wrote to <url>",
        "(TXN.N) <TXN.N>",
        "AT&T; R&D",
        "&nonsense;",
        "issue #39 and #40, not; more",
        "x<y",
    ],
)
def test_what_is_no_markup_stays(written: str) -> None:
    assert plain_text(written) == written


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("मैं हिन्दी में लिखता हूँ", ["मैं", "हिन्दी", "में", "लिखता", "हूँ"]),
        ("السَّلَامُ عَلَيْكُمْ", ["السَّلَامُ", "عَلَيْكُمْ"]),
        ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),
        ("வணக்கம் உலகம்", ["வணக்கம்", "உலகம்"]),
        ("한국어 텍스트", ["한국어", "텍스트"]),
        ("今日は晴れ", ["今", "日", "は", "晴", "れ"]),
        ("Zoe\u0308 isn\u2019t ＦＲＥＥ", ["zoë", "isn't", "free"]),
        ("ΣΑΣ ЙОГА İ", ["σας", "йога", "i\u0307"]),
        ("snake_case x2 3.5", ["snake", "case", "x2", "3", "5"]),
    ],
)
def test_words_of_every_script(text: str, words: list[str]) -> None:
    assert words_of(text) == [folded(word) for word in words]


def test_thai_is_cut_between_letters_and_never_between_a_letter_and_its_marks() -> None:
    words = words_of("เด็กไปเที่ยว")
    assert "".join(words) == "เด็กไปเที่ยว"
    assert words == ["เด็", "ก", "ไป", "เที่", "ย", "ว"]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_words_and_plain_text_of_anything(text: str) -> None:
    for word in words_of(plain_text(text)):
        assert word and not any(sign.isspace() for sign in word)
    assert len(plain_text(text)) <= MOST_SIGNS


def test_ten_megabytes_are_looked_at_in_part_and_that_is_said() -> None:
    long = "once upon a time <br> " * 500_000
    values = pd.Series([long, "short and good", None], dtype=object, name="t")
    started = time.process_time()
    reading = TEXT.learn_reading(values)
    assert "20,000 characters" in TEXT.describe(reading) and "markup" in TEXT.describe(reading)
    assert TEXT.summary(values)["seen_in_part"] == 1
    features = TEXT.fit_features(values).transform(values)
    assert np.isfinite(features.numbers[0]).all()
    assert time.process_time() - started < 30  # hours, were all of it looked at over and over


def test_short_plain_texts_need_no_words_about_how_they_are_written() -> None:
    assert TEXT.describe(TEXT.learn_reading(pd.Series(["one text", "another one"]))) == ""


def test_markup_changes_no_topic() -> None:
    rng = np.random.default_rng(0)
    plain = pd.Series([" ".join(rng.choice(list("abcdefgh"), 6)) for _ in range(60)], name="t")
    marked = plain.str.replace(" ", "<br />", regex=False)
    featurizer = TEXT.fit_features(plain)
    shown, also = featurizer.transform(plain), featurizer.transform(marked)
    np.testing.assert_allclose(shown.numbers[:, 7:], also.numbers[:, 7:])
    assert shown.common == ((7, shown.numbers.shape[1]),)


def test_a_missing_text_is_not_the_word_nan() -> None:
    digests = TEXT.digests(pd.Series(["nan", None, "NaN", None], dtype=object))
    assert digests[1] == digests[3] and len(set(digests.tolist())) == 3


def test_slips_grow_with_their_share_and_missing_stays_missing() -> None:
    texts = pd.Series(["the quick brown fox jumps over the lazy dog again and again"] * 200 + [None])

    def changed(size: float) -> float:
        slipped = TEXT.disturbed(texts, size, np.random.default_rng(0))
        pairs = [(a.split(), b.split()) for a, b in zip(texts[:200], slipped[:200], strict=True)]
        return float(np.mean([word != other for a, b in pairs for word, other in zip(a, b, strict=True)]))

    assert changed(0.0) == 0
    assert 0.05 < changed(0.1) < 0.12 < 0.2 < changed(0.3) < 0.32
    assert TEXT.disturbed(texts, 0.3, np.random.default_rng(0))[200] is None


def test_facts_are_what_a_person_would_count() -> None:
    facts = TEXT.facts(pd.Series(["AB cd 12!", None], dtype=object))
    assert {name: round(float(numbers[0]), 3) for name, numbers in facts.items()} == {
        "characters": 9,
        "words": 3,
        "share of capitals": round(2 / 9, 3),
        "share of digits": round(2 / 9, 3),
        "share of punctuation": round(1 / 9, 3),
    }
    assert all(np.isnan(numbers[1]) for numbers in facts.values())
