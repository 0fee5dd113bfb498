"""The pre-trained model beside the two families: how it compares, for how many rows, and what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fathometer.report import amounts
from fathometer.report.document import Block, Name, Paragraph, Portion, Table, Terms, Words, with_ends
from fathometer.report.record import TITLES, Estimate, Record, estimate, mapping, number, records, text

NOT_COUNTED = (
    "What its encoder cost to train, elsewhere and before, is in no figure here. Its size on disk, and the time to "
    "turn values into numbers, are part of its column."
)
COUNTED = (
    "The encoder that was trained in this run, on rows without answers, is part of the time of its column."
)
COMPARED = (
    "It had as much processor time as each of the two families, the same rows and the same folds (of repeats it may "
    "lack some). It is compared with the better of the two, or with both together where these are the answer between "
    "the two."
)


def against(record: Record) -> str:
    """The competitor that it is compared with."""
    return text(record.result, "verdict", "pretrained", "against")


def contrast(record: Record) -> Estimate | None:
    """Its lead, above 0 where it is better."""
    found = mapping(record.result, "verdict", "pretrained", "contrast")
    return estimate(found, "gap") if found else None


def lead(record: Record) -> str:
    """Its lead in a sentence; nothing where there is none."""
    found = contrast(record)
    if found is None:
        return ""
    other = _other(record)
    if found.value == 0:
        return f"The pre-trained model and {other} are level."
    shown, ends = amounts.differences(found, record.measure.gap_unit)
    return f"The pre-trained model against {other}: {shown}{f', 95 % interval {ends}' if ends else ''}."


def portion(record: Record) -> Portion | None:
    """All that is said of it alone; nothing where the run has none."""
    encoders = records(record.result, "verdict", "pretrained", "encoders") or records(
        record.result, "encoders"
    )
    if not encoders and not record.has_pretrained:
        return None
    return Portion("Pre-trained model", tuple(_blocks(record, encoders)))


def _blocks(record: Record, encoders: list[Mapping[str, Any]]) -> Iterator[Block]:
    if record.has_pretrained:
        chances = _chances(record)
        if chances:
            yield chances
        more_rows = text(record.result, "verdict", "pretrained", "more_rows")
        if more_rows:
            yield Paragraph(more_rows)
        leads = _leads(record)
        if leads:
            yield leads
        yield Paragraph(COMPARED, "note")
    else:
        yield Paragraph(
            "A pre-trained model was at hand, but did not finish every fold that the two families did, so it is not "
            "compared.",
            "missing",
        )
    for encoder in encoders:
        yield Terms(tuple(_described(encoder)), "facts")
    note = text(record.result, "verdict", "pretrained", "outlook", "note")
    if note:
        yield Paragraph(note, "note")
    if not encoders or any(encoder.get("trained_here") is not True for encoder in encoders):
        yield Paragraph(NOT_COUNTED, "note")
    if any(encoder.get("trained_here") is True for encoder in encoders):
        yield Paragraph(COUNTED, "note")


def _chances(record: Record) -> Table | None:
    found = mapping(record.result, "verdict", "pretrained")
    measure = record.measure
    margin = "the margin" if measure.margin is None else amounts.amount(measure.margin, measure.gap_unit)
    rows = tuple(
        (meaning, amounts.chance(share))
        for key, meaning in (
            ("p_better", f"better by more than {margin}"),
            ("p_same", f"no practical difference: within {margin}"),
            ("p_worse", f"worse by more than {margin}"),
        )
        if (share := number(found, key)) is not None
    )
    caption = f"The pre-trained model against {_other(record)}"
    return Table(caption, ("", "probability"), rows, frozenset({1})) if rows else None


def _leads(record: Record) -> Table | None:
    unit = record.measure.gap_unit
    rows: list[tuple[Words, ...]] = []
    for step in records(record.result, "verdict", "pretrained", "outlook", "factors"):
        factor, found = number(step, "factor"), estimate(step, "gap")
        shares = [number(step, key) for key in ("p_better", "p_same", "p_worse")]
        if factor is None or found is None:
            continue
        title = "with your rows" if factor == 1 else f"with {amounts.factor(factor)} times your rows"
        told = ["–" if share is None else amounts.chance(share) for share in shares]
        rows.append((title, with_ends(amounts.differences(found, unit)), *told))
    if not rows:
        return None
    head = ("rows", "lead", "better", "no practical difference", "worse")
    caption = f"Its lead over {_other(record)} with more rows, forecast with 80 % intervals (above 0: better)"
    return Table(caption, head, tuple(rows), frozenset({1, 2, 3, 4}), stacked=True)


def _described(encoder: Mapping[str, Any]) -> Iterator[tuple[Words, tuple[Words, ...]]]:
    """Name, licence, size, digest and origin of one encoder, as far as they are known."""
    yield "Encoder", (Name(text(encoder, "name")),)
    if text(encoder, "kind"):
        yield "Reads", (f"columns of kind {text(encoder, 'kind')}",)
    yield "Licence", (text(encoder, "licence") or "not said in its files",)
    yield "Trained on", (text(encoder, "learned_from") or "not known",)
    size, width = number(encoder, "size_bytes"), number(encoder, "width")
    if size:
        yield "Size", (amounts.bytes_of(size),)
    if width:
        yield "Gives", (f"{width:.0f} numbers for a value",)
    if text(encoder, "digest"):
        yield "SHA-256 of its files", (Name(text(encoder, "digest")),)
    if text(encoder, "folder"):
        yield "Taken from", (Name(text(encoder, "folder")),)


def _other(record: Record) -> str:
    return TITLES.get(against(record), "the better of the two")
