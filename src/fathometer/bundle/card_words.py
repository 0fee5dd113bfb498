"""Words, numbers and tables of the model card, harmless in Markdown, HTML and YAML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fathometer.core.markdown import as_line, escaped
from fathometer.core.plain import clean, shortened, visible
from fathometer.data.metrics import METRICS

FAMILIES: Mapping[str, str] = {
    "classical": "classical ML",
    "deep": "deep learning",
    "together": "both together",
    "pretrained": "pre-trained",
    "baseline": "baseline (no input used)",
}
NAME_LENGTH = 80
SENTENCE_LENGTH = 1_500
MINUS = "\N{MINUS SIGN}"


def name_of(text: object) -> str:
    """A name from people's data, not too long."""
    return escaped(shortened(clean(str(text)), NAME_LENGTH))


def sentence(text: object) -> str:
    """A sentence in which names from people's data may occur, as a line of its own or within one."""
    return as_line(escaped(shortened(clean(str(text)), SENTENCE_LENGTH)))


def listed(names: Iterable[object], most: int = 10) -> str:
    """The first names, and how many more there are."""
    told = [name_of(name) for name in names]
    more = f" and {len(told) - most:,} more" if len(told) > most else ""
    return ", ".join(told[:most]) + more


def amount(value: Any) -> str:
    """A number in about four digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "not known"
    value = float(value)
    size = abs(value)
    if size >= 1e9 or 0 < size < 1e-4:
        shown = f"{value:.3g}".replace("e+0", "e").replace("e+", "e")
    elif size >= 1_000:
        shown = f"{value:,.0f}"
    else:
        shown = f"{value:.4g}" if size < 10 or value != round(value) else f"{value:.0f}"
    return MINUS + shown[1:] if shown.startswith("-") else shown


def chance(p: float) -> str:
    """A probability after its name: "= 97 %"; never 0 or 100, which nobody can measure."""
    return "> 99 %" if p > 0.99 else "< 1 %" if p < 0.01 else f"= {100 * p:.0f} %"


def metric_told(metric: Mapping[str, Any]) -> dict[str, Any]:
    """A metric as a result describes it, with its title, and all its texts harmless."""
    name = str(metric["name"])
    title = METRICS[name].title if name in METRICS else name
    texts = {"title": title, "unit": metric["unit"], "gap_unit": metric["gap_unit"]}
    return {**metric, **{key: name_of(text) for key, text in texts.items()}}


def score_told(score: Mapping[str, Any], unit: str) -> str:
    """A score and its interval: "80.6 % [79.4, 81.8]"."""
    value = (
        f"{score['score']:.1f} %" if unit == "%" else amount(score["score"]) + (f" {unit}" if unit else "")
    )
    if score.get("low") is None or score.get("high") is None:
        return value
    return f"{value} {interval(score['low'], score['high'], unit)}"


def interval(low: float, high: float, unit: str) -> str:
    """Ends of an interval, rounded like the score they belong to."""
    ends = [f"{end:.1f}" if unit == "%" else amount(end) for end in (low, high)]
    return f"[{ends[0]}, {ends[1]}]"


def bytes_told(size: int | None) -> str:
    """A size for people."""
    if size is None:
        return ""
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table; cells are harmless already."""
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def quoted(text: str) -> str:
    """A text as a scalar of YAML: in quotes, of one line, and of signs that every reader of YAML takes."""
    kept = shortened(" ".join(visible(text).split()), SENTENCE_LENGTH)
    return json.dumps(
        "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in kept),
        ensure_ascii=False,
    )
