"""Every learner keeps every law, on every kind of column and task it claims."""

from __future__ import annotations

import pytest

from fathometer.learner import LEARNERS
from fathometer.testing.learners import LAWS, Case, cases, nobody_marks_their_own_homework

CASES = {str(case): case for name in LEARNERS.usable() for case in cases(name)}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.mark.parametrize("law", LAWS)
def test_learner_keeps_the_law(case: Case, law: str) -> None:
    LAWS[law](case)


@pytest.mark.parametrize(
    "name", [one for one in LEARNERS.usable() if LEARNERS.get(one).family != "pretrained"]
)
def test_validation_rows_look_no_easier_than_fresh_ones(name: str) -> None:
    nobody_marks_their_own_homework(name)
