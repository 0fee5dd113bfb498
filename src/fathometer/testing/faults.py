"""Make the Nth request to the file system fail: to test that what is left behind can still be used."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

REQUESTS = (
    (os, "fsync"),
    (os, "rename"),
    (os, "replace"),
    (os, "open"),
    (os, "link"),
    (os, "mkdir"),
    (os, "unlink"),
    (io, "open"),
)


def disk_full() -> OSError:
    """What the system says when there is no space left."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def failing(number: int, error: Callable[[], BaseException], *, below: str) -> Iterator[list[str]]:
    """Fail the request of this number (from 1) that touches a path below `below`; gives the names of those made.

    Requests by an open file's number (fsync) count wherever they are.
    """
    made: list[str] = []

    def guarded(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            place = arguments[0] if arguments else ""
            if isinstance(place, int) or below in os.fspath(place):
                made.append(name)
                if len(made) == number:
                    raise error()
            return real(*arguments, **options)

        return call

    patches = [
        mock.patch.object(module, name, guarded(name, getattr(module, name))) for module, name in REQUESTS
    ]
    for patch in patches:
        patch.start()
    try:
        yield made
    finally:
        for patch in patches:
            patch.stop()
