"""What a report says, before it is written as HTML, Markdown or JSON: sections of sentences, tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fathometer.report.elements import Element


@dataclass(frozen=True)
class Strong:
    """Words that carry weight."""

    text: str


@dataclass(frozen=True)
class Code:
    """What is typed."""

    text: str


@dataclass(frozen=True)
class Name:
    """A name out of people's data: a column, a label, a group, a file. Shown in short where it is long."""

    text: str


@dataclass(frozen=True)
class Mark:
    """A judgement in a cell of a table: "better"."""

    text: str


@dataclass(frozen=True)
class Quiet:
    """An aside: an interval, a unit, a second figure."""

    text: str


@dataclass(frozen=True)
class Jump:
    """A link to a section of the report."""

    text: str
    section: str


Part = str | Strong | Code | Name | Mark | Quiet | Jump
Words = Part | tuple[Part, ...]
"""A sentence or a cell: plain text, or parts in order."""


@dataclass(frozen=True)
class Paragraph:
    """One paragraph. role: "plain", "lead" (what a section comes to), "note" (small print), "missing"."""

    words: Words
    role: str = "plain"


@dataclass(frozen=True)
class Bullets:
    items: tuple[Words, ...]


@dataclass(frozen=True)
class Terms:
    """Words and what they mean, or questions and their answers."""

    pairs: tuple[tuple[Words, tuple[Words, ...]], ...]
    style: str = "plain"


@dataclass(frozen=True)
class Commands:
    """Lines to type."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows under a head; the first column names the row.

    numbers: columns set to the right. stacked: on a narrow screen each row becomes a card. groups: titles over the rows
    from that one on. shades: row, column and a step of 1 to 5, for tables of counts.
    """

    caption: str
    head: tuple[Words, ...]
    rows: tuple[tuple[Words, ...], ...]
    numbers: frozenset[int] = frozenset()
    stacked: bool = False
    groups: tuple[tuple[int, str], ...] = ()
    shades: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True)
class Figure:
    """A drawing in two widths, what it shows in words, and its numbers as a table."""

    name: str
    title: str
    description: str
    wide: Element
    narrow: Element
    table: Table
    caption: Words = ""


@dataclass(frozen=True)
class Thumbnail:
    """A small picture. png: in base64. alt: what it shows, in words. over: a drawing laid over it.

    width, height: of the whole picture, whatever the size of the thumbnail. is_coarse: its few pixels are to be seen.
    """

    png: str
    alt: str
    width: int
    height: int
    over: Element | None = None
    is_coarse: bool = False


@dataclass(frozen=True)
class Drawing:
    """A drawing that stands by itself, as large as a thumbnail."""

    drawn: Element


@dataclass(frozen=True)
class Marked:
    """A text out of people's data, in parts with how much each mattered: a step from -3 to 3."""

    parts: tuple[tuple[str, int], ...]


Seen = Thumbnail | Drawing | Marked


@dataclass(frozen=True)
class Card:
    """One example, in panels: what is seen of it and what is said of it, in order. style: "right", "wrong" or plain."""

    panels: tuple[tuple[Seen | Words, ...], ...]
    style: str = ""


@dataclass(frozen=True)
class Gallery:
    """Examples side by side, in titled columns; and the same as a table, for those who see no pictures."""

    title: str
    columns: tuple[tuple[str, tuple[Card, ...]], ...]
    table: Table


@dataclass(frozen=True)
class Folded:
    """What is opened on demand. is_long: stays closed on paper."""

    summary: str
    blocks: tuple[Block, ...]
    is_long: bool = False


@dataclass(frozen=True)
class Portion:
    """A titled part of a section."""

    title: str
    blocks: tuple[Block, ...]


Block = Paragraph | Bullets | Terms | Commands | Table | Figure | Gallery | Folded | Portion


@dataclass(frozen=True)
class Section:
    """name: its place on the page, for links."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Answer:
    """The top of the page: what it is about, the answer in one sentence, and under which circumstances."""

    about: Words
    headline: str
    explanation: Words
    exact: str
    circumstances: Words


@dataclass(frozen=True)
class Document:
    """version: of the program that made the result, if known."""

    title: str
    answer: Answer
    version: str = ""
    sections: tuple[Section, ...] = field(default=())


def parts_of(words: Words) -> tuple[Part, ...]:
    """The parts of a sentence, however it was given."""
    return words if isinstance(words, tuple) else (words,)


def with_ends(shown: tuple[str, str]) -> Words:
    """A value with its interval behind, as one cell."""
    value, ends = shown
    return (value, Quiet(f" {ends}")) if ends else value


def is_empty(words: Words) -> bool:
    """Whether nothing would be read."""
    return all(part == "" if isinstance(part, str) else part.text == "" for part in parts_of(words))


def joined(items: Sequence[Words], between: str = ", ") -> Words:
    """Sentences or names one after another."""
    parts: list[Part] = []
    for position, item in enumerate(items):
        if position:
            parts.append(between)
        parts.extend(parts_of(item))
    return tuple(parts)
