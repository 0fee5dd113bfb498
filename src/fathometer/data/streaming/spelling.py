"""How a text that does not fit into the memory is spelled, and its UTF-8: what `encodings.decode` gives, in pieces."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from fathometer.data.encodings import (
    BYTE_ORDER_MARKS,
    CONTROLS_TO_WINDOWS,
    REPLACEMENT,
    SAMPLE_BYTES,
    STRAYS_TO_WINDOWS,
    WIDE_SAMPLE,
    WINDOWS_AS_CONTROLS,
    about_guess,
    about_marked,
    about_repairs,
    about_strays,
    about_wide,
    encoding_named,
    is_mostly_utf8,
    likeliest,
    not_in,
    refuse_binary,
    wide_without_mark,
)
from fathometer.errors import UnreadableData

PIECE_BYTES = 1 << 23
LINE_LIMIT = 1 << 28
"""Bytes of one line; whoever writes a longer one has forgotten the line ends."""

Chunks = Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Spelling:
    """How bytes become text.

    encoding: as Python names it. errors: what becomes of bytes that are none of it: strict, replace or strays (read as
        Windows-1252). is_windows: whether control characters are Windows punctuation. is_plain: UTF-8 as it is.
    """

    encoding: str
    errors: str = "strict"
    nulls: int = 0
    is_windows: bool = False
    is_plain: bool = False
    notes: tuple[str, ...] = ()

    def utf8(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The text as UTF-8, without byte-order mark and NUL characters, cut anywhere."""
        parts = chunks if self.is_plain else (self._encoded(text) for text in texts(chunks, self))
        start: bytes | None = b""
        for part in parts:
            if start is not None:
                start += part
                if len(start) < len(codecs.BOM_UTF8):
                    continue
                part, start = start.removeprefix(codecs.BOM_UTF8), None
            yield part
        if start:
            yield start

    def _encoded(self, text: str) -> bytes:
        if self.nulls:
            text = text.replace("\0", "")
        if self.is_windows:
            text = text.translate(CONTROLS_TO_WINDOWS)
        return text.encode("utf-8", "replace")


def texts(chunks: Iterable[bytes], spelling: Spelling) -> Iterator[str]:
    """The text as it is spelled, unrepaired, cut anywhere."""
    is_strayed = spelling.errors == "strays"
    decoder = codecs.getincrementaldecoder(spelling.encoding)(
        "surrogateescape" if is_strayed else spelling.errors
    )
    for chunk in chunks:
        text = decoder.decode(chunk)
        yield text.translate(STRAYS_TO_WINDOWS) if is_strayed else text
    text = decoder.decode(b"", True)
    yield text.translate(STRAYS_TO_WINDOWS) if is_strayed else text


def find_spelling(chunks: Chunks, wanted: str | None = None) -> Spelling:
    """How the text is spelled; its bytes are gone through once, or a few times where they are not plain UTF-8.

    Raises:
        UnknownName: the wanted encoding does not exist.
        UnreadableData: the bytes are not text, or not text in the wanted encoding.
    """
    if wanted is None:
        return _checked(chunks, _found_out(chunks))
    name = encoding_named(wanted)
    try:
        return _checked(chunks, Spelling(name))
    except UnicodeError as error:
        raise not_in(wanted) from error


@dataclass
class _Look:
    """What one way through the bytes says."""

    size: int = 0
    start: bytes = b""
    is_ascii: bool = True
    has_nulls: bool = False
    is_utf8: bool = True


def _look(chunks: Iterable[bytes]) -> _Look:
    seen = _Look()
    decoder = codecs.getincrementaldecoder("utf-8")()
    for chunk in chunks:
        seen.size += len(chunk)
        if len(seen.start) < WIDE_SAMPLE:
            seen.start += chunk[:WIDE_SAMPLE]
        seen.is_ascii = seen.is_ascii and chunk.isascii()
        seen.has_nulls = seen.has_nulls or b"\0" in chunk
        try:
            if seen.is_utf8 and not seen.is_ascii:
                decoder.decode(chunk)
        except UnicodeDecodeError:
            seen.is_utf8 = False
    try:
        if seen.is_utf8:
            decoder.decode(b"", True)
    except UnicodeDecodeError:
        seen.is_utf8 = False
    return seen


