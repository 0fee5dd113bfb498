"""The files of a folder or of a zip archive, by name. Nothing is opened, and nothing is unpacked."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fathometer.core.attachments import Attachment
from fathometer.data.sentences import counted, listed, told
from fathometer.data.unpacking import UNPACKING_ERRORS, refuse_bomb, refuse_too_large
from fathometer.errors import UnreadableData

PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
TEXTS = (".txt", ".text", ".html", ".htm")
TABLES = (
    *(".csv", ".tsv", ".psv", ".xlsx", ".xls", ".ods", ".parquet", ".feather", ".jsonl", ".ndjson"),
    *(".csv.gz", ".tsv.gz", ".jsonl.gz"),
)

FILE_LIMIT = 2_000_000
MEMORY_PER_DIRECTORY_BYTE = 16
"""Memory for the list of members, per byte of it in the archive, as measured on short names."""

RUBBISH = frozenset({"__macosx", "thumbs.db", "desktop.ini", "icon\r", "@eadir"})
"""What systems leave in folders without being asked; so is every name that begins with a dot."""

_DRIVE = re.compile("[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file. name: within the folder or archive, "/" between its parts; proper text, for people and for sorting."""

    name: str
    attachment: Attachment


@dataclass(frozen=True)
class Listing:
    """All files of a folder or an archive, by name; what nobody put there on purpose is not among them.

    root: the folder, without links in it, or the archive. notes: what was passed over.
    """

    root: Path
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """For people."""
        return self.root.name or str(self.root)


def is_picture(name: str) -> bool:
    """Whether the name ends as those of pictures do."""
    return name.lower().endswith(PICTURES)


def is_text(name: str) -> bool:
    """Whether the name ends as those of plain texts and web pages do."""
    return name.lower().endswith(TEXTS)


def is_table(name: str) -> bool:
    """Whether the name ends as those of tables do."""
    return name.lower().endswith(TABLES)


def list_folder(path: Path, most: int | None = None) -> Listing:
    """The files below a folder. Links that lead out of it, and links to folders, are passed over.

    Raises:
        UnreadableData: it may not be read, or holds more files than anyone means.
    """
    most = FILE_LIMIT if most is None else most
    root = os.path.realpath(path)
    found: list[Entry] = []
    passed: list[str] = []
    unread: list[str] = []
    waiting = [("", root)]
    while waiting:
        inside, place = waiting.pop()
        folder = Path(place)
        try:
            entries = list(os.scandir(place))
        except OSError as error:
            if not inside:
                raise UnreadableData(f"The folder {path} cannot be read: {error.strerror}.") from error
            unread.append(inside)
            continue
        for entry in entries:
            name = inside + _as_text(entry.name)
            if _is_rubbish(entry.name):
                continue
            if entry.is_symlink() and not _leads_to_file_below(entry.path, root):
                passed.append(name)
            elif entry.is_file():
                found.append(Entry(name, Attachment(folder / entry.name)))  # faster than a path from scratch
            elif entry.is_dir():
                waiting.append((f"{name}/", entry.path))
        if len(found) > most:
            raise _too_many(path.name or str(path), most)
    notes = _about(passed, "link", "to a folder, or out of the folder") + _about(
        unread, "folder", "that may not be read"
    )
    return Listing(Path(root), _sorted(found), notes)


def list_archive(path: Path) -> Listing:
    """The members of a zip archive, read from its directory.

    Raises:
        UnreadableData: it is damaged, protected by a password, or not what anyone means to learn from.
    """
    size = path.stat().st_size
    try:
        refuse_too_large(_directory_bytes(path, size), MEMORY_PER_DIRECTORY_BYTE)
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.filename.endswith("/")]
    except UNPACKING_ERRORS as error:
        raise UnreadableData(
            f"The file {path.name} is damaged or cut off: it cannot be unpacked. Fetch or pack it again."
        ) from error
    if len(members) > FILE_LIMIT:
        raise _too_many(path.name, FILE_LIMIT)
    # members are read one at a time, so that only an absurd ratio tells a bomb from many photos
    refuse_bomb(size, sum(member.file_size for member in members), path.name, most=None)
    return _sorted_out(path, members)


