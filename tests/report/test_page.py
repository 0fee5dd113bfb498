"""The page: well formed, complete in itself, safe whatever names it shows, true to the result, readable by all."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from samples import PROBES, classification, hostile, nothing_measured, regression

from fathometer.core.files import read_json
from fathometer.errors import UserError
from fathometer.report import as_html, as_markdown, write_report
from fathometer.report.amounts import bytes_of, chance, difference, level, milliseconds, money, seconds, span
from fathometer.report.compose import compose
from fathometer.report.elements import element, jump, style_sheet
from fathometer.report.markdown import as_lines
from fathometer.report.page import as_page
from fathometer.report.plain import clean, shortened
from fathometer.report.twin import as_data
from reading import Node, cells, check, table_named

SAMPLES: dict[str, Callable[[], dict[str, Any]]] = {
    "classes": classification,
    "numbers": regression,
    "nothing": nothing_measured,
    "empty": dict,
}


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
def test_page_is_well_formed_and_fetches_and_runs_nothing(sample: Callable[[], dict[str, Any]]) -> None:
    page = as_html(sample())
    root = check(page)
    assert not re.search(r"https?://|//[a-z]", page)
    policies = [
        node for node in root.all("meta") if node.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies[0].attributes["content"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert next(root.all("html")).attributes["lang"] == "en"
    first = next(root.all("a"))
    assert first.attributes["href"] == "#main" and "Skip" in first.text()
    assert "significant" not in page
    assert not re.search(r"\b(nan|None|inf)\b", re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL))


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
def test_same_result_gives_same_bytes_and_is_left_as_it_was(sample: Callable[[], dict[str, Any]]) -> None:
    result = sample()
    before = copy.deepcopy(result)
    assert as_html(result) == as_html(copy.deepcopy(result))
    assert as_markdown(result) == as_markdown(copy.deepcopy(result))
    assert result == before


@pytest.mark.parametrize("probe", PROBES, ids=[f"probe{k}" for k in range(len(PROBES))])
def test_hostile_text_is_only_ever_text(probe: str) -> None:
    page = as_html(hostile(probe))
    root = check(page)
    page.encode("utf-8")
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    assert "evil.example" not in body or "<style" not in probe or "&lt;style" in body
    for character in "\x00\x1b\u202e\u202c\u2066\u2069\u200b\ufeff":
        assert character not in page
    if any(mark in probe for mark in "<>\"'&"):
        dangerous = [node for node in root.all() if any(name.startswith("on") for name in node.attributes)]
        assert not dangerous
    shown = clean(probe)
    if shown and len(shown) < 40:
        names = [node for node in root.all("bdi") if node.text() == shown]
        assert names, "the name is not shown as it is"


def test_long_names_are_shortened_and_told_whole() -> None:
    name = "n" * 5_000
    root = check(as_html(hostile(name)))
    shown = [node for node in root.all("bdi") if node.attributes.get("title") == name]
    assert shown and all(len(node.text()) < 60 for node in shown)


def test_long_names_that_differ_at_the_end_stay_apart() -> None:
    one, other = ("a_very_long_prefix_" * 5 + ending for ending in ("height", "weight"))
    assert shortened(one) != shortened(other)
    assert len(shortened(one)) <= 56


def test_clean_text_is_one_line_without_hidden_characters() -> None:
    assert clean("a\tb\r\nc") == "a b c"
    assert clean("\u202eabc") == "\N{REPLACEMENT CHARACTER}abc"
    assert clean("lone \ud800") == "lone \N{REPLACEMENT CHARACTER}"
    assert clean("e\u0301") == "e\u0301"
    assert len(clean("Z" + "\u0351" * 60)) == 4


# True to the result -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", [classification, regression], ids=["classes", "numbers"])
def test_numbers_in_the_table_are_those_of_the_result(sample: Callable[[], dict[str, Any]]) -> None:
    result = sample()
    table = table_named(check(as_html(result)), "Classical ML and deep learning on your rows")
    rows = {row[0]: row[1:] for row in table}
    title = {"accuracy": "accuracy", "rmse": "RMSE"}[result["metric"]["name"]]
    for column, name in enumerate(("classical", "deep", "together", "baseline")):
        score = result["table"][name]["score"]
        shown = [float(part) for part in re.findall(r"[\d.]+", rows[title][column])]
        assert shown == pytest.approx([score["score"], score["low"], score["high"]], abs=0.051, rel=1e-3)
    for column, name in enumerate(("classical", "deep", "together")):
        standing, measures = result["table"][name], result["measures"][name]
        assert rows["size on disk"][column].startswith(bytes_of(standing["model_bytes"]))
        assert rows["time for one row"][column].startswith(milliseconds(measures["latency"]["one_row_ms"][0]))
        assert rows["trials"][column].split(" ")[0] == str(standing["trials"])
        lost = measures["robustness"][1]["loss_of_score"]
        assert rows["30 % of cells missing"][column].startswith(
            difference(lost, result["metric"]["gap_unit"])
        )
    assert all(row[-1] not in ("", "–") for name, row in rows.items() if len(row) == 5 and name), "no meaning"


def test_better_is_written_where_the_paired_interval_leaves_out_zero() -> None:
    def marked(low: float, high: float) -> list[bool]:
        result = classification()
        result["verdict"]["families"] |= {"gap": (low + high) / 2, "low": low, "high": high}
        table = table_named(check(as_html(result)), "Classical ML and deep learning on your rows")
        row = next(row for row in table if row[0] == "accuracy")
        return ["better" in cell for cell in row[1:5]]

    assert marked(-2.3, -0.5) == [True, False, False, False]
    assert marked(0.5, 2.3) == [False, True, False, False]
    assert marked(-0.5, 2.3) == [False, False, False, False]


def test_better_is_not_written_where_intervals_touch() -> None:
    result = classification()
    for name, (value, low, high) in {"classical": (2.3, 1.0, 3.6), "deep": (4.4, 3.5, 5.3)}.items():
        result["measures"][name]["robustness"][1] |= {"loss_of_score": value, "low": low, "high": high}
    table = table_named(check(as_html(result)), "Classical ML and deep learning on your rows")
    assert not any(
        "better" in cell for cell in next(row for row in table if row[0] == "30 % of cells missing")
    )


ANSWERS = {
    "classical": "Classical machine learning is enough.",
    "deep": "Deep learning pays.",
    "together": "Use both together.",
    "tie": "No practical difference: take the cheaper, classical machine learning.",
    "no_signal": "No signal: nothing beats a guess that ignores the inputs.",
    "leaning_classical": "Leaning to classical machine learning, but not sure enough to call it.",
    "leaning_deep": "Leaning to deep learning, but not sure enough to call it.",
    "leaning_tie": "Probably no practical difference between the two, but not sure enough to call it.",
    "cannot_tell": "It cannot be told on this budget.",
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_answer_has_its_sentence(answer: str) -> None:
    result = classification()
    result["verdict"]["answer"] = answer
    root = check(as_html(result))
    assert next(root.all("h1")).text() == ANSWERS[answer]
    assert "Under this budget (5 minutes), on this machine" in root.text()


def test_probabilities_stand_in_words() -> None:
    rows = table_named(check(as_html(classification())), "How likely each answer is")
    assert [row[1] for row in rows[1:]] == ["88 %", "10 %", "2 %"]


def table_of_differences(result: dict[str, Any]) -> dict[str, list[str]]:
    table = table_named(check(as_html(result)), "Classical ML and deep learning on your rows")
    return {row[0]: row[1:] for row in table}


def test_crossover_is_told_for_the_family_behind() -> None:
    assert table_of_differences(classification())["crossover"][:2] == [
        "ahead with your rows",
        "not within 16 times your rows: 80 %",
    ]
    assert table_of_differences(regression())["crossover"][0] == "near 31,000 rows [12,000, 70,000]"


def test_no_crossover_is_claimed_of_two_that_are_alike() -> None:
    result = regression()
    result["verdict"] |= {"answer": "tie", "p_deep": 0.1, "p_tie": 0.8, "p_classical": 0.1}
    result["outlook"]["factors"][0] |= {"p_deep": 0.1, "p_tie": 0.8, "p_classical": 0.1}
    assert "crossover" not in table_of_differences(result)
    page = as_html(result)
    assert "practically alike" in page and ">crossover<" not in page and ">overtook<" not in page


def test_no_difference_is_forecast_where_curves_are_rough_or_forecasts_disagree() -> None:
    rough, apart = regression(), regression()
    rough["curves"]["competitors"]["deep"]["behaviour"] = "rough"
    apart["outlook"]["disagreement"] = 0.4
    for result, why in (
        (rough, "the curve of deep learning is not smooth"),
        (apart, "the two ways of forecasting disagree"),
    ):
        assert "crossover" not in table_of_differences(result)
        assert f"to the difference cannot be told: {why}." in check(as_html(result)).text()


def test_what_more_rows_would_bring_is_said_in_the_words_of_the_verdict() -> None:
    result = classification()
    result["verdict"]["more_rows"] = "Twice the rows would bring 0.66 points."
    assert "Twice the rows would bring 0.66 points." in check(as_html(result)).text()


def test_what_more_time_would_do_is_shown_with_who_was_cut_off() -> None:
    result = classification()
    result["verdict"]["more_time"] = "With five times the minutes deep learning ahead is expected."
    shown = check(as_html(result)).text()
    assert "With five times the minutes deep learning ahead is expected." in shown
    assert "What more time would do" in shown
    for words in ("Learners that the clock ended while they were still gaining", "TabM", "25 min", "2.1 h"):
        assert words in shown
    assert "overtaking" in shown


def test_nothing_is_said_of_time_where_nothing_is_known_of_it() -> None:
    result = classification()
    result["minutes"] = None
    assert "What more time would do" not in check(as_html(result)).text()


def test_calibration_is_not_missed_where_numbers_are_predicted() -> None:
    shown = check(as_html(regression())).text()
    assert "Can its probabilities be believed?" not in shown and "Calibration" not in shown.split("Words")[0]
    assert "calibration" in check(as_html(nothing_measured())).text()


def test_weak_evidence_is_told() -> None:
    assert "Thin evidence: only 6 districts, fewer than 10." in check(as_html(regression())).text()
    assert "Thin evidence" not in check(as_html(classification())).text()


def test_reasons_stand_with_their_codes() -> None:
    shown = check(as_html(classification())).text()
    for reason in classification()["reasons"]:
        assert f"{reason['code']} {reason['title']}." in shown and reason["sentence"] in shown


def test_every_trial_is_listed_with_its_failure() -> None:
    result = classification()
    root = check(as_html(result))
    assert len(table_named(root, "Every trial (50)")) == 51
    failed = table_named(root, "1 trial that failed")
    assert "failed: out of memory" in failed[1]


def test_a_long_list_of_trials_is_cut_and_says_so() -> None:
    result = classification()
    result["trials"] = [dict(result["trials"][0]) for _ in range(4_000)]
    page = as_html(result)
    assert "The first 3,000 of 4,000" in page


def test_a_usual_page_is_light() -> None:
    result = classification()
    result["trials"] = result["trials"] * 8
    assert len(as_html(result).encode()) < 1_000_000


def test_command_to_repeat_is_quoted() -> None:
    result = classification()
    result["data"]["origin"] = "my file; rm -rf $HOME.csv"
    result["effort"]["by_hand"] = ["--kind a b=category"]
    commands = [node.text() for node in check(as_html(result)).all("pre")]
    assert commands[0] == (
        "fathom compare 'my file; rm -rf $HOME.csv' --target Churn --budget 300s --seed 0 --kind 'a b=category'"
    )


# Whatever is missing ------------------------------------------------------------------------------------------------


def test_what_was_not_measured_is_said() -> None:
    shown = check(as_html(nothing_measured())).text()
    for said in (
        "How likely each answer is was not measured.",
        "Curves against the number of rows were not measured in this run.",
        "Whether the stated probabilities hold was not measured in this run.",
        "What the models look at was not measured in this run.",
        "No sensitive column was named",
    ):
        assert said in shown


def slim(value: Any) -> Any:
    """With short lists and two competitors, so that hundreds of pages are made in seconds."""
    if isinstance(value, dict):
        return {key: slim(item) for key, item in value.items() if key not in ("together", "baseline")}
    return [slim(item) for item in value[:2]] if isinstance(value, list) else value


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place; of two families alike, the inside of the first alone."""
    found: Any = enumerate(value[:1]) if isinstance(value, list) else ()
    for key, item in value.items() if isinstance(value, dict) else found:
        yield (*path, key)
        if key != "deep":
            yield from paths(item, (*path, key))


