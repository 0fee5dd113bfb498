"""The document as plain data, for programs: the same sentences and tables, and the result they were made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fathometer.report.document import (
    Block,
    Bullets,
    Commands,
    Document,
    Figure,
    Folded,
    Gallery,
    Jump,
    Paragraph,
    Portion,
    Table,
    Terms,
    Words,
    parts_of,
)
from fathometer.report.plain import clean

REPORT_FORMAT = 1


def as_data(document: Document, result: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says, section by section, and the whole result."""
    answer = document.answer
    return {
        "format": REPORT_FORMAT,
        "title": clean(document.title),
        "about": _text(answer.about),
        "headline": clean(answer.headline),
        "explanation": _text(answer.explanation),
        "answer": clean(answer.exact),
        "circumstances": _text(answer.circumstances),
        "sections": [
            {
                "name": section.name,
                "title": section.title,
                "blocks": [_block(block) for block in section.blocks],
            }
            for section in document.sections
        ],
        "result": _finite(result),
    }


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Paragraph():
            return {"is": "paragraph", "role": block.role, "text": _text(block.words)}
        case Bullets():
            return {"is": "list", "items": [_text(item) for item in block.items]}
        case Terms():
            pairs = [
                {"term": _text(term), "texts": [_text(one) for one in said]} for term, said in block.pairs
            ]
            return {"is": "terms", "pairs": pairs}
        case Commands():
            return {"is": "commands", "lines": [clean(line) for line in block.lines]}
        case Table():
            return _table(block)
        case Figure():
            return {
                "is": "figure",
                "name": block.name,
                "title": clean(block.title),
                "description": block.description,
                "caption": _text(block.caption),
                "table": _table(block.table),
            }
        case Gallery():
            return {"is": "gallery", "title": clean(block.title), "table": _table(block.table)}
        case Folded():
            inner = [_block(one) for one in block.blocks]
            return {"is": "folded", "summary": clean(block.summary), "blocks": inner}
        case Portion():
            return {
                "is": "part",
                "title": clean(block.title),
                "blocks": [_block(one) for one in block.blocks],
            }


def _table(table: Table) -> dict[str, Any]:
    return {
        "is": "table",
        "caption": clean(table.caption),
        "columns": [_text(words) for words in table.head],
        "groups": [{"from": start, "title": clean(title)} for start, title in table.groups],
        "rows": [[_text(words) for words in row] for row in table.rows],
    }


def _text(words: Words) -> str:
    kept = (part for part in parts_of(words) if not isinstance(part, Jump))  # there is nothing to jump to
    return clean("".join(part if isinstance(part, str) else part.text for part in kept))


def _finite(value: Any) -> Any:
    """Plain JSON: no NaN, no infinity, text that can be written."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_finite(str(key)): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return str(value)
