"""The directory of a zip file, read so that no byte of the file is unaccounted for.

Entries lie one after the other from the first byte to the directory, the directory ends at the record of its end, and
that record ends the file: nothing before, between, over each other, or after. Each entry's two descriptions agree.
The format: PKWARE, APPNOTE.TXT 6.3.10, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

STORED, DEFLATED = 0, 8
PACKED_FLAG_BITS = 0b110  # how hard the packer tried
SIZES_FOLLOW = 1 << 3
IS_UTF8 = 1 << 11
ALLOWED_FLAGS = PACKED_FLAG_BITS | SIZES_FOLLOW | IS_UTF8
ZIP64, UNIX_LINK, OTHER_NAME = 0x0001, 0x000D, 0x7075
UNIX_LINK_FIXED = 12  # bytes of that extra; what follows is where a link leads
DOS_FOLDER, DOS_ODD = 0x10, 0x08 | 0x40 | 0x400  # a disk's label, a device, a link
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF
DIRECTORY_BYTES_PER_FILE = 1_500

END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR64 = struct.Struct("<4sLQL")
CENTRAL = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")


class ZipFault(Exception):
    """Why a zip file is refused: a clause."""


@dataclass(frozen=True)
class Entry:
    """A file or folder in the archive. start: of its local header. packed, size: bytes, as the directory says."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    start: int
    mode: int

    @property
    def is_folder(self) -> bool:
        """Whether it is only a place."""
        return self.name.endswith("/")


def read_entries(stream: IO[bytes], size: int, most: int) -> list[Entry]:
    """All entries, in the order of the directory.

    Args:
        size: of the whole file. most: files that are allowed.

    Raises:
        ZipFault: it is no zip file, or one that two readers may see differently.
    """
    count, directory_size, start, ends = _end(stream, size)
    if count > 2 * most:  # folders may have entries too
        raise ZipFault(f"it holds {count:,} files, and at most {most:,} are allowed")
    if start + directory_size != ends or directory_size > DIRECTORY_BYTES_PER_FILE * max(count, 1):
        raise ZipFault("its directory is not where or as large as it says")
    stream.seek(start)
    entries = list(_entries(stream.read(directory_size), count))
    if sum(not entry.is_folder for entry in entries) > most:
        raise ZipFault(f"it holds more than {most:,} files")
    _check_layout(stream, entries, start)
    return entries


def data_start(stream: IO[bytes], entry: Entry) -> int:
    """Where an entry's bytes begin; its local header must say what the directory says.

    Raises:
        ZipFault: it does not.
    """
    stream.seek(entry.start)
    raw = stream.read(LOCAL.size)
    if len(raw) < LOCAL.size:
        raise ZipFault(f"{entry.name!r} is cut off")
    magic, _, flags, method, _, _, checksum, packed, size, name_size, extra_size = LOCAL.unpack(raw)
    name, extra = stream.read(name_size), stream.read(extra_size)
    if magic != b"PK\x03\x04" or (flags, method, name) != (entry.flags, entry.method, entry.raw_name):
        raise ZipFault(f"{entry.name!r} is described in two ways")
    fields = _extra(extra, entry.name)
    told = (checksum, *_long(fields.get(ZIP64), (size, packed), entry.name, is_exact=False))
    known = (entry.checksum, entry.size, entry.packed)
    may_be_empty = bool(flags & SIZES_FOLLOW)
    if told != known and not (may_be_empty and told == (0, 0, 0)):
        raise ZipFault(f"{entry.name!r} is described in two ways")
    return entry.start + LOCAL.size + len(name) + len(extra)


def _end(stream: IO[bytes], size: int) -> tuple[int, int, int, int]:
    """(entries, bytes of the directory, its start, where it must end)."""
    if size < END.size:
        raise ZipFault("it is no zip file")
    stream.seek(size - END.size)
    magic, disk, first, here, count, directory_size, start, remark = END.unpack(stream.read(END.size))
    if magic != b"PK\x05\x06" or remark:
        raise ZipFault("it is no zip file, or cut off, or something follows its end")
    if (disk, first) != (0, 0) or here != count:
        raise ZipFault("it is one of several parts")
    is_long = count == FULL16 or directory_size == FULL32 or start == FULL32
    before = _end64(stream, size) if is_long else None
    if before is None:
        return count, directory_size, start, size - END.size
    for short, long, full in zip(
        (count, directory_size, start), before, (FULL16, FULL32, FULL32), strict=True
    ):
        if short not in (full, long):
            raise ZipFault("its end is described in two ways")
    return *before, size - END.size - LOCATOR64.size - END64.size


def _end64(stream: IO[bytes], size: int) -> tuple[int, int, int]:
    place = size - END.size - LOCATOR64.size - END64.size
    if place < 0:
        raise ZipFault("it is cut off")
    stream.seek(place)
    raw = stream.read(END64.size + LOCATOR64.size)
    magic, length, _, _, disk, first, here, count, directory_size, start = END64.unpack(raw[: END64.size])
    locator, on_disk, said, disks = LOCATOR64.unpack(raw[END64.size :])
    is_sound = magic == b"PK\x06\x06" and locator == b"PK\x06\x07" and length == END64.size - 12
    if not is_sound or said != place or (on_disk, disk, first) != (0, 0, 0) or disks != 1 or here != count:
        raise ZipFault("the long form of its end is not what it should be")
    return count, directory_size, start


