"""The verb that puts a model behind a socket."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from fathometer.api.places import model_in
from fathometer.bundle.read import bundle_name
from fathometer.errors import MissingExtra, UserError

PACKAGES = ("httptools", "orjson", "prometheus_client", "uvicorn", "uvloop")

_missing = next((name for name in PACKAGES if importlib.util.find_spec(name) is None), None)
if _missing is not None:
    raise MissingExtra("Serving", _missing.replace("_", "-"), 'pip install "fathometer[serve]"')

from fathometer.serve.limits import MIB, Limits  # noqa: E402
from fathometer.serve.log import default_place  # noqa: E402
from fathometer.serve.run import run  # noqa: E402
from fathometer.serve.settings import LogSettings, Settings, read_keys  # noqa: E402


def serve(
    model: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    unix_socket: str | Path | None = None,
    names: Sequence[str] = (),
    key_file: str | Path | None = None,
    no_key: bool = False,
    open_metrics: bool = False,
    workers: int = 1,
    threads: int = 1,
    batch: bool | None = None,
    trust_native: bool = False,
    log: str | Path | None = None,
    no_log: bool = False,
    log_features: str = "all",
    log_rows: int = 1_000_000,
    log_megabytes: int = 1024,
    body_megabytes: int = 16,
    rows: int = 10_000,
    waiting: int = 64,
    seconds: float = 60.0,
    drain_seconds: float = 1.0,
    say: Callable[[str], None] = print,
) -> None:
    """Answer questions to a model over HTTP until told to stop.

    Args:
        model: a model folder or file, or a run folder.
        host, port: where to listen; 0 takes any free port. unix_socket: a file instead of these.
        names: further names by which clients may call the server (the Host header), as "model.example" or
            "model.example:443"; "*" for any.
        key_file: a file with one key per line; those in the environment (FATHOMETER_API_KEYS) count as well.
        no_key: listen wider than this machine without any key. open_metrics: /metrics without one.
        workers: processes. threads: questions that are answered at a time in each.
        batch: answer small questions that wait together; where networks or trees alone answer unless given.
        trust_native: open members that only the library which wrote them can read; only of people you trust.
        log: the SQLite file; one of the model's own under the user's state folder unless given. no_log: keep nothing.
        log_features: keep "all" cells, a "hash" of each, or "none".
        log_rows, log_megabytes: the oldest go beyond these.
        body_megabytes, rows: the largest request. waiting: questions under way in one process; one more is refused.
        seconds: after which a question is given up.
        drain_seconds: how long a stopping server says it is not ready and still answers.
        say: is given some lines when the server is ready.

    Raises:
        UserError: one clear sentence about what to put right.
    """
    path = model_in(Path(model))
    if not path.exists():
        raise UserError(f"There is no model at {path}. Name a model folder or file, or a run folder.")
    if no_log and log is not None:
        raise UserError("Both --log and --no-log were given. Leave one out.")
    file = None if no_log else Path(log) if log is not None else default_place(bundle_name(path))
    for name, value in {
        "rows": rows,
        "waiting": waiting,
        "body_megabytes": body_megabytes,
        "seconds": seconds,
    }.items():
        if not value > 0:
            raise UserError(f"Expected {name} above 0, got {value}.")
    settings = Settings(
        host=host,
        port=port,
        unix_socket=Path(unix_socket) if unix_socket is not None else None,
        names=tuple(name.lower() for name in names),
        keys=read_keys(os.environ, Path(key_file) if key_file is not None else None),
        key_file=Path(key_file) if key_file is not None else None,
        no_key=no_key,
        open_metrics=open_metrics,
        workers=workers,
        threads=threads,
        batch=batch,
        trust_native=trust_native,
        limits=replace(
            Limits(), body_bytes=body_megabytes * MIB, rows=rows, waiting=waiting, seconds=seconds
        ),
        log=LogSettings(file, log_features, log_rows, log_megabytes * MIB),
        drain_seconds=drain_seconds,
    )
    run(path, settings, say)