def changed(value: Any, path: tuple[str | int, ...], change: Callable[[Any, Any], Any]) -> Any:
    """A copy in which one place is changed; everything else is shared."""
    shallow: Any = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1:
        change(shallow, path[0])
    else:
        shallow[path[0]] = changed(shallow[path[0]], path[1:], change)
    return shallow


def drop(holder: Any, key: Any) -> None:
    del holder[key]


def put(thing: Any) -> Callable[[Any, Any], None]:
    def change(holder: Any, key: Any) -> None:
        holder[key] = thing

    return change


@pytest.mark.parametrize(
    ("sample", "change"),
    [(classification, drop), (classification, put(None)), (regression, put(None))],
    ids=["classes-missing", "classes-null", "numbers-null"],
)
def test_any_field_may_be_missing_or_null(
    sample: Callable[[], dict[str, Any]], change: Callable[[Any, Any], None]
) -> None:
    whole = slim(sample())
    for position, path in enumerate(paths(whole)):
        result = changed(whole, path, change)
        document = compose(result)  # where a missing field would be missed
        if position % 10 == 0:
            page = as_page(document)
            assert ">None<" not in page and ">nan" not in page, path
            assert as_lines(document) and as_data(document, result)


@pytest.mark.parametrize("thing", [[], {}, "words", -1.0, float("nan"), 10**400, True], ids=repr)
def test_any_part_may_be_something_else(thing: Any) -> None:
    whole = slim(classification())
    for path in paths(whole):
        if len(path) <= 2:
            compose(changed(whole, path, put(thing)))


