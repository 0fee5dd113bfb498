"""From numbers to places on the paper, and round numbers to mark on an axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SHORTEST = 8.0  # times from the low to the high end of a logarithmic axis, at the least

TIMES = (
    *(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
    *(60.0, 180.0, 600.0, 1_800.0, 3_600.0, 10_800.0, 36_000.0, 86_400.0),
)
"""Round times in seconds."""


@dataclass(frozen=True)
class Scale:
    """low and high in the data, start and end on the paper."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """Where a value lies; values beyond the ends lie on the ends."""
        low, high = self._measured(self.low), self._measured(self.high)
        share = (self._measured(value) - low) / (high - low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def _measured(self, value: float) -> float:
        return math.log10(max(value, 1e-300)) if self.is_log else value


@dataclass(frozen=True)
class Axis:
    """What an axis shows: its words, how a number on it is written, whether it is logarithmic.

    low, high: ends that must be shown whatever the data. top, bottom: ends that no axis passes. marks: the round
    numbers of this axis, where tens are not round, as with minutes.
    """

    title: str
    written: Callable[[float], str]
    is_log: bool = False
    low: float | None = None
    high: float | None = None
    bottom: float = -math.inf
    top: float = math.inf
    marks: tuple[float, ...] = ()

    def range(self, values: Sequence[float], room: float = 0.06) -> tuple[float, float]:
        """Ends of the axis around these values, with a little room."""
        wanted = [*values, *(end for end in (self.low, self.high) if end is not None)]
        usable = [value for value in wanted if value > 0] if self.is_log else wanted
        if not usable:
            return (1.0, 10.0) if self.is_log else (0.0, 1.0)
        low, high = min(usable), max(usable)
        if self.is_log:
            # at least a decade: on a shorter axis small differences would look large
            stretch = max((high / low) ** room, 1.15, (SHORTEST * low / high) ** 0.5)
            return low / stretch, high * stretch
        span = (high - low) or abs(high) * 0.1 or 1.0
        return max(low - room * span, self.bottom), min(high + room * span, self.top)

    def ticks(self, low: float, high: float, most: int) -> list[float]:
        inside = [mark for mark in self.marks if low <= mark <= high]
        if len(inside) >= 2:
            return inside[:: math.ceil(len(inside) / most)]
        return log_ticks(low, high, most) if self.is_log else linear_ticks(low, high, most)


def linear_ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from low to high, at most so many, in steps of 1, 2 or 5 times a power of ten.

    >>> linear_ticks(0.0, 1.0, 6)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not low < high or not math.isfinite(high - low):
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    steps = [factor * power for factor in (1, 2, 5, 10, 20)]
    step = next(step for step in steps if (high - low) / step <= most - 0.999 or step == steps[-1])
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    digits = max(0, 1 - math.floor(math.log10(step)))
    ticks = [round(position * step, digits) + 0.0 for position in range(first, last + 1)]
    return ticks or [low]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Powers of ten, with 2 and 5 times them where there is room; at most so many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [
            factor * 10.0**power
            for power in range(first, last + 1)
            for factor in factors
            if low <= factor * 10.0**power <= high
        ]
        if len(ticks) <= most:
            break
    if len(ticks) > most:
        ticks = ticks[:: math.ceil(len(ticks) / most)]
    return ticks if len(ticks) >= 2 else linear_ticks(low, high, most)
