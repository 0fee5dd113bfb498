"""The gallery shows what the record says, whatever it says, and is read without colours and without pictures."""

from __future__ import annotations

import base64
import copy
import random
import re
from typing import Any

import pytest
from galleries import a_png, an_example, hostile_examples, with_examples
from samples import PROBES, classification, regression

from fathometer.report import as_html, as_markdown
from fathometer.report.compose import compose
from fathometer.report.elements import picture
from fathometer.report.figures.heat import heat, where
from fathometer.report.plain import clean
from fathometer.report.twin import as_data
from reading import Node, check, table_named

MORE_PROBES = [
    "</mark></bdi></li></ul><script>alert(1)</script>",
    "\u202eright to left\u202c \u2067isolated\u2069 \u200f",
    "W" * 10_000,
    "word " * 10_000,
    "\u0000\u0008\ud800",
]


def sample() -> dict[str, Any]:
    return with_examples(classification())


def section(root: Node) -> Node:
    return next(node for node in root.all("section") if node.attributes["id"] == "examples")


def classes(node: Node) -> list[str]:
    return node.attributes.get("class", "").split()


def test_right_and_wrong_are_told_in_words() -> None:
    root = section(check(as_html(sample())))
    cards = [node for node in root.all("li") if "card" in classes(node)]
    # one pair; of both families right, wrong and unsure; what each begins with
    assert len(cards) == 1 + 3 * 2 + 2
    for card in cards:
        for style in ("right", "wrong"):
            if style in classes(card):
                assert style in card.text()
    pair = next(card for card in cards if "apart" in classes(card))
    assert re.search(
        r"Classical ML: right said No.*Deep learning: wrong said No", pair.text(), flags=re.DOTALL
    )


def test_pictures_have_words_and_what_mattered_over_them() -> None:
    root = section(check(as_html(sample())))
    images = list(root.all("img"))
    assert len(images) == 3 + 6 * 2 + 1 + 4
    assert all(image.attributes["alt"] for image in images)
    titles = {drawing.own("title")[0].text() for drawing in root.all("svg")}
    assert {"What classical ML rests on", "What deep learning rests on", "Directions of edges"} == titles
    drawing = next(d for d in root.all("svg") if d.own("title")[0].text() == "What classical ML rests on")
    assert [patch.attributes["fill-opacity"] for patch in drawing.all("rect")] == ["0.72"]
    assert len([node for node in drawing.all("path") if "against" in classes(node)]) == 1
    assert "lower left" in drawing.own("desc")[0].text()


def test_words_are_marked_by_how_much_they_mattered() -> None:
    root = section(check(as_html(sample())))
    marks = {(mark.text().strip(), mark.attributes["class"]) for mark in root.all("mark")}
    assert marks == {("NOW", "for-3"), ("never", "against-2")}
    excerpts = [node.text() for node in root.all("bdi") if "excerpt" in classes(node)]
    assert set(excerpts) == {"… Call NOW or never"}


def test_a_picture_that_another_family_keeps_is_shown_by_both() -> None:
    root = section(check(as_html(sample())))
    pair = next(node for node in root.all("li") if "apart" in classes(node))
    sources = [image.attributes["src"] for image in pair.all("img")]
    assert len(sources) == 3 and len(set(sources)) == 1


def test_the_same_is_said_in_tables_markdown_and_twin() -> None:
    result = sample()
    table = table_named(section(check(as_html(result))), "Classical ML is right, deep learning is wrong")
    assert table[1][:6] == ["row 8", "classical ML", "No", "No", "93 %", "right"]
    assert table[2][:6] == ["row 8", "deep learning", "Yes", "No", "93 %", "wrong"]
    assert "NOW" in table[1][7] and "lower left" in table[1][7]
    text = as_markdown(result)
    assert "| row 8 | classical ML | No | No | 93 % | right |" in text
    assert "data:image" not in text
    found = next(part for part in as_data(compose(result), result)["sections"] if part["name"] == "examples")
    galleries = [block for block in found["blocks"] if block["is"] == "gallery"]
    assert galleries[0]["table"]["rows"][0][:3] == ["row 8", "classical ML", "No"]
    worst = table_named(section(check(as_html(result))), "Loss of score on thirds")
    assert worst[1][0].startswith("brightness of photo")


def test_without_examples_there_is_no_section() -> None:
    root = check(as_html(classification()))
    assert not [node for node in root.all("section") if node.attributes["id"] == "examples"]


