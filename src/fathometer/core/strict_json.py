"""JSON from strangers: each key once, no NaN, no infinity, not nested without end, no text that cannot be written."""

from __future__ import annotations

import json
import math
from typing import Any

DEEPEST = 64
MOST_VALUES = 1 << 22  # one letter may become sixty bytes of memory
MOST_OBJECTS = 1 << 20  # and of an object two hundred


def parse_json(raw: bytes | str, *, deepest: int = DEEPEST) -> Any:
    """The value of a JSON text.

    What one parser takes and another refuses (a key twice, NaN, 1e999) is refused, so that nobody reads something else
    in a file than we do. The caller bounds the size; how many values there are is bounded here, before they are made.

    Args:
        deepest: levels of lists and objects that may lie in each other.

    Raises:
        ValueError: it is none; the text says why, as a clause.
    """
    try:
        refuse_many(raw)
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no UTF-8 at byte {error.start:,}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON at line {error.lineno:,}: {error.msg}") from None
    except RecursionError:
        raise ValueError(f"it is nested deeper than {deepest} levels") from None
    except MemoryError:
        raise ValueError("it needs more memory than there is") from None
    _refuse_deep(value, deepest)
    return value


def refuse_many(raw: bytes | str) -> None:
    """Refuse a JSON text of more values than anything honest has, without making any of them.

    Signs within texts count too, for telling them apart would take as long as parsing.

    Raises:
        ValueError: it is one.
    """
    commas, lists, objects = (
        (raw.count(b","), raw.count(b"["), raw.count(b"{"))
        if isinstance(raw, bytes)
        else (raw.count(","), raw.count("["), raw.count("{"))
    )
    if max(commas, lists) > MOST_VALUES or objects > MOST_OBJECTS:
        raise ValueError("it holds millions of values, as none of its kind does")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:60]!r} stands twice in one object")
    for key in found:
        _writable(key)
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _refuse_deep(value: Any, deepest: int) -> None:
    """Level by level, for what is nested deeply would end a function that calls itself."""
    level, depth = [value], 0
    while level:
        inside: list[Any] = []
        for one in level:
            if isinstance(one, str):
                _writable(one)
            elif isinstance(one, dict | list):
                if depth == deepest:
                    raise ValueError(f"it is nested deeper than {deepest} levels")
                inside.extend(one.values() if isinstance(one, dict) else one)
        level, depth = inside, depth + 1


def _writable(text: str) -> None:
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError("a text holds half a character (a lone surrogate)") from None
