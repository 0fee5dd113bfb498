"""A pre-trained model has its own column, line and block; without one there is no word of it."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from samples import PROBES, classification, nothing_measured, regression
from third import ENCODER, with_pretrained

from fathometer.report import as_html, as_markdown
from reading import check, table_named


def test_without_it_there_is_no_word_of_it() -> None:
    for sample in (classification, regression, nothing_measured):
        for text in (check(as_html(sample())).text(), as_markdown(sample())):
            assert "pre-trained" not in text.lower()


def test_page_is_well_formed_and_fetches_and_runs_nothing() -> None:
    page = as_html(with_pretrained())
    check(page)
    assert "<script" not in page and "http" not in page.replace("http-equiv", "").replace(
        "http://www.w3.org", ""
    )


def test_it_is_the_third_column_of_the_table() -> None:
    root = check(as_html(with_pretrained()))
    table = table_named(root, "Classical ML and deep learning on your rows")
    head, *rows = table
    assert head == [
        "what",
        "classical ML",
        "deep learning",
        "pre-trained model",
        "both together",
        "baseline",
        "what this means",
    ]
    score = next(row for row in rows if row[0].strip() == "accuracy")
    assert "84.8 %" in score[3] and "better" in score[3]
    assert all(len(row) in (1, len(head)) for row in rows)


def test_the_answer_says_it_and_what_it_was_compared_with() -> None:
    text = check(as_html(with_pretrained())).text()
    assert "A pre-trained model pays." in text
    assert "with a pre-trained model: 84.8 %" in text
    assert "The pre-trained model against classical ML: +4 points" in text
    assert "Deep learning would catch up with the pre-trained model near 30,000 rows" in text
    assert "pre-trained model − classical ML" in text
    assert "What its encoder cost to train" in text


def test_the_encoder_is_told_with_licence_size_digest_and_origin() -> None:
    for text in (check(as_html(with_pretrained())).text(), as_markdown(with_pretrained())):
        for told in ("Apache-2.0", "a billion pairs of sentences", "91 MB", "/models/"):
            assert told in text.replace("\\", ""), told
        assert ENCODER["digest"][:16] in text


def test_its_curve_has_a_line_of_its_own() -> None:
    page = as_html(with_pretrained())
    assert len(re.findall(r'class="line pretrained"', page)) >= 2  # on wide and on narrow screens
    assert re.search(r'class="line dashed pretrained"', page)
    assert ".line.pretrained { stroke-dasharray" in page
    assert "long dashes" in page


def test_a_model_that_did_not_get_ready_is_told_as_that() -> None:
    result = classification() | {"encoders": [ENCODER]}
    text = check(as_html(result)).text()
    assert "did not finish every fold" in text and "Apache-2.0" in text
    assert "pre-trained model − " not in text


@pytest.mark.parametrize("name", ["encoders", "against", "contrast", "outlook", "more_rows", "p_better"])
@pytest.mark.parametrize("thing", [None, [], {}, "words", -1.0, float("nan"), True], ids=repr)
def test_any_part_of_it_may_be_missing_or_something_else(name: str, thing: Any) -> None:
    result = with_pretrained()
    result["verdict"]["pretrained"][name] = thing
    check(as_html(result))
    as_markdown(result)
    result = with_pretrained()
    result["verdict"]["pretrained"] = thing
    check(as_html(result))
    result = with_pretrained()
    result["encoders"] = thing
    check(as_html(result))


@pytest.mark.parametrize("probe", PROBES[:12] + PROBES[40:50])
def test_what_an_encoder_says_of_itself_is_only_ever_text(probe: str) -> None:
    hostile = {key: probe if isinstance(value, str) else value for key, value in ENCODER.items()}
    result = copy.deepcopy(with_pretrained())
    result["encoders"] = result["verdict"]["pretrained"]["encoders"] = [hostile]
    check(as_html(result))
    as_markdown(result)


def test_a_point_that_ends_the_line_and_begins_the_forecast_is_drawn_once() -> None:
    result = classification()
    rows = result["curves"]["rows"]
    for curve in result["curves"]["competitors"].values():
        curve["smooth"] = [
            {
                "rows": rows * factor * 1.0004,
                "score": 80.0 + factor,
                "low": 79.0,
                "high": 82.0,
                "factor": factor,
            }
            for factor in (0.5, 1.0, 2.0, 4.0)
        ]
    check(as_html(result))
