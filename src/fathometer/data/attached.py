"""Find columns whose cells name files, and put the files in their place.

A cell is text that somebody wrote, so it may name anything. A file is taken only if it lies, all links followed, below
the one folder that the user gave; whatever else a cell says stays text.
"""

from __future__ import annotations

import os
import posixpath
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

import pandas as pd

from fathometer.core.attachments import Attachment
from fathometer.data.listing import Entry, Listing, is_below, is_picture, is_text, list_folder
from fathometer.data.sentences import counted, short
from fathometer.data.table import Table
from fathometer.data.texts import read_texts
from fathometer.errors import UnreadableData

SAMPLE = 200
LONGEST_NAME = 1_000
SEARCH_LIMIT = 500_000
"""Files that are looked through for one that is not where a cell says."""

DISTINCT_SHARE = 0.9
"""Ids of pictures hardly ever repeat; ratings and counts do."""

LEFT = "left as text"
SHOWN = 5
PICTURE_FOLDERS = ("images", "image", "imgs", "img", "photos", "photo", "pictures", "pics")


class Files(ABC):
    """Where the files that cells name may lie."""

    title: str

    @abstractmethod
    def direct(self, cell: str) -> Attachment | None:
        """The file at just that place."""

    @cached_property
    @abstractmethod
    def entries(self) -> tuple[Entry, ...]:
        """All files there; empty where there are too many to look through."""

    def find(self, cell: str) -> Attachment | None:
        """The file a cell names: at that place, or the only one anywhere below with that name, in any case."""
        return self.direct(cell) or self._only_one(cell)

    def find_id(self, cell: str) -> Attachment | None:
        """The picture of an id: `images/123.jpg` of 123, where there is one folder of pictures only."""
        return self._of_ids.get(cell.lower())

    def _only_one(self, cell: str) -> Attachment | None:
        tail = posixpath.normpath(cell.replace("\\", "/")).lower()
        if tail.startswith(("/", "../")):
            return None
        found = [
            entry.attachment
            for entry in self._by_last.get(posixpath.basename(tail), [])
            if entry.name.lower() == tail or entry.name.lower().endswith(f"/{tail}")
        ]
        return found[0] if len(found) == 1 else None

    @cached_property
    def _by_last(self) -> Mapping[str, list[Entry]]:
        names: dict[str, list[Entry]] = {}
        for entry in self.entries:
            names.setdefault(entry.name.lower().rpartition("/")[2], []).append(entry)
        return names

    @cached_property
    def _of_ids(self) -> Mapping[str, Attachment]:
        if not self._may_have_ids():
            return {}
        folders: dict[str, dict[str, Attachment | None]] = {}
        for entry in self.entries:
            folder, _, last = entry.name.lower().rpartition("/")
            if is_picture(last) and _names_pictures(folder.rpartition("/")[2]):
                stems = folders.setdefault(folder, {})
                stem = last.rpartition(".")[0]
                stems[stem] = None if stem in stems else entry.attachment
        if len(folders) != 1:
            return {}
        (only,) = folders.values()
        return {stem: file for stem, file in only.items() if file is not None}

    def _may_have_ids(self) -> bool:
        return True