def without_names(listing: Listing, names: Iterable[str]) -> Listing:
    """The listing without these files."""
    left_out = set(names)
    kept = tuple(entry for entry in listing.entries if entry.name not in left_out)
    return Listing(listing.root, kept, listing.notes)


def _sorted_out(path: Path, members: list[zipfile.ZipInfo]) -> Listing:
    """Members that are files with a decent name and can be read without a password."""
    found: dict[str, Entry] = {}
    odd: list[str] = []
    locked: list[str] = []
    doubled: list[str] = []
    for member in members:
        name = _member_name(member)
        is_folder = name.endswith("/")  # written with the other slash
        if is_folder or any(_is_rubbish(part) for part in name.split("/") if part not in (".", "..")):
            continue
        if _is_odd(name) or stat.S_ISLNK(member.external_attr >> 16):
            odd.append(name)
        elif member.flag_bits & 1:
            locked.append(name)
        else:
            if name in found:
                doubled.append(name)
            found[name] = Entry(name, Attachment(path, member.filename))
    if locked and not found:
        raise UnreadableData(
            f"The zip archive {path.name} is protected by a password. Unpack it yourself and give the folder."
        )
    notes = (
        *_about(odd, "member", "of the archive that is a link or has a path out of it"),
        *_about(locked, "member", "of the archive protected by a password"),
        *_about(doubled, "member", "of the archive with the name of a later one"),
    )
    return Listing(path, _sorted(found.values()), notes)


def _member_name(member: zipfile.ZipInfo) -> str:
    """As its maker meant it: many write UTF-8 without saying so, some write the other slash."""
    name = member.filename
    if not member.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return _as_text(name.replace("\\", "/"))


def _is_odd(name: str) -> bool:
    parts = name.split("/")
    return not parts[0] or ".." in parts or bool(_DRIVE.match(name))


def _is_rubbish(part: str) -> bool:
    return part.startswith(".") or part.lower() in RUBBISH


def _leads_to_file_below(path: str, root: str) -> bool:
    real = os.path.realpath(path)
    return is_below(real, root) and os.path.isfile(real)  # noqa: PTH113


def is_below(path: str, root: str) -> bool:
    """Whether a path lies in a folder; both without links in them."""
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def _as_text(name: str) -> str:
    """A file's name that was not written as UTF-8, read as Windows wrote it."""
    if name.isascii():
        return name
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    return name


def _sorted(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.name))


def _about(names: list[str], noun: str, which: str) -> tuple[str, ...]:
    return (told(len(names), noun, which, f"passed over: {listed(map(repr, names))}"),) if names else ()


def _too_many(name: str, most: int) -> UnreadableData:
    return UnreadableData(
        f"Expected at most {counted(most, 'file')}, but {name} holds more. Name the folder with those to learn from."
    )


def _directory_bytes(path: Path, size: int) -> int:
    """How large the archive's list of members is, which must be known before it is read; 0: the end is not found."""
    with path.open("rb") as stream:
        stream.seek(max(0, size - 65_557))  # a remark of up to 65,535 bytes may follow
        tail = stream.read()
    return min(size, max(_ends(tail), default=0))  # it may say anything


def _ends(tail: bytes) -> Iterator[int]:
    """Size of the list as any record of an archive's end says it, old or with 64 bits."""
    for magic, start, length in ((b"PK\x05\x06", 12, 4), (b"PK\x06\x06", 40, 8)):
        place = tail.rfind(magic)
        if place >= 0 and (
            said := int.from_bytes(tail[place + start : place + start + length], "little")
        ) != ((1 << 8 * length) - 1):
            yield said
