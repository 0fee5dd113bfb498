"""Read a file's bytes, unpacked where it is packed, without being blown up by it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

import psutil

from fathometer.core.attachments import Attachment, UnreadableAttachmentError
from fathometer.errors import UnreadableData

CHUNK_BYTES = 1 << 20
INFLATED_LIMIT = 4 << 30
RATIO_LIMIT = 200
RATIO_MATTERS_ABOVE = 100 << 20
MEMORY_PER_BYTE = 6
"""Memory needed to read a text file, per byte of it, as measured on a csv of 87 MB."""

UNPACKING_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(OSError, EOFError, ValueError, LookupError, NotImplementedError, RuntimeError),
)
"""What Python's unpackers raise at damaged, cut, encrypted or exotic archives."""

MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz"}


def read_bytes(path: Path) -> tuple[bytes, tuple[str, ...]]:
    """A file's bytes, taken out of gz, bz2 or xz, and what was done.

    Raises:
        UnreadableData: it cannot be read, is damaged, too large for memory, or inflates beyond all measure.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
            refuse_too_large(path.stat().st_size)
            raw = start + stream.read()
    except OSError as error:
        raise UnreadableData(f"The file {path.name} cannot be read: {error.strerror}.") from error
    return _taken_out(raw, path.name)


def read_attached(file: Attachment) -> tuple[bytes, tuple[str, ...]]:
    """What `read_bytes` gives, also of a member of a zip archive."""
    if not file.member:
        return read_bytes(file.path)
    most = min(INFLATED_LIMIT, psutil.virtual_memory().available // MEMORY_PER_BYTE)
    try:
        raw = file.read(most)
    except UnreadableAttachmentError as error:
        raise UnreadableData(f"{file.name} in {file.path.name} cannot be read: {error}.") from error
    return _taken_out(raw, file.name)


def _taken_out(raw: bytes, name: str) -> tuple[bytes, tuple[str, ...]]:
    """The bytes, unpacked where they are packed, and what was done."""
    packing = packed_as(raw)
    if packing is None:
        return raw, ()
    return unpack(raw, packing, name), (f"The file was unpacked ({packing}).",)


def packed_as(raw: bytes) -> str | None:
    """gz, bz2 or xz, as the first bytes say; None for anything else."""
    return next((name for magic, name in MAGIC.items() if raw.startswith(magic)), None)


def unpack(raw: bytes, packing: str, name: str) -> bytes:
    """The bytes that were packed, up to a limit."""
    parts, size = [], 0
    try:
        with _opened(raw, packing) as stream:
            while part := stream.read(CHUNK_BYTES):
                size += len(part)
                refuse_bomb(len(raw), size, name)
                parts.append(part)
    except UNPACKING_ERRORS as error:
        raise UnreadableData(
            f"The {packing} file {name} is damaged or cut off: it cannot be unpacked. Fetch or pack it again."
        ) from error
    refuse_too_large(size)
    return b"".join(parts)


def _opened(raw: bytes, packing: str) -> IO[bytes]:
    source = io.BytesIO(raw)
    if packing == "gz":
        return gzip.GzipFile(fileobj=source)  # type: ignore[return-value]
    return bz2.BZ2File(source) if packing == "bz2" else lzma.LZMAFile(source)


def refuse_bomb(packed: int, inflated: int, name: str, *, most: int | None = INFLATED_LIMIT) -> None:
    """Raise UnreadableData where unpacking gives absurdly much.

    most: bytes that are too many however they were packed; None where they are never unpacked all at once.
    """
    is_too_much = most is not None and inflated > most
    if is_too_much or (inflated > RATIO_MATTERS_ABOVE and inflated > RATIO_LIMIT * packed):
        raise UnreadableData(
            f"The file {name} of {packed / 1e6:,.1f} MB unpacks to more than {inflated / 1e6:,.0f} MB and is "
            "taken for a decompression bomb. Unpack it yourself if it is meant to be so."
        )


def refuse_zip_bomb(raw: bytes, name: str) -> list[str]:
    """The names in a zip archive; UnreadableData where it is damaged or would inflate absurdly."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = archive.infolist()
    except UNPACKING_ERRORS as error:
        raise UnreadableData(f"The file {name} is damaged or cut off: it cannot be unpacked.") from error
    refuse_bomb(len(raw), sum(member.file_size for member in members), name)
    return [member.filename for member in members]


def refuse_too_large(size: int, per_byte: int = MEMORY_PER_BYTE) -> None:
    """Raise UnreadableData where a text of so many bytes would not fit into the memory while it is read."""
    available = psutil.virtual_memory().available
    if size * per_byte > available:
        raise UnreadableData(
            f"Reading the file needs about {size * per_byte / 1e9:,.1f} GB of memory, and "
            f"{available / 1e9:,.1f} GB are free. Take a sample of its rows."
        )
