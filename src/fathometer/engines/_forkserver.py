"""The fork server: a small process with the heavy packages loaded that forks one child per job.

The engine starts it and speaks with it over one socket. A request carries two open files, the job to read and
the answer to write, so nobody ever waits for a full pipe. The server itself watches time and memory (the
engine may be busy elsewhere), waits for its children (so their processor time is exact, even of the killed),
and ends with everything it started when the engine's process is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import json
import os
import pickle
import select
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import psutil

from fathometer.core.cost import Cost, cost_of

TICK_SECONDS = 0.1  # between two looks at the running jobs' time and memory
SCAN_SECONDS = 1.0  # between two scans of the process table for what the jobs have started
IDLE_SECONDS = 1.0  # between two looks whether the engine's process is still there
TRACE_CHARACTERS = 20_000
REASON_CHARACTERS = 300

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36

HEADER = struct.Struct("!I")
NOTHING = Cost(0.0, 0)


def send(link: socket.socket, message: dict[str, Any], files: tuple[int, ...] = ()) -> None:
    """Send a small message, with open files, over the socket."""
    body = json.dumps(message).encode()
    socket.send_fds(link, [HEADER.pack(len(body))], files)
    link.sendall(body)


def receive(link: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and the files it carries; None when the other side is gone."""
    try:
        head, files, _, _ = socket.recv_fds(link, HEADER.size, 2)
        head += _exactly(link, HEADER.size - len(head)) if head else b""
        body = _exactly(link, HEADER.unpack(head)[0]) if head else b""
    except (OSError, EOFError):
        return None
    return (json.loads(body), files) if body else None


