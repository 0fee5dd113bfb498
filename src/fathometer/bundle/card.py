"""The model card: what a model answers, from what, how well, and what is not known of it; in the form of Hugging Face.

Everything that comes from people's data (names of columns, labels, titles) is shown as it is, whatever signs it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fathometer.bundle.card_limits import measured_limits
from fathometer.bundle.card_words import (
    FAMILIES,
    amount,
    bytes_told,
    chance,
    interval,
    listed,
    metric_told,
    name_of,
    quoted,
    score_told,
    sentence,
    table,
)
from fathometer.core.markdown import escaped
from fathometer.data.metrics import METRICS
from fathometer.kind import all_unstructured

COLUMNS_SHOWN = 60
LABELS_SHOWN = 50
LEVELS_SHOWN = 5
LEVEL_ROWS_LEAST = 5  # rows of a level that is told by its name
EXPORTED = {"number", "category", "moment"}
"""Kinds of columns with which nearly every model can be an ONNX file; with others most cannot."""
KEEP_ROWS = {"neighbours", "svm", "nca", "frozen"}
"""Learners whose models hold rows they learned from, as numbers."""


def model_card(
    name: str, model: Mapping[str, Any], result: Mapping[str, Any] | None, sizes: Mapping[str, int]
) -> str:
    """The card (README.md) as Markdown, with its YAML head.

    Args:
        name: what to call the model. model: its description, as in model.json.
        result: what was measured (docs/result.md, cut); None: not known.
        sizes: competitor -> bytes of its members.
    """
    parts = [
        *_head(name, model, result),
        "",
        *_about(name, model),
        *_answers(model),
        *_columns(model),
        *_made_of(model, sizes),
        *(_measured(model, result) if result else ()),
        *(measured_limits(model["default"], result) if result else ()),
        *_holds(model),
        *_use(model),
        *_licences(model),
        *_unknown(model, result),
    ]
    return "\n".join(parts).rstrip() + "\n"


def pipeline_of(model: Mapping[str, Any]) -> str:
    """The word by which Hugging Face sorts models; empty where it has none for such a model."""
    kinds = {column["kind"] for column in model["schema"]["columns"]}
    task = model["task"]["name"]
    if task == "classification" and kinds in ({"text"}, {"image"}):
        return f"{kinds.pop()}-classification"
    if task in ("classification", "regression") and not all_unstructured(kinds):
        return f"tabular-{task}"
    return ""


def _head(name: str, model: Mapping[str, Any], result: Mapping[str, Any] | None) -> Iterator[str]:
    """The YAML front matter; every scalar is a quoted text or a number."""
    pipeline, task = pipeline_of(model), model["task"]
    tags = ["fathometer", task["name"], model["default"], *([pipeline] if pipeline else [])]
    yield from ("---", f"library_name: {quoted('fathometer')}")
    if pipeline:
        yield f"pipeline_tag: {quoted(pipeline)}"
    yield from ("tags:", *(f"- {quoted(tag)}" for tag in dict.fromkeys(tags)))
    standing = ((result or {}).get("table") or {}).get(model["default"]) or {}
    if result and standing.get("score"):
        metric, score = result["metric"], standing["score"]
        title = METRICS[metric["name"]].title if metric["name"] in METRICS else str(metric["name"])
        ends = (
            f"95 % interval {interval(score['low'], score['high'], '')}"
            if score.get("low") is not None
            else ""
        )
        named = f"{title} in {metric['unit']}" if metric["unit"] else title
        where = f"on rows held out{_fewer_folds(standing['score'], result)}"
        yield from (
            "model-index:",
            f"- name: {quoted(name)}",
            "  results:",
            "  - task:",
            f"      type: {quoted(pipeline or task['name'])}",
            "    dataset:",
            f"      name: {quoted(str(model['about'].get('origin') or 'not said'))}",
            f"      type: {quoted('private')}",
            "    metrics:",
            f"    - type: {quoted(metric['name'])}",
            f"      value: {float(score['score'])!r}",
            f"      name: {quoted(', '.join(filter(None, (named, where, ends))))}",
        )
    yield "---"


def _fewer_folds(score: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """That the score is of fewer folds than were to be; empty where it is not."""
    done, planned = len(score.get("fold_scores") or ()), (result.get("splits") or {}).get("first") or 0
    return f" of only {done} of {planned} folds" if 0 < done < planned else ""


def _about(name: str, model: Mapping[str, Any]) -> Iterator[str]:
    about, target = model["about"], model["task"]["target"]
    yield from (f"# {name_of(name)}", "")
    kind = "one of its labels" if model["task"]["name"] == "classification" else "a number"
    count = len(model["schema"]["columns"])
    told = f"It answers **{name_of(target)}** ({kind}) from {count:,} column{'s' if count > 1 else ''}."
    made = [f"learned from {amount(about['rows'])} rows"] if about.get("rows") else []
    made += [f"({name_of(about['origin'])})"] if about.get("origin") else []
    made += [f"in a run begun on {sentence(str(about['created'])[:10])}"] if about.get("created") else []
    yield f"{told} It was {' '.join(made) or 'made'} by [fathometer](#how-to-use-it)."
    if about.get("model") == "small":
        yield (
            "It is one model: the recipe with most weight in the best bag, trained again on all rows. Scores below are "
            "those of the bags, whose models each learned from a part of the rows."
        )
    yield from ("", f"> {sentence(about['verdict'])}", "") if about.get("verdict") else ("",)


def _answers(model: Mapping[str, Any]) -> Iterator[str]:
    task = model["task"]
    yield from ("## What it answers", "")
    if task["name"] != "classification":
        yield from (f"A number, in the unit of {name_of(task['target'])} in the rows it learned from.", "")
        return
    yield "A label and the probability of each label."
    if task["metric"] == "balanced_accuracy" and task.get("shares"):
        yield "The label is the one whose probability exceeds its share of the rows most, for all labels count alike."
    shares = task.get("shares") or [None] * len(task["labels"])
    rows = [
        (name_of(label), "" if share is None else f"{100 * share:.1f} %")
        for label, share in zip(task["labels"], shares, strict=False)
    ]
    yield from ("", *table(("label", "share of the rows"), rows[:LABELS_SHOWN]))
    yield from _more(len(rows) - LABELS_SHOWN, "labels")
    yield ""


def _columns(model: Mapping[str, Any]) -> Iterator[str]:
    columns = model["schema"]["columns"]
    yield from ("## What it reads", "")
    rows = [
        (name_of(one["name"]), one["kind"], _range(one), _missing(one["summary"]))
        for one in columns[:COLUMNS_SHOWN]
    ]
    yield from table(("column", "kind", "in the rows it learned from", "missing"), rows)
    yield from _more(len(columns) - COLUMNS_SHOWN, "columns")
    yield from (
        "",
        "The order of columns does not matter, and further ones are ignored. Missing cells and levels that were never "
        "seen are answered; a missing column is refused.",
    )
    ids = model["about"].get("ids")
    if ids:
        yield f"Not read, for they tell rows apart and nothing else: {listed(ids)}."
    yield ""


def _range(column: Mapping[str, Any]) -> str:
    summary, kind = column["summary"], column["kind"]
    if kind in ("number", "moment") and summary.get("low") is not None:
        ends = [
            name_of(str(summary[end])[:19]) if kind == "moment" else amount(summary[end])
            for end in ("low", "high")
        ]
        return f"{ends[0]} to {ends[1]}"
    if summary.get("commonest") is not None:
        told = [level for level, count in summary["commonest"] if count >= LEVEL_ROWS_LEAST]
        shown = listed(told, LEVELS_SHOWN) if told else "each rare"
        return f"{amount(summary.get('distinct'))} levels: {shown}"
    if kind == "text" and summary.get("mean_words") is not None:
        return f"{amount(round(summary['mean_words']))} words on average"
    if kind == "image":
        return f"read as {amount(summary.get('width'))} x {amount(summary.get('height'))} pixels"
    return ""


def _missing(summary: Mapping[str, Any]) -> str:
    rows, missing = summary.get("rows") or 0, summary.get("missing") or 0
    return "" if not rows else "none" if not missing else f"{max(100 * missing / rows, 0.1):.1f} %"


def _made_of(model: Mapping[str, Any], sizes: Mapping[str, int]) -> Iterator[str]:
    yield from ("## What it is made of", "")
    rows = []
    for competitor, mixes in model["mixes"].items():
        keys = sorted({key for mix in mixes for key in mix})
        titles = dict.fromkeys(model["members"][key]["title"] for key in keys)
        default = " (answers unless another is asked for)" if competitor == model["default"] else ""
        rows.append(
            (FAMILIES.get(competitor, name_of(competitor)) + default, str(len(keys)), listed(titles, 12),
             bytes_told(sizes.get(competitor)))
        )  # fmt: skip
    yield from table(("who answers", "models", "which", "size"), rows)
    yield from (
        "",
        "Where there are several models, their answers are averaged: by weights chosen on rows held out within a part "
        "of the data, then over the parts.",
        f"Made with {listed([f'{name} {version}' for name, version in model['requires'].items()], 20)}.",
        "",
    )


def _measured(model: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[str]:
    metric, splits, machine = (
        metric_told(result["metric"]),
        result.get("splits") or {},
        result.get("machine") or {},
    )
    yield from ("## How well it does", "")
    how = sentence(splits.get("sentence") or "on rows held out")
    processor = name_of(machine.get("processor") or "processor not known")
    better = "higher" if metric["higher_is_better"] else "lower"
    yield (
        f"By {metric['title']} ({better} is better), {how}. No choice was made on the "
        f"rows that judge. The run had {amount(result.get('budget_seconds'))} seconds by the clock for everything, "
        f"trials at a time: {amount(result.get('workers'))}, and every family the same share ({processor})."
    )
    rows = []
    for competitor in FAMILIES:
        standing = result["table"].get(competitor)
        if standing is None or not standing.get("score"):
            continue
        rows.append(
            (FAMILIES[competitor], score_told(standing["score"], metric["unit"]),
             f"{amount(standing['cpu_seconds'])} s", f"{amount(standing['microseconds_per_row'])} µs",
             "yes" if competitor in model["mixes"] else "no")
        )  # fmt: skip
    header = (
        "family",
        f"{metric['title']} [95 % interval]",
        "processor time used",
        "processor time per row, many at once",
        "in this model",
    )
    yield from ("", *table(header, rows), "")
    verdict = result["verdict"]
    probabilities = [verdict.get(name) for name in ("p_classical", "p_tie", "p_deep")]
    if all(isinstance(one, int | float) for one in probabilities):
        told = [escaped(chance(one)) for one in probabilities]
        margin = f"{amount(metric['margin'])} {metric['gap_unit']}"
        yield (
            f"P(classical ML is better by more than {margin}) {told[0]}, P(no practical difference) {told[1]}, "
            f"P(deep learning is better by more than {margin}) {told[2]}: under this budget, on this machine, for rows "
            "like these."
        )
    if verdict.get("more_rows"):
        yield from ("", sentence(verdict["more_rows"]))
    yield ""


def _holds(model: Mapping[str, Any]) -> Iterator[str]:
    kept = {one["title"] for one in model["members"].values() if one["learner"] in KEEP_ROWS}
    yield from (
        "## What of the data is in it",
        "",
        "Names, kinds and ranges of columns, their commonest levels, and sketches of them (101 quantiles; counts of "
        "levels of five rows or more). What the models learned, which includes every level and, of texts, words that "
        "they know. The golden rows are made up, column by column.",
    )
    if kept:
        yield f"**These keep rows they learned from, as numbers: {listed(sorted(kept), 10)}.**"
    yield from ("Think of whose the rows are before you pass the model on.", "")


def _use(model: Mapping[str, Any]) -> Iterator[str]:
    others = [name for name in model["mixes"] if name not in (model["default"], "baseline")]
    further = f" --family {others[0]}" if others else ""
    kinds = {column["kind"] for column in model["schema"]["columns"]}
    exports = kinds <= EXPORTED
    yield from (
        "## How to use it",
        "",
        "MODEL is this folder, or the file that it was packed in. It holds data only; opening it runs nothing of it.",
        "",
        "```",
        "fathom predict MODEL rows.csv -o answers.csv" + (f"    # or{further}" if further else ""),
        "fathom serve MODEL",
        *(["fathom export MODEL --onnx model.onnx"] if exports else []),
        "```",
        "",
        "```python",
        "import fathometer as fm",
        'answers = fm.open_model("MODEL").predict(frame)',
        "```",
        "",
        "What it needs is in requirements.txt.",
        "",
    )


def _licences(model: Mapping[str, Any]) -> Iterator[str]:
    encoders = model["about"].get("encoders") or []
    if not encoders:
        return
    yield from (
        "## Encoders of others",
        "",
        "It reads with networks that were trained before, by others:",
        "",
    )
    rows = [
        (name_of(one["name"]), name_of(one.get("licence") or "not said"),
         name_of(one.get("learned_from") or "not said"), bytes_told(one.get("size_bytes")))
        for one in encoders
    ]  # fmt: skip
    yield from (*table(("encoder", "licence", "learned from", "size"), rows), "")


def _unknown(model: Mapping[str, Any], result: Mapping[str, Any] | None) -> Iterator[str]:
    yield from ("## What is not known", "")
    if result is None:
        yield "- How well it does: it was packed without the record of its run."
    elif not result.get("fairness"):
        yield "- Whether it treats groups of people alike: no column was named to compare them by."
    golden = str(model["about"].get("golden") or "none: it was made without")
    if golden.startswith("none"):
        yield f"- Whether it still answers as when it was made: it has no golden rows ({sentence(golden[6:])})."
    yield from (
        "- How it does on rows of another kind, time or place than those it learned from. Its sketches of columns and "
        "answers are there to notice when rows become others.",
        "- What would happen if a cell were changed on purpose: it knows what goes together, not what causes what.",
        "- Under which licence the model may be used, and what for: that is for its makers to add here.",
    )


def _more(count: int, what: str) -> Iterator[str]:
    if count > 0:
        yield from ("", f"And {count:,} more {what}.")
