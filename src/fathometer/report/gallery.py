"""Examples as cards side by side: pictures with what mattered drawn over them, texts with the words that did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from fathometer.report.document import Card, Drawing, Gallery, Marked, Seen, Thumbnail, Words
from fathometer.report.elements import Element, element, picture
from fathometer.report.plain import clean

SIDE = 128  # pixels of the longer side of a thumbnail on the page
STEPS = 3

Written = Callable[[Words], Iterable[Element | str]]


def gallery(found: Gallery, written: Written, table: Element) -> Element:
    """The cards in their columns, and the table that says the same."""
    columns = [
        element(
            "div",
            element("p", clean(title), class_="column-title") if title else None,
            element("ul", *(_card(card, written) for card in cards), class_="cards"),
            class_="column",
        )
        for title, cards in found.columns
    ]
    said = element("details", element("summary", "The same as a table"), table, class_="long")
    return element(
        "div",
        element("h3", clean(found.title)),
        element("div", *columns, class_="columns"),
        said,
        class_="gallery",
    )


def _card(card: Card, written: Written) -> Element:
    is_wordy = any(isinstance(part, Marked) for panel in card.panels for part in panel)
    panels = [element("div", *_panel(panel, written), class_="panel") for panel in card.panels if panel]
    return element("li", *panels, class_=" ".join(filter(None, ("card", card.style, "wordy" * is_wordy))))


def _panel(parts: tuple[Seen | Words, ...], written: Written) -> list[Element]:
    """Pictures and texts that follow each other stand side by side."""
    made: list[Element] = []
    seen: list[Element] = []
    for part in (*parts, None):
        if isinstance(part, Thumbnail | Drawing | Marked):
            seen.append(_shown(part))
            continue
        if seen:
            made.append(element("div", *seen, class_="seen"))
            seen = []
        if part is not None:
            made.append(element("p", *written(part)))
    return made


def _shown(one: Seen) -> Element:
    match one:
        case Thumbnail():
            return _thumbnail(one)
        case Drawing():
            return element("div", one.drawn, class_="thumb")
        case Marked():
            # <bdi>: a text written from right to left must not turn what stands around it
            parts = [made for text, step in one.parts for made in _part(text, step)]
            return element("bdi", *parts, class_="excerpt")


def _thumbnail(one: Thumbnail) -> Element:
    longest = max(one.width, one.height, 1)
    width, height = (max(1, round(SIDE * side / longest)) for side in (one.width, one.height))
    style = "coarse" if one.is_coarse else None
    shown = picture(one.png, clean(one.alt), width=float(width), height=float(height), class_=style)
    return element("div", shown, one.over, class_="thumb")


def _part(text: str, step: int) -> Iterator[Element | str]:
    """A piece of a text, without the blanks after it where it is marked."""
    if not step:
        yield text
        return
    kept = text.rstrip()
    side = "for" if step > 0 else "against"
    yield element("mark", kept, class_=f"{side}-{min(abs(step), STEPS)}")
    yield text[len(kept) :]
