"""The model card says what was measured, parses as YAML and Markdown, and shows hostile names as they are."""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from fathometer.bundle.card import model_card, pipeline_of
from fathometer.bundle.card_words import amount, quoted, score_told

sys.path.append(str(Path(__file__).parents[1] / "report"))  # results made by hand, and hostile names
from samples import PROBES, classification, hostile, nothing_measured, regression

yaml = pytest.importorskip("yaml")
markdown = pytest.importorskip("markdown_it")

NUMBER = {"rows": 100, "missing": 4, "distinct": 90, "low": -1.5, "high": 12_000.0, "deciles": []}
LEVELS = {"rows": 100, "missing": 0, "distinct": 3, "commonest": [["red", 60], ["blue", 36], ["Jane Doe", 4]]}


def column(name: str, kind: str, summary: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "kind": kind, "reading": {}, "summary": summary, "guessed": True, "why": ""}


def model(task: dict[str, Any], **about: Any) -> dict[str, Any]:
    members = {
        "a-boosting": {"learner": "boosting", "title": "boosted trees"},
        "a-svm": {"learner": "svm", "title": "kernel SVM"},
        "a-mlp": {"learner": "mlp", "title": "perceptron"},
    }
    return {
        "schema": {"columns": [column("price", "number", NUMBER), column("colour", "category", LEVELS)]},
        "task": task,
        "members": members,
        "mixes": {"classical": [{"a-boosting": 0.5, "a-svm": 0.5}], "deep": [{"a-mlp": 1.0}]},
        "default": "classical",
        "about": {
            "verdict": "Classical ML is enough.",
            "origin": "shop.csv",
            "rows": 5_634,
            "ids": ["no"],
            **about,
        },
        "requires": {"numpy": "2.4.6", "lightgbm": "4.7.0"},
    }


