"""Whether a true answer can be one at all: a label of the model or a number, at a time that can be read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from fathometer.data.sentences import listed
from fathometer.serve.feedback import Truth
from fathometer.serve.question import RefusedError

MOST_LABELS = 20  # that are named in a refusal
MOST_SHOWN = 80  # characters of what was sent


def fitted(truths: Sequence[Truth], labels: Sequence[str]) -> list[Truth]:
    """True answers with their values as the model writes its own.

    Args:
        labels: of the model; none where it answers with numbers.

    Raises:
        RefusedError: 422 for a value that the model can never answer, or a time that is none.
    """
    known = frozenset(labels)
    found = []
    for place, truth in enumerate(truths):
        if truth.time is not None and not _is_time(truth.time):
            raise RefusedError(
                422,
                f'{named(place)}: expected "time" in ISO 8601, as 2026-05-01 or 2026-05-01T12:00:00Z; got '
                f"{truth.time[:MOST_SHOWN]!r}.",
            )
        value = _label(truth.value, known) if labels else _number(truth.value)
        if value is None:
            wanted = f"one of {listed(map(repr, labels), MOST_LABELS)}" if labels else "a number"
            raise RefusedError(
                422,
                f'{named(place)}: expected "value" to be {wanted}; got {str(truth.value)[:MOST_SHOWN]!r}.',
            )
        found.append(replace(truth, value=value))
    return found


def named(place: int) -> str:
    """What a refusal calls a true answer."""
    return f"True answer {place} (the first is 0)"


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _label(value: str | float | bool, labels: frozenset[str]) -> str | None:
    """The label that a value names: a text by its letters, a number or a truth value as any of its spellings."""
    spelled = [str(value)]
    if isinstance(value, bool):
        spelled.append(str(value).lower())
    elif isinstance(value, int):
        spelled.append(f"{value}.0")
    elif isinstance(value, float) and value.is_integer():
        spelled.append(str(int(value)))
    return next((label for label in spelled if label in labels), None)


def _number(value: str | float | bool) -> float | None:
    """The number that a value is, or that a text (csv has nothing else) writes."""
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
