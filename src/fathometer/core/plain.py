"""Text from people's data made harmless to read: one line, no hidden characters, no endless names."""

from __future__ import annotations

import unicodedata

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories that show nothing, turn the direction of what follows, or cannot be written as UTF-8."""

JOINERS = frozenset("\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}")  # needed to write Persian, Hindi, emoji
LINE_ENDS = frozenset("\t\n\r\x0b\x0c\x85\u2028\u2029")
MOST_MARKS = 3  # combining marks on one letter; piled higher they run over the lines above

NAME_LENGTH = 56  # letters of a name before it is shown in short
SENTENCE_LENGTH = 700


def visible(text: str) -> str:
    """Text without control and direction characters; each of those is shown as a replacement character."""
    if text.isascii() and text.isprintable():
        return text
    kept: list[str] = []
    marks = 0
    for character in text:
        if character in LINE_ENDS:
            kept.append(" ")
            continue
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > MOST_MARKS:
            continue
        hidden = category in HIDDEN and character not in JOINERS
        kept.append("\N{REPLACEMENT CHARACTER}" if hidden else character)
    return "".join(kept)


def clean(text: str) -> str:
    """One line of visible text, its spaces single."""
    return " ".join(visible(text).split())


def shortened(text: str, most: int = NAME_LENGTH) -> str:
    """The beginning and the end of a long text; names that differ at the end stay apart."""
    if len(text) <= most:
        return text
    end = most // 4
    return f"{text[: most - end - 1].rstrip()}…{text[-end:].lstrip()}"
