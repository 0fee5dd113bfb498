"""Where work runs.

An engine takes jobs from an iterator one at a time, whenever it has a free worker, and gives back outcomes as
they come; so whoever makes the jobs can decide each one knowing every outcome before it.

Laws, checked by `fathometer.testing.engines`:
- every job started has exactly one outcome, whatever it does: return, raise, hang, die, eat memory;
- a job over its time or memory is ended, and says so; the others are not disturbed;
- outcomes carry what the job cost;
- closing the engine ends every job still running, asks for no more, and leaves no process behind; so does a
  caller who stops early or is interrupted; a closed engine may be used again;
- it maps one iterator at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from fathometer.core.plugins import Plugins


@dataclass(frozen=True)
class Job:
    """One piece of work: `work(**arguments)`, in a process of its own.

    work: a function of a module (not a method, not nested), found by its name where it runs.
    seconds: wall seconds after which it is ended. cpu_seconds: the same in processor time.
    memory_bytes: resident memory over which it is ended.
    """

    key: str
    work: Callable[..., Any]
    arguments: dict[str, Any]
    seconds: float
    cpu_seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    status: "done", "failed" (it raised), "out_of_time", "out_of_memory", "killed" (ended from outside), or
        "stopped" (the engine was closed).
    reason: one line, empty when done. trace: the traceback of a failure, for the log.
    """

    job: Job
    status: str
    reason: str = ""
    trace: str = ""
    value: Any = None
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


class Engine(ABC):
    """Where work runs."""

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many jobs run at a time."""

    @abstractmethod
    def map(self, jobs: Iterator[Job | None]) -> Generator[Outcome]:
        """Run jobs as workers are free; yield outcomes as they come.

        The iterator is asked for a job whenever a worker is free and after every outcome. It may give None:
        nothing to start before the next outcome. Closing what is given ends everything still running.
        """

    @abstractmethod
    def close(self) -> None:
        """End everything that is still running."""


ENGINES: Plugins[Engine] = Plugins(
    "engine",
    Engine,  # type: ignore[type-abstract]
    ("fathometer.engines",),
    "fathometer.engines",
    {"ray": "ray"},
)
