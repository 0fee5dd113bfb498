"""A result read with care: any field of it may be missing, null, or not what it should be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fathometer.data.metrics import METRICS

FAMILIES = ("classical", "deep")  # the two that are compared
PRETRAINED = "pretrained"  # the third column, where a result has it
DRAWN = (*FAMILIES, PRETRAINED)
COMPETITORS = (*DRAWN, "together")
ANYONE = (*COMPETITORS, "baseline")

TITLES = {
    "classical": "classical ML",
    "deep": "deep learning",
    "together": "both together",
    "pretrained": "pre-trained model",
    "baseline": "baseline",
    "tie": "no practical difference",
}


@dataclass(frozen=True)
class Estimate:
    """A measured value, and its interval where there is one."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def has_interval(self) -> bool:
        return self.low is not None and self.high is not None

    def times(self, factor: float) -> Estimate:
        """In other units."""
        low = None if self.low is None else factor * self.low
        return Estimate(factor * self.value, low, None if self.high is None else factor * self.high)


@dataclass(frozen=True)
class Measure:
    """The metric all was judged by."""

    name: str
    title: str
    unit: str
    gap_unit: str
    higher_is_better: bool
    margin: float | None


def at(value: Any, *path: str | int) -> Any:
    """What lies there, or None."""
    for step in path:
        if isinstance(value, Mapping) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list | tuple) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def number(value: Any, *path: str | int) -> float | None:
    """A finite number, or None."""
    found = at(value, *path)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        as_float = float(found)
    except OverflowError:
        return None
    return as_float if math.isfinite(as_float) else None


def text(value: Any, *path: str | int) -> str:
    """A text; numbers and truth values as they are written, nothing for what is not there."""
    found = at(value, *path)
    if isinstance(found, str):
        return found
    return str(found) if isinstance(found, bool | int | float) else ""


def mapping(value: Any, *path: str | int) -> Mapping[str, Any]:
    found = at(value, *path)
    return found if isinstance(found, Mapping) else {}


def items(value: Any, *path: str | int) -> list[Any]:
    found = at(value, *path)
    return list(found) if isinstance(found, list | tuple) else []


def records(value: Any, *path: str | int) -> list[Mapping[str, Any]]:
    return [item for item in items(value, *path) if isinstance(item, Mapping)]


def texts(value: Any, *path: str | int) -> list[str]:
    return [found for item in items(value, *path) if (found := text(item))]


def numbers(value: Any, *path: str | int) -> list[float]:
    return [found for item in items(value, *path) if (found := number(item)) is not None]


def estimate(record: Any, key: str, low: str = "low", high: str = "high") -> Estimate | None:
    """A value and its interval, from three keys of one record."""
    value = number(record, key)
    return None if value is None else Estimate(value, number(record, low), number(record, high))


def triple(value: Any, *path: str | int) -> Estimate | None:
    """A value and its interval, from [value, low, high]."""
    middle = number(value, *path, 0)
    return None if middle is None else Estimate(middle, number(value, *path, 1), number(value, *path, 2))


@dataclass(frozen=True)
class Record:
    """A result, and what nearly every section asks of it."""

    result: Mapping[str, Any]

    @property
    def measure(self) -> Measure:
        found = mapping(self.result, "metric")
        name = text(found, "name") or text(self.result, "task", "metric")
        known = METRICS.get(name)
        higher = at(found, "higher_is_better")
        unit, gap_unit = at(found, "unit"), at(found, "gap_unit")
        return Measure(
            name,
            known.title if known else name or "score",
            unit if isinstance(unit, str) else known.unit if known else "",
            gap_unit if isinstance(gap_unit, str) else known.gap_unit if known else "",
            higher if isinstance(higher, bool) else known.higher_is_better if known else True,
            number(found, "margin"),
        )

    @property
    def is_classes(self) -> bool:
        return text(self.result, "task", "name") == "classification" or bool(self.labels)

    @property
    def labels(self) -> list[str]:
        return texts(self.result, "task", "labels")

    @property
    def target(self) -> str:
        return text(self.result, "task", "target")

    @property
    def has_pretrained(self) -> bool:
        """Whether there is a third column."""
        return bool(self.standing(PRETRAINED))

    @property
    def families(self) -> tuple[str, ...]:
        """The two, and the pre-trained where the result has it."""
        return DRAWN if self.has_pretrained else FAMILIES

    @property
    def anyone(self) -> tuple[str, ...]:
        """The columns of the table."""
        return tuple(name for name in ANYONE if name != PRETRAINED or self.has_pretrained)

    @property
    def probabilities(self) -> tuple[float, float, float] | None:
        """P(classical better), P(no practical difference), P(deep better)."""
        return probabilities(mapping(self.result, "verdict"))

    def standing(self, name: str) -> Mapping[str, Any]:
        return mapping(self.result, "table", name)

    def score(self, name: str) -> Estimate | None:
        found = self.standing(name).get("score")
        return estimate(found, "score") if isinstance(found, Mapping) else None

    def measures(self, name: str) -> Mapping[str, Any]:
        return mapping(self.result, "measures", name)


def probabilities(found: Any) -> tuple[float, float, float] | None:
    """The three chances of a record, classical first, if all are there."""
    shares = [number(found, f"p_{name}") for name in ("classical", "tie", "deep")]
    if any(share is None or share < 0 for share in shares):
        return None
    first, second, third = (share or 0.0 for share in shares)
    return (first, second, third) if first + second + third > 0 else None
