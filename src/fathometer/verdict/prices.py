"""What the comparison and the answers cost: processor hours, money, energy. Estimates, and said to be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from fathometer.errors import UserError
from fathometer.study.outcome import Outcome
from fathometer.verdict.axes import Standing

# One virtual core of a general-purpose machine costs about 0.04-0.05 USD an hour on demand at the large clouds.
RATE_PER_CORE_HOUR = 0.05
# A busy core of a present server draws 5-15 W: its processor's rated power divided by its cores, and as much again for
# memory and supply at the upper end. Where no meter can be read, CodeCarbon falls back on rated power likewise.
WATTS_PER_CORE = 10.0
DOUBT = 0.5  # the true energy may be this share lower or higher
DIGITS = 2  # significant ones: more such estimates are not worth
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Price:
    """What one competitor cost to find, and what its answers cost.

    measured: whether the energy was read from a meter. price_per_million_answers: with all its members, rows in large
    batches; None where it was not timed.
    """

    cpu_hours: float
    price: float
    watt_hours: float
    watt_hours_low: float
    watt_hours_high: float
    measured: bool
    price_per_million_answers: float | None


@dataclass(frozen=True)
class Prices:
    """Every competitor's costs, and by what they were estimated."""

    currency: str
    rate_per_core_hour: float
    watts_per_core: float
    families: Mapping[str, Price]
    note: str


def prices(
    outcome: Outcome,
    table: Mapping[str, Standing],
    rate_per_core_hour: float = RATE_PER_CORE_HOUR,
    watts_per_core: float = WATTS_PER_CORE,
    currency: str = "USD",
) -> Prices:
    """What each competitor's trials cost, all of them, failures included.

    Raises:
        UserError: a rate that is no price, or no power.
    """
    for what, value in (("price of a core hour", rate_per_core_hour), ("power of a core", watts_per_core)):
        if not (math.isfinite(value) and value >= 0):
            raise UserError(f"The {what} is a number, 0 or larger; got {value!r}. Put it right.")
    families = {
        name: _price(table[name], rate_per_core_hour, watts_per_core)
        for name in outcome.results
        if name in table
    }
    note = (
        f"Estimated from processor seconds at {rate_per_core_hour:g} {currency} and {watts_per_core:g} W a core; no "
        f"meter was read, so the energy may be {100 * DOUBT:.0f} % lower or higher. Counted are processors alone: no "
        "people, no storage, no graphics card."
    )
    return Prices(currency, rate_per_core_hour, watts_per_core, families, note)


def _price(standing: Standing, rate: float, watts: float) -> Price:
    hours = standing.cpu_seconds / SECONDS_PER_HOUR
    energy = hours * watts
    # so many microseconds a row are as many seconds a million rows
    million = standing.microseconds_per_row / SECONDS_PER_HOUR * rate if standing.members else None
    return Price(
        cpu_hours=_few_digits(hours),
        price=_few_digits(hours * rate),
        watt_hours=_few_digits(energy),
        watt_hours_low=_few_digits((1 - DOUBT) * energy),
        watt_hours_high=_few_digits((1 + DOUBT) * energy),
        measured=False,
        price_per_million_answers=None if million is None else _few_digits(million),
    )


def _few_digits(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
