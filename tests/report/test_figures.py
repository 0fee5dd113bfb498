"""Figures: marks where the numbers are, on the paper, whatever the numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import classification, regression

from fathometer.report import as_html
from fathometer.report.figures.bars import Divided, Pair, divided_bars, paired_bars
from fathometer.report.figures.canvas import NARROW, WIDE, Canvas
from fathometer.report.figures.intervals import Line, interval_lines
from fathometer.report.figures.plot import Dot, Plot, Rule, Series
from fathometer.report.figures.scales import TIMES, Axis, Scale, linear_ticks, log_ticks
from fathometer.report.record import Estimate

numbers = st.floats(-1e12, 1e12, allow_subnormal=False)
sizes = st.floats(1e-6, 1e12)


def canvas(width: float = WIDE) -> Canvas:
    return Canvas("one", width, "title", "description")


def plain(value: float) -> str:
    return f"{value:.4g}"


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


@given(low=numbers, span=st.floats(1e-6, 1e12), most=st.integers(3, 10))
def test_linear_ticks_are_round_few_and_inside(low: float, span: float, most: int) -> None:
    high = low + span
    if not high - low > 1e-9 * max(abs(low), abs(high)):
        return
    ticks = linear_ticks(low, high, most)
    room = 1e-6 * (high - low)
    assert 1 <= len(ticks) <= most
    assert all(low - room <= tick <= high + room for tick in ticks)
    assert ticks == sorted(ticks)


@given(low=sizes, times=st.floats(1.5, 1e12), most=st.integers(3, 10))
def test_log_ticks_are_few_and_inside(low: float, times: float, most: int) -> None:
    ticks = log_ticks(low, low * times, most)
    assert 1 <= len(ticks) <= most
    assert all(0.999 * low <= tick <= 1.001 * low * times for tick in ticks)
    assert ticks == sorted(set(ticks))


def test_scale_keeps_order_and_ends() -> None:
    scale = Scale(10, 1_000, 0, 200, is_log=True)
    assert [scale(value) for value in (10, 100, 1_000)] == pytest.approx([0, 100, 200])
    assert scale(1) == 0 and scale(1e6) == 200


def test_times_are_marked_on_round_times() -> None:
    axis = Axis("time", plain, is_log=True, marks=TIMES)
    assert axis.ticks(5, 700, 9) == [10.0, 30.0, 60.0, 180.0, 600.0]


def test_log_axis_is_never_shorter_than_its_least() -> None:
    low, high = Axis("time", plain, is_log=True).range([100.0, 101.0])
    assert high / low > 7.9


@settings(max_examples=60, deadline=None)
@given(
    points=st.lists(st.tuples(sizes, numbers, st.floats(0, 1e9)), min_size=1, max_size=8),
    width=st.sampled_from([WIDE, NARROW]),
)
def test_plot_stays_on_its_paper(points: list[tuple[float, float, float]], width: float) -> None:
    dots = tuple(Dot(x, y, y - half, y + half) for x, y, half in points)
    series = Series("deep", dots, tuple((dot.x, dot.y) for dot in dots))
    plot = Plot(
        Axis("rows", plain, is_log=True),
        Axis("score", plain),
        (series,),
        (Rule(points[0][0], "here"),),
        beyond=1.0,
    )
    drawn = plot.draw(canvas(width)).render()
    assert not re.search(r"nan|inf", drawn)
    root = parsed(drawn)
    _, _, wide, high = (float(part) for part in root.attrib["viewBox"].split())
    for box in root.iter("rect"):
        assert -6 <= float(box.attrib["x"]) <= wide + 6
        assert -6 <= float(box.attrib["y"]) <= high + 6


def test_better_scores_are_drawn_higher() -> None:
    series = Series("classical", (Dot(1, 10.0), Dot(10, 20.0)))
    root = parsed(Plot(Axis("x", plain, is_log=True), Axis("y", plain), (series,)).draw(canvas()).render())
    marks = [node for node in root.iter("circle") if "classical" in node.attrib["class"]][
        1:
    ]  # the first is the key
    assert float(marks[0].attrib["cx"]) < float(marks[1].attrib["cx"])
    assert float(marks[0].attrib["cy"]) > float(marks[1].attrib["cy"])


@given(shares=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 1)))
def test_divided_bar_is_as_long_as_its_shares(shares: tuple[float, float, float]) -> None:
    root = parsed(divided_bars(canvas(), [Divided("", "", shares)]).render())
    for family, share in zip(("classical", "tie", "deep"), shares, strict=True):
        drawn = [
            box
            for box in root.iter("rect")
            if box.attrib.get("class") == f"{family} segment" and "rx" in box.attrib
        ]
        wanted = WIDE * share / sum(shares) - 2
        if wanted > 1:
            assert float(drawn[0].attrib["width"]) == pytest.approx(wanted, abs=0.1)


def test_bars_begin_at_zero_and_go_to_their_side() -> None:
    pairs = [Pair("one", {"classical": Estimate(2.0), "deep": Estimate(-1.0, -1.5, -0.5)})]
    axis = Axis("loss", plain)
    root = parsed(paired_bars(canvas(), pairs, ("classical", "deep"), axis, plain).render())
    boxes = {
        box.attrib["class"].split()[0]: box for box in root.iter("rect") if "segment" in box.attrib["class"]
    }
    zero = float(boxes["classical"].attrib["x"])
    deep = boxes["deep"]
    assert float(deep.attrib["x"]) + float(deep.attrib["width"]) == pytest.approx(zero, abs=0.11)
    assert float(boxes["classical"].attrib["width"]) == pytest.approx(
        2 * float(deep.attrib["width"]), abs=0.3
    )


@pytest.mark.parametrize("value", [0.0, 1e-9, 5.0, -5.0, 1e9])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_interval_lines_draw_any_value(value: float, width: float) -> None:
    lines = [
        Line("a − b", "deep", Estimate(value, value - 1, value + 1)),
        Line("c", "classical", Estimate(value)),
    ]
    axis = Axis("difference", plain)
    drawn = interval_lines(
        canvas(width), lines, axis, lambda found: plain(found.value), margin=0.5, sides=("l", "r")
    )
    assert "nan" not in drawn.render()
    parsed(drawn.render())


@pytest.mark.parametrize("sample", [classification, regression], ids=["classes", "numbers"])
def test_every_drawing_is_well_formed_and_told_in_words(sample: Callable[[], dict[str, Any]]) -> None:
    drawings = re.findall(r"<svg.*?</svg>", as_html(sample()), flags=re.DOTALL)
    assert len(drawings) >= 20
    for drawing in drawings:
        root = parsed(drawing)
        ids = root.attrib["aria-labelledby"].split()
        assert [root[0].attrib["id"], root[1].attrib["id"]] == ids
        assert root[0].text and root[1].text and len(root[1].text) > 20
        _, _, width, height = (float(part) for part in root.attrib["viewBox"].split())
        assert width in (WIDE, NARROW) and 20 < height < 2_000
        for label in root.iter("text"):
            x, words = float(label.attrib["x"]), label.text or ""
            start = {"end": x - 5.2 * len(words), "middle": x - 2.6 * len(words)}.get(
                label.attrib.get("text-anchor", ""), x
            )
            assert start >= -8 and start + 5.2 * len(words) <= width + 14, words


def test_curves_show_measured_and_forecast_apart() -> None:
    page = as_html(classification())
    drawing = next(
        part for part in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL) if "curves-wide" in part
    )
    root = parsed(drawing)
    styles = [node.attrib.get("class", "") for node in root.iter("path")]
    for family in ("classical", "deep"):
        assert f"line {family}" in styles and f"line dashed {family}" in styles and f"band {family}" in styles
    assert [node for node in root.iter("rect") if node.attrib.get("class") == "beyond"]


def test_crossover_is_marked_only_where_it_is_likely() -> None:
    def crossovers(result: dict[str, Any]) -> int:
        return len(re.findall(r">crossover</text>", as_html(result)))

    unlikely = classification()
    unlikely["outlook"]["crossover"] |= {"median_rows": 30_000, "p_never": 0.8}
    assert crossovers(unlikely) == 0
    assert crossovers(regression()) == 2
