"""How a server is to run: where it listens, who may ask, what it keeps."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fathometer.errors import UserError
from fathometer.serve.limits import MIB, Limits

LOOPBACK = ("127.0.0.1", "localhost", "::1")
KEYS_VARIABLE = "FATHOMETER_API_KEYS"
SHORTEST_KEY = 16
LOG_FEATURES = ("all", "hash", "none")


@dataclass(frozen=True)
class LogSettings:
    """What is kept of answers.

    file: the SQLite file; None: nothing is kept. features: "all" cells, a "hash" of each, or "none".
    rows, bytes: the oldest are removed beyond these.
    """

    file: Path | None = None
    features: str = "all"
    rows: int = 1_000_000
    size_bytes: int = 1024 * MIB


@dataclass(frozen=True)
class Settings:
    """Everything that can be set.

    host, port: where it listens; unix_socket: a path instead of these.
    names: Host headers that are answered besides those of the machine itself; "*" for any.
    keys: who knows one of these may ask; none: no key is asked for, which needs no_key unless only this machine can
        reach the server. key_file: where (some of) them were read. open_metrics: /metrics needs no key.
    workers: processes. threads: questions answered at a time in each.
    batch: whether small questions that wait are answered as one; None: where the model holds networks, or
        nothing but what answers each row by itself, to the last bit. batch_rows: at most so many; None: by the model.
    trust_native: whether members are opened that only the library which wrote them can read (`bundle.open_bundle`).
    drain_seconds: how long a stopping server says that it is not ready, and still answers, before it closes its door.
    stop_seconds: how long questions under way may take to finish after that.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    unix_socket: Path | None = None
    names: tuple[str, ...] = ()
    keys: tuple[str, ...] = field(default=(), repr=False)
    key_file: Path | None = None
    no_key: bool = False
    open_metrics: bool = False
    workers: int = 1
    threads: int = 1
    batch: bool | None = None
    trust_native: bool = False
    batch_rows: int | None = None
    limits: Limits = field(default_factory=Limits)
    log: LogSettings = field(default_factory=LogSettings)
    drain_seconds: float = 1.0
    stop_seconds: float = 24.0

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.unix_socket is not None or self.host in LOOPBACK


def check_settings(settings: Settings) -> None:
    """Refuse what would be unsafe or could not run.

    Raises:
        UserError: listening wider than this machine without a key; a key that can be guessed; numbers out of range.
    """
    if not settings.is_local and not settings.keys and not settings.no_key:
        raise UserError(
            f"Listening on {settings.host} lets other machines ask, and no key is set. Set {KEYS_VARIABLE} or "
            "--key-file, or say --no-key where something in front of the server checks who asks."
        )
    short = sum(1 for key in settings.keys if len(key) < SHORTEST_KEY)
    if short:
        raise UserError(
            f"A key must have at least {SHORTEST_KEY} characters, and {short} of {len(settings.keys)} have fewer. "
            "Make one with: openssl rand -hex 32"
        )
    if any(not key.isascii() or not key.isprintable() or " " in key for key in settings.keys):
        raise UserError("A key may hold only ASCII letters, digits and signs, without blanks. Make another.")
    for name, value in {"workers": settings.workers, "threads": settings.threads}.items():
        if not 1 <= value <= 256:
            raise UserError(f"Expected 1 to 256 {name}, got {value}.")
    if not 0 <= settings.port <= 65535:
        raise UserError(f"Expected a port from 0 to 65535, got {settings.port}.")
    if settings.log.features not in LOG_FEATURES:
        raise UserError(f"Expected --log-features {', '.join(LOG_FEATURES)}; got {settings.log.features!r}.")


def read_keys(environment: Mapping[str, str], key_file: Path | None) -> tuple[str, ...]:
    """The keys of the environment (separated by commas) and of a file (one per line; # begins a remark).

    Raises:
        UserError: the file cannot be read, others may read it, or it holds no key.
    """
    keys = [key.strip() for key in environment.get(KEYS_VARIABLE, "").split(",")]
    if key_file is not None:
        found = _keys_of_file(key_file)
        if not found:
            raise UserError(f"{key_file} holds no key. Write one per line, made with: openssl rand -hex 32")
        keys += found
    return tuple(dict.fromkeys(key for key in keys if key))


def _keys_of_file(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8") as stream:
            if os.name != "nt" and stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & 0o077:
                raise UserError(f"Others may read the keys in {path}. Type: chmod 600 {path}")
            lines = stream.read(MIB).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UserError(f"The keys in {path} cannot be read: {reason}.") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
