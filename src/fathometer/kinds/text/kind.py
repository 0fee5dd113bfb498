"""Text as a kind of column: how it is known, read, described and disturbed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.files import State
from fathometer.core.states import array, demand, table, text, texts
from fathometer.kind import Kind, Reading
from fathometer.kinds import _cells
from fathometer.kinds.text.alike import FEWEST_WORDS, alike_texts
from fathometer.kinds.text.signs import present, signs_of, texts_of
from fathometer.kinds.text.slips import slipped
from fathometer.kinds.text.topics import MOST_TOPICS, MOST_WORDS, TextFeaturizer, fit_topics
from fathometer.kinds.text.words import MOST_SIGNS, is_marked_up, plain_text, words_of

MOST_SUMMARISED = 2_000  # texts whose words are counted for a summary
MISSING_DIGEST = np.uint64(0x9E3779B97F4A7C15)  # any number; pandas gives a missing text that of "nan"


class Text(Kind):
    """Cells that are sentences; values are text, missing stays missing."""

    name: ClassVar[str] = "text"
    unstructured: ClassVar[bool] = True

    def guess(self, cells: pd.Series) -> float:
        """High for cells of several words, mostly different, whose words come again in other cells."""
        if not _cells.is_text(cells) or isinstance(cells.dtype, pd.CategoricalDtype):
            return 0.0
        codes, texts = _cells.distinct_text(_cells.sample(cells, 2000))
        if len(texts) < 20:
            return 0.0
        words = [words_of(plain_text(text))[:MOST_WORDS] for text in texts]
        in_mean = sum(map(len, words)) / len(texts)
        different = len(texts) / len(codes)
        shown = Counter(word for found in words for word in set(found))
        again = sum(count for word, count in shown.items() if count > 1 and not word.isdigit())
        shared = again / max(sum(shown.values()), 1)
        # names and codes have one to three words each; their words hardly ever come again
        wordy = 1 / (1 + math.exp(-2.0 * (in_mean - 3.0)))
        varied = min(1.0, different / 0.3) if in_mean < 8 else min(1.0, different / 0.05)
        return round(0.85 * wordy * varied * min(1.0, shared / 0.4), 4)

    def learn_reading(self, cells: pd.Series) -> Reading:
        """Text is read as it stands; what is known of it is for people: "long" texts, "markup" in them."""
        _, texts = _cells.distinct_text(_cells.sample(cells))
        reading: Reading = {}
        if any(len(text) > MOST_SIGNS for text in texts):
            reading["long"] = True
        if sum(is_marked_up(text) for text in texts[:MOST_SUMMARISED]) > 0.01 * len(texts[:MOST_SUMMARISED]):
            reading["markup"] = True
        return reading

    def read(self, cells: pd.Series, reading: Reading) -> pd.Series:
        """Python text without blanks around it, None where missing; dtype object."""
        codes, texts = _cells.distinct_text(cells)
        values = np.array([text or None for text in texts] + [None], dtype=object)[codes]
        return pd.Series(values, index=cells.index, name=cells.name, dtype=object)

    def describe(self, reading: Reading) -> str:
        """That markup is taken out, and that of long texts the beginning counts."""
        parts = []
        if reading.get("markup"):
            parts.append("markup such as <br> and &amp; is taken out before words are taken")
        if reading.get("long"):
            parts.append(f"of a long text the first {MOST_SIGNS:,} characters are looked at")
        return "; ".join(parts)

    def summary(self, values: pd.Series) -> dict[str, Any]:
        """How long the texts are, in characters and (some of them) in words; how many are looked at in part."""
        texts = [text for text in values if isinstance(text, str)]
        spread = np.linspace(0, len(texts) - 1, min(len(texts), MOST_SUMMARISED)).astype(np.intp)
        words = [len(words_of(plain_text(texts[place]))) for place in spread]
        return {
            "rows": len(values),
            "missing": len(values) - len(texts),
            "distinct": len(set(texts)),
            "mean_length": float(np.mean([len(text) for text in texts])) if texts else None,
            "mean_words": float(np.mean(words)) if words else None,
            "longest": max(map(len, texts), default=0),
            "seen_in_part": sum(len(text) > MOST_SIGNS for text in texts),
        }

    def fit_features(self, values: pd.Series) -> TextFeaturizer:
        return fit_topics(values)

    def load_features(self, state: State) -> TextFeaturizer:
        table(state, "a text's features", ("name", "terms", "weights", "topics"))
        terms = texts(state["terms"], "terms")
        demand(len(set(terms)) == len(terms), "a term stands twice")
        demand(all(1 <= len(term.split(" ")) <= 2 for term in terms), "a term should be one word or two")
        weights = array(state["weights"], "weights", len(terms), low=0.0)
        topics = array(state["topics"], "topics", len(terms), None)
        demand(topics.shape[1] <= MOST_TOPICS, "topics are too many")
        return TextFeaturizer(text(state["name"], "name"), terms, weights, topics)

    def digests(self, values: pd.Series) -> npt.NDArray[np.uint64]:
        return np.where(present(values), super().digests(values), MISSING_DIGEST)

    def alike(self, values: pd.Series) -> npt.NDArray[np.int64]:
        """Texts that are equal but for case, blanks and signs, and longer ones that differ in a few words."""
        return alike_texts(values)

    def particular(self, values: pd.Series) -> npt.NDArray[np.bool_]:
        """Texts of several words; many people say "thank you"."""
        words = [set(words_of(plain_text(text))) for text in texts_of(values)]
        return np.array([len(some) >= FEWEST_WORDS for some in words], dtype=bool)

    def disturbed(self, values: pd.Series, size: float, rng: np.random.Generator) -> pd.Series:
        """A slip of the finger in this share of the words."""
        texts = [slipped(text, size, rng) if isinstance(text, str) else None for text in values]
        return pd.Series(texts, index=values.index, name=values.name, dtype=object)

    def facts(self, values: pd.Series) -> Mapping[str, npt.NDArray[np.float64]]:
        """Length, and how much of a text is capitals, digits and punctuation."""
        texts, signs, known = texts_of(values), signs_of(texts_of(values)), present(values)
        shown = {
            "characters": np.array([len(text) for text in texts], dtype=np.float64),
            "words": np.array([len(words_of(plain_text(text))) for text in texts], dtype=np.float64),
            "share of capitals": signs.capitals,
            "share of digits": signs.digits,
            "share of punctuation": signs.punctuation,
        }
        return {name: np.where(known, numbers, np.nan) for name, numbers in shown.items()}

    def toy(self, signal: npt.NDArray[np.float64], rng: np.random.Generator) -> pd.Series:
        good, bad = (
            ["great", "lovely", "works", "happy", "fast"],
            ["awful", "broken", "slow", "refund", "angry"],
        )
        filler = [
            "the",
            "a",
            "item",
            "box",
            "it",
            "was",
            "we",
            "got",
            "order",
            "store",
            "day",
            "week",
            "again",
        ]
        texts = []
        for strength in np.clip(signal, 0, 1):
            told = [str(rng.choice(good if rng.random() < strength else bad)) for _ in range(6)]
            texts.append(" ".join([*told, *(str(word) for word in rng.choice(filler, 6))]))
        return pd.Series(texts, dtype=object, name="review")
