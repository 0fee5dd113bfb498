"""A folder or an archive of files as a table: one row per file, and the name of its folder as its class.

photos/daisy/1.jpg          picture | class
photos/rose/2.jpg     -->   1.jpg   | daisy
                            2.jpg   | rose
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from fathometer.core.attachments import Attachment
from fathometer.data.listing import Entry, Listing, is_picture, is_table, is_text
from fathometer.data.sentences import counted, listed, told
from fathometer.data.table import Table
from fathometer.data.texts import read_texts
from fathometer.errors import UnreadableData

PICTURE, TEXT, CLASS = "picture", "text", "class"

UNLABELLED = frozenset({"unsup", "unlabeled", "unlabelled"})
"""Folders beside the classes that are none, as the Large Movie Review Dataset has one."""

LOOSE_SHARE = 0.1
"""Up to this share of files may lie beside a folder that wraps all the others (a licence, a word list)."""

_PART = re.compile(
    r"(?:\w*[_-])?(?P<part>train|test|valid|validation|val|dev|eval|pred)(?:ing)?(?:[_ -]?(?:set|data))?\d*",
    re.IGNORECASE,
)


_LABELS = re.compile(r"labels?|train(?:ing)?(?:[_-]?labels?)?", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """How files lie in their folders.

    classes: (entries,) the name of each file's class folder; None where there are no class folders.
    """

    entries: tuple[Entry, ...]
    classes: tuple[str, ...] | None
    notes: tuple[str, ...] = ()


def media_of(listing: Listing) -> tuple[Entry, ...]:
    """The pictures of a listing, or its texts where these are more."""
    pictures = tuple(entry for entry in listing.entries if is_picture(entry.name))
    texts = tuple(entry for entry in listing.entries if is_text(entry.name))
    return texts if len(texts) > len(pictures) else pictures


def table_among(listing: Listing, media: Sequence[Entry]) -> Entry | None:
    """The one table of a listing, or of several the one that is named as labels are; None: it is one of files.

    A text that is alone, or a file without an ending, is taken for a table.

    Raises:
        UnreadableData: there are several tables, and no class folders either.
    """
    entries = listing.entries
    if len(entries) == 1 and _may_be_table(entries[0].name):
        return entries[0]
    tables = [entry for entry in entries if is_table(entry.name)]
    labels = [
        entry for entry in tables if _LABELS.fullmatch(posixpath.basename(entry.name).partition(".")[0])
    ]
    if len(tables) < 2 or len(labels) == 1:
        return next(iter(labels or tables), None)
    if media and layout_of(media).classes is not None:
        return None
    raise UnreadableData(
        f"Expected one table in {listing.title}, but there are {len(tables):,}: "
        f"{listed(repr(entry.name) for entry in tables)}. Name the one to read, unpacked if it lies in an archive."
    )


def files_as_table(listing: Listing, encoding: str | None = None) -> Table:
    """One row per picture (or text), with its class where the files lie in class folders.

    encoding: of the texts; found out for each unless given.

    Raises:
        UnreadableData: there are neither pictures nor texts.
        UnknownName: there is no such encoding.
    """
    media = media_of(listing)
    if not media:
        raise nothing_in(listing)
    layout = layout_of(media)
    frame, notes = frame_of_files(layout.entries, encoding)
    if layout.classes is not None:
        frame[CLASS] = pd.Series(layout.classes, dtype="str")
    return Table(
        frame,
        (*listing.notes, *layout.notes, *about_others(listing, media), *notes),
        listing.title,
        target=None if layout.classes is None else CLASS,
        row_names=tuple(entry.name for entry in layout.entries),
    )


def layout_of(media: Sequence[Entry]) -> Layout:
    """Find the class folders: what wraps them is taken off, and of parts to train and to test the first is taken."""
    return _below(tuple(media), "")


def _may_be_table(name: str) -> bool:
    ending = posixpath.splitext(name)[1].lower()
    return is_table(name) or is_text(name) or ending in ("", ".data", ".dat", ".json", ".tab")


def _below(media: tuple[Entry, ...], prefix: str) -> Layout:
    """The layout of files that all lie below `prefix`."""
    folders = Counter(_first(entry, prefix) for entry in media)
    loose = folders.pop("", 0)
    if len(folders) == 1 and loose <= LOOSE_SHARE * len(media):
        only = next(iter(folders))
        return _inside(media, prefix, only)
    train = _part_to_train(folders)
    if train is not None:
        taken = _inside(media, prefix, train)
        if taken.classes is not None:
            parts = [
                f"{name!r} ({counted(count, 'file')})" for name, count in folders.items() if name != train
            ]
            told_of = (
                f"The part {train!r} was read. Left for you to test with (fathom predict): {listed(parts)}."
            )
            return Layout(taken.entries, taken.classes, (*taken.notes, told_of))
        parts_alone = (
            f"The folders {listed(folders)} are parts to train and to test with, and hold no two classes."
        )
        return Layout(media, None, (parts_alone,))
    if len(folders) > 1 and 2 * loose <= len(media):
        return _classes(media, prefix)
    one = f"All files lie in one folder, {prefix[:-1]!r}, so that they have no classes."
    return Layout(media, None, (one,) if prefix else ())


def _inside(media: tuple[Entry, ...], prefix: str, folder: str) -> Layout:
    inner = f"{prefix}{folder}/"
    inside = tuple(entry for entry in media if entry.name.startswith(inner))
    layout = _below(inside, inner)
    beside = [entry for entry in media if "/" not in entry.name[len(prefix) :]]
    return Layout(layout.entries, layout.classes, _about_loose(beside) + layout.notes)


def _classes(media: tuple[Entry, ...], prefix: str) -> Layout:
    """Every folder below the prefix is a class."""
    named = [(entry, _first(entry, prefix)) for entry in media]
    beside = [entry for entry, name in named if not name]
    unlabelled = [entry for entry, name in named if name.lower() in UNLABELLED]
    known = [(entry, name) for entry, name in named if name and name.lower() not in UNLABELLED]
    labels = tuple(name for _, name in known)
    counts = Counter(labels)
    note = f"Each of the {len(counts)} folders is a class: {listed(counts, 10)}."
    if len(counts) < 2:
        raise UnreadableData(
            f"Expected at least two class folders, but the only one with a name is {labels[0]!r}. Put the files of "
            "each class into a folder of its own."
        )
    return Layout(
        tuple(entry for entry, _ in known),
        labels,
        (note, *_about_loose(beside), *_about_unlabelled(unlabelled)),
    )


def _part_to_train(folders: Counter[str]) -> str | None:
    """The one folder to train with, where all folders are parts such as train, valid and test."""
    matched = {name: _PART.fullmatch(name) for name in folders}
    parts = {name: match["part"].lower() for name, match in matched.items() if match is not None}
    if len(parts) < len(folders) or len(folders) < 2:
        return None
    train = [name for name, part in parts.items() if part == "train"]
    return train[0] if len(train) == 1 else None


def _first(entry: Entry, prefix: str) -> str:
    """The name of the folder below the prefix in which a file lies, however deep; empty for none."""
    end = entry.name.find("/", len(prefix))
    return "" if end < 0 else entry.name[len(prefix) : end]


def about_others(listing: Listing, media: Sequence[Entry]) -> tuple[str, ...]:
    """What to say of files that are no pictures, or no texts."""
    known = {entry.name for entry in media}
    others = [repr(entry.name) for entry in listing.entries if entry.name not in known]
    which = f"beside the {noun_of(media)}s"
    return (told(len(others), "file", which, f"left out: {listed(others)}"),) if others else ()


def noun_of(media: Sequence[Entry]) -> str:
    """What each of these files is."""
    return PICTURE if is_picture(media[0].name) else TEXT


def frame_of_files(
    entries: Sequence[Entry], encoding: str | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """One row per file, and what was decided: pictures are read when they are needed, texts at once."""
    files: list[Attachment | None] = [entry.attachment for entry in entries]
    if noun_of(entries) == PICTURE:
        return pd.DataFrame({PICTURE: pd.Series(files, dtype=object)}), ()
    texts, notes = read_texts(files, encoding)
    return pd.DataFrame({TEXT: pd.Series(texts, dtype="str")}), notes


def _about_loose(entries: Sequence[Entry]) -> tuple[str, ...]:
    names = [repr(entry.name) for entry in entries]
    return (told(len(names), "file", "beside the folders", f"left out: {listed(names)}"),) if names else ()


def _about_unlabelled(entries: Sequence[Entry]) -> tuple[str, ...]:
    if not entries:
        return ()
    return (told(len(entries), "file", "in a folder that says it is no class", "left out"),)


def nothing_in(listing: Listing) -> UnreadableData:
    """What to raise where there are neither a table nor pictures nor texts."""
    what = f"Expected a table, pictures, or texts (.txt, .html) in {listing.title}"
    if not listing.entries:
        return UnreadableData(f"{what}, but it is empty. " + " ".join(listing.notes))
    names = listed((repr(entry.name) for entry in listing.entries), 3)
    return UnreadableData(
        f"{what}, but it holds {counted(len(listing.entries), 'file')} of other kinds: {names}."
    )
