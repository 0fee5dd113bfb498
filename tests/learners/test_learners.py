"""Every learner keeps every law, on every kind of column and task it claims."""

from __future__ import annotations

import pytest

from fathometer.learner import LEARNERS
from fathometer.testing.learners import LAWS, Case, cases

CASES = {str(case): case for name in LEARNERS.usable() for case in cases(name)}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.mark.parametrize("law", LAWS)
def test_learner_keeps_the_law(case: Case, law: str) -> None:
    LAWS[law](case)