def classes(**about: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A model that answers labels, and what was measured of it."""
    result = classification()
    return model({"metric": "accuracy", "margin": 0.5, "shares": [], **result["task"]}, **about), result


def head_of(card: str) -> dict[str, Any]:
    """The YAML head, by a reader of YAML that is not ours."""
    _, head, _ = card.split("---\n", 2)
    read: dict[str, Any] = yaml.safe_load(head)
    return read


def tokens_of(card: str) -> list[Any]:
    """The Markdown below the head, by a parser that is not ours: every token, those within lines too."""
    parsed = (
        markdown.MarkdownIt("commonmark", {"html": True}).enable("table").parse(card.split("---\n", 2)[2])
    )
    return [token for block in parsed for token in (block, *(block.children or ()))]


def shown(card: str) -> str:
    """What a reader of the card sees."""
    return "\n".join(
        token.content for token in tokens_of(card) if token.type in ("text", "code_inline", "fence")
    )


def shape_of(card: str) -> list[str]:
    """Kinds of all tokens but those of plain text."""
    return [
        token.type for token in tokens_of(card) if token.type not in ("text", "text_special", "softbreak")
    ]


def test_the_head_tells_hugging_face_what_it_sorts_by() -> None:
    described, result = classes()
    head = head_of(model_card("churn", described, result, {}))
    assert head["library_name"] == "fathometer"
    assert head["pipeline_tag"] == "tabular-classification"
    assert {"fathometer", "classification", "classical"} <= set(head["tags"])
    (found,) = head["model-index"]
    (measured,) = found["results"]
    assert found["name"] == "churn"
    assert measured["dataset"] == {"name": "shop.csv", "type": "private"}
    assert measured["task"]["type"] == "tabular-classification"
    (metric,) = measured["metrics"]
    score = result["table"]["classical"]["score"]
    assert metric["value"] == score["score"]
    assert metric["type"] == result["metric"]["name"]
    assert "95 % interval" in metric["name"]


def test_hugging_face_reads_the_head() -> None:
    hub = pytest.importorskip("huggingface_hub")
    described, result = classes()
    data = hub.ModelCard(model_card("churn", described, result, {})).data
    assert data.library_name == "fathometer"
    assert data.eval_results[0].metric_value == result["table"]["classical"]["score"]["score"]


@pytest.mark.parametrize(
    ("kinds", "task", "pipeline"),
    [
        (["number", "text"], "classification", "tabular-classification"),
        (["number", "image"], "regression", "tabular-regression"),
        (["text"], "classification", "text-classification"),
        (["text", "text"], "classification", "text-classification"),
        (["image"], "classification", "image-classification"),
        (["text"], "regression", ""),
        (["text", "image"], "classification", ""),
    ],
)
def test_models_are_sorted_by_what_they_read_and_answer(kinds: list[str], task: str, pipeline: str) -> None:
    columns = [{"name": str(place), "kind": kind} for place, kind in enumerate(kinds)]
    assert pipeline_of({"schema": {"columns": columns}, "task": {"name": task}}) == pipeline


def test_a_card_says_what_was_measured() -> None:
    described, result = classes()
    told = shown(model_card("churn", described, result, {"classical": 3_000_000, "deep": 12_000}))
    table, metric = result["table"], result["metric"]
    for name in ("classical", "deep", "together"):
        assert score_told(table[name]["score"], metric["unit"]) in told
    for one in result["measures"]["classical"]["robustness"]:
        assert one["what"][1:] in told
    for words in (
        "Classical ML is enough.",
        "5,634 rows",
        "3.0 MB",
        "12.0 kB",
        "4.7.0",
        "−1.5 to 12,000",
        "4.0 %",
    ):
        assert words in told, words


def test_a_score_of_fewer_folds_than_planned_says_so_in_its_name() -> None:
    described, result = classes()

    def named() -> str:
        (found,) = head_of(model_card("a", described, result, {}))["model-index"][0]["results"]
        return str(found["metrics"][0]["name"])

    assert "folds" not in named()
    result["table"]["classical"]["score"]["fold_scores"] = [80.8]
    assert "on rows held out of only 1 of 5 folds" in named()


def test_probabilities_are_never_0_or_100() -> None:
    described, result = classes()
    result["verdict"] |= {"p_classical": 0.99999, "p_tie": 1e-5, "p_deep": 0.0}
    told = shown(model_card("a", described, result, {}))
    assert "points) > 99 %, P(no practical difference) < 1 %" in told.replace("\n", "")
    assert "100 %, P" not in told and "= 0 %" not in told
    result["verdict"] |= {"p_classical": 0.61, "p_tie": 0.35, "p_deep": 0.04}
    assert "= 61 %, P(no practical difference) = 35 %" in shown(model_card("a", described, result, {}))


def test_times_of_a_cold_process_are_left_out() -> None:
    described, result = classes()
    cold = {"one_row_ms": [309.2, 309.2], "thousand_rows_ms": [324.1, 324.1], "answers": 1}
    result["measures"]["classical"]["latency"] = cold
    told = shown(model_card("a", described, result, {}))
    assert "309.2" not in told
    assert "324.1" not in told
    result["measures"]["classical"]["latency"] = cold | {"one_row_ms": [8.2, 9.1], "answers": 20}
    told = shown(model_card("a", described, result, {}))
    assert "8.2 ms for one row asked alone and 324.1 ms for a thousand rows asked at once" in told


def test_a_negative_loss_is_told_as_a_gain_and_the_scores_of_one_fold_as_such() -> None:
    described, result = classes()
    shifted = {"what": "rows that are unlike", "loss_of_score": -11.42, "low": -15.53, "high": -7.31}
    measures = result["measures"]["classical"]
    measures["robustness"] = [shifted, {"what": "gaps", "loss_of_score": 1.5, "low": 0.5, "high": 2.5}]
    measures["train_gap"] = {"train_score": 84.0, "test_score": 81.6}
    told = shown(model_card("a", described, result, {}))
    assert "Rows that are unlike: does 11.42 points better there [7.31, 15.53]." in told
    assert "Gaps: loses 1.5 points [0.5, 2.5]." in told
    assert "models of one fold alone reach 84.0 % on rows they learned from and 81.6 %" in told


def test_export_is_not_proposed_for_words_and_pictures() -> None:
    described, result = classes()
    assert "fathom export MODEL --onnx model.onnx" in shown(model_card("a", described, result, {}))
    described["schema"]["columns"].append(column("note", "text", {}))
    assert "fathom export" not in shown(model_card("a", described, result, {}))


def test_a_card_of_numbers_has_no_labels() -> None:
    result = regression()
    card = model_card("price", model({"shares": [], **result["task"]}), result, {})
    assert head_of(card)["pipeline_tag"] == "tabular-regression"
    assert "A number, in the unit of" in card
    assert "probability of each label" not in card


def test_what_was_not_measured_is_not_said() -> None:
    described, _ = classes()
    card = model_card("churn", described, nothing_measured(), {})
    assert "Nothing beside the score was measured." in card
    assert "no column was named to compare them by" in card
    bare = model_card("churn", described, None, {})
    assert "without the record of its run" in bare
    assert "model-index" not in head_of(bare)


def test_models_that_keep_rows_are_named_and_levels_of_few_rows_are_not() -> None:
    described, result = classes()
    told = shown(model_card("churn", described, result, {}))
    assert "These keep rows they learned from, as numbers: kernel SVM." in told
    assert "red, blue" in told
    assert "Jane" not in told
    described["members"]["a-svm"]["learner"] = "tree"
    assert "keep rows" not in shown(model_card("churn", described, result, {}))


def test_that_there_are_no_golden_rows_is_said_with_the_reason() -> None:
    assert "golden rows (out of time)" in shown(model_card("a", *classes(golden="none: out of time"), {}))
    assert "no golden rows" not in shown(model_card("a", *classes(golden="32 made-up rows"), {}))


def test_licences_of_encoders_are_told() -> None:
    encoder = {"name": "mini", "licence": "apache-2.0", "learned_from": "web text", "size_bytes": 90_000_000}
    told = shown(model_card("a", *classes(encoders=[encoder]), {}))
    for words in ("mini", "apache-2.0", "web text", "90.0 MB"):
        assert words in told


@pytest.mark.parametrize("probe", PROBES, ids=range(len(PROBES)))
def test_hostile_text_is_shown_and_does_nothing(probe: str) -> None:
    described, _ = classes(origin=probe, verdict=probe, ids=[probe], created=probe, golden=f"none: {probe}")
    harmless, result = copy.deepcopy(described), hostile(probe)
    described["schema"]["columns"][0]["name"] = probe
    described["schema"]["columns"][1]["summary"] = LEVELS | {"commonest": [[probe, 50]]}
    described["members"]["a-boosting"]["title"] = probe
    described["task"] |= {"target": probe, "labels": [probe, "other"]}
    described["about"]["encoders"] = [
        {"name": probe, "licence": probe, "learned_from": probe, "size_bytes": 1}
    ]
    harmless["about"] |= dict.fromkeys(("origin", "verdict", "created"), "x")
    harmless["about"] |= {"ids": ["x"], "golden": "none: x"}
    harmless["about"]["encoders"] = [{"name": "x", "licence": "x", "learned_from": "x", "size_bytes": 1}]
    harmless["schema"]["columns"][1]["summary"] = LEVELS | {"commonest": [["x", 50]]}
    harmless["task"] |= {"target": "x", "labels": ["x", "other"]}
    card = model_card(probe, described, result, {})
    card.encode("utf-8")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", card)
    head = head_of(card)
    assert set(head) == {"library_name", "pipeline_tag", "tags", "model-index"}
    assert set(head["model-index"][0]) == {"name", "results"}
    if probe.strip():  # nothing between two stars is no emphasis
        assert shape_of(card) == shape_of(model_card("x", harmless, hostile("x"), {}))
    assert not {"html_inline", "html_block", "image"} & set(shape_of(card))
    links = [token.attrs["href"] for token in tokens_of(card) if token.type == "link_open"]
    assert links == ["#how-to-use-it"]


@pytest.mark.parametrize("probe", PROBES, ids=range(len(PROBES)))
def test_a_quoted_text_is_one_scalar_of_yaml(probe: str) -> None:
    assert isinstance(yaml.safe_load(f"key: {quoted(probe)}")["key"], str)
    plain = probe.isascii() and probe.isprintable() and len(probe) < 1_000
    if plain:
        assert yaml.safe_load(quoted(probe)) == " ".join(probe.split())


def test_numbers_are_short() -> None:
    told = [amount(value) for value in (0, 3, 72.0, 1234567, 0.000001234, -0.25, 2.5e12, 59.2843, True, None)]
    assert told == [
        "0",
        "3",
        "72",
        "1,234,567",
        "1.23e-06",
        "−0.25",
        "2.5e12",
        "59.28",
        "not known",
        "not known",
    ]
