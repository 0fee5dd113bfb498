"""Lengths of time as people write them."""

import math
import time

import pytest

from fathometer.errors import UserError
from fathometer.study.budget import FAMILIES, Budget, parse_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        (90, 90),
        (12.5, 12.5),
        ("90s", 90),
        ("90 sec", 90),
        ("5m", 300),
        ("5 min", 300),
        (" 5 Minutes ", 300),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("1 hour 30 minutes", 5400),
        ("2m30s", 150),
        ("168h", 604_800),
    ],
)
def test_a_length_of_time_is_read(text: str | float, seconds: float) -> None:
    assert parse_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "m",
        "five",
        "5x",
        "-5m",
        "5m!",
        "1:30",
        "1e3",
        "m5",
        "5..2m",
        "9s",
        "9",
        9,
        0,
        -60,
        "0m",
        "8000h",
        "1h30",
        math.nan,
        math.inf,
        True,
        "1,5h",
        "30m1h5",
        "5m5m",
    ],
)
def test_what_is_no_length_of_time_is_refused_in_a_sentence(text: str | float) -> None:
    with pytest.raises(UserError, match="A budget is"):
        parse_seconds(text)


def test_a_hostile_text_is_refused_at_once() -> None:
    started = time.process_time()
    with pytest.raises(UserError):
        parse_seconds("1" * 5_000 + "!")
    assert time.process_time() - started < 5


def test_both_families_have_the_same_share_and_leave_time_for_the_end() -> None:
    budget = Budget(100.0, 4)
    assert len(FAMILIES) * budget.family_seconds <= budget.workers * budget.training_ends
    assert budget.training_ends < budget.kill_at < budget.seconds
    refitting = Budget(100.0, 4, refits=True)
    assert refitting.training_ends < budget.training_ends
    assert refitting.kill_at < budget.kill_at
