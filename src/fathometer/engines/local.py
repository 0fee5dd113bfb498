"""Run jobs on this machine, each in a process of its own that is ended when over its limits."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from fathometer.core.cost import allowed_cores
from fathometer.engine import Engine, Job, Outcome
from fathometer.engines._forkserver import one_line, receive, send
from fathometer.errors import FathometerError

# One thread for each trial: with several at a time, more threads than cores make every one of them slower.
SINGLE_THREADED = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "BLIS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "LOKY_MAX_CPU_COUNT": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

START = (
    "import json, sys; link, parent, preload, path = json.loads(sys.argv[1]); sys.path[:] = path; "
    "from fathometer.engines._forkserver import main; main(link, parent, preload)"
)

CLOSED = "the engine was closed"

PATIENCE_SECONDS = 10.0  # for the server to end by itself, once told


class Local(Engine):
    """Processes on this machine, `workers` at a time, forked from a server that has `preload` imported.

    The first job, or the first after `close`, starts the server. In each job numerical libraries use one
    thread. What jobs print is appended to the log and not shown.
    """

    def __init__(
        self, workers: int | None = None, preload: tuple[str, ...] = (), log: Path | None = None
    ) -> None:
        """`workers`: as many as there are logical cores this process may use, unless given."""
        self._workers = allowed_cores() if workers is None else max(1, workers)
        self._preload = preload
        self._log = log
        self._server: _Server | None = None
        self._mapping = False
        self._closings = 0
        self._lock = threading.Lock()  # so that nothing is started by a map that `close` has just ended

    @property
    def workers(self) -> int:
        """How many jobs run at a time."""
        return self._workers

    def map(self, jobs: Iterator[Job | None]) -> Generator[Outcome]:
        """Run jobs as workers are free; yield outcomes as they come.

        When the caller stops early, or is interrupted, everything still running is ended. After `close` no
        more jobs are asked for.

        Raises:
            RuntimeError: the iterator gave None while nothing was running, or another map is not finished.
            FathometerError: the server could not start.
        """
        if self._mapping:
            raise RuntimeError(
                "this engine is still mapping other jobs; finish or close that generator first"
            )
        self._mapping = True
        try:
            yield from self._map(jobs, self._closings)
        finally:
            self._mapping = False
            if self._server is not None and self._server.running:
                self.close()
                self._server.forget()

    def close(self) -> None:
        """End everything that is still running, and the server."""
        with self._lock:
            self._closings += 1
        if self._server is not None:
            self._server.close()

    def _map(self, jobs: Iterator[Job | None], closings: int) -> Iterator[Outcome]:
        exhausted = False
        while True:
            job: Job | None = None
            while not exhausted and closings == self._closings and self._running() < self.workers:
                try:
                    job = next(jobs)
                except StopIteration:
                    exhausted = True
                    break
                if job is None:
                    break
                refused = self._start(job, closings)
                if refused is not None:
                    yield refused
            if self._server is not None and self._server.running:
                yield from self._server.wait()
            elif exhausted or closings != self._closings:
                return
            elif job is None:
                raise RuntimeError("no job is running and none was given to start")

    def _running(self) -> int:
        return len(self._server.running) if self._server is not None else 0

    def _start(self, job: Job, closings: int) -> Outcome | None:
        """Hand a job to the server; its outcome at once if it cannot be started."""
        with self._lock:
            if closings != self._closings:
                return Outcome(job, "stopped", CLOSED)
            if self._server is None or (self._server.gone and not self._server.running):
                self._server = _Server(self._preload, self._log)
            server = self._server
        try:
            server.start(job)
        except _CannotBeSent as error:
            return Outcome(job, "failed", str(error))
        return None


class _CannotBeSent(Exception):
    """A job that cannot be written for another process."""


@dataclass
class _Running:
    job: Job
    answer: IO[bytes]
    pid: int = 0


class _Server:
    """The engine's side of the fork server."""

    def __init__(self, preload: tuple[str, ...], log: Path | None) -> None:
        self.running: dict[int, _Running] = {}
        self.gone = False
        self.closed = False
        self.ready = False
        self._count = 0
        self._log = tempfile.TemporaryFile() if log is None else log.open("a+b")  # noqa: SIM115 (closed in close)
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            arguments = json.dumps([theirs.fileno(), os.getpid(), list(preload), _search_path()])
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", START, arguments],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env={**os.environ, **SINGLE_THREADED},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def start(self, job: Job) -> None:
        self._count += 1
        with _memory_file() as written:
            _write(job, written)
            answer = _memory_file()
            self.running[self._count] = _Running(job, answer)
            request = {
                "key": self._count,
                "seconds": job.seconds,
                "cpu_seconds": job.cpu_seconds,
                "memory_bytes": job.memory_bytes,
            }
            try:
                send(self._link, request, (written.fileno(), answer.fileno()))
            except OSError:
                self.gone = True  # told as the outcome of everything that runs

    def wait(self) -> Iterator[Outcome]:
        """The outcome of the next job that ends; of all, if the server has gone."""
        while not self.gone:
            received = receive(self._link)
            if received is None:
                self.gone = True
                break
            message, _ = received
            if "ready" in message:
                self.ready = True
            elif "started" in message:
                self.running[message["started"]].pid = message["pid"]
            else:
                yield _outcome(self.running.pop(message["over"]), message)
                return
        yield from self._all_lost()

    def close(self) -> None:
        """End the server, which ends everything it has started; safe to repeat, and from any thread."""
        if self.closed:
            self._process.wait()
            return
        self.closed = True
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        self._process.terminate()  # ends it at once while it still loads packages; later it cleans up first
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.returncode != 0:
            self._kill_groups()  # it had no time to do so itself
        self.gone = True
        self._link.close()
        self._log.close()

    def forget(self) -> None:
        """Drop the jobs whose outcome nobody will ask for."""
        while self.running:
            self.running.popitem()[1].answer.close()

    def _all_lost(self) -> Iterator[Outcome]:
        """The outcomes of the jobs that were running when the server went, by our doing or not."""
        if not self.closed:
            tail = self._end_of_log()
            self.close()
            if not self.ready:
                raise FathometerError(f"The process that starts trials did not start. It said: {tail}")
            status, reason = "killed", "the process that starts trials was ended from outside"
        else:
            status, reason = "stopped", CLOSED
        while self.running:
            running = self.running.popitem()[1]
            running.answer.close()
            yield Outcome(running.job, status, reason)

    def _kill_groups(self) -> None:
        for running in self.running.values():
            if running.pid:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(running.pid, signal.SIGKILL)

    def _end_of_log(self) -> str:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 2000))
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "(none)"


