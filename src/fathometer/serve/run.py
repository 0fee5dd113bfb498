"""Run a server: open the model, try it, listen, and stop in good order."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import uvicorn

from fathometer.bundle.read import open_bundle
from fathometer.serve.app import make_app
from fathometer.serve.connection import connections_within
from fathometer.serve.desk import Desk
from fathometer.serve.examples import curl_line, example_row, key_line
from fathometer.serve.listening import BACKLOG, listening_socket, url_of
from fathometer.serve.log import open_log
from fathometer.serve.settings import Settings, check_settings
from fathometer.serve.workers import supervise

KEEP_ALIVE_SECONDS = (
    75  # longer than what usually stands in front waits, or it would ask on a closed connection
)
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Say = Callable[[str], None]


def run(path: Path, settings: Settings, say: Say) -> None:
    """Answer until told to stop (SIGTERM, or Ctrl-C).

    Args:
        path: a model folder or file.
        say: is given some lines for people when the server is ready.

    Raises:
        UserError: the settings are unsafe, the place cannot be listened on, or the model is not what it should be.
    """
    check_settings(settings)
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(
            variable, "1"
        )  # read when a library is loaded; workers and threads are asked for apart
    listening = listening_socket(settings)
    try:
        if settings.workers > 1:
            if settings.log.file is not None:
                open_log(settings.log.file).close()  # made once, before all open it at the same moment
            supervise(answer_at, path, settings, listening, say)
        else:
            answer_at(path, settings, listening, say)
    finally:
        listening.close()
        if settings.unix_socket is not None:
            settings.unix_socket.unlink(missing_ok=True)


def answer_at(path: Path, settings: Settings, listening: socket.socket, say: Say) -> None:
    """Answer on this socket in this process, until told to stop.

    Raises:
        UserError: the model is not what it should be, or the log cannot be written.
    """
    desk = Desk(open_bundle(path, trust_native=settings.trust_native), settings)
    try:
        desk.warm()
        if desk.log is not None:
            desk.log.note_deployment(desk.name, desk.version, "start")
        config = uvicorn.Config(
            make_app(desk, settings),
            http=connections_within(settings.limits),
            loop="uvloop",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",  # its warnings are what strangers send, and its errors are logged by the app
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(settings.stop_seconds)),
        )
        server = StoppingServer(config, desk, lambda: say(greeting(desk, listening)))
        with server.told_by_signals():
            server.run(sockets=[listening])
            desk.close()
            if desk.log is not None:
                desk.log.note_deployment(desk.name, desk.version, "stop")
    finally:
        desk.close()


def greeting(desk: Desk, listening: socket.socket) -> str:
    """What a person wants to know of a server that is ready: where it is, and a command that works."""
    settings, url = desk.settings, url_of(desk.settings, listening)
    where = f"unix socket {settings.unix_socket}" if settings.unix_socket else url
    command = curl_line(url, example_row(desk.bundle), bool(settings.keys))
    if settings.unix_socket is not None:
        command = command.replace("curl -s", f"curl -s --unix-socket {settings.unix_socket}", 2)
    lines = [f"{desk.name} {desk.version} answers at {where}"]
    if settings.keys:
        lines.append(f"A key: {key_line(settings.key_file)}")
    lines.append(f"Try: {command}")
    if not settings.is_local and settings.no_key:
        lines.append(
            "WARNING: whoever reaches this address may ask, for --no-key was given. Something in front of the server "
            "must check who asks."
        )
    return "\n".join(lines)


class StoppingServer(uvicorn.Server):
    """A server that says it is not ready as soon as it is told to stop, and answers on until nobody comes any more."""

    def __init__(self, config: uvicorn.Config, desk: Desk, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._desk = desk
        self._started = started
        self._stop_at = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal begins to stop; Ctrl-C behind it stops at once.

        SIGTERM behind it changes nothing: those who stop a service send it to every process, and a parent passes it on.
        """
        if self._stop_at:
            if sig == signal.SIGINT:
                self.should_exit = self.force_exit = True
            return
        self._desk.is_ready = False
        wait = self._desk.settings.drain_seconds if sig == signal.SIGTERM else 0.0
        self._stop_at = time.monotonic() + wait

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()

    async def on_tick(self, counter: int) -> bool:
        if self._stop_at and time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: signals are heard for longer than uvicorn runs (`told_by_signals`)."""
        yield

    @contextlib.contextmanager
    def told_by_signals(self) -> Iterator[None]:
        """Inside, signals stop this server, and do not end the process: what is left to write is written."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {sig: signal.signal(sig, self.handle_exit) for sig in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)
