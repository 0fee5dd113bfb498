"""Text: messages, reviews, descriptions; what is said matters, and hardly any two cells are equal."""

from fathometer.kinds.text.kind import Text
from fathometer.kinds.text.signs import texts_of
from fathometer.kinds.text.topics import COUNTS, MOST_TOPICS, count_features
from fathometer.kinds.text.words import MOST_SIGNS, folded, plain_text, word_lists, words_of

__all__ = [
    "COUNTS",
    "MOST_SIGNS",
    "MOST_TOPICS",
    "Text",
    "count_features",
    "folded",
    "plain_text",
    "texts_of",
    "word_lists",
    "words_of",
]
