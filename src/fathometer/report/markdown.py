"""The document as Markdown: the same sentences and tables; figures by what they show and their numbers."""

from __future__ import annotations

from collections.abc import Iterator

from fathometer.core.markdown import as_line, escaped, fenced
from fathometer.report.document import (
    Block,
    Bullets,
    Code,
    Commands,
    Document,
    Figure,
    Folded,
    Gallery,
    Jump,
    Mark,
    Name,
    Paragraph,
    Part,
    Portion,
    Quiet,
    Strong,
    Table,
    Terms,
    Words,
    is_empty,
    parts_of,
)
from fathometer.report.plain import SENTENCE_LENGTH, clean, shortened


def as_lines(document: Document) -> str:
    """The whole document."""
    answer = document.answer
    lines = [f"# {escaped(answer.headline)}", "", _words(answer.about), ""]
    for words in (answer.explanation, answer.exact, answer.circumstances):
        if not is_empty(words):
            lines += [_words(words), ""]
    for section in document.sections:
        lines += [f"## {escaped(section.title)}", ""]
        for block in section.blocks:
            lines += _block(block)
    return "\n".join(lines).rstrip() + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph():
            yield from (_words(block.words), "")
        case Bullets():
            yield from (*(f"- {_words(item)}" for item in block.items), "")
        case Terms():
            for term, meanings in block.pairs:
                yield f"- **{_words(term)}**: {' '.join(_words(meaning) for meaning in meanings)}"
            yield ""
        case Commands():
            for command in block.lines:
                yield from (f"    {clean(command)}", "")
        case Table():
            yield from _table(block)
        case Figure():
            yield from (f"**{escaped(block.title)}**", "")
            if not is_empty(block.caption):
                yield from (_words(block.caption), "")
            yield from _table(block.table)
        case Gallery():
            yield from _table(block.table)
        case Folded():
            yield from (f"**{escaped(block.summary)}**", "")
            for inner in block.blocks:
                yield from _block(inner)
        case Portion():
            yield from (f"### {escaped(block.title)}", "")
            for inner in block.blocks:
                yield from _block(inner)


def _table(table: Table) -> Iterator[str]:
    yield from (f"{as_line(escaped(table.caption))}:", "")
    yield _line(tuple(_cell(words) for words in table.head))
    yield _line(tuple("---:" if position in table.numbers else "---" for position in range(len(table.head))))
    titles = dict(table.groups)
    for position, row in enumerate(table.rows):
        if position in titles:
            yield _line((f"**{escaped(titles[position])}**", *(" " for _ in table.head[1:])))
        yield _line(tuple(_cell(words) for words in row))
    yield ""


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(words: Words) -> str:
    """A cell; inside code a bar would end it all the same."""
    shown = "".join(
        fenced(part.text).replace("|", "\\|") if isinstance(part, Code) else _part(part)
        for part in parts_of(words)
    )
    return shown.strip() or " "


def _words(words: Words) -> str:
    return as_line("".join(_part(part) for part in parts_of(words)).strip())


def _part(part: Part) -> str:
    match part:
        case str():
            start = " " if part[:1].isspace() else ""
            end = " " if part[-1:].isspace() and part.strip() else ""
            return f"{start}{escaped(shortened(clean(part), SENTENCE_LENGTH))}{end}"
        case Strong():
            return f"**{escaped(part.text)}**"
        case Code():
            return fenced(part.text) if clean(part.text) else ""
        case Mark():
            return f"**({escaped(part.text)})**"
        case Quiet():
            return f"{' ' if part.text.startswith(' ') else ''}{escaped(part.text)}"
        case Jump():
            return ""  # there is nothing to jump to
        case Name():
            return escaped(shortened(clean(part.text)))
