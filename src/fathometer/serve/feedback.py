"""What turned out to be true: kept beside what was predicted, each once, and never changed."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from fathometer.serve.codecs.objects import object_of
from fathometer.serve.limits import Limits
from fathometer.serve.log import open_log
from fathometer.serve.question import RefusedError
from fathometer.serve.settings import LogSettings
from fathometer.serve.trimming import trim

FIELDS = ("id", "value", "time", "source", "note")
LONGEST_ID, LONGEST_TEXT = 200, 1_000
USUAL_SOURCE = "user"
SAGEMAKER = ("groundTruthData", "eventMetadata", "eventVersion")

INSERT = "INSERT OR IGNORE INTO feedback (row_key, ts_received, ts_event, value, source, note) VALUES (?,?,?,?,?,?)"


@dataclass(frozen=True)
class Truth:
    """One true answer. id: of a row, as the answer named it, or the client's key. time: as the client wrote it."""

    id: str
    value: str | float | bool
    time: str | None = None
    source: str = USUAL_SOURCE
    note: str | None = None


@dataclass(frozen=True)
class Received:
    """How many true answers came; of these how many were new, how many said before, and of rows (not) answered here."""

    received: int
    new: int
    repeated: int
    known: int
    unknown: int


def truths_of(body: bytes, media_type: str, limits: Limits) -> list[Truth]:
    """The true answers in a body: csv where it says so, JSON (or JSON lines of SageMaker's ground truth) otherwise.

    Raises:
        RefusedError: 400 for what cannot be read, 413 for too many, 422 for what is no true answer.
    """
    is_csv = media_type.partition(";")[0].strip().lower() == "text/csv"
    found = _of_csv(body, limits) if is_csv else _of_json(body, limits)
    return [_truth(item, place) for place, item in enumerate(found)]


def keep(path: Path, truths: Sequence[Truth], settings: LogSettings) -> Received:
    """Write true answers to the log; one that is there already, by row, source and value, is not written again.

    The oldest rows beyond what the settings allow go at once.

    Raises:
        sqlite3.Error: the log cannot be written; nothing was kept.
    """
    now = time.time()
    rows = [
        (truth.id, now, truth.time, orjson.dumps(truth.value).decode(), truth.source, truth.note)
        for truth in truths
    ]
    with closing(open_log(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        before = connection.total_changes
        connection.executemany(INSERT, rows)
        new = connection.total_changes - before
        known = sum(
            connection.execute("SELECT 1 FROM prediction WHERE row_key=? LIMIT 1", (truth.id,)).fetchone()
            is not None
            for truth in truths
        )
        trim(connection, settings)
        connection.execute("COMMIT")
    return Received(len(truths), new, len(truths) - new, known, len(truths) - known)


def _of_json(body: bytes, limits: Limits) -> list[Mapping[str, Any]]:
    lines = _lines_of_sagemaker(body, limits)
    if lines:
        return [_of_sagemaker(object_of(line, (*SAGEMAKER, "eventId"))) for line in lines]
    found = object_of(body, ("feedback",)).get("feedback")
    _check_count(len(found) if isinstance(found, list) else 0, limits)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise RefusedError(422, 'Expected {"feedback": [{"id": ROW, "value": TRUTH}]}.')
    return found


def _lines_of_sagemaker(body: bytes, limits: Limits) -> list[bytes]:
    """The lines, where each that is not blank is a record of SageMaker's; none where one is not."""
    lines: list[bytes] = []
    for line in io.BytesIO(body):  # one after another, for there may be millions of them
        if line.isspace():
            continue
        if SAGEMAKER[0].encode() not in line:
            return []
        lines.append(line)
        _check_count(len(lines), limits)
    return lines


def _check_count(count: int, limits: Limits) -> None:
    """Refuse more true answers than may be.

    Raises:
        RefusedError: 413.
    """
    if count > limits.feedback:
        raise RefusedError(
            413, f"At most {limits.feedback:,} true answers are read at once. Send them in parts."
        )


def _of_sagemaker(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-merge.html"""
    truth, about = event.get("groundTruthData"), event.get("eventMetadata")
    if not isinstance(truth, dict) or not isinstance(about, dict):
        raise RefusedError(422, 'Expected "groundTruthData" and "eventMetadata" to be objects.')
    if str(truth.get("encoding", "CSV")).upper() not in ("CSV", "JSON"):
        raise RefusedError(422, 'Expected ground truth in the encoding "CSV" or "JSON".')
    return {
        "id": about.get("eventId"),
        "value": truth.get("data"),
        "time": about.get("eventTime"),
        "source": "sagemaker",
    }


def _of_csv(body: bytes, limits: Limits) -> list[Mapping[str, Any]]:
    try:
        reader = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        names = list(reader.fieldnames or ())
        if not {"id", "value"} <= set(names) or not set(names) <= set(FIELDS) or len(set(names)) < len(names):
            raise RefusedError(422, f"Expected the columns id and value, and of {', '.join(FIELDS[2:])} any.")
        rows: list[Mapping[str, Any]] = []
        for row in reader:
            if None in row:
                raise RefusedError(
                    422, f"Line {reader.line_num} of the csv has more cells than there are columns."
                )
            rows.append({name: cell or None for name, cell in row.items()})
            _check_count(len(rows), limits)
    except UnicodeDecodeError as error:
        raise RefusedError(400, "The csv is not in UTF-8. Write it so.") from error
    except csv.Error as error:
        raise RefusedError(400, f"The csv cannot be read: {error}.") from error
    return rows


def _truth(item: Mapping[str, Any], place: int) -> Truth:
    unknown = [name for name in item if name not in FIELDS]
    if unknown:
        raise RefusedError(
            422,
            f"True answer {place} (the first is 0): expected {', '.join(FIELDS)}; got {str(unknown[0])[:80]!r}.",
        )
    row, value = item.get("id"), item.get("value")
    if not isinstance(row, str) or not 0 < len(row) <= LONGEST_ID:
        raise RefusedError(
            422,
            f'True answer {place} (the first is 0): expected "id" to be a text of 1 to {LONGEST_ID} characters.',
        )
    if not isinstance(value, str | int | float | bool) or (
        isinstance(value, str) and len(value) > LONGEST_TEXT
    ):
        raise RefusedError(
            422,
            f'True answer {place} (the first is 0): expected "value" to be a short text, a number, true or false.',
        )
    texts = {name: _text(item, name, place) for name in FIELDS[2:]}
    return Truth(row, value, texts["time"], texts["source"] or USUAL_SOURCE, texts["note"])


def _text(item: Mapping[str, Any], field: str, place: int) -> str | None:
    value = item.get(field)
    if value is not None and (not isinstance(value, str) or len(value) > LONGEST_TEXT):
        raise RefusedError(
            422,
            f"True answer {place} (the first is 0): expected {field!r} to be a text of {LONGEST_TEXT} at most.",
        )
    return value
