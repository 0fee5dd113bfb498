"""Every engine keeps the promise of `fathometer.engine`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fathometer.engine import ENGINES, Job, Outcome
from fathometer.engines.local import Local
from fathometer.testing.engines import LAWS, check_engine

ENDS_WITH_US = "a job that dies or hangs here would take this process with it"
EXCUSED = {
    "inline": {
        "what_cannot_be_sent_is_a_failure": "nothing is sent anywhere",
        "a_job_without_an_answer_was_killed": ENDS_WITH_US,
        "every_job_has_one_outcome": ENDS_WITH_US,
        "a_hanging_job_is_ended": ENDS_WITH_US,
        "a_busy_job_is_ended": "only a job that looks at the clock keeps its limits",
        "a_job_that_eats_memory_is_ended": "memory cannot be limited without a second process",
        "outcomes_carry_their_cost": "the peak of memory is that of the whole process",
        "jobs_share_nothing": "all jobs run in one process",
        "many_jobs_leave_nothing": ENDS_WITH_US,
        "what_a_job_starts_ends_with_it": "nobody watches what a job starts",
        "closing_stops_what_runs": "a running job cannot be ended; that no other is started has a test of its own",
    }
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", ENGINES.usable())
def test_engines_keep_the_laws(name: str, law: str) -> None:
    if law in EXCUSED.get(name, {}):
        pytest.skip(f"excused: {EXCUSED[name][law]}")
    LAWS[law](ENGINES.get(name))


def test_only_laws_that_exist_are_excused() -> None:
    assert all(set(laws) <= set(LAWS) for laws in EXCUSED.values())
    assert set(EXCUSED) <= set(ENGINES.names())


def test_the_laws_find_an_engine_that_breaks_them() -> None:
    class Silent(Local):
        def map(self, jobs: Iterator[Job | None]) -> Iterator[Outcome]:
            return iter([])

    with pytest.raises(AssertionError):
        check_engine(Silent)