def _outcome(running: _Running, message: dict[str, Any]) -> Outcome:
    job = running.job
    with running.answer as answer:
        status, reason, trace, value = _read(answer, message, job)
    return Outcome(
        job,
        status,
        reason,
        trace,
        value,
        wall_seconds=message["wall_seconds"],
        cpu_seconds=message["cpu_seconds"],
        peak_bytes=message["peak_bytes"],
    )


def _read(answer: IO[bytes], message: dict[str, Any], job: Job) -> tuple[str, str, str, Any]:
    """Status, reason, trace and value of a job that has ended."""
    code, by = message["code"], message["by"]
    if code == 0:
        answer.seek(0)
        try:
            # Written by our own child, handed over in memory.
            answered: tuple[str, str, str, Any] = pickle.load(answer)  # noqa: S301
        except EOFError:
            return "killed", "ended by itself without an answer (exit code 0)", "", None
        except Exception as error:
            reason = f"its answer could not be read: {one_line(error)}"
            return "failed", reason, traceback.format_exc(), None
        return answered
    if by == "memory":
        return "out_of_memory", f"over its limit of {job.memory_bytes / 1e6:.0f} MB of memory", "", None
    if by == "processor time":
        return "out_of_time", f"over its limit of {job.cpu_seconds:g} s of processor time", "", None
    if by == "time":
        return "out_of_time", f"over its limit of {job.seconds:g} s", "", None
    if by:
        return "failed", by, "", None
    if code > 0:
        return "killed", f"ended by itself without an answer (exit code {code})", "", None
    hint = " (as systems do when memory runs out)" if -code == signal.SIGKILL else ""
    return "killed", f"ended from outside by {_signal_name(-code)}{hint}", "", None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _write(job: Job, stream: IO[bytes]) -> None:
    """Write what the child needs: where it is, where modules are found, what to do."""
    name, module = getattr(job.work, "__qualname__", ""), getattr(job.work, "__module__", "")
    if module == "__main__" or "." in name:
        raise _CannotBeSent(f"work must be a function of a module that can be imported, not {module}.{name}")
    try:
        pickle.dump((str(Path.cwd()), _search_path()), stream, protocol=5)
        pickle.dump((job.work, job.arguments), stream, protocol=5)
    except Exception as error:
        raise _CannotBeSent(f"it cannot be sent to another process: {one_line(error)}") from error
    stream.seek(0)


def _memory_file() -> IO[bytes]:
    """A file without a name, in memory where the system can."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("fathometer"), "w+b")
    return tempfile.TemporaryFile()


def _search_path() -> list[str]:
    """Where modules are found, in a way that does not depend on the current folder."""
    return [str(Path(entry).absolute()) for entry in sys.path]
