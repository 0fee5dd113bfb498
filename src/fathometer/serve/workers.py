"""Several processes that answer on one socket; one that dies is replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

from fathometer.errors import UserError
from fathometer.serve.metrics import FOLDER_VARIABLE, forget_worker
from fathometer.serve.settings import Settings

Say = Callable[[str], None]
Work = Callable[[Path, Settings, socket.socket, Say], None]

READY, REFUSED = b"r", b"e"
LOOK_SECONDS = 0.5
GRACE_SECONDS = 4.0  # more than a worker takes to stop, before it is ended
RESTART_SECONDS = (
    1.0  # between two workers in one place, or one that dies at once would keep the machine busy
)


@dataclass
class Worker:
    """A process with the line on which it tells that it is ready. is_told: whether it knows that it is to stop."""

    process: SpawnProcess
    line: Connection
    started: float
    is_told: bool = False

    def tell(self, sig: int) -> None:
        """Pass a signal on; SIGTERM once, for it says nothing new the second time."""
        process_id = self.process.pid
        if process_id is None or (self.is_told and sig == signal.SIGTERM):
            return
        self.is_told = True
        if self.process.is_alive():
            with suppress(ProcessLookupError):
                os.kill(process_id, sig)


def supervise(work: Work, path: Path, settings: Settings, listening: socket.socket, say: Say) -> None:
    """Keep as many workers at work as were asked for, until told to stop.

    Raises:
        UserError: a worker cannot begin; what it said.
    """
    listening.listen(settings.limits.connections)
    with tempfile.TemporaryDirectory(prefix="fathometer-counts-") as folder, _shared_counts(Path(folder)):
        Crew(work, path, settings, listening, Path(folder)).keep(say)


class Crew:
    """The workers of one server."""

    def __init__(
        self, work: Work, path: Path, settings: Settings, listening: socket.socket, counts: Path
    ) -> None:
        self._job = (work, path, settings, listening)
        self._settings, self._listening = settings, listening
        self._counts = counts
        self._is_told = False
        self._workers: list[Worker] = []

    def keep(self, say: Say) -> None:
        """Start all, say what the first one says, replace those that die; on a signal stop all and return."""
        before = {sig: signal.signal(sig, self._stop) for sig in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._workers = [self._begin() for _ in range(self._settings.workers)]
            told = [self._hear(worker) for worker in list(self._workers)]
            if not self._is_told:
                say(told[0])
            while not self._is_told:
                wait([worker.process.sentinel for worker in self._workers], LOOK_SECONDS)
                self._replace_dead()
        finally:
            self._end_all()
            for sig, handler in before.items():
                signal.signal(sig, handler)

    def _begin(self) -> Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_begin_work, args=(*self._job, theirs), name="fathom-worker")
        process.start()
        theirs.close()
        return Worker(process, ours, time.monotonic())

    def _hear(self, worker: Worker) -> str:
        """Wait until a worker answers; what it says of itself.

        Raises:
            UserError: it cannot begin.
        """
        while not self._is_told:
            if worker.line.poll(LOOK_SECONDS):
                try:
                    told = worker.line.recv_bytes()
                except EOFError:
                    break
                if told[:1] == REFUSED:
                    raise UserError(told[1:].decode())
                return told[1:].decode()
            if not worker.process.is_alive():
                break
        if self._is_told:
            return ""
        raise UserError("A worker ended before it could answer. Is there enough memory? Try --workers 1.")

    def _replace_dead(self) -> None:
        for place, worker in enumerate(self._workers):
            if worker.process.is_alive() or self._is_told:
                continue
            worker.line.close()
            forget_worker(self._counts, worker.process.pid or 0)
            if time.monotonic() - worker.started >= RESTART_SECONDS:
                self._workers[place] = self._begin()

    def _stop(self, sig: int, frame: FrameType | None) -> None:
        """On a signal: pass it on at once."""
        self._is_told = True
        for worker in self._workers:
            worker.tell(sig)

    def _end_all(self) -> None:
        for worker in self._workers:
            worker.tell(signal.SIGTERM)  # those that began while the signal came
        self._listening.close()  # or clients would wait at a door behind which nobody is any more
        latest = time.monotonic() + self._settings.drain_seconds + self._settings.stop_seconds + GRACE_SECONDS
        for worker in self._workers:
            worker.process.join(max(0.0, latest - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def _begin_work(
    work: Work, path: Path, settings: Settings, listening: socket.socket, line: Connection
) -> None:
    """In the worker: answer, and end with the parent."""
    os.setpgrp()  # Ctrl-C would reach every process of the terminal's group; the parent passes it on, once
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, args=(line,), daemon=True).start()
    try:
        work(path, settings, listening, lambda told: line.send_bytes(READY + told.encode()))
    except UserError as error:
        line.send_bytes(REFUSED + str(error).encode())


def _end_with_parent(line: Connection) -> None:
    try:
        line.recv_bytes()  # nothing is ever sent
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _shared_counts(folder: Path) -> Iterator[None]:
    """Inside, processes that are started share their counts in this folder."""
    before = os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = str(folder)
    try:
        yield
    finally:
        del os.environ[FOLDER_VARIABLE]
        if before is not None:
            os.environ[FOLDER_VARIABLE] = before