def _entries(raw: bytes, count: int) -> Iterator[Entry]:
    place = 0
    for _ in range(count):
        if len(raw) - place < CENTRAL.size:
            raise ZipFault("its directory is cut off")
        parts = CENTRAL.unpack_from(raw, place)
        name_size, extra_size, remark = parts[10:13]
        begin = place + CENTRAL.size
        name, extra = raw[begin : begin + name_size], raw[begin + name_size : begin + name_size + extra_size]
        place = begin + name_size + extra_size + remark
        if parts[0] != b"PK\x01\x02" or place > len(raw):
            raise ZipFault("its directory is damaged")
        yield _entry(parts, name, extra)
    if place != len(raw):
        raise ZipFault("its directory holds more than its entries")


def _entry(parts: tuple[int, ...], raw_name: bytes, extra: bytes) -> Entry:
    _, _, _, flags, method, _, _, checksum, packed, size, _, _, _, disk, _, outside, start = parts
    name = _name(raw_name, flags)
    if flags & ~ALLOWED_FLAGS:
        raise ZipFault(f"{name[:80]!r} is encrypted, or packed in a way that is not known")
    if method not in (STORED, DEFLATED):
        raise ZipFault(f"{name[:80]!r} is packed in a way ({method}) that is not known")
    fields = _extra(extra, name)
    size, packed, start = _long(fields.get(ZIP64), (size, packed, start), name, is_exact=True)
    if disk:
        raise ZipFault(f"{name[:80]!r} lies in another part")
    if method == STORED and size != packed:
        raise ZipFault(f"{name[:80]!r} is stored, and has two sizes")
    entry = Entry(name, raw_name, flags, method, checksum, packed, size, start, outside >> 16)
    _check_type(entry, outside & FULL16, fields)
    return entry


def _name(raw: bytes, flags: int) -> str:
    try:
        return raw.decode("utf-8" if flags & IS_UTF8 else "ascii")
    except UnicodeDecodeError:
        raise ZipFault(f"it holds a name that cannot be read ({raw[:40]!r})") from None


def _extra(raw: bytes, name: str) -> dict[int, bytes]:
    """Further facts of an entry, by number."""
    found: dict[int, bytes] = {}
    place = 0
    while place < len(raw):
        if len(raw) - place < 4:
            raise ZipFault(f"{name[:80]!r} has facts that are cut off")
        number, length = struct.unpack_from("<2H", raw, place)
        if number in found or len(raw) - place - 4 < length:
            raise ZipFault(f"{name[:80]!r} has facts that are cut off, or said twice")
        found[number] = raw[place + 4 : place + 4 + length]
        place += 4 + length
    if OTHER_NAME in found:
        raise ZipFault(f"{name[:80]!r} has a second name")
    if len(found.get(UNIX_LINK, b"")) > UNIX_LINK_FIXED:
        raise ZipFault(f"{name[:80]!r} is a link or a device")
    return found


def _long(field: bytes | None, short: tuple[int, ...], name: str, *, is_exact: bool) -> tuple[int, ...]:
    """Sizes and places, those that did not fit taken from the long field.

    is_exact: the field may hold nothing else; in a local header it holds both sizes whether they fit or not.
    """
    wanted = [position for position, number in enumerate(short) if number == FULL32]
    if field is None:
        return short
    told = struct.unpack(f"<{len(field) // 8}Q", field[: len(field) // 8 * 8])
    if len(field) % 8 or (
        len(told) != len(wanted) if is_exact or wanted else len(told) not in (0, len(short))
    ):
        raise ZipFault(f"{name[:80]!r} is described in two ways")
    if not wanted:
        if told and told != short:
            raise ZipFault(f"{name[:80]!r} is described in two ways")
        return short
    values = list(short)
    for position, number in zip(wanted, told, strict=True):
        values[position] = number
    return tuple(values)


def _check_type(entry: Entry, dos: int, fields: dict[int, bytes]) -> None:
    """Plain files and folders only; no mode under which a file would run as another user."""
    kind, special = stat.S_IFMT(entry.mode), entry.mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX)
    wanted = stat.S_IFDIR if entry.is_folder else stat.S_IFREG
    if (
        kind not in (0, wanted)
        or special
        or dos & DOS_ODD
        or (bool(dos & DOS_FOLDER) and not entry.is_folder)
    ):
        raise ZipFault(f"{entry.name[:80]!r} is a link or a device, or has a mode that no model's file has")
    if entry.is_folder and (entry.size or entry.packed or entry.checksum):
        raise ZipFault(f"{entry.name[:80]!r} is a folder with contents of its own")


def _check_layout(stream: IO[bytes], entries: list[Entry], directory: int) -> None:
    """Entries must follow one another without a gap, from the first byte to the directory."""
    ordered = sorted(entries, key=lambda entry: entry.start)
    starts = [*(entry.start for entry in ordered), directory]
    if starts[0] != 0:
        raise ZipFault("something stands before its first file")
    for entry, following in zip(ordered, starts[1:], strict=True):
        if entry.start + LOCAL.size > following:
            raise ZipFault(f"{entry.name[:80]!r} lies over another file")
        ends = data_start(stream, entry) + entry.packed
        gap = following - ends
        if gap < 0:
            raise ZipFault(f"{entry.name[:80]!r} lies over another file")
        if gap and not (entry.flags & SIZES_FOLLOW and _is_told_after(stream, entry, ends, gap)):
            raise ZipFault(f"something lies between its files, after {entry.name[:80]!r}")


def _is_told_after(stream: IO[bytes], entry: Entry, place: int, length: int) -> bool:
    """Whether these bytes are an entry's checksum and sizes, as they follow data that was packed in one go."""
    if length > 24:
        return False
    stream.seek(place)
    raw = stream.read(length)
    short = struct.pack("<3L", entry.checksum, entry.packed & FULL32, entry.size & FULL32)
    long = struct.pack("<L2Q", entry.checksum, entry.packed, entry.size)
    return raw in (short, long, b"PK\x07\x08" + short, b"PK\x07\x08" + long)
