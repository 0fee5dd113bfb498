"""Pages read as a browser would: what stands in them, and whether they keep the rules of the house."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

VOID = {"meta", "br", "hr", "col", "img"}
FORBIDDEN = {
    "script",
    "iframe",
    "object",
    "embed",
    "link",
    "base",
    "form",
    "input",
    "image",
    "use",
    "math",
}

PICTURE = re.compile(r"data:image/png;base64,iVBORw0KGgo(?:[A-Za-z0-9+/]|%2F)+={0,2}")


@dataclass
class Node:
    """A tag with its attributes; text lies between its children as strings."""

    tag: str
    attributes: dict[str, str]
    children: list[Node | str] = field(default_factory=list)

    def all(self, *tags: str) -> Iterator[Node]:
        """Every element below, in order; all of them where no tag is named."""
        for child in self.children:
            if isinstance(child, Node):
                if not tags or child.tag in tags:
                    yield child
                yield from child.all(*tags)

    def text(self) -> str:
        """All text below; spaces that hold words together are spaces."""
        parts = (child if isinstance(child, str) else child.text() for child in self.children)
        return "".join(parts).replace("\N{NO-BREAK SPACE}", " ")

    def own(self, tag: str) -> list[Node]:
        return [child for child in self.children if isinstance(child, Node) and child.tag == tag]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice: {names}"
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")


def read(page: str) -> Node:
    """The page as a tree; AssertionError where tags are not balanced."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == [reader.root], f"not closed: {[node.tag for node in reader.open[1:]]}"
    return reader.root


def check(page: str) -> Node:
    """The page as a tree, after everything that must hold of any page."""
    root = read(page)
    nodes = list(root.all())
    assert not [node.tag for node in nodes if node.tag in FORBIDDEN]
    for node in nodes:
        for name, value in node.attributes.items():
            assert not name.startswith("on") and name not in (
                "style",
                "srcdoc",
                "action",
                "xlink:href",
            ), name
            if name == "src":
                assert node.tag == "img" and PICTURE.fullmatch(value), value[:80]
                assert (
                    node.attributes["alt"].strip() and node.attributes["width"] and node.attributes["height"]
                )
            if name == "href":
                assert value.startswith("#"), value
    ids = [node.attributes["id"] for node in nodes if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    for node in nodes:
        if "href" in node.attributes:
            assert node.attributes["href"][1:] in ids
        for name in ("aria-labelledby", "aria-describedby"):
            assert all(wanted in ids for wanted in node.attributes.get(name, "").split())
    check_order(nodes)
    for table in root.all("table"):
        check_table(table)
    for figure in root.all("figure"):
        assert len(list(figure.all("svg"))) == 2, "one drawing for wide screens, one for narrow ones"
        assert [table for fold in figure.own("details") for table in fold.all("table")], (
            "no table beside a figure"
        )
    for drawing in root.all("svg"):
        assert drawing.attributes["role"] == "img"
        assert drawing.own("title")[0].text() and drawing.own("desc")[0].text()
    return root


def check_order(nodes: list[Node]) -> None:
    """One first heading, and none that skips a level."""
    levels = [int(node.tag[1]) for node in nodes if node.tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels)), levels


def check_table(table: Node) -> None:
    """A caption, heads with a scope, rows of one length."""
    assert table.own("caption")[0].text().strip()
    widths = {
        sum(int(cell.attributes.get("colspan", "1")) for cell in (*row.own("th"), *row.own("td")))
        for row in table.all("tr")
    }
    assert len(widths) == 1, widths
    assert all(head.attributes.get("scope") in ("col", "row", "rowgroup") for head in table.all("th"))
    assert all(head.text().strip() or head.attributes["scope"] == "row" for head in table.all("th"))


def cells(table: Node) -> list[list[str]]:
    """The text of every cell, spaces as one."""
    return [
        [" ".join(cell.text().split()) for cell in row.children if isinstance(cell, Node)]
        for row in table.all("tr")
    ]


def table_named(root: Node, start: str) -> list[list[str]]:
    """The cells of the one table whose caption begins so."""
    found = [table for table in root.all("table") if table.own("caption")[0].text().startswith(start)]
    assert len(found) == 1, f"{len(found)} tables begin with {start!r}"
    return cells(found[0])
