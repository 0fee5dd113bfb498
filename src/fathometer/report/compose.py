"""From a result to what the report says: the sections in the order a reader needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fathometer.report.document import Document
from fathometer.report.plain import clean, shortened
from fathometer.report.record import Record, text
from fathometer.report.sections import (
    answer,
    cost,
    differences,
    effort,
    examples,
    glossary,
    looks_at,
    method,
    minutes,
    outlook,
    stress,
    trust,
)


def compose(result: Mapping[str, Any]) -> Document:
    """The document of a result, whatever of it is missing."""
    record = Record(result)
    found = (
        answer.section(record),
        differences.section(record),
        outlook.section(record),
        minutes.section(record),
        cost.section(record),
        trust.calibration(record),
        trust.mistakes(record),
        examples.section(record),
        looks_at.section(record),
        stress.robustness(record),
        stress.fairness(record),
        effort.section(record),
        method.audit(record),
        method.trials(record),
        method.method(record),
        glossary.section(),
    )
    target = shortened(clean(record.target))
    title = f"Classical ML or deep learning for {target}?" if target else "Classical ML or deep learning?"
    sections = tuple(section for section in found if section is not None)
    return Document(title, answer.answer(record), text(result, "versions", "fathometer"), sections)
