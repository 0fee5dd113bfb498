"""From a text as it was written to its words: markup is taken out, and any script has words."""

from __future__ import annotations

import html
import html.entities
import re
import sys
import unicodedata
from collections.abc import Iterable

MOST_SIGNS = 20_000  # characters of one text that are looked at: some eight pages, so that time stays bounded

BLOCK_NAMES = """
address article aside blockquote body br button caption center dd details div dl dt fieldset figcaption figure footer
form frame frameset h1 h2 h3 h4 h5 h6 head header hr html iframe img input legend li link main meta nav noscript object
ol optgroup option p param pre section select source style summary table tbody td textarea tfoot th thead title tr ul
video
"""
BLOCKS = frozenset(BLOCK_NAMES.split())
"""Elements of HTML at which a new word begins; within a word stand only the others."""
INLINE_NAMES = """
a abbr acronym b bdi bdo big cite code del dfn em font i ins kbd label mark q s samp small span strike strong sub sup
time tt u var wbr
"""
INLINE = frozenset(INLINE_NAMES.split())
NAMES = "|".join(sorted(BLOCKS | INLINE, key=len, reverse=True))
# attributes must have values: "<b and c>" is no tag, and "<user>" is none either, for HTML has no such element
TAG = re.compile(
    rf"</?({NAMES})(?:\s+[a-z][\w:-]*\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'|[^\s\"'<>]+))*\s*/?>", re.IGNORECASE
)
UNSEEN = re.compile(r"<!--.*?-->|<(script|style)\b[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
# some sources have lost the "&" of an entity, and left a blank in its place
APOSTROPHE = re.compile(r" ?&?#0?39;(?=(?:s|t|d|m|re|ve|ll)\b)", re.IGNORECASE)
ENTITY = re.compile(
    r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});|(?<![\w&])(?:#[0-9]{2,5}|quot|amp|lt|gt|nbsp|apos);"
)


def _ranges(first: str) -> str:
    """The signs of the Unicode categories that begin with this letter, as the inside of a character class."""
    signs = [code for code in range(0x300, 0x20000) if unicodedata.category(chr(code))[0] == first]
    parts: list[list[int]] = []
    for code in signs:
        if parts and parts[-1][1] == code - 1:
            parts[-1][1] = code
        else:
            parts.append([code, code])
    return "".join(f"{chr(start)}-{chr(end)}" for start, end in parts)


# vowels and tones written above, below or beside a letter belong to it; so do the joiners of Persian and Hindi
MARKS = f"[{_ranges('M')}\u200c\u200d]"
# scripts without blanks: each sign of Chinese and Japanese is a word; of Thai, Lao, Burmese and Khmer each letter
# with the vowel before it and the marks on it; pairs of such words then tell what a word would
IDEOGRAPH = "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
UNSPACED = "\u0e01-\u0e3a\u0e45-\u0e46\u0e81-\u0eba\u0ec6\u0edc-\u0edf\u1000-\u109f\u1780-\u17dc"
LEADING = "\u0e40-\u0e44\u0ec0-\u0ec4"
WORD = re.compile(
    rf"[{IDEOGRAPH}]|[{LEADING}]*[{UNSPACED}]{MARKS}*[\u0e30\u0e32\u0e33\u0eb0\u0eb2\u0eb3]*"
    rf"|(?:(?![{IDEOGRAPH}{UNSPACED}{LEADING}])[^\W_])+(?:{MARKS}+[^\W_]*)*(?:'[^\W_]+{MARKS}*)?"
)
PLAIN_WORD = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)?")


def words_of(text: str) -> list[str]:
    """The words of plain text in lower case, in order.

    >>> words_of("Don't  STOP, caf\\u00e9 4you")
    ["don't", 'stop', 'caf\\xe9', '4you']
    """
    if text.isascii():
        return PLAIN_WORD.findall(text.lower())
    return WORD.findall(folded(text))


def folded(text: str) -> str:
    """Text with what differs only in writing made the same: case, wide and composed signs, curved apostrophes."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text.replace("\u2019", "'")).lower()


def plain_text(text: str) -> str:
    """The first `MOST_SIGNS` characters without tags, comments and entities; what is no tag of HTML stays.

    >>> plain_text("It isn #39;t <b>b</b>ad &amp; 1 < 2<br />")
    "It isn't bad & 1 < 2 "
    """
    text = text[:MOST_SIGNS]
    if "<" in text:
        text = _without_tags(text)
    if ";" in text:
        seen = ENTITY.sub(_meant, APOSTROPHE.sub("'", text))
        # "&lt;b&gt;" is a tag that was written down twice
        text = _without_tags(seen) if seen != text and "<" in seen else seen
    return text


def is_marked_up(text: str) -> bool:
    """Whether there are tags or entities in it."""
    return plain_text(text) != text[:MOST_SIGNS]


def word_lists(texts: Iterable[str]) -> list[list[str]]:
    """The words of each text that may have markup; each different word is kept once in memory."""
    return [[sys.intern(word) for word in words_of(plain_text(text))] for text in texts]


def _without_tags(text: str) -> str:
    return TAG.sub(lambda found: " " if found[1].lower() in BLOCKS else "", UNSEEN.sub(" ", text))


def _meant(found: re.Match[str]) -> str:
    entity = found[0] if found[0].startswith("&") else f"&{found[0]}"
    if entity[1] != "#" and entity[1:] not in html.entities.html5:
        return found[0]
    meant = html.unescape(entity)
    return meant if meant.isprintable() else " "  # a blank that must not break is a blank too
