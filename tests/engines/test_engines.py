"""Every engine keeps the promise of `fathometer.engine`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fathometer.engine import ENGINES, Job, Outcome
from fathometer.engines.local import Local
from fathometer.testing.engines import LAWS, check_engine


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", ENGINES.usable())
def test_engines_keep_the_laws(name: str, law: str) -> None:
    LAWS[law](ENGINES.get(name))


def test_the_laws_find_an_engine_that_breaks_them() -> None:
    class Silent(Local):
        def map(self, jobs: Iterator[Job | None]) -> Iterator[Outcome]:
            return iter([])

    with pytest.raises(AssertionError):
        check_engine(Silent)
