"""The answer: in one sentence, how likely, what to use, what it costs, how sure, what would change it, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fathometer.data.sentences import counted, opened
from fathometer.report import amounts
from fathometer.report.document import (
    Answer,
    Block,
    Bullets,
    Figure,
    Jump,
    Mark,
    Name,
    Paragraph,
    Part,
    Portion,
    Section,
    Strong,
    Table,
    Terms,
    Words,
    is_empty,
    joined,
)
from fathometer.report.figures.bars import Divided, divided_bars
from fathometer.report.figures.canvas import figure
from fathometer.report.figures.intervals import Line, interval_lines
from fathometer.report.figures.scales import Axis
from fathometer.report.record import (
    FAMILIES,
    PRETRAINED,
    TITLES,
    Estimate,
    Record,
    estimate,
    mapping,
    number,
    records,
    text,
    texts,
)
from fathometer.report.sections import foresight, pretrained

LONG = {
    "classical": "classical machine learning",
    "deep": "deep learning",
    "together": "both together",
    "pretrained": "the pre-trained model",
    "baseline": "the baseline",
}

HEADLINES = {
    "classical": "Classical machine learning is enough.",
    "deep": "Deep learning pays.",
    "together": "Use both together.",
    "pretrained": "A pre-trained model pays.",
    "no_signal": "No signal: nothing beats a guess that ignores the inputs.",
    "leaning_classical": "Leaning to classical machine learning, but not sure enough to call it.",
    "leaning_deep": "Leaning to deep learning, but not sure enough to call it.",
    "leaning_tie": "Probably no practical difference between the two, but not sure enough to call it.",
    "cannot_tell": "It cannot be told on this budget.",
}

SURE = ("classical", "deep", "together", "tie", "pretrained")  # answers without a reservation
STRENGTHS = {"decides": "decides", "supports": "supports the answer", "warns": "warns"}

FAMILY_LINES = (
    (
        Strong("Classical machine learning"),
        ": methods such as boosted trees and linear models. They learn from columns as they are, train in seconds to "
        "minutes, and need no special hardware.",
    ),
    (
        Strong("Deep learning"),
        ": neural networks of several layers. They learn their own features from the data, usually for more "
        "computing, and often profit more from more rows.",
    ),
)

THIRD_LINE = (
    Strong("Pre-trained model"),
    ": a network that others trained before on much other data turns words or pictures into numbers; only what stands "
    "on it learns from your rows. It is shown beside the two and is no part of their comparison.",
)


def headline(record: Record) -> str:
    """The answer in one plain sentence."""
    answer = text(record.result, "verdict", "answer")
    if answer == "tie":
        use = LONG.get(text(record.result, "verdict", "use"))
        return f"No practical difference: take the cheaper, {use}." if use else "No practical difference."
    return HEADLINES.get(answer, "This run holds no answer.")


def answer(record: Record) -> Answer:
    """The top of the page."""
    target, origin = record.target, text(record.result, "data", "origin")
    about: list[Part] = []
    if target:
        about += ["Predicting ", Name(target)]
    if origin:
        about += [" from " if about else "Data: ", Name(origin)]
    created = text(record.result, "created")
    if created and about:
        about.append(f" · {created[:16].replace('T', ' ')} UTC")
    return Answer(
        tuple(about) or "A comparison of classical machine learning and deep learning",
        headline(record),
        _explanation(record),
        text(record.result, "verdict", "sentence"),
        _circumstances(record),
    )


def _explanation(record: Record) -> Words:
    """The scores in words that need no training."""
    scores = {name: record.score(name) for name in (*FAMILIES, "baseline")}
    one, other, base = (scores[name] for name in (*FAMILIES, "baseline"))
    if one is None or other is None:
        return ""
    measure = record.measure
    shown = [amounts.level(found.value, measure.unit) for found in (one, other)]
    if measure.name == "accuracy":
        said = (
            f"On rows never seen before, classical ML was right for {shown[0]}, deep learning for {shown[1]}"
        )
        last = "answering without looking at the inputs is right for {}"
    else:
        better = "higher" if measure.higher_is_better else "lower"
        said = (
            f"On rows never seen before, classical ML reached {measure.title} {shown[0]}, deep learning {shown[1]} "
            f"({better} is better)"
        )
        last = "answering without looking at the inputs gives {}"
    third = record.score(PRETRAINED)
    if third is not None:
        said = f"{said}; with a pre-trained model: {amounts.level(third.value, measure.unit)}"
    return f"{said}; {last.format(amounts.level(base.value, measure.unit))}." if base else f"{said}."


def _circumstances(record: Record) -> Words:
    budget = number(record.result, "budget_seconds")
    machine = mapping(record.result, "machine")
    cores = number(machine, "allowed_cores") or number(machine, "cores")
    said: list[Part] = [f"Under this budget ({amounts.span(budget)})" if budget else "Under this budget"]
    described = [part for part in (text(machine, "processor"),) if part]
    described += [counted(int(cores), "core")] if cores else []
    said.append(f", on this machine ({', '.join(described)})" if described else ", on this machine")
    rows = number(record.result, "data", "rows")
    said.append(f", with your {counted(int(rows), 'row')}." if rows else ".")
    return tuple(said)


def section(record: Record) -> Section:
    """What stands under the answer."""
    blocks: list[Block] = [Paragraph(warning, "missing") for warning in _warnings(record)]
    blocks.append(Bullets((*FAMILY_LINES, THIRD_LINE) if record.has_pretrained else FAMILY_LINES))
    chances = record.probabilities
    if chances:
        blocks.append(chances_figure(record, chances))
    else:
        blocks.append(Paragraph("How likely each answer is was not measured.", "missing"))
    blocks.append(Terms(tuple(_facts(record)), "facts"))
    gap = _gap_figure(record)
    if gap:
        blocks.append(gap)
    third = pretrained.portion(record)
    if third:
        blocks.append(third)
    reasons = records(record.result, "reasons")
    if reasons:
        listed = Bullets(tuple(_reason(reason) for reason in reasons))
        pages = Paragraph("Each code has a page in the documentation, under docs/reasons.", "note")
        blocks.append(Portion("Reasons", (listed, pages)))
    return Section("answer", "How sure, and what to do", tuple(blocks))


def _warnings(record: Record) -> Iterator[str]:
    """What a reader must know before the answer: that the run is not finished, or was kept from working."""
    result = record.result
    if "ended" not in result:  # a result of an earlier version does not say
        return
    ended = text(result, "ended")
    if not ended:
        yield "This run has not ended: it is still at work, or was ended from outside. More may be known later."
    if ended == "interrupted":
        yield "This run was stopped before its time. To go on: fathom compare --resume with the run's folder."
    if text(result, "busy"):
        yield text(result, "busy")
    missed = texts(result, "not_reached")
    if missed:
        yield f"The budget did not reach {counted(len(missed), 'learner')}: {', '.join(missed)}."


def chances_figure(record: Record, chances: tuple[float, float, float]) -> Figure:
    """The three probabilities as one divided bar."""
    margin = _margin(record)
    meanings = (
        f"Classical ML is better by more than {margin}",
        f"No practical difference: within {margin}",
        f"Deep learning is better by more than {margin}",
    )
    rows = tuple((meaning, amounts.chance(part)) for meaning, part in zip(meanings, chances, strict=True))
    said = "; ".join(f"{meaning}: {shown}" for meaning, shown in rows)
    title = "How likely each answer is"
    if record.has_pretrained:
        title = "How likely each answer between the two families is"
    return figure(
        "chances",
        title,
        f"A bar in three parts. {said}.",
        lambda canvas: divided_bars(canvas, [Divided("", "", chances)], 40.0),
        Table(title, ("answer", "probability"), rows, frozenset({1})),
        tuple(_chance_words(rows)),
    )


def _chance_words(rows: tuple[tuple[str, str], ...]) -> Iterator[Part]:
    for position, (meaning, shown) in enumerate(rows):
        yield Strong(shown)
        yield f" {meaning[0].lower()}{meaning[1:]}{'' if position == 2 else ' · '}"


def _margin(record: Record) -> str:
    margin, unit = record.measure.margin, record.measure.gap_unit
    return "the margin" if margin is None else amounts.amount(margin, unit)


def _facts(record: Record) -> Iterator[tuple[Words, tuple[Words, ...]]]:
    answers: tuple[tuple[str, tuple[Words, ...]], ...] = (
        ("What to use", _use(record)),
        ("What it costs", _cost(record)),
        ("How sure", _sure(record)),
        ("What would change our mind", _change(record)),
    )
    for question, said in answers:
        kept = tuple(words for words in said if not is_empty(words))
        yield question, kept or ("This was not measured.",)


def _use(record: Record) -> tuple[Words, ...]:
    use = text(record.result, "verdict", "use")
    if use not in LONG:
        return ()
    if record.score(use) is None:
        return ("Nothing yet: no model was measured on rows it had not seen.",)
    parts: list[Part] = [Strong(opened(LONG[use])), "."]
    if text(record.result, "verdict", "answer") == "cannot_tell" and use != "baseline":
        parts.append(
            " For now: it is ahead as measured, by no more than noise; the other may as well be better."
        )
    learners = texts(record.standing(use), "learners")
    if learners:
        parts.append(" Its answers come mostly from ")
        parts += joined([Name(name) for name in learners[:3]])  # type: ignore[arg-type]
        parts.append(f" and {len(learners) - 3} more." if len(learners) > 3 else ".")
    return (tuple(parts),)


def _cost(record: Record) -> tuple[Words, ...]:
    use = text(record.result, "verdict", "use")
    if record.score(use) is None:
        return ("",)
    standing = record.standing(use)
    said = []
    spent = number(standing, "cpu_seconds")
    if spent is not None:
        said.append(f"{amounts.seconds(spent)} of processor time to find and train")
    one_row = number(record.measures(use), "latency", "one_row_ms", 0)
    per_row = number(standing, "microseconds_per_row")
    if one_row is not None:
        said.append(f"{amounts.milliseconds(one_row)} for one answer")
    elif per_row is not None:
        said.append(f"{amounts.milliseconds(per_row / 1000)} for each answer in a large batch")
    size = number(standing, "model_bytes")
    if size:
        said.append(f"{amounts.bytes_of(size)} on disk")
    price = number(record.result, "prices", "families", use, "price_per_million_answers")
    if price is not None:
        currency = text(record.result, "prices", "currency")
        said.append(f"{amounts.money(price, currency)} for a million answers at the stated rate")
    return ((f"{', '.join(said)}. ", Jump("More on cost", "cost")) if said else "",)


def _sure(record: Record) -> tuple[Words, ...]:
    verdict = mapping(record.result, "verdict")
    gap, measure = _contrast(verdict, "families"), record.measure
    said: list[Words] = []
    if gap:
        folds = number(verdict, "families", "folds")
        ahead = "deep learning" if gap.value > 0 else "classical ML"
        shown, ends = amounts.differences(_ahead(gap), measure.gap_unit)
        over = f", over {counted(int(folds), 'fold')}" if folds else ""
        ahead = f"of the two families {ahead}" if record.has_pretrained else ahead
        if gap.value == 0:
            said.append(f"Neither is ahead{over}.")
        else:
            said.append(
                f"{opened(ahead)} is ahead by {shown.lstrip('+')}"
                f"{f', 95 % interval {ends}' if ends else ''}{over}."
            )
    third = pretrained.lead(record)
    if third:
        said.append(third)
    weak = texts(verdict, "weak")
    if weak:
        said.append(f"Thin evidence: {'; '.join(reason.rstrip('.') for reason in weak)}.")
    if gap and not weak and text(verdict, "answer") in SURE:
        said.append("No weak point was found that would forbid a clear answer.")
    return tuple(said)


def _ahead(gap: Estimate) -> Estimate:
    """The lead of whoever is ahead."""
    if gap.value >= 0:
        return gap
    low = None if gap.high is None else -gap.high
    return Estimate(-gap.value, low, None if gap.low is None else -gap.low)


def _contrast(verdict: Mapping[str, Any], name: str) -> Estimate | None:
    found = verdict.get(name)
    return estimate(found, "gap") if isinstance(found, Mapping) else None


def _change(record: Record) -> tuple[Words, ...]:
    next_step, more_rows = text(record.result, "verdict", "next_step"), foresight.sentence(record)
    third = text(record.result, "verdict", "pretrained", "more_rows")
    return (next_step, (f"{more_rows} ", Jump("More on data", "data")) if more_rows else "", third)


def _gap_figure(record: Record) -> Figure | None:
    """The measured differences with their intervals."""
    verdict, measure = mapping(record.result, "verdict"), record.measure
    lines = []
    families, together = _contrast(verdict, "families"), _contrast(verdict, "together")
    if families:
        lines.append(
            Line("deep learning − classical ML", "deep" if families.value > 0 else "classical", families)
        )
    first = text(verdict, "together", "first")
    if together:
        lines.append(Line(f"both together − {TITLES.get(first, 'the better family')}", "together", together))
    against, third = pretrained.against(record), pretrained.contrast(record)
    if third:
        lines.append(
            Line(f"{TITLES[PRETRAINED]} − {TITLES.get(against, 'the better one')}", PRETRAINED, third)
        )
    if not lines:
        return None
    unit = measure.gap_unit

    def written(found: Estimate) -> str:
        return " ".join(filter(None, amounts.differences(found, unit)))

    rows = tuple(
        (one.title, *amounts.differences(one.found, unit), _judged(one.found, measure.margin))
        for one in lines
    )
    axis = Axis(f"difference, {unit}", lambda value: amounts.difference(value, "").strip())
    return figure(
        "gap",
        "The measured differences",
        "Differences with 95 % intervals; above zero the first named is better. "
        + "; ".join(f"{row[0]}: {row[1]} {row[2]}" for row in rows)
        + ".",
        lambda canvas: interval_lines(
            canvas,
            lines,
            axis,
            written,
            margin=measure.margin,
            sides=("← the second is better", "the first is better →"),
        ),
        Table(
            "The measured differences",
            ("difference", "measured", "95 % interval", "so"),
            rows,
            frozenset({1, 2}),
        ),
        "With 95 % intervals. The shaded zone is too small to matter; an interval that crosses zero may be noise.",
    )


def _judged(found: Estimate, margin: float | None) -> str:
    if found.low is None or found.high is None:
        return "how far it may be off is unknown"
    if found.low <= 0 <= found.high:
        return "may be noise"
    if margin is not None and (found.low > margin or found.high < -margin):
        return "more than the margin"
    return "more than noise"


def _reason(reason: Mapping[str, Any]) -> Words:
    strength = STRENGTHS.get(text(reason, "strength"), "")
    title = text(reason, "title").rstrip(".")
    said = text(reason, "sentence")
    parts: list[Part] = [Strong(f"{text(reason, 'code')} {title}".strip() + "."), f" {said}"]
    if strength:
        parts += [" ", Mark(strength)]
    return tuple(parts)