def _found_out(chunks: Chunks) -> Spelling:
    seen = _look(chunks())
    if seen.is_ascii and not seen.has_nulls:
        return Spelling("utf-8")
    for mark, encoding in BYTE_ORDER_MARKS:
        if seen.start.startswith(mark):
            return Spelling(encoding, "replace")
    wide = wide_without_mark(seen.start[:WIDE_SAMPLE], seen.size)
    if wide is not None:
        return Spelling(wide, "replace", notes=(about_wide(wide),))
    if seen.is_utf8:
        return Spelling("utf-8")
    strays, proper = _strays(chunks())
    if is_mostly_utf8(strays, proper):
        return Spelling("utf-8", "strays", notes=(about_strays(strays),))
    encoding = likeliest(_lines_beyond_ascii(chunks()))
    try:
        for _ in texts(chunks(), Spelling(encoding)):
            pass
    except UnicodeError:
        encoding = "latin-1"
    return Spelling(encoding, notes=(about_guess(encoding),))


def _strays(chunks: Iterable[bytes]) -> tuple[int, int]:
    """Bytes that are no UTF-8, and characters beyond ASCII that are."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    strays = proper = 0
    for chunk in _with_end(chunks):
        text = decoder.decode(chunk or b"", chunk is None)
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        stray = int(((codes >= 0xDC80) & (codes <= 0xDCFF)).sum())
        strays += stray
        proper += int((codes > 0x7F).sum()) - stray
    return strays, proper


def _with_end(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    yield from chunks
    yield None


def _lines_beyond_ascii(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The first lines with a character that is not ASCII, as many as are looked at."""
    size = 0
    for piece in lines_together(chunks):
        for line in piece.splitlines():
            if not line.isascii():
                yield line
                size += len(line) + 1
                if size > SAMPLE_BYTES:
                    return


def _checked(chunks: Chunks, spelling: Spelling) -> Spelling:
    """The spelling with what is to be repaired in this text, and all that is to be said."""
    size = nulls = broken = 0
    is_windows = False
    start = ""
    for text in texts(chunks(), spelling):
        size += len(text)
        if len(start) < 2 * SAMPLE_BYTES:
            start += text[: 2 * SAMPLE_BYTES].replace("\0", "")
        nulls += text.count("\0")
        if not text.isascii():
            broken += text.count(REPLACEMENT)
            is_windows = is_windows or WINDOWS_AS_CONTROLS.search(text) is not None
    if is_windows:
        start = start.translate(CONTROLS_TO_WINDOWS)
    notes = spelling.notes
    if spelling.encoding in ("utf-8-sig", "utf-16", "utf-32") and spelling.errors == "replace":
        notes += about_marked(spelling.encoding, broken)
    notes += about_repairs(nulls, is_windows)
    refuse_binary(start[:SAMPLE_BYTES], size - nulls, nulls)
    is_plain = spelling.encoding == "utf-8" and not notes
    return replace(spelling, nulls=nulls, is_windows=is_windows, is_plain=is_plain, notes=notes)


def lines_together(chunks: Iterable[bytes], size: int = PIECE_BYTES) -> Iterator[bytes]:
    """The same bytes in pieces of about this size that end at a line end (\\n, \\r or \\r\\n), but for the last.

    Raises:
        UnreadableData: a line is longer than any is.
    """
    held: list[bytes] = []
    length = 0
    for chunk in chunks:
        held.append(chunk)
        length += len(chunk)
        if length < size:
            continue
        cut = _last_line_end(chunk)
        if cut == 0:
            if length > LINE_LIMIT:
                raise UnreadableData(f"A line is longer than {LINE_LIMIT >> 20} MB: no table is written so.")
            continue
        yield b"".join([*held[:-1], chunk[:cut]])
        held, length = [chunk[cut:]], len(chunk) - cut
    rest = b"".join(held)
    if rest:
        yield rest


def _last_line_end(chunk: bytes) -> int:
    """Where the last line that surely ends in these bytes does; 0: nowhere. \\r at the end may be half a line end."""
    return max(chunk.rfind(b"\n"), chunk.rfind(b"\r", 0, len(chunk) - 1)) + 1
