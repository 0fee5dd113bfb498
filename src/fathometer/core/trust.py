"""Whether files that only another library's own parser can read may be opened.

Such parsers are written in C++ for files of one's own, and are not made to stand up to crafted ones. So a model that
holds such a file is opened only where someone says that it was made by a person he trusts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from fathometer.errors import BadBundle

_trusts: ContextVar[bool] = ContextVar("trusts", default=False)


@contextmanager
def trusting(trusts: bool = True) -> Iterator[None]:
    """Inside, such files are opened."""
    token = _trusts.set(trusts)
    try:
        yield
    finally:
        _trusts.reset(token)


def demand_trust(path: Path) -> None:
    """Refuse a file that only another library's own parser can read, unless it is trusted.

    Raises:
        BadBundle: it is not.
    """
    if not _trusts.get():
        raise BadBundle(
            f"{path.name} is in a form that only the library which wrote it can read, and which is not safe to open "
            "unless you trust whoever made it. If you do, say so (trust_native=True), or make the model again."
        )
