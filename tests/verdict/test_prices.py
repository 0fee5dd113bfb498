"""Costs: sums that can be done by hand."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from outcomes import NAMES, a_trial, by_errors, outcome, table

from fathometer.errors import UserError
from fathometer.study.outcome import Outcome
from fathometer.verdict.prices import prices


def study() -> Outcome:
    target = np.arange(200) % 2
    return outcome(by_errors(target, dict.fromkeys(NAMES, target == 2)), target)


def of_hours(classical: float, deep: float) -> Outcome:
    of = study()
    spent = {"baseline": 0.0, "classical": classical, "deep": deep}
    trials = [replace(trial, cpu_seconds=3600 * spent[trial.family] / 5) for trial in of.trials]
    return replace(of, trials=tuple(trials))


def test_costs_are_hours_times_rates() -> None:
    of = of_hours(2.0, 8.0)
    found = prices(of, table(of), rate_per_core_hour=0.05, watts_per_core=10)
    deep = found.families["deep"]
    assert (deep.cpu_hours, deep.price, deep.watt_hours) == (8.0, 0.40, 80.0)
    assert (deep.watt_hours_low, deep.watt_hours_high) == (40.0, 120.0)
    assert found.families["together"].cpu_hours == 10.0
    assert not deep.measured


def test_a_million_answers_cost_their_seconds() -> None:
    of = study()
    found = prices(of, table(of), rate_per_core_hour=3.6)
    # each of the five folds' members takes 500 microseconds a row: 2,500 seconds a million rows
    assert table(of)["deep"].microseconds_per_row == pytest.approx(2_500)
    assert found.families["deep"].price_per_million_answers == pytest.approx(2.5)
    assert found.families["classical"].price_per_million_answers == pytest.approx(0.5)


def test_curve_trials_cost_too() -> None:
    of = of_hours(1.0, 1.0)
    more = replace(of, trials=(*of.trials, a_trial("deep", "f0@4", stage="curve", cpu_seconds=3600)))
    assert prices(more, table(more)).families["deep"].cpu_hours == 2.0


@pytest.mark.parametrize("hours", [0.0, 1 / 3, 12345.678, 1e-7])
def test_figures_have_few_digits_and_stay_in_order(hours: float) -> None:
    of = of_hours(hours, hours)
    for price in prices(of, table(of)).families.values():
        figures = [value for value in asdict(price).values() if isinstance(value, float)]
        assert all(float(f"{value:.2g}") == value and math.isfinite(value) for value in figures)
        assert price.watt_hours_low <= price.watt_hours <= price.watt_hours_high


def test_what_was_not_timed_has_no_price() -> None:
    of = replace(study(), results=dict.fromkeys(NAMES, ()))
    found = prices(of, table(of))
    assert set(found.families) == set(NAMES)
    assert all(price.price_per_million_answers is None for price in found.families.values())


@pytest.mark.parametrize("rate", [-1.0, math.nan, math.inf])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    of = study()
    with pytest.raises(UserError, match="price of a core hour is a number"):
        prices(of, table(of), rate_per_core_hour=rate)
    with pytest.raises(UserError, match="power of a core is a number"):
        prices(of, table(of), watts_per_core=rate)


def test_the_note_says_what_was_assumed_and_no_grams() -> None:
    of = study()
    found = prices(of, table(of), rate_per_core_hour=0.1, watts_per_core=7, currency="EUR")
    assert "0.1 EUR and 7 W" in found.note and "50 %" in found.note
    assert "CO2" not in found.note
    assert list(asdict(found)) == ["currency", "rate_per_core_hour", "watts_per_core", "families", "note"]
    assert list(asdict(found)["families"]["deep"]) == [
        "cpu_hours",
        "price",
        "watt_hours",
        "watt_hours_low",
        "watt_hours_high",
        "measured",
        "price_per_million_answers",
    ]
