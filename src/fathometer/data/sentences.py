"""Parts of sentences for notes."""

from __future__ import annotations

from collections.abc import Iterable


def counted(count: int, noun: str) -> str:
    """A number and its noun: "1 row", "1,204 rows"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def opened(words: str) -> str:
    """The words as a sentence begins: with a capital letter, the rest as it is."""
    return words[:1].upper() + words[1:]


def told(count: int, noun: str, which: str, done: str) -> str:
    """What was done to how many.

    >>> told(3, "row", "without any cell", "left out")
    '3 rows without any cell were left out.'
    """
    return f"{counted(count, noun)} {which} {'was' if count == 1 else 'were'} {done}."


def listed(items: Iterable[object], most: int = 5) -> str:
    """A few things: "a, b, c and 7 more"."""
    texts = [str(item) for item in items]
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def short(words: str, most: int = 120) -> str:
    """A longer text: quoted, on one line, cut."""
    line = " ".join(words.split())
    return repr(line if len(line) <= most else line[: most - 3] + "...")