# Readable by all ----------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def palettes() -> list[dict[str, str]]:
    style = files("fathometer.report").joinpath("report.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\n *\}", style, flags=re.DOTALL)
    return [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in blocks]


@pytest.mark.parametrize("palette", palettes(), ids=["light", "dark"])
def test_colours_have_the_contrast_that_wcag_demands(palette: dict[str, str]) -> None:
    for text, ground in (
        *(("ink", ground) for ground in ("paper", "raised", "beyond")),
        *(("soft", ground) for ground in ("paper", "raised", "beyond")),
        *(("link", ground) for ground in ("paper", "raised")),
        *((f"on-{family}", family) for family in ("classical", "deep", "tie")),
        ("good", "good-ground"),
        ("warn", "warn-ground"),
    ):
        assert contrast(palette[text], palette[ground]) >= 4.5, (text, ground)
    for family in ("classical", "deep", "together", "pretrained", "baseline"):
        assert contrast(palette[family], palette["paper"]) >= 3
        assert contrast(palette[family], palette["beyond"]) >= 3


def test_tables_that_become_cards_say_their_roles_and_columns() -> None:
    root = check(as_html(classification()))
    cards = [table for table in root.all("table") if "stacked" in table.attributes.get("class", "")]
    assert cards
    for table in cards:
        assert table.attributes["role"] == "table"
        assert all(row.attributes["role"] == "row" for row in table.all("tr"))
        titles = cells(table)[0]
        for row in table.all("tr"):
            for position, cell in enumerate(node for node in row.children if isinstance(node, Node)):
                if cell.tag == "td" and position and "data-label" in cell.attributes:
                    assert cell.attributes["data-label"] == titles[position]


