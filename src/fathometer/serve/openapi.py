"""The description of the API (OpenAPI 3.1), made from the model's own columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fathometer import __version__
from fathometer.bundle.asking import ON_BAD
from fathometer.data.schema import Column
from fathometer.data.wire import BYTES_MARK
from fathometer.kind import kind_named
from fathometer.serve.desk import Desk
from fathometer.serve.limits import Limits
from fathometer.serve.protocol import Route

SCALAR = ("number", "string", "boolean", "null")
FIRST = {"number": "number"}  # what a column of this kind usually holds; text unless named here
LEVELS_TOLD = 8
LEVEL_LENGTH = 60
REFUSALS = {
    "400": "The body is not JSON.",
    "401": "A key is needed.",
    "413": "The request is too large.",
    "422": "The rows do not fit the model.",
    "503": "Too many ask at once; try again after Retry-After seconds.",
}


def holds_bytes(kind: str) -> bool:
    """Whether a cell of this kind is a picture or the like: bytes, not a value."""
    return kind != "text" and kind_named(kind).unstructured


def describe(desk: Desk, routes: Iterable[Route], example: Mapping[str, Any]) -> dict[str, Any]:
    """The whole document.

    Args:
        example: a row that the model answers.
    """
    has_keys = bool(desk.settings.keys)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        for method, operation in route.describes.items():
            is_open: dict[str, Any] = {"security": []} if route.is_open and has_keys else {}
            paths.setdefault(route.path, {})[method] = (
                _with_refusals(operation, has_keys, route.is_open) | is_open
            )
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": f"The model {desk.name}",
            "version": desk.version,
            "summary": f"Predicts {desk.bundle.task.target!r}.",
            "description": str(desk.bundle.about.get("verdict", "")),
            "x-made-by": f"fathometer {__version__}",
        },
        "paths": paths,
        "components": {"schemas": _schemas(desk, example)},
    }
    if has_keys:
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        document["security"] = [{"bearer": []}, {"key": []}]
    return document


def _with_refusals(operation: Mapping[str, Any], has_keys: bool, is_open: bool) -> dict[str, Any]:
    """The operation with the ways in which it may be refused, where it does not tell them itself."""
    responses = dict(operation.get("responses", {}))
    refusal = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    wanted = REFUSALS if "requestBody" in operation else {"401": REFUSALS["401"]}
    for status, sentence in wanted.items():
        if status != "401" or (has_keys and not is_open):
            responses.setdefault(status, {"description": sentence, "content": refusal})
    responses.setdefault("default", {"description": "The request is not answered.", "content": refusal})
    return {**operation, "responses": responses}


def _schemas(desk: Desk, example: Mapping[str, Any]) -> dict[str, Any]:
    limits = desk.limits
    return {
        "Row": row_schema(desk.bundle.schema.columns, limits),
        "Question": _question(desk, example),
        "Answer": _answer(desk),
        "Explanation": _explanation(desk),
        "Wish": _wish(desk, example),
        "Feedback": _feedback(desk),
        "Received": _object(
            {name: {"type": "integer"} for name in ("received", "new", "repeated", "known", "unknown")}, ()
        ),
        "Model": {"type": "object"},
        "Refusal": _object(
            {"error": {"type": "string"}, "request": {"type": "string"}}, ("error", "request")
        ),
    }


def row_schema(columns: Iterable[Column], limits: Limits) -> dict[str, Any]:
    """A row as JSON Schema: every column is there, a missing cell is null, further columns are ignored."""
    properties = {column.name: cell_schema(column, limits) for column in columns}
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": True,
    }


def cell_schema(column: Column, limits: Limits) -> dict[str, Any]:
    """A cell as JSON Schema, with what was seen in training in words."""
    told = {"title": column.name, "description": _told(column)}
    if holds_bytes(column.kind):
        file = {"type": "string", "contentEncoding": "base64", "format": "byte"}
        return told | {
            "type": ["object", "null"],
            "required": [BYTES_MARK],
            "properties": {BYTES_MARK: file},
            "additionalProperties": False,
        }
    first = FIRST.get(column.kind, "string")
    kinds = sorted(SCALAR, key=lambda name: name != first)
    examples = [level for level, _ in column.summary.get("commonest", ())][:LEVELS_TOLD]
    return (
        told | {"type": kinds, "maxLength": limits.cell_bytes} | ({"examples": examples} if examples else {})
    )


def _told(column: Column) -> str:
    """What training saw of a column, in a sentence or two."""
    summary = column.summary
    told = [f"A {column.kind}."]
    if summary.get("low") is not None and summary.get("high") is not None:
        told.append(f"In training from {_shown(summary['low'])} to {_shown(summary['high'])}.")
    levels = [_shown(level) for level, _ in summary.get("commonest", ())][:LEVELS_TOLD]
    if levels:
        told.append(f"In training mostly: {', '.join(levels)}.")
    if summary.get("missing"):
        told.append(f"Missing in {summary['missing']:,} of {summary['rows']:,} rows.")
    if column.kind == "moment":
        told.append("ISO 8601, such as 2026-05-01T12:00:00.")
    return " ".join(told)


def _shown(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LEVEL_LENGTH else f"{text[: LEVEL_LENGTH - 3]}..."


def _question(desk: Desk, example: Mapping[str, Any]) -> dict[str, Any]:
    rows = {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Row"},
        "maxItems": desk.limits.rows,
    }
    properties = {
        "rows": rows,
        "family": {
            "enum": [*desk.bundle.mixes, None],
            "description": f"Who answers; {desk.bundle.default} unless given.",
        },
        "on_bad": {
            "enum": [*ON_BAD, None],
            "description": "What becomes of rows with cells that do not read as learned: such cells count as missing "
            "(unless said otherwise), nothing is answered, the rows are left out, or they get an empty answer.",
        },
        "keys": {
            "type": ["array", "null"],
            "items": {"type": "string", "minLength": 1, "maxLength": 200},
            "description": "Your own names of the rows, one each, for true answers that come later.",
        },
    }
    return _object(properties, ("rows",)) | {"examples": [{"rows": [dict(example)]}]}


def _wish(desk: Desk, example: Mapping[str, Any]) -> dict[str, Any]:
    properties = {
        "rows": {"type": "array", "items": {"$ref": "#/components/schemas/Row"}},
        "family": {"enum": [*desk.bundle.mixes, None]},
        "label": {
            "enum": [*desk.labels, None],
            "description": "Whose probability is explained; the answer's unless given.",
        },
        "permutations": {"type": ["integer", "null"], "minimum": 2, "maximum": 10_000},
        "seed": {"type": ["integer", "null"], "minimum": 0, "maximum": 2**32 - 1},
    }
    return _object(properties, ("rows",)) | {"examples": [{"rows": [dict(example)]}]}


def _answer(desk: Desk) -> dict[str, Any]:
    row: dict[str, Any] = {"id": {"type": "string"}}
    if desk.labels:
        number = {"type": "number", "minimum": 0, "maximum": 1}
        row["prediction"] = {"enum": [*desk.labels, None]}
        row["probabilities"] = {
            "type": ["object", "null"],
            "properties": dict.fromkeys(desk.labels, number),
            "required": list(desk.labels),
            "additionalProperties": False,
        }
    else:
        row["prediction"] = {"type": ["number", "null"]}
    bad = _object(
        {"row": {"type": "integer"}, **{name: {"type": "string"} for name in ("column", "shown", "why")}},
        ("row", "column", "shown", "why"),
    )
    return _object(
        {
            **_who(),
            "rows": {"type": "array", "items": _object(row, tuple(row))},
            "notes": {"type": "array", "items": {"type": "string"}},
            "bad": {"type": "array", "items": bad},
            "bad_rows": {"type": "integer"},
            "unseen": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        ("request", "model", "version", "family", "rows", "notes"),
    )


def _explanation(desk: Desk) -> dict[str, Any]:
    number = {"type": "number"}
    part = _object({"part": number, "error": {"type": ["number", "null"]}}, ("part", "error"))
    row: dict[str, Any] = {
        "prediction": {"enum": list(desk.labels)} if desk.labels else number,
        "value": number,
        "base": number,
        "base_error": {"type": ["number", "null"]},
        "columns": {"type": "object", "additionalProperties": part},
    }
    if desk.labels:
        row["label"] = {"enum": list(desk.labels)}
    rows = {"type": "array", "items": _object(row, tuple(row))}
    notes = {"type": "array", "items": {"type": "string"}}
    return _object({**_who(), "rows": rows, "notes": notes}, (*_who(), "rows", "notes"))


def _feedback(desk: Desk) -> dict[str, Any]:
    text = {"type": ["string", "null"], "maxLength": 1000}
    wanted = "a label of the model, written as it writes them" if desk.labels else "a number"
    one = _object(
        {
            "id": {
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
                "description": "The row's id in the answer, or your key.",
            },
            "value": {
                "type": ["string", "number", "boolean"],
                "description": f"What turned out to be true: {wanted}.",
            }
            | ({"examples": list(desk.labels[:LEVELS_TOLD])} if desk.labels else {}),
            "time": text | {"description": "When, in ISO 8601."},
            "source": text,
            "note": text,
        },
        ("id", "value"),
    )
    return _object(
        {"feedback": {"type": "array", "items": one, "maxItems": desk.limits.feedback}}, ("feedback",)
    )


def _who() -> dict[str, Any]:
    return {name: {"type": "string"} for name in ("request", "model", "version", "family")}


def _object(properties: Mapping[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }
