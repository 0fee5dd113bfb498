"""The laws of `fathometer.engine` as tests: whoever writes an engine calls `check_engine`.

>>> check_engine(lambda: MyEngine(workers=2))  # doctest: +SKIP

`LAWS` maps a law's name to a function that takes a maker of fresh engines and asserts. The engine must run
jobs on this machine, because the laws look for processes that should be gone.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from fathometer.engine import Engine, Job, Outcome

MakeEngine = Callable[[], Engine]

MEGABYTE = 1_000_000
LONG = 60.0  # seconds no law needs; a job that hangs so long shows a broken engine
PATIENCE_SECONDS = 20.0


def check_engine(make_engine: MakeEngine) -> None:
    """Assert every law of engines.

    Raises:
        AssertionError: a law is broken; the traceback names it.
    """
    for law in LAWS.values():
        law(make_engine)


# Work, at the top of a module as an engine needs it.


def add(first: int, second: int) -> int:
    """The sum."""
    return first + second


def fail(message: str) -> None:
    """Raise an error."""
    raise ValueError(message)


class Unsendable(Exception):
    """An error that can neither be pickled nor shown."""

    def __init__(self) -> None:
        super().__init__(threading.Lock())

    def __str__(self) -> str:
        raise RuntimeError("no words")


def fail_strangely() -> None:
    """Raise an error that cannot be sent to another process."""
    raise Unsendable


def run_out_of_memory() -> None:
    """Raise what Python raises when no memory is left."""
    raise MemoryError


def leave(code: int) -> None:
    """End the process without another word, as native code does."""
    os._exit(code)


def exit_politely(code: int) -> None:
    """Ask the interpreter to exit."""
    sys.exit(code)


def die(number: int) -> None:
    """End by a signal."""
    os.kill(os.getpid(), number)
    time.sleep(LONG)


def hang(note: str = "") -> None:
    """Do nothing for long, having noted the number of this process in a file."""
    _note(note, os.getpid())
    time.sleep(LONG)


def start_and_hang(note: str, new_session: bool) -> None:
    """Start a process that hangs, note its number, and hang."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"import time; time.sleep({LONG})"], start_new_session=new_session
    )
    _note(note, process.pid)
    time.sleep(LONG)


def start_and_return(note: str) -> None:
    """Start a process that hangs, note its number, and return without it."""
    process = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({LONG})"])
    process.returncode = 0  # so that Popen does not complain about it
    _note(note, process.pid)


def spin(cpu_seconds: float) -> float:
    """Use that much processor time; return what was used."""
    while (used := time.process_time()) < cpu_seconds:
        pass
    return used