def _exactly(link: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = link.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return parts


def main(link_number: int, parent: int, preload: list[str]) -> None:
    """Load packages, say so, and serve until the engine's process is gone.

    Standard output and error are the log already; so are those of every child.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    _load(preload, parent)
    gc.collect()
    gc.freeze()  # so that no child's collector touches, and thereby copies, the pages it shares
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    with socket.socket(fileno=link_number) as link:
        with contextlib.suppress(ConnectionError):
            send(link, {"ready": threading.active_count()})
        _Server(link, parent).serve()


def _load(preload: list[str], parent: int) -> None:
    """Import the packages; give up at once if the engine's process ends meanwhile."""
    loaded = threading.Event()

    def watch() -> None:
        while not loaded.wait(0.2):
            if os.getppid() != parent:
                os._exit(1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for name in preload:
            _load_one(name)
    finally:
        loaded.set()
        watcher.join()  # fork from one thread only


def _load_one(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception:
        # Loading early only saves time. A job that needs the package fails with the same error.
        traceback.print_exc()


@dataclass
class _Child:
    """One running job. `ended_by`: why the server killed it, if it did."""

    key: int
    pid: int
    seconds: float
    cpu_seconds: float
    memory_bytes: int
    started: float = field(default_factory=time.monotonic)
    ended_by: str = ""
    seen: Cost = NOTHING
    descendants: dict[int, psutil.Process] = field(default_factory=dict)
    code: int | None = None
    stopped: float = field(default_factory=time.monotonic)


class _Server:
    def __init__(self, link: socket.socket, parent: int) -> None:
        self.link = link
        self.parent = parent
        self.running: dict[int, _Child] = {}
        self.watched = self.scanned = time.monotonic()
        self.woken, self.wake = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(self.wake, False)
        self.ending = False
        # A signal writes to the pipe, which ends the wait in `serve`. Before this, SIGTERM ended the process.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end)
        signal.set_wakeup_fd(self.wake)

    def _end(self, *_: object) -> None:
        self.ending = True

    def serve(self) -> None:
        """Until the engine's process says so, closes the socket or is gone."""
        try:
            while not self.ending and os.getppid() == self.parent:
                pause = TICK_SECONDS if self.running else IDLE_SECONDS
                wait = max(0.0, self.watched + pause - time.monotonic())
                readable, _, _ = select.select([self.link.fileno(), self.woken], [], [], wait)
                if self.woken in readable:
                    os.read(self.woken, 4096)
                if self.link.fileno() in readable and not self._accept():
                    break
                self._reap()
                self._watch()
        except ConnectionError:
            pass  # the engine's process went away while it was being told something
        finally:
            self._end_all()

    def _accept(self) -> bool:
        received = receive(self.link)
        if received is None:
            return False
        request, files = received
        try:
            pid = os.fork()
        except OSError as error:
            self._tell(
                _Child(request["key"], 0, 0, 0, 0, ended_by=f"no process could be started: {error}", code=-1)
            )
        else:
            if pid == 0:
                self._become_child(*files)
            self.running[pid] = _Child(
                request["key"], pid, request["seconds"], request["cpu_seconds"], request["memory_bytes"]
            )
            send(self.link, {"started": request["key"], "pid": pid})
        finally:
            for number in files:
                os.close(number)
        return True

    def _become_child(self, job: int, answer: int) -> NoReturn:
        server = os.getppid()
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for number in (self.link.fileno(), self.woken, self.wake):
                os.close(number)
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == server:
                _prefer_as_victim()
                _work(job, answer)
        except BaseException:
            traceback.print_exc()
            os._exit(70)
        os._exit(0)

    def _watch(self) -> None:
        """Kill what is over its limits; from time to time look for processes that jobs have started."""
        now = time.monotonic()
        if now - self.watched < TICK_SECONDS:
            return
        self.watched = now
        if now - self.scanned >= SCAN_SECONDS:
            self._scan()
            self.scanned = now
        for child in self.running.values():
            if child.code is not None or child.ended_by:
                continue
            self._measure(child)
            if child.seen.peak_bytes > child.memory_bytes:
                child.ended_by = "memory"
            elif child.seen.cpu_seconds > child.cpu_seconds:
                child.ended_by = "processor time"
            elif now - child.started > child.seconds:
                child.ended_by = "time"
            if child.ended_by:
                _kill(child)

    @staticmethod
    def _measure(child: _Child) -> None:
        """Processor seconds and resident memory of the job and of what it has started, as of now.

        Memory shared between these processes counts once for each.
        """
        cpu_seconds, memory = 0.0, 0
        for process in (psutil.Process(child.pid), *child.descendants.values()):
            try:
                with process.oneshot():
                    cpu_seconds += sum(process.cpu_times()[:4])
                    memory += process.memory_info().rss
            except psutil.Error:
                continue  # it has just ended
        child.seen = Cost(max(cpu_seconds, child.seen.cpu_seconds), max(memory, child.seen.peak_bytes))

    def _scan(self) -> None:
        """Note each job's descendants; kill those that outlived their job in a session of their own."""
        below: dict[int, list[psutil.Process]] = {}
        for process in psutil.process_iter(["ppid"]):
            below.setdefault(process.info["ppid"], []).append(process)
        for child in self.running.values():
            child.descendants = {pid: known for pid, known in child.descendants.items() if known.is_running()}
            waiting = list(below.get(child.pid, ()))
            while waiting:
                process = waiting.pop()
                child.descendants[process.pid] = process
                waiting += below.get(process.pid, ())
        for process in below.get(os.getpid(), ()):
            if process.pid not in self.running and _session(process.pid) not in self.running:
                with contextlib.suppress(psutil.Error):
                    process.kill()

    def _reap(self) -> None:
        """Wait for what has ended, without blocking, and tell the engine of the jobs among it."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in self.running:
                child, cost = self.running[pid], cost_of(usage)
                child.code, child.stopped = os.waitstatus_to_exitcode(status), time.monotonic()
                child.seen = Cost(
                    max(cost.cpu_seconds, child.seen.cpu_seconds), max(cost.peak_bytes, child.seen.peak_bytes)
                )
        for child in [child for child in self.running.values() if child.code is not None]:
            _kill(child)
            if not _group_lives(child.pid):
                del self.running[child.pid]
                self._tell(child)

    def _tell(self, child: _Child) -> None:
        message = {
            "over": child.key,
            "by": child.ended_by,
            "code": child.code,
            "wall_seconds": child.stopped - child.started,
            "cpu_seconds": child.seen.cpu_seconds,
            "peak_bytes": child.seen.peak_bytes,
        }
        send(self.link, message)

    def _end_all(self) -> None:
        """Kill every job and whatever it started, and wait until all are gone."""
        self._scan()
        for child in self.running.values():
            _kill(child)
        self.running.clear()  # from here on every process below this one is an orphan
        while True:
            try:
                pid, _, _ = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                self._scan()
                time.sleep(0.005)


def _kill(child: _Child) -> None:
    """Kill a job's whole process group, and what it started that left the group."""
    if child.code is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)  # it may not have made its group yet
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    for process in child.descendants.values():
        with contextlib.suppress(psutil.Error):
            process.kill()  # checks that the number still means the same process
    child.descendants.clear()


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _prefer_as_victim() -> None:
    """Out of memory, the system shall end a trial rather than the user's own process."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _work(job: int, answer: int) -> None:
    """Read the job, do it, write the answer: (status, reason, trace, value)."""
    with open(answer, "wb") as stream:
        try:
            outcome = ("done", "", "", _do(job))
            pickle.dump(outcome, stream, protocol=5)
        except BaseException as error:
            status = "out_of_memory" if _is_memory(error) else "failed"
            stream.seek(0)
            stream.truncate()
            trace = traceback.format_exc()[-TRACE_CHARACTERS:]
            pickle.dump((status, one_line(error), trace, None), stream, protocol=5)
    for output in (sys.stdout, sys.stderr):
        with contextlib.suppress(
            OSError, ValueError, AttributeError
        ):  # the job may have closed or replaced it
            output.flush()


def _do(job: int) -> Any:
    # What is unpickled here was pickled a moment ago by the engine's own process, and handed over in memory.
    with open(job, "rb") as stream:
        folder, path = pickle.load(stream)  # noqa: S301
        os.chdir(folder)
        sys.path[:] = path
        importlib.invalidate_caches()
        work, arguments = pickle.load(stream)  # noqa: S301
    return work(**arguments)


def _is_memory(error: BaseException) -> bool:
    """Also where native code says so in words: torch's allocator, C++'s bad_alloc in LightGBM."""
    words = ("can't allocate memory", "bad_alloc", "not enough memory", "out of memory")
    return isinstance(error, MemoryError) or any(word in one_line(error) for word in words)


def one_line(error: BaseException) -> str:
    """An error as "Type: message", one line, not too long."""
    try:
        message = " ".join(str(error).split())
    except Exception as again:
        message = f"(its message cannot be read: {type(again).__name__})"
    name = type(error).__name__
    return (f"{name}: {message}" if message else name)[:REASON_CHARACTERS]