class FolderFiles(Files):
    """Files below a folder, links out of it excluded.

    inside: a folder below it in which the table itself lies; names are looked up from there first.
    """

    def __init__(self, base: Path, inside: str = "") -> None:
        self.title = str(base)
        self._base = os.path.realpath(base)
        self._starts = list(dict.fromkeys((os.path.join(self._base, inside), self._base)))  # noqa: PTH118
        self._folders: dict[str, Mapping[str, str]] = {}

    def direct(self, cell: str) -> Attachment | None:
        for start in self._starts:
            for name in dict.fromkeys((cell, cell.replace("\\", "/"))):
                folder, last = os.path.split(os.path.join(start, name))  # noqa: PTH118
                path = self._files_in(folder).get(last)
                if path is not None:
                    return Attachment(Path(path))
        return None

    def names(self) -> list[str]:
        """Of the files directly in the folder."""
        return list(self._files_in(self._base))

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        try:
            return list_folder(Path(self._base), SEARCH_LIMIT).entries
        except UnreadableData:
            return ()

    def _files_in(self, folder: str) -> Mapping[str, str]:
        """Name -> real path of the files in one folder that may be read; looked up once, for cells share folders."""
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = dict(self._scanned(folder))
        return known

    def _scanned(self, folder: str) -> Iterable[tuple[str, str]]:
        try:
            real = os.path.realpath(folder)
            if not is_below(real, self._base):
                return
            with os.scandir(real) as entries:
                for entry in entries:
                    path = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                    if entry.is_file() and is_below(path, self._base):
                        yield entry.name, path
        except (OSError, ValueError):  # no such folder, or a name that no folder can have
            return

    def _may_have_ids(self) -> bool:
        """Whether a look through all files is worth its time."""
        try:
            with os.scandir(self._base) as entries:
                return any(_names_pictures(entry.name.lower()) and entry.is_dir() for entry in entries)
        except OSError:
            return False


class ArchiveFiles(Files):
    """Members of an archive.

    inside: the folder in it in which the table lies; names are looked up from there first.
    """

    def __init__(self, listing: Listing, inside: str = "") -> None:
        self.title = listing.title
        self._listing = listing
        self._starts = list(dict.fromkeys((inside, "")))

    def direct(self, cell: str) -> Attachment | None:
        for start in self._starts:
            name = posixpath.normpath(posixpath.join(start, cell.replace("\\", "/")))
            if name in self._by_name:
                return self._by_name[name]
        return None

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        return self._listing.entries

    @cached_property
    def _by_name(self) -> Mapping[str, Attachment]:
        return {entry.name: entry.attachment for entry in self.entries}


def attach(table: Table, files: Files, encoding: str | None = None) -> Table:
    """The table with files in place of their names: pictures as `Attachment`, texts as what stands in them.

    Cells that name no file stay as they are, and a note says how many.
    """
    naming = Naming(table.frame, files, encoding)
    frame = naming.filled(table.frame)
    return replace(table, frame=frame, notes=(*table.notes, *naming.notes))


class Naming:
    """Which columns name files, as the first rows of a table say, and what became of the cells so far.

    frame: the whole table, or its first part.
    """

    def __init__(self, frame: pd.DataFrame, files: Files, encoding: str | None = None) -> None:
        self._encoding = encoding
        self._columns: list[_Named] = []
        self._notes: list[str] = []
        for name in frame.columns:
            is_named = _file_names(frame[name])
            if is_named is None:
                continue
            if _are_there(frame[name], is_named, files):
                fate = LEFT if is_named is is_picture else "taken as missing"
                self._columns.append(_Named(name, files.find, files.title, fate, is_named is is_text))
            elif is_named is is_picture:
                self._notes.append(
                    f"The cells of {name!r} look like names of pictures, but none of the first is below {files.title}. "
                    "Say where they are with --files FOLDER."
                )
        if not self._columns:
            name, share = _ids(frame, files)
            if share > 0.5:
                self._columns.append(_Named(name, files.find_id, files.title, LEFT, False))

    @property
    def names_files(self) -> bool:
        """Whether any column names files."""
        return bool(self._columns)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to say of the cells that were seen."""
        return (*self._notes, *(note for column in self._columns for note in column.notes))

    def filled(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with files in place of their names; the same frame where no column names any."""
        columns = {column.name: column.filled(frame[column.name], self._encoding) for column in self._columns}
        return frame.assign(**columns) if columns else frame