def eat(size_bytes: int) -> int:
    """Fill that much memory, and return its size."""
    held = [bytearray(b"x" * MEGABYTE) for _ in range(size_bytes // MEGABYTE)]
    return len(held) * MEGABYTE


def give(size_bytes: int) -> bytes:
    """A large answer."""
    return bytes(range(256)) * (size_bytes // 256)


def give_unsendable() -> Callable[[], None]:
    """An answer that cannot be sent to another process."""
    return lambda: None


_seen: list[int] = []


def count_calls() -> int:
    """How many times this process has called this function."""
    _seen.append(1)
    return len(_seen)


def _note(note: str, number: int) -> None:
    if note:
        draft = Path(f"{note}.draft")
        draft.write_text(str(number))
        draft.rename(note)


# The laws.


def job(work: Callable[..., Any], key: str = "job", *, seconds: float = LONG, **arguments: Any) -> Job:
    """A job of generous limits."""
    return Job(key, work, arguments, seconds=seconds, cpu_seconds=LONG, memory_bytes=4000 * MEGABYTE)


def outcomes_of(engine: Engine, *jobs: Job) -> dict[str, Outcome]:
    """Run the jobs, each of its own key, to their ends."""
    found = list(engine.map(iter(jobs)))
    by_key = {outcome.job.key: outcome for outcome in found}
    assert len(found) == len(by_key) == len(jobs), "every job has exactly one outcome"
    return by_key


def a_value_comes_back(make_engine: MakeEngine) -> None:
    """What the work returns is the outcome's value, and the job is the one given."""
    with contextlib.closing(make_engine()) as engine:
        given = job(add, first=2, second=3)
        outcome = outcomes_of(engine, given)["job"]
        assert (outcome.status, outcome.value, outcome.reason, outcome.trace) == ("done", 5, "", "")
        assert outcome.job == given
        assert outcome.wall_seconds > 0 and outcome.peak_bytes > 0


def an_error_is_an_outcome(make_engine: MakeEngine) -> None:
    """What is raised is told in one line, with its traceback as text."""
    with contextlib.closing(make_engine()) as engine:
        outcome = outcomes_of(engine, job(fail, message="too few\nrows"))["job"]
        assert (outcome.status, outcome.value) == ("failed", None)
        assert outcome.reason == "ValueError: too few rows"
        assert "in fail" in outcome.trace


def what_cannot_be_sent_is_a_failure(make_engine: MakeEngine) -> None:
    """Arguments, values and errors that cannot be pickled, and nameless work, fail their job alone."""
    with contextlib.closing(make_engine()) as engine:
        found = outcomes_of(
            engine,
            job(fail_strangely, "error"),
            job(give_unsendable, "value"),
            job(add, "argument", first=threading.Lock(), second=0),
            job(lambda: 1, "lambda"),
            job(exit_politely, "exit", code=3),
            job(add, "last", first=1, second=1),
        )
        last = found.pop("last")
        assert {outcome.status for outcome in found.values()} == {"failed"}
        assert all(outcome.reason and "\n" not in outcome.reason for outcome in found.values())
        assert "Unsendable" in found["error"].reason
        assert last.value == 2


def a_job_without_an_answer_was_killed(make_engine: MakeEngine) -> None:
    """Ending the process, and every signal, is told as such."""
    with contextlib.closing(make_engine()) as engine:
        found = outcomes_of(
            engine,
            job(leave, "three", code=3),
            job(leave, "zero", code=0),
            job(die, "SIGKILL", number=signal.SIGKILL),
            job(die, "SIGSEGV", number=signal.SIGSEGV),
            job(add, "last", first=1, second=1),
        )
        assert found.pop("last").value == 2
        assert {outcome.status for outcome in found.values()} == {"killed"}
        assert "3" in found["three"].reason
        assert all(name in found[name].reason for name in ("SIGKILL", "SIGSEGV"))


def every_job_has_one_outcome(make_engine: MakeEngine) -> None:
    """Jobs of all sorts, in any order and side by side, each come to their own end."""
    sorts: dict[str, tuple[str, Job]] = {
        "add": ("done", job(add, first=1, second=1)),
        "spin": ("done", job(spin, cpu_seconds=0.05)),
        "give": ("done", job(give, size_bytes=MEGABYTE)),
        "fail": ("failed", job(fail, message="no")),
        "leave": ("killed", job(leave, code=9)),
        "die": ("killed", job(die, number=signal.SIGTERM)),
        "hang": ("out_of_time", job(hang, seconds=0.2)),
    }
    names = random.Random(0).choices(list(sorts), k=60)
    jobs = [replace(sorts[name][1], key=f"{name} {number}") for number, name in enumerate(names)]
    with contextlib.closing(make_engine()) as engine:
        for key, outcome in outcomes_of(engine, *jobs).items():
            assert (key, outcome.status) == (key, sorts[key.split()[0]][0])


def a_hanging_job_is_ended(make_engine: MakeEngine) -> None:
    """A job over its wall seconds is ended, and the others are not."""
    with contextlib.closing(make_engine()) as engine:
        found = outcomes_of(engine, job(hang, "hang", seconds=0.5), job(spin, "other", cpu_seconds=0.3))
        assert found["hang"].status == "out_of_time" and found["hang"].reason
        assert found["hang"].wall_seconds >= 0.5
        assert found["other"].status == "done"


def a_busy_job_is_ended(make_engine: MakeEngine) -> None:
    """A job over its processor seconds is ended, and what it used is told."""
    busy = Job("busy", spin, {"cpu_seconds": LONG}, seconds=LONG, cpu_seconds=0.5, memory_bytes=10**10)
    with contextlib.closing(make_engine()) as engine:
        outcome = outcomes_of(engine, busy)["busy"]
        assert outcome.status == "out_of_time" and outcome.reason
        assert 0.5 <= outcome.cpu_seconds < LONG


def a_job_that_eats_memory_is_ended(make_engine: MakeEngine) -> None:
    """A job over its memory is ended, one that meets the end of memory by itself is told so; others go on."""
    # Less than most machines have, and soon filled.
    size = 1500 * MEGABYTE
    greedy = Job("greedy", eat, {"size_bytes": size}, LONG, LONG, memory_bytes=700 * MEGABYTE)
    with contextlib.closing(make_engine()) as engine:
        found = outcomes_of(
            engine, greedy, job(run_out_of_memory, "orderly"), job(spin, "other", cpu_seconds=0.1)
        )
        assert found["greedy"].status == "out_of_memory" and found["greedy"].reason
        assert found["orderly"].status == "out_of_memory"
        assert found["other"].status == "done"


def outcomes_carry_their_cost(make_engine: MakeEngine) -> None:
    """Processor time and memory are the job's own, not those of the jobs before it."""
    with contextlib.closing(make_engine()) as engine:
        first = outcomes_of(engine, job(eat, "eat", size_bytes=200 * MEGABYTE))["eat"]
        found = outcomes_of(engine, job(spin, "spin", cpu_seconds=0.3), job(add, "add", first=1, second=1))
        assert found["spin"].cpu_seconds >= 0.3 > found["add"].cpu_seconds
        assert first.peak_bytes - found["add"].peak_bytes > 150 * MEGABYTE


def a_large_value_comes_back(make_engine: MakeEngine) -> None:
    """An answer larger than any pipe's buffer comes whole."""
    size = 50 * MEGABYTE
    with contextlib.closing(make_engine()) as engine:
        assert outcomes_of(engine, job(give, size_bytes=size))["job"].value == give(size)


def jobs_share_nothing(make_engine: MakeEngine) -> None:
    """What a job changes in its modules, no other job sees."""
    with contextlib.closing(make_engine()) as engine:
        found = outcomes_of(engine, *(job(count_calls, str(number)) for number in range(5)))
        assert [outcome.value for outcome in found.values()] == [1] * 5


def many_jobs_leave_nothing(make_engine: MakeEngine) -> None:
    """Two hundred jobs, of which some fail and die, leave no open file and no process."""
    with contextlib.closing(make_engine()) as engine:
        outcomes_of(engine, job(add, first=0, second=0))
        before = _holdings()
        jobs = [job(add, str(number), first=number, second=number) for number in range(180)]
        jobs += [job(fail, f"fail {number}", message="no") for number in range(10)]
        jobs += [job(leave, f"leave {number}", code=1) for number in range(10)]
        found = outcomes_of(engine, *jobs)
        assert all(found[str(number)].value == 2 * number for number in range(180))
        assert _holdings() == before
    _assert_gone(psutil.Process().children(recursive=True))


def a_job_is_asked_for_when_a_worker_is_free(make_engine: MakeEngine) -> None:
    """None waits for the next outcome; no more than `workers` jobs run; a job may follow from the last."""
    with contextlib.closing(make_engine()) as engine:
        total, running, most = 1, 0, 0

        def doubling() -> Iterator[Job | None]:
            nonlocal running, most
            for number in range(6):
                while running:
                    yield None
                running += 1
                most = max(most, running)
                yield job(add, str(number), first=total, second=total)

        for outcome in engine.map(doubling()):
            running -= 1
            total = outcome.value
        assert (total, most) == (64, 1)

        def plenty() -> Iterator[Job | None]:
            nonlocal running, most
            for number in range(4 * engine.workers):
                running += 1
                most = max(most, running)
                yield job(add, str(number), first=0, second=0)

        for _ in engine.map(plenty()):
            running -= 1
        assert most == engine.workers


def nothing_to_wait_for_is_an_error(make_engine: MakeEngine) -> None:
    """None while nothing runs would wait for ever: a mistake of whoever makes the jobs."""
    with contextlib.closing(make_engine()) as engine:
        assert list(engine.map(iter([]))) == []
        try:
            list(engine.map(iter([None])))
        except RuntimeError:
            return
        raise AssertionError("None while nothing runs was accepted")


def what_a_job_starts_ends_with_it(make_engine: MakeEngine) -> None:
    """Processes started by a job are gone after it, also in a session of their own, also if it returned."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(make_engine()) as engine:
        notes = {key: str(Path(folder, key)) for key in ("group", "session", "returned")}
        found = outcomes_of(
            engine,
            job(start_and_hang, "group", seconds=2.0, note=notes["group"], new_session=False),
            job(start_and_hang, "session", seconds=2.0, note=notes["session"], new_session=True),
            job(start_and_return, "returned", note=notes["returned"]),
        )
        assert [found[key].status for key in notes] == ["out_of_time", "out_of_time", "done"]
        _assert_gone([process for note in notes.values() for process in _noted(note)])


def jobs_are_mapped_once_at_a_time(make_engine: MakeEngine) -> None:
    """A second map while the first is not finished would take its outcomes: a mistake."""
    with contextlib.closing(make_engine()) as engine:
        first = engine.map(iter([job(add, "one", first=1, second=1), job(add, "two", first=1, second=1)]))
        next(first)
        try:
            next(engine.map(iter([job(add, first=1, second=1)])))
        except RuntimeError:
            assert next(first).status == "done"
        else:
            raise AssertionError("a second map was accepted")


def stopping_early_ends_everything(make_engine: MakeEngine) -> None:
    """When the caller wants no more outcomes, what is running is ended; the engine can be used again."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(make_engine()) as engine:
        note = str(Path(folder, "note"))
        outcomes = engine.map(iter([job(hang, note=note), job(add, first=1, second=1), job(hang)]))
        if engine.workers > 1:
            assert next(outcomes).status == "done"
            hanging = _wait_for(note)
            outcomes.close()
            _assert_gone([hanging])
        assert outcomes_of(engine, job(add, first=1, second=1))["job"].value == 2


def closing_stops_what_runs(make_engine: MakeEngine) -> None:
    """Closing gives "stopped" for what was running and leaves no process; closing twice does no harm."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(make_engine()) as engine:
        notes = [str(Path(folder, str(number))) for number in range(engine.workers)]

        def close_when_all_run() -> None:
            for note in notes:
                _wait_for(note)
            engine.close()

        closer = threading.Thread(target=close_when_all_run)
        closer.start()
        # There are more jobs than are running when the engine is closed; those are not asked for.
        found = list(engine.map(job(hang, note, note=note) for note in [*notes, "", "", ""]))
        closer.join()
        assert [outcome.status for outcome in found] == ["stopped"] * len(notes)
        engine.close()
    _assert_gone(psutil.Process().children(recursive=True))


def an_interrupt_ends_everything(make_engine: MakeEngine) -> None:
    """Ctrl-C while jobs are made or waited for ends all of them."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(make_engine()) as engine:
        note = str(Path(folder, "note"))
        hanging: list[psutil.Process] = []

        def interrupted() -> Iterator[Job | None]:
            yield job(hang, note=note)
            hanging.append(_wait_for(note))
            raise KeyboardInterrupt

        if engine.workers > 1:
            with contextlib.suppress(KeyboardInterrupt):
                list(engine.map(interrupted()))
                raise AssertionError("an interrupt was swallowed")
            _assert_gone(hanging)


LAWS: dict[str, Callable[[MakeEngine], None]] = {
    law.__name__: law
    for law in (
        a_value_comes_back,
        an_error_is_an_outcome,
        what_cannot_be_sent_is_a_failure,
        a_job_without_an_answer_was_killed,
        every_job_has_one_outcome,
        a_hanging_job_is_ended,
        a_busy_job_is_ended,
        a_job_that_eats_memory_is_ended,
        outcomes_carry_their_cost,
        a_large_value_comes_back,
        jobs_share_nothing,
        many_jobs_leave_nothing,
        a_job_is_asked_for_when_a_worker_is_free,
        nothing_to_wait_for_is_an_error,
        jobs_are_mapped_once_at_a_time,
        what_a_job_starts_ends_with_it,
        stopping_early_ends_everything,
        closing_stops_what_runs,
        an_interrupt_ends_everything,
    )
}


def _holdings() -> tuple[int, int]:
    """Open files and descendants of this process."""
    process = psutil.Process()
    return process.num_fds(), len(process.children(recursive=True))


def _wait_for(note: str) -> psutil.Process:
    """The process noted in that file, once it is."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not Path(note).exists():
        assert time.monotonic() < end, "the job did not start"
        time.sleep(0.01)
    return psutil.Process(int(Path(note).read_text()))


def _noted(note: str) -> list[psutil.Process]:
    """The process noted in that file, if it still lives."""
    try:
        return [psutil.Process(int(Path(note).read_text()))]
    except psutil.NoSuchProcess:
        return []


def _assert_gone(processes: list[psutil.Process]) -> None:
    """These processes end within a time in which any machine can end them."""
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_SECONDS)
    assert not alive, f"still running: {alive}"
