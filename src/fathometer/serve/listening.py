"""The socket that a server listens on."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from fathometer.errors import UserError
from fathometer.serve.settings import Settings

BACKLOG = 2048


def listening_socket(settings: Settings) -> socket.socket:
    """A bound socket: of the address, or of the file, which nobody else may use.

    Raises:
        UserError: the address or the file cannot be used.
    """
    place = str(settings.unix_socket or f"{settings.host}:{settings.port}")
    try:
        if settings.unix_socket is not None:
            return _unix_socket(settings.unix_socket)
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UserError(
            f"{place} cannot be listened on: {reason}. Choose another with --host and --port."
        ) from error
    return listening


def url_of(settings: Settings, listening: socket.socket) -> str:
    """How a client on this machine reaches the server; of a unix socket, the name that curl is to call it by."""
    if settings.unix_socket is not None:
        return "http://localhost"
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _unix_socket(path: Path) -> socket.socket:
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        _demand_unused(path)
        path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
    finally:
        os.umask(before)
    return listening


def _demand_unused(path: Path) -> None:
    """Leave a socket on which another server listens alone.

    Raises:
        UserError: one does.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        try:
            caller.connect(str(path))
        except OSError:
            return
    raise UserError(f"Another server listens on {path}. Stop it, or choose another file.")