class _Named:
    """One column whose cells name files, and how many did."""

    def __init__(
        self, name: str, find: Callable[[str], Attachment | None], where: str, fate: str, is_text: bool
    ) -> None:
        self.name = name
        self._find, self._where, self._fate, self._is_text = find, where, fate, is_text
        self._found = self._lost = 0
        self._first_lost: list[str] = []
        self._about_texts: list[str] = []

    @property
    def notes(self) -> list[str]:
        one = f"names a file below {self._where}, which was put in its place"
        many = f"name files below {self._where}, which were put in their place"
        notes = [f"{counted(self._found, 'cell')} of {self.name!r} {one if self._found == 1 else many}."]
        if self._lost:
            verb = "names" if self._lost == 1 else "name"
            more = self._lost - len(self._first_lost)
            shown = ", ".join(self._first_lost) + (f" and {more:,} more" if more else "")
            notes.append(
                f"{counted(self._lost, 'cell')} of {self.name!r} {verb} no file below {self._where}, or not one alone; "
                f"{self._fate}: {shown}."
            )
        return notes + self._about_texts

    def filled(self, cells: pd.Series, encoding: str | None) -> pd.Series:
        """The column with files where cells name them, or what stands in them."""
        filled = []
        for cell in cells.astype(object):
            name = _as_name(cell)
            file = self._find(name) if name else None
            self._found += file is not None
            if file is None and not _is_absent(cell):
                self._lost += 1
                if len(self._first_lost) < SHOWN:
                    self._first_lost.append(short(str(cell), 60))
            filled.append(cell if file is None else file)
        if self._is_text:
            # a cell that is no file is missing, for its name is no text to learn from
            files = [cell if isinstance(cell, Attachment) else None for cell in filled]
            texts, notes = read_texts(files, encoding)
            self._about_texts += notes
            return pd.Series(texts, index=cells.index, name=cells.name, dtype="str")
        return pd.Series(filled, index=cells.index, name=cells.name, dtype=object)


def _are_there(cells: pd.Series, is_named: Callable[[str], bool], files: Files) -> bool:
    """Whether one picture is there; or most of the texts, for web pages are often named and seldom meant."""
    names = [name for name in map(_as_name, _sampled(cells)) if name and is_named(name)]
    if is_named is is_picture:
        return any(files.find(name) for name in names)
    return 2 * sum(files.find(name) is not None for name in names) > len(names)


def _file_names(cells: pd.Series) -> Callable[[str], bool] | None:
    """Whether most cells end as names of pictures, or of texts, do; None: neither."""
    if not _holds_text(cells):
        return None
    sample = _sampled(cells)
    names = [name for name in map(_as_name, sample) if name]
    for is_named in (is_picture, is_text):
        if 2 * sum(map(is_named, names)) > len(sample):
            return is_named
    return None


def _ids(frame: pd.DataFrame, files: Files) -> tuple[str, float]:
    """The column whose cells are best known as ids of pictures, and the share of them that are."""
    best = ("", 0.0)
    for name in frame.columns:
        cells = frame[name]
        if not (_holds_text(cells) or pd.api.types.is_integer_dtype(cells.dtype)):
            continue
        sample = [_as_name(cell) for cell in _sampled(cells)]
        if not sample or len(set(sample)) < DISTINCT_SHARE * len(sample):
            continue
        share = sum(bool(cell) and files.find_id(str(cell)) is not None for cell in sample) / len(sample)
        best = max(best, (name, share), key=lambda pair: pair[1])
    return best


def _holds_text(cells: pd.Series) -> bool:
    kind = cells.dtype
    may_hold = pd.api.types.is_object_dtype(kind) or pd.api.types.is_string_dtype(kind)
    return bool(may_hold) or isinstance(kind, pd.CategoricalDtype)


def _sampled(cells: pd.Series) -> list[Any]:
    """Some present cells, spread over the column."""
    present = cells.dropna()
    step = max(1, len(present) // SAMPLE)
    return [cell for cell in present.iloc[::step].head(SAMPLE) if not _is_absent(cell)]


def _as_name(cell: Any) -> str | None:
    """A cell as the name of a file; None where it cannot be one."""
    if isinstance(cell, bool) or not isinstance(cell, str | PurePath | int):
        return None
    name = str(cell).strip()
    return name if 0 < len(name) <= LONGEST_NAME and "\0" not in name and "://" not in name else None


def _is_absent(cell: Any) -> bool:
    if isinstance(cell, str):
        return not cell.strip()
    return cell is None or (pd.api.types.is_scalar(cell) and bool(pd.isna(cell)))


def _names_pictures(folder: str) -> bool:
    return folder.replace("-", "_").rpartition("_")[2] in PICTURE_FOLDERS