# Elements -----------------------------------------------------------------------------------------------------------


def test_elements_that_run_or_fetch_are_refused() -> None:
    for tag in ("script", "iframe", "img", "a", "link", "form", "no tag", ""):
        with pytest.raises(ValueError):
            element(tag)
    for name in ("onclick", "style", "src", "href", "srcdoc", "no name"):
        with pytest.raises(ValueError):
            element("p", **{name: "x"})
    with pytest.raises(ValueError):
        style_sheet("p { background: url(//evil.example) }")
    assert jump('a"b', "c").render() == '<a href="#a&quot;b">c</a>'


def test_attributes_and_text_are_escaped() -> None:
    made = element("p", "<b>&", title="\"'<>&").render()
    assert made == '<p title="&quot;&#x27;&lt;&gt;&amp;">&lt;b&gt;&amp;</p>'


# Files --------------------------------------------------------------------------------------------------------------


def test_three_files_are_written(tmp_path: Path) -> None:
    result = classification() | {"extra": float("nan")}
    written = write_report(result, tmp_path / "new" / "folder")
    assert [path.name for path in written] == ["report.html", "report.md", "report.json"]
    assert written[0].read_text(encoding="utf-8") == as_html(result)
    assert written[1].read_text(encoding="utf-8") == as_markdown(result)
    twin = read_json(written[2])
    assert twin["headline"] == "Classical machine learning is enough."
    assert twin["result"]["verdict"] == result["verdict"] and twin["result"]["extra"] is None
    assert [section["name"] for section in twin["sections"]][:3] == ["answer", "table", "data"]
    assert sorted(path.name for path in written[0].parent.iterdir()) == [
        "report.html",
        "report.json",
        "report.md",
    ]


@pytest.mark.parametrize("probe", ["\ud800", "\u202e", "\x00"])
def test_files_are_written_whatever_the_names(tmp_path: Path, probe: str) -> None:
    assert len(write_report(hostile(probe), tmp_path)) == 3


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    with pytest.raises(UserError, match="could not be written"):
        write_report({}, taken)


# Amounts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (level(80.78, "%"), "80.8 %"),
        (level(0.44123), "0.4412"),
        (level(-12_345.6), "−12,346"),
        (level(-0.04, "%"), "0.0 %"),
        (difference(1.0, "points"), "+1 point"),
        (difference(-0.254, "points"), "−0.25 points"),
        (difference(0.001, "%"), "about 0 %"),
        (chance(0.999), "over 99 %"),
        (chance(0.001), "under 1 %"),
        (seconds(0.42), "0.42 s"),
        (seconds(719), "12 min"),
        (span(40), "40 seconds"),
        (span(150), "2.5 minutes"),
        (milliseconds(0.06), "60 µs"),
        (milliseconds(4.2), "4.2 ms"),
        (bytes_of(1), "1 byte"),
        (bytes_of(999_999), "1 MB"),
        (bytes_of(3_853_159), "3.9 MB"),
        (money(0.0033, "USD"), "0.0033 USD"),
        (money(12.4, "EUR"), "12.40 EUR"),
    ],
)
def test_numbers_are_written_short(written: str, shown: str) -> None:
    assert written == shown
