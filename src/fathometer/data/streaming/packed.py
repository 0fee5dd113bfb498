"""A file's bytes from its beginning, as often as asked, unpacked on the way; never all of them at once."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any

from fathometer.core.attachments import Attachment
from fathometer.data.unpacking import UNPACKING_ERRORS, packed_as, refuse_bomb
from fathometer.errors import UnreadableData

READ_BYTES = 1 << 22
OPENED: dict[str, Any] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}


@dataclass(frozen=True)
class Bytes:
    """What a file, or a member of a zip archive, holds.

    name: for people. packing: gz, bz2, xz, or None. start: its first bytes, unpacked. size, changed_at: of the file as
    it lies on the disk, when it was first looked at.
    """

    file: Attachment
    name: str
    packing: str | None
    start: bytes
    size: int
    changed_at: int

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done."""
        return (f"The file was unpacked ({self.packing}).",) if self.packing else ()

    def chunks(self, size: int = READ_BYTES) -> Iterator[bytes]:
        """All bytes in order.

        Raises:
            UnreadableData: it cannot be read, is damaged, inflates beyond all measure, or is another than before: what
                was learned of it when it was gone through first would not hold.
        """
        yield from _chunks(self.file, self.name, self.packing, self.size, size)
        if _state(self.file, self.name) != (self.size, self.changed_at):
            raise UnreadableData(
                f"The file {self.name} was changed while it was read. Wait until it is whole, or give a copy of it."
            )


def bytes_of(file: Attachment) -> Bytes:
    """A file to be read in chunks.

    Raises:
        UnreadableData: it cannot be read, is empty, or was packed twice.
    """
    name = file.name.rpartition("/")[2]
    size, changed_at = _state(file, name)
    start = next(_chunks(file, name, None, size, 4096), b"")
    packing = packed_as(start)
    if packing is not None:
        start = next(_chunks(file, name, packing, size, 4096), b"")
        if packed_as(start):
            raise UnreadableData(f"The file {name} is packed twice. Unpack it first.")
    if not start:
        raise UnreadableData(f"Expected a table, but {name} is empty.")
    return Bytes(file, name, packing, start, size, changed_at)


def _state(file: Attachment, name: str) -> tuple[int, int]:
    """The file's size, and when it was last written."""
    try:
        state = file.path.stat()
    except OSError as error:
        raise UnreadableData(f"The file {name} cannot be read: {error.strerror}.") from error
    return state.st_size, state.st_mtime_ns


def _chunks(file: Attachment, name: str, packing: str | None, packed: int, size: int) -> Iterator[bytes]:
    inflates = packing is not None or bool(file.member)
    total = 0
    try:
        with ExitStack() as stack:
            stream = _opened(file, packing, stack)
            while chunk := stream.read(size):
                total += len(chunk)
                if inflates:
                    refuse_bomb(packed, total, name, most=None)
                yield chunk
    except UNPACKING_ERRORS as error:
        if not inflates and isinstance(error, OSError):
            raise UnreadableData(f"The file {name} cannot be read: {error.strerror}.") from error
        raise UnreadableData(
            f"The {packing or 'zip'} file {name} is damaged or cut off: it cannot be unpacked. Fetch or pack it again."
        ) from error


def _opened(file: Attachment, packing: str | None, stack: ExitStack) -> IO[bytes]:
    stream: IO[bytes]
    if file.member:
        archive = stack.enter_context(zipfile.ZipFile(file.path))
        stream = stack.enter_context(archive.open(file.member))
    else:
        stream = stack.enter_context(file.path.open("rb"))
    if packing is not None:
        stream = stack.enter_context(OPENED[packing](stream))
    return stream
