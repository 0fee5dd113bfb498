"""The texts in attached files, as cells."""

from __future__ import annotations

from collections.abc import Sequence

import psutil

from fathometer.core.attachments import Attachment, UnreadableAttachmentError
from fathometer.data.encodings import decode
from fathometer.data.sentences import listed, told
from fathometer.errors import UnreadableData

TEXT_LIMIT = 50_000_000
"""Bytes of one text; whatever is longer is a collection of texts, and no cell."""

MEMORY_PER_BYTE = 3


def read_texts(
    files: Sequence[Attachment | None], encoding: str | None = None
) -> tuple[list[str | None], tuple[str, ...]]:
    """Each file's text, decoded; None where there is no file or no text in it, and what was decided.

    Raises:
        UnreadableData: all of them together do not fit into the memory.
        UnknownName: there is no such encoding.
    """
    decode(b"", encoding)  # an encoding that does not exist is said at once
    room = psutil.virtual_memory().available // MEMORY_PER_BYTE
    texts: list[str | None] = []
    unread: list[str] = []
    guessed: list[str] = []
    for file in files:
        if file is None:
            texts.append(None)
            continue
        try:
            raw = file.read(TEXT_LIMIT)
            text = decode(raw, encoding)
        except (UnreadableAttachmentError, UnreadableData) as error:
            texts.append(None)
            unread.append(f"{file.name} ({_clause(error)})")
            continue
        room -= len(raw)
        if room < 0:
            raise UnreadableData(
                "The texts do not fit into the memory that is free. Take a sample of the files."
            )
        if encoding is None and text.encoding not in ("utf-8", "utf-8-sig"):
            guessed.append(f"{file.name} ({text.encoding})")
        texts.append(text.data.decode("utf-8"))
    notes = _about(unread, "that cannot be read", "taken as missing")
    return texts, notes + _about(guessed, "not written as UTF-8", "read in the likeliest encoding")


def _clause(error: Exception) -> str:
    return str(error) if isinstance(error, UnreadableAttachmentError) else "it is no text"


def _about(names: list[str], which: str, done: str) -> tuple[str, ...]:
    return (told(len(names), "text", which, f"{done}: {listed(names)}"),) if names else ()
