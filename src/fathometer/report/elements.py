"""HTML and SVG as values: whatever text comes in, it is escaped and made visible on the way out.

There is no way to put raw markup into an element, so no sentence, name or label can become markup. What could run
or fetch something is refused outright: scripts, handlers, inline styles, and addresses other than of this page.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import cache
from html import escape

from fathometer.report.plain import visible

VOID = frozenset({"meta", "br", "hr", "col", "img"})
REFUSED = frozenset(
    {"script", "iframe", "object", "embed", "link", "base", "form", "img", "image", "use", "a"}
)
ADDRESSES = frozenset({"href", "src", "action", "formaction", "data", "srcdoc", "style", "xlink:href"})
TAG = re.compile(r"[a-z][a-zA-Z0-9]*")
ATTRIBUTE = re.compile(r"[a-z][a-zA-Z0-9-]*")
PNG_SIGNATURE, PNG_HEAD = b"\x89PNG\r\n\x1a\n", 24  # bytes up to its width and height
PICTURE_MOST, PICTURE_SIDE = 100_000, 1_024  # characters, pixels

Attribute = str | float | int | None


@dataclass(frozen=True)
class Element:
    """A tag, its attributes in order, and what it holds."""

    tag: str
    attributes: tuple[tuple[str, str], ...]
    children: tuple[Element | str, ...]

    def render(self) -> str:
        """As markup; the same element gives the same text."""
        parts: list[str] = []
        self._write(parts)
        return "".join(parts)

    def _write(self, parts: list[str]) -> None:
        shown = "".join(f' {name}="{escape(visible(value))}"' for name, value in self.attributes)
        parts.append(f"<{self.tag}{shown}>")
        if self.tag in VOID:
            return
        for child in self.children:
            if isinstance(child, Element):
                child._write(parts)
            else:
                parts.append(escape(visible(child), quote=False))
        parts.append(f"</{self.tag}>")


def element(tag: str, *children: Element | str | None, **attributes: Attribute) -> Element:
    """An element; `class_` is written as class, `aria_label` as aria-label, and None leaves out.

    Raises:
        ValueError: a tag or an attribute that could run or fetch something.
    """
    if tag in REFUSED or not TAG.fullmatch(tag):
        raise ValueError(f"the report holds no <{tag}>")
    return _made(tag, children, attributes)


def jump(target: str, *children: Element | str, **attributes: Attribute) -> Element:
    """A link to a place on this page."""
    made = _made("a", children, attributes)
    return Element("a", (("href", f"#{target}"), *made.attributes), made.children)


def picture(png: str, alt: str, **attributes: Attribute) -> Element:
    """A picture that is in the page itself.

    Args:
        png: a small PNG in base64.

    Raises:
        ValueError: it is anything else.
    """
    try:
        raw = base64.b64decode(png, validate=True)
    except ValueError as error:
        raise ValueError("a picture is not written in base64") from error
    sides = [int.from_bytes(raw[start : start + 4], "big") for start in (16, 20)]
    is_small = len(png) <= PICTURE_MOST and all(0 < side <= PICTURE_SIDE for side in sides)
    if not raw.startswith(PNG_SIGNATURE) or len(raw) <= PNG_HEAD or not is_small:
        raise ValueError("a picture is not a small PNG")
    made = _made("img", (), attributes)
    # no two slashes: nothing in the page may look like an address
    source = f"data:image/png;base64,{png.replace('//', '/%2F')}"
    return Element("img", (("src", source), ("alt", alt), *made.attributes), ())


def style_sheet(text: str) -> StyleSheet:
    """The page's own style.

    Raises:
        ValueError: it would end the element, or fetch something.
    """
    if "</" in text or "url(" in text or "@import" in text:
        raise ValueError("the style sheet must stand by itself")
    return StyleSheet("style", (), (text,))


class StyleSheet(Element):
    """Text that browsers take as it is, without entities."""

    def _write(self, parts: list[str]) -> None:
        parts.append(f"<style>{self.children[0]}</style>")


def number(value: float) -> str:
    """A coordinate in as few digits as a screen can show."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def _made(tag: str, children: tuple[Element | str | None, ...], attributes: dict[str, Attribute]) -> Element:
    named = []
    for name, value in attributes.items():
        written = _allowed(name)
        if value is not None:
            named.append((written, value if isinstance(value, str) else number(value)))
    return Element(tag, tuple(named), tuple(child for child in children if child is not None))


@cache
def _allowed(name: str) -> str:
    """The attribute as it is written; asked thousands of times for a few names."""
    written = name.rstrip("_").replace("_", "-")
    if written in ADDRESSES or written.startswith("on") or not ATTRIBUTE.fullmatch(written):
        raise ValueError(f"the report holds no attribute {written!r}")
    return written
