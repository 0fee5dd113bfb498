"""A model folder as one zip file: equal bytes for equal folders, and unpacked by a reader that trusts nothing.

The reader is our own, for what one reader of zip takes and another does not see is how files are smuggled: every byte
of the file belongs to exactly one entry, and both places that describe an entry must agree.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from fathometer.bundle.format import MANIFEST, Limits, fault_of_name, fault_of_names, role_of
from fathometer.bundle.manifest import CHUNK_BYTES, open_plain
from fathometer.bundle.zip_reading import DEFLATED, Entry, ZipFault, data_start, read_entries
from fathometer.core.files import drafted, writing_to
from fathometer.errors import BadBundle, UserError

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest that zip can say
PACKED_ENDINGS = (".json", ".txt", ".md", "LICENSE", "LICENCE", "NOTICE")
MOST_PACKED = 64  # times smaller; what packs better is stored, or it would look like a bomb
OVERHEAD_BYTES = 2_000  # per file, of both its headers


def write_zip(folder: Path, path: Path) -> None:
    """Write a folder as one zip file, whole or not at all; equal folders give equal bytes.

    Numbers are stored as they are, for they hardly pack; text is packed.

    Raises:
        UserError: it cannot be written.
    """
    names = sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file())
    with (
        writing_to(path.parent, "Make room there, or write the model elsewhere."),
        drafted(path) as stream,
        zipfile.ZipFile(stream, "w", allowZip64=True) as archive,
    ):
        for name in names:
            _add(archive, folder / name, name)


def unpack(path: Path, limits: Limits) -> Path:
    """Unpack a zip file into a fresh folder that only this user can read; the caller removes it.

    Names, links, modes, sizes and checksums are checked before and while a byte is written; what the files mean is not.

    Raises:
        BadBundle: it is damaged, or not as a model is packed.
        UserError: there is no room for it.
    """
    place: Path | None = None
    try:
        with open_plain(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            entries = _checked(read_entries(stream, size, limits.files), size, limits)
            place = _fresh_folder(sum(entry.size for entry in entries), path)
            with writing_to(place, "Make room there, or set TMPDIR to a folder that has room."):
                for entry in entries:
                    _unpack_one(stream, entry, place, limits)
        return place
    except BaseException as error:
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)
        if isinstance(error, ZipFault | zlib.error):
            raise BadBundle(f"{path} cannot be opened as a model: {error}. Copy or make it again.") from error
        if isinstance(error, OSError):
            raise BadBundle(f"{path} cannot be read: {error.strerror or error}.") from error
        raise


def _add(archive: zipfile.ZipFile, source: Path, name: str) -> None:
    described = zipfile.ZipInfo(name, LONG_AGO)
    described.create_system = 3
    described.external_attr = (stat.S_IFREG | 0o644) << 16
    described.file_size = source.stat().st_size
    packs = name.endswith(PACKED_ENDINGS) and _packs_decently(source)
    described.compress_type = zipfile.ZIP_DEFLATED if packs else zipfile.ZIP_STORED
    with source.open("rb") as stream, archive.open(described, "w") as there:
        shutil.copyfileobj(stream, there, CHUNK_BYTES)


def _packs_decently(source: Path) -> bool:
    """Whether packing does not shrink it so much that opening it would be refused."""
    with source.open("rb") as stream:
        packer, packed, size = zlib.compressobj(1, zlib.DEFLATED, -15), 0, 0
        while part := stream.read(CHUNK_BYTES):
            packed += len(packer.compress(part))
            size += len(part)
    return size <= MOST_PACKED * (packed + len(packer.flush()))


def _checked(entries: Sequence[Entry], size: int, limits: Limits) -> list[Entry]:
    """The files of an archive; folders need none of their own.

    Raises:
        ZipFault: one may not be in it.
    """
    files = [entry for entry in entries if not entry.is_folder]
    total = sum(entry.size for entry in files)
    if max(total, size - OVERHEAD_BYTES * len(entries)) > limits.total_size:
        raise ZipFault(
            f"it unpacks to {max(total, size):,} bytes, and at most {limits.total_size:,} are allowed"
        )
    for entry in entries:
        name = entry.name[:-1] if entry.is_folder else entry.name
        fault = fault_of_name(name, limits)
        if fault:
            raise ZipFault(f"it holds {name[:80]!r}, which cannot be: {fault}")
    # an entry of a folder says that it is there, which is no second one of that name
    fault = fault_of_names(f"{entry.name}." if entry.is_folder else entry.name for entry in entries)
    if fault:
        raise ZipFault(f"it holds {fault}")
    for entry in files:
        if entry.name != MANIFEST and role_of(entry.name) is None:
            raise ZipFault(f"it holds {entry.name[:80]!r}, and no file of a model lies there")
    if MANIFEST not in {entry.name for entry in files}:
        raise ZipFault(f"there is no {MANIFEST} at its top")
    return files


def _fresh_folder(total: int, path: Path) -> Path:
    try:
        place = Path(tempfile.mkdtemp(prefix="fathometer-"))  # which nobody else may read or write
    except OSError as error:
        raise UserError(
            f"{path} needs a folder to be unpacked in: {error.strerror}. Set TMPDIR to one that can be written."
        ) from error
    free = shutil.disk_usage(place).free
    if total > free:
        place.rmdir()
        raise UserError(
            f"{path} unpacks to {total:,} bytes, and {free:,} are free in {place.parent}. "
            "Make room there, or set TMPDIR to a folder that has room."
        )
    return place


def _unpack_one(stream: IO[bytes], entry: Entry, place: Path, limits: Limits) -> None:
    """Write one file, counting what comes out, for headers lie."""
    there = place / entry.name
    there.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    stream.seek(data_start(stream, entry))
    packer = zlib.decompressobj(-15) if entry.method == DEFLATED else None
    left, written, checksum = entry.packed, 0, 0
    number = os.open(there, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(number, "wb") as out:
        while left:
            packed = stream.read(min(CHUNK_BYTES, left))
            if not packed:
                raise ZipFault(f"{entry.name!r} is cut off")
            left -= len(packed)
            waiting = packed
            while waiting:
                part = waiting if packer is None else packer.decompress(waiting, CHUNK_BYTES)
                waiting = b"" if packer is None else packer.unconsumed_tail
                written += len(part)
                checksum = zlib.crc32(part, checksum)
                _refuse_bomb(entry, written, entry.packed - left, limits)
                out.write(part)
            if packer is not None and packer.unused_data:
                raise ZipFault(f"{entry.name!r} holds something after its end")
        if packer is not None and not packer.eof:
            raise ZipFault(f"{entry.name!r} is cut off")
    if written != entry.size or checksum != entry.checksum:
        raise ZipFault(f"{entry.name!r} is not of the size or checksum that is said of it")


def _refuse_bomb(entry: Entry, written: int, packed: int, limits: Limits) -> None:
    if written > entry.size:
        raise ZipFault(f"{entry.name!r} unpacks to more than the {entry.size:,} bytes that are said of it")
    if written > limits.ratio_from and written > limits.ratio * packed:
        raise ZipFault(
            f"{entry.name!r} unpacks to more than {limits.ratio} times its size and is taken for a decompression bomb"
        )
