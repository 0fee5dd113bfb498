"""Dates in a graph: seconds since 1970 to the features of `kinds.moment`, by whole-number arithmetic.

The calendar is that of H. Hinnant, "chrono-compatible low-level date algorithms",
https://howardhinnant.github.io/date_algorithms.html (civil_from_days), whose years begin in March.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State
from fathometer.export.graph import Given, Graph, Name

MICRO = 1e6
DAY = 86_400 * 1_000_000  # microseconds
MINUTE = 60 * 1_000_000
SECONDS_OF_DAY = 86_400.0
TO_MARCH_0000 = 719_468  # days from 1 March of the year 0 to 1 January 1970
ERA = 146_097  # days of 400 years
MARCH_TO_JANUARY = 306  # days
FARTHEST = 9e12  # seconds, beyond which microseconds are no 64-bit number
FROM_MARCH = 59  # days from 1 January to 1 March, without the leap day


def moment_features(graph: Graph, seconds: Name, state: State) -> tuple[Name, Name | None]:
    """(rows, a) float32 numbers and (rows, b) codes of (rows, 1) seconds, as `MomentFeaturizer` makes them."""
    start = int(state["start"])
    absent = graph.node(
        "Or", graph.node("IsNaN", seconds), graph.node("IsInf", graph.cast(seconds, np.float32))
    )
    within = graph.node("Clip", seconds, np.array(-FARTHEST), np.array(FARTHEST))
    known = graph.node("Where", absent, np.array([[start / MICRO]]), within)
    micros = graph.cast(graph.node("Round", graph.node("Mul", known, np.array([[MICRO]]))), np.int64)
    clock = graph.node("Mod", micros, _whole(DAY))  # microseconds since midnight
    day = graph.node("Div", graph.node("Sub", micros, clock), _whole(DAY))
    since = graph.node("Sub", graph.cast(micros, np.float64), np.array([[float(start)]]))
    numbers = [graph.cast(graph.node("Div", since, np.array([[float(DAY)]])), np.float32)]
    codes: list[Name] = []
    if state["days_vary"]:
        of_year, of_month, month = _calendar(graph, day)
        turns = 2 * np.pi * np.arange(367) / 365.25
        numbers += [_looked_up(graph, of_year, np.sin(turns)), _looked_up(graph, of_year, np.cos(turns))]
        numbers.append(graph.cast(of_month, np.float32))
        weekday = graph.node(
            "Mod", graph.node("Add", day, _whole(3)), _whole(7)
        )  # 1 January 1970 was a Thursday
        codes += [graph.node("Add", weekday, _whole(1)), month]
    if state["times_vary"]:
        numbers += _waves_of_day(graph, clock)
        hour = graph.node("Div", clock, _whole(3_600 * 1_000_000))
        codes.append(graph.node("Add", hour, _whole(1)))
    together = graph.node("Where", absent, np.full((1, 1), np.nan, dtype=np.float32), graph.joined(numbers))
    if not codes:
        return together, None
    return together, graph.node("Where", absent, _whole(0), graph.joined(codes))


def _waves_of_day(graph: Graph, clock: Name) -> list[Name]:
    """Sine and cosine of (rows, 1) microseconds since midnight, as turns of a day.

    Of whole minutes they are looked up, so that they are equal to the last bit: at six o'clock the cosine is nought but
    for rounding, and a network may have cut its bins there.
    """
    of_day = graph.node("Div", graph.cast(clock, np.float64), np.array([[MICRO]]))
    turn = graph.node(
        "Div", graph.node("Mul", of_day, np.array([[2 * math.pi]])), np.array([[SECONDS_OF_DAY]])
    )
    is_whole = graph.node("Equal", graph.node("Mod", clock, _whole(MINUTE)), _whole(0))
    minute = graph.node("Div", clock, _whole(MINUTE))
    turns = 2 * np.pi * (60.0 * np.arange(24 * 60)) / SECONDS_OF_DAY
    return [
        graph.node(
            "Where",
            is_whole,
            _looked_up(graph, minute, table),
            graph.cast(graph.node(wave, turn), np.float32),
        )
        for wave, table in (("Sin", np.sin(turns)), ("Cos", np.cos(turns)))
    ]


def _calendar(graph: Graph, day: Name) -> tuple[Name, Name, Name]:
    """Day of the year from 0, day of the month from 1 and month from 1 of (rows, 1) days since 1970."""

    def divided(value: Given, by: int) -> Name:
        return graph.node("Div", value, _whole(by))

    def times(value: Given, factor: int) -> Name:
        return graph.node("Mul", value, _whole(factor))

    of_era = graph.node("Mod", graph.node("Add", day, _whole(TO_MARCH_0000)), _whole(ERA))
    leaps = graph.node("Sub", divided(of_era, 36_524), divided(of_era, ERA - 1))
    corrected = graph.node("Add", graph.node("Sub", of_era, divided(of_era, 1_460)), leaps)
    year = divided(corrected, 365)  # of its era, 0 to 399, beginning in March
    days_before = graph.node("Sub", graph.node("Add", times(year, 365), divided(year, 4)), divided(year, 100))
    from_march = graph.node("Sub", of_era, days_before)
    fifth = divided(graph.node("Add", times(from_march, 5), _whole(2)), 153)  # months since March
    of_month = graph.node(
        "Add",
        graph.node("Sub", from_march, divided(graph.node("Add", times(fifth, 153), _whole(2)), 5)),
        _whole(1),
    )
    is_late = graph.node("Less", fifth, _whole(10))  # March to December
    month = graph.node("Add", fifth, graph.node("Where", is_late, _whole(3), _whole(-9)))
    leap = graph.node("Gather", _leap_years(), year, axis=0)  # (rows, 1)
    since_january = graph.node("Add", graph.node("Add", from_march, _whole(FROM_MARCH)), leap)
    of_year = graph.node(
        "Where", is_late, since_january, graph.node("Sub", from_march, _whole(MARCH_TO_JANUARY))
    )
    return of_year, of_month, month


def _leap_years() -> npt.NDArray[np.int64]:
    """(400,) 1 for the leap years of an era."""
    years = np.arange(400)
    leap: npt.NDArray[np.bool_] = ((years % 4 == 0) & (years % 100 != 0)) | (years == 0)
    return leap.astype(np.int64)


def _looked_up(graph: Graph, places: Name, table: npt.NDArray[np.float64]) -> Name:
    return graph.node("Gather", table.astype(np.float32), places, axis=0)


def _whole(number: int) -> npt.NDArray[np.int64]:
    return np.array([[number]], dtype=np.int64)
