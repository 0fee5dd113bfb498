"""The document as one HTML file: no script, nothing fetched, readable on paper, on a telephone and by ear."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

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
    Section,
    Strong,
    Table,
    Terms,
    Words,
    is_empty,
    parts_of,
)
from fathometer.report.elements import Element, element, jump, style_sheet
from fathometer.report.gallery import gallery
from fathometer.report.plain import SENTENCE_LENGTH, clean, shortened

MANY = 6  # columns: more are set narrower
SMALL = 8  # rows: a table up to here is kept on one sheet of paper
UNBROKEN = re.compile(r"(?<=\d) (?=%)")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def as_page(document: Document) -> str:
    """The whole page."""
    style = files("fathometer.report").joinpath("report.css").read_text(encoding="utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", clean(document.title)),
        style_sheet(style),
    )
    version = f" {shortened(clean(document.version))}" if document.version else ""
    body = element(
        "body",
        jump("main", "Skip to the answer", class_="skip"),
        element(
            "main", *_answer(document), _contents(document), *map(_section, document.sections), id="main"
        ),
        element(
            "footer",
            element("p", f"Made by fathometer{version}. This file is whole: it fetches and runs nothing."),
        ),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en').render()}\n"


def _answer(document: Document) -> Iterator[Element]:
    answer = document.answer
    yield element(
        "header",
        element("p", *_words(answer.about), class_="about"),
        element("h1", clean(answer.headline), class_="headline"),
        None
        if is_empty(answer.explanation)
        else element("p", *_words(answer.explanation), class_="explanation"),
        None if not answer.exact else element("p", *_words(answer.exact), class_="exact"),
        element("p", *_words(answer.circumstances), class_="circumstances"),
        class_="answer",
    )


def _contents(document: Document) -> Element:
    links = (element("li", jump(section.name, section.title)) for section in document.sections)
    return element("nav", element("ul", *links), aria_label="Contents", class_="contents")


def _section(section: Section) -> Element:
    title = element("h2", section.title, id=f"{section.name}-title")
    blocks = [made for block in section.blocks for made in _block(block)]
    return element("section", title, *blocks, id=section.name, aria_labelledby=f"{section.name}-title")


def _block(block: Block) -> Iterator[Element]:
    match block:
        case Paragraph():
            yield element("p", *_words(block.words), class_=None if block.role == "plain" else block.role)
        case Bullets():
            yield element("ul", *(element("li", *_words(item)) for item in block.items))
        case Terms():
            yield _terms(block)
        case Commands():
            for line in block.lines:
                yield element("pre", element("code", clean(line)), tabindex="0")
        case Table():
            yield _table(block)
        case Figure():
            yield _figure(block)
        case Gallery():
            yield gallery(block, _words, _table(block.table))
        case Folded():
            yield element(
                "details",
                element("summary", clean(block.summary)),
                *_blocks(block.blocks),
                class_="long" if block.is_long else None,
            )
        case Portion():
            yield element("h3", clean(block.title))
            yield from _blocks(block.blocks)


def _blocks(blocks: tuple[Block, ...]) -> Iterator[Element]:
    for block in blocks:
        yield from _block(block)


def _terms(terms: Terms) -> Element:
    pairs = (
        element(
            "div",
            element("dt", *_words(term)),
            element("dd", *(element("p", *_words(meaning)) for meaning in meanings)),
        )
        for term, meanings in terms.pairs
    )
    return element("dl", *pairs, class_=terms.style)


def _figure(figure: Figure) -> Element:
    caption = element(
        "figcaption",
        element("strong", clean(figure.title), class_="figure-title"),
        *(() if is_empty(figure.caption) else (element("span", *_words(figure.caption), class_="caption"),)),
    )
    numbers = element("details", element("summary", "The numbers as a table"), _table(figure.table))
    return element("figure", caption, figure.wide, figure.narrow, numbers)


def _table(table: Table) -> Element:
    """A table in a box that scrolls by itself; stacked tables become cards on narrow screens.

    Cards lose their roles with their display, so that these are written out.
    """
    is_stacked, is_grouped = table.stacked, bool(table.groups)
    is_many = is_grouped and len(table.head) > MANY
    styles = ("stacked" * is_stacked, "grouped" * is_grouped, "many" * is_many)
    caption = clean(table.caption)
    heads = [
        element(
            "th" if not is_empty(words) else "td",
            *_words(words),
            scope=None if is_empty(words) else "col",
            class_="number" if position in table.numbers else None,
            role=("columnheader" if not is_empty(words) else "cell") if is_stacked else None,
        )
        for position, words in enumerate(table.head)
    ]
    made = element(
        "table",
        element("caption", caption),
        element(
            "thead",
            element("tr", *heads, role="row" if is_stacked else None),
            role="rowgroup" if is_stacked else None,
        ),
        *_bodies(table),
        class_=" ".join(filter(None, styles)) or None,
        role="table" if is_stacked else None,
    )
    box = "scroll whole" if len(table.rows) <= SMALL else "scroll"
    # it scrolls where it is wider than the screen, so it must be reached by keyboard
    return element("div", made, class_=box, role="group", aria_label=caption, tabindex="0")


def _bodies(table: Table) -> Iterator[Element]:
    """The rows in one body, or in one for each group, under its title."""
    role = "rowgroup" if table.stacked else None
    rows = list(_rows(table))
    starts = [start for start, _ in table.groups]
    if not starts:
        yield element("tbody", *rows, role=role)
    for (start, title), end in zip(table.groups, [*starts[1:], len(rows)], strict=False):
        cell = element(
            "th",
            clean(title),
            scope="rowgroup",
            colspan=str(len(table.head)),
            role="rowheader" if table.stacked else None,
        )
        head = element("tr", cell, class_="group", role="row" if table.stacked else None)
        yield element("tbody", head, *rows[start:end], role=role)


def _rows(table: Table) -> Iterator[Element]:
    shades = {(row, column): step for row, column, step in table.shades}
    titles = [_plain(words) for words in table.head]
    for position, row in enumerate(table.rows):
        cells = []
        for column, words in enumerate(row):
            is_head = column == 0
            styles = ["number"] if column in table.numbers else []
            if not is_head and _plain(words) in ("", "–"):
                styles.append("none")
            if (position, column) in shades:
                styles.append(f"shade-{shades[position, column]}")
            cells.append(
                element(
                    "th" if is_head else "td",
                    # a card is a grid of two: the column's title and all that is in the cell
                    *((element("div", *_words(words)),) if table.stacked else _words(words)),
                    scope="row" if is_head else None,
                    class_=" ".join(styles) or None,
                    role=("rowheader" if is_head else "cell") if table.stacked else None,
                    data_label=titles[column] if table.stacked and not is_head else None,
                )
            )
        yield element("tr", *cells, role="row" if table.stacked else None)


def _plain(words: Words) -> str:
    """A sentence without its styles."""
    return clean("".join(part if isinstance(part, str) else part.text for part in parts_of(words)))


def _words(words: Words) -> Iterator[Element | str]:
    for part in parts_of(words):
        yield from _part(part)


def _part(part: Part) -> Iterator[Element | str]:
    match part:
        case str():
            yield from _sentence(part)
        case Strong():
            yield element("strong", clean(part.text))
        case Code():
            yield element("code", clean(part.text))
        case Mark():
            yield element("span", clean(part.text), class_=f"mark-word {clean(part.text).split(' ')[0]}")
        case Quiet():
            yield " " if part.text.startswith(" ") else ""
            is_interval = part.text.lstrip().startswith("[")
            yield element("span", clean(part.text), class_="quiet ends" if is_interval else "quiet")
        case Jump():
            yield jump(part.section, clean(part.text))
        case Name():
            whole = clean(part.text)
            shown = shortened(whole)
            # <bdi>: a name written from right to left must not turn the words around it
            yield element("bdi", shown, class_="name", title=whole if shown != whole else None)


def _sentence(text: str) -> Iterator[Element | str]:
    """Text with the spaces at its ends kept, for they part it from its neighbours; very long ones are shortened."""
    kept = UNBROKEN.sub("\N{NO-BREAK SPACE}", clean(text))
    if not kept:
        yield " " if text else ""
        return
    if text[0].isspace():
        yield " "
    if len(kept) > SENTENCE_LENGTH:
        yield element("span", shortened(kept, SENTENCE_LENGTH), title=kept)
    else:
        yield kept
    if text[-1].isspace():
        yield " "