def test_numbers_are_shown_without_right_and_wrong() -> None:
    result = with_examples(regression())
    for name in ("classical", "deep"):
        for one in result["measures"][name]["examples"]["rows"]:
            one |= {"truth": 3.25, "answer": 3.5, "right": None, "probability": None}
    root = section(check(as_html(result)))
    assert "said 3.5" in root.text() and "is 3.25" in root.text()
    assert "Nearest to the truth" in root.text() and "Farthest from the truth" in root.text()
    assert not [node for node in root.all("li") if {"right", "wrong"} & set(classes(node))]


# Whatever the record says ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("probe", [*PROBES, *MORE_PROBES], ids=lambda probe: repr(probe[:12]))
def test_hostile_text_is_only_ever_text(probe: str) -> None:
    result = hostile_examples(classification(), probe)
    page = as_html(result)
    root = check(page)
    page.encode("utf-8")
    for character in "\x00\x1b\u202e\u202c\u2066\u2067\u2069\u200b\u200f\ufeff":
        assert character not in page
    shown = [node for node in section(root).all("bdi") if "excerpt" in classes(node)]
    assert all(len(node.text()) < 400 for node in shown)
    text = as_markdown(result)
    text.encode("utf-8")
    for line in text.split("\n"):
        assert not re.search(r"(?<!\\)<", re.sub(r"(`+) ?.*?[^`] ?\1(?!`)", "", line.replace("\\`", ""))) or (
            line.startswith("    ")
        )
    if 0 < len(clean(probe)) < 40:
        assert clean(probe) in " ".join(section(root).text().split())


def test_a_record_that_says_anything_makes_a_page() -> None:
    junk: list[Any] = [
        None,
        "",
        "x",
        -1,
        1e308,
        float("nan"),
        True,
        [],
        {},
        [[]],
        [None],
        {"is": "picture"},
        "n" * 400,
    ]
    chance = random.Random(0)
    for _ in range(40):
        result = sample()
        for _ in range(4):
            place: Any = result["measures"][chance.choice(["classical", "deep"])]["examples"]
            while True:
                keys = list(place) if isinstance(place, dict) else list(range(len(place)))
                key = chance.choice(keys)
                if isinstance(place[key], dict | list) and place[key] and chance.random() < 0.8:
                    place = place[key]
                    continue
                place[key] = copy.deepcopy(chance.choice(junk))
                break
            if not isinstance(result["measures"]["classical"]["examples"], dict):
                break
        check(as_html(result))
        as_markdown(result)


@pytest.mark.parametrize(
    "png",
    [
        "",
        "javascript:alert(1)",
        'x" onload="alert(1)',
        "data:text/html,x",
        base64.b64encode(b"<svg onload=alert(1)>" + b" " * 40).decode(),
        base64.b64encode(b"GIF89a" + b"\0" * 40).decode(),
        a_png()[:20],
        a_png() + "\n",
        a_png(20_000, 1),
        a_png(1024, 1024) + "A" * 200_000,
    ],
)
def test_what_is_no_small_picture_is_refused(png: str) -> None:
    with pytest.raises(ValueError, match="a picture is not"):
        picture(png, "alt")
    result = sample()
    result["measures"]["classical"]["examples"]["rows"] = [an_example(1, True, ("right", ""), png=png)]
    shown = list(section(check(as_html(result))).all("img"))
    assert not [image for image in shown if "row 1," in image.attributes["alt"]]


def test_a_picture_is_in_the_page_itself_and_looks_like_no_address() -> None:
    made = picture(a_png(64, 64), 'a "b"', width=64.0)
    assert "//" not in made.render()
    assert made.render().startswith('<img src="data:image/png;base64,iVBOR')
    assert 'alt="a &quot;b&quot;" width="64">' in made.render()


# Drawings -------------------------------------------------------------------------------------------------------------


def test_heat_is_empty_where_nothing_matters() -> None:
    drawn = heat([[0.0] * 7] * 7, 60, 40, "title")
    assert len(drawn.children) == 2  # title and description
    assert where([[0.0, -1.0]]) == "no part"


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ((0, 0), "upper left"),
        ((3, 3), "middle"),
        ((6, 3), "bottom"),
        ((3, 6), "right"),
        ((6, 6), "lower right"),
    ],
)
def test_where_is_told_in_words(place: tuple[int, int], told: str) -> None:
    weights = [[0.1] * 7 for _ in range(7)]
    weights[place[0]][place[1]] = 1.0
    assert where(weights) == told
