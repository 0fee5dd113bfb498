"""A file that a cell of a table stands for: a picture in a folder, or in a zip archive; read when it is needed."""

from __future__ import annotations

import functools
import lzma
import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

SIZE_LIMIT = 200_000_000
"""Bytes of one attached file; a larger one is no cell of a table."""

DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError),
    *(LookupError, NotImplementedError, RuntimeError),
)
"""What Python's zip reader raises at damaged, cut, encrypted or exotic members."""


class UnreadableAttachmentError(OSError):
    """The file cannot be read; the text says why, as a clause."""


@dataclass(frozen=True)
class Attachment:
    """One file, or one member of a zip archive.

    Only readers of sources make these, after they have made sure that the file lies where it may be read from. A text
    that happens to look like a path is never opened.

    path: the file, or the archive. member: its name in the archive.
    """

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """For people: the name within its folder or archive."""
        return self.member or self.path.name

    def __str__(self) -> str:
        return self.name

    def read(self, limit: int = SIZE_LIMIT) -> bytes:
        """The bytes.

        Raises:
            UnreadableAttachmentError: it is not there, may not be read, is damaged, or is larger than the limit.
        """
        try:
            if self.member:
                return self._unpacked(limit)
            with self.path.open("rb") as stream:
                raw = stream.read(limit + 1)
        except UnreadableAttachmentError:
            raise
        except OSError as error:
            raise UnreadableAttachmentError((error.strerror or "it cannot be read").lower()) from error
        except DAMAGED as error:
            raise UnreadableAttachmentError("it is damaged in its archive") from error
        return _within(raw, limit)

    def _unpacked(self, limit: int) -> bytes:
        state = self.path.stat()
        archive = _archive(self.path, state.st_mtime_ns, state.st_size, os.getpid())
        # the size that a member claims may be a lie, so no more is read than is allowed
        with archive.open(self.member) as stream:
            return _within(stream.read(limit + 1), limit)


def _within(raw: bytes, limit: int) -> bytes:
    if len(raw) > limit:
        raise UnreadableAttachmentError(f"it is larger than {limit / 1e6:,.0f} MB")
    return raw


@functools.lru_cache(maxsize=4)
def _archive(path: Path, changed: int, size: int, process: int) -> zipfile.ZipFile:
    """Opened once: reading its list of members takes longer than reading one.

    Once for each state of the file, which may be replaced by another of its name, and for each process, for two that
    read by one handle get one another's bytes.
    """
    return zipfile.ZipFile(path)
