"""Find out how a file's bytes spell text, and turn them into UTF-8."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass

from charset_normalizer import from_bytes

from fathometer.data.sentences import counted, told
from fathometer.errors import UnknownName, UnreadableData

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SAMPLE_BYTES = 65_536
WIDE_SAMPLE = 4_096
CONTROL_SHARE = 0.02
NULL_SHARE = 0.2
"""More control characters or NULs than these shares among a file's characters: it is no text."""

GUESSED_ENCODINGS = (
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "koi8_r"),
    *("big5", "gb18030", "cp932", "euc_jp", "cp949"),
)
LATIN_ENCODINGS = ("cp1250", "cp1252", "cp1254", "cp1257")
ENCODING_OF_LANGUAGE = {
    **dict.fromkeys(["Polish", "Czech", "Slovak", "Hungarian", "Romanian", "Slovene", "Croatian"], "cp1250"),
    **dict.fromkeys(["Lithuanian", "Latvian", "Estonian"], "cp1257"),
    "Turkish": "cp1254",
}
"""Which Latin alphabet: the guessed language is surer than the guessed encoding; Western for all others."""

WESTERN_CHARACTERS = frozenset(
    "àâäáãåæçèéêëìíîïñòóôöõøœùúûüÿßÀÂÄÁÅÆÇÈÉÊËÍÎÏÑÓÔÖÕØÙÚÛÜŒ€£¥§°²³´µ·½¼«»“”„‘’‚–—…•™©®¡¿ªº±×\xa0"
)

_SIGN_IN_WORD = re.compile(r"(?<=[^\W\d_])[£¥§°²³µ·¼½¾¿¡ªº¹](?=[^\W\d_])|[£³¹](?=[a-z])")
_CONTROLS = re.compile("[\x01-\x08\x0e-\x1a\x7f]")
WINDOWS_AS_CONTROLS = re.compile("[\x80-\x84\x86-\x9f]")
CONTROLS_TO_WINDOWS = {byte: bytes([byte]).decode("cp1252", "ignore") for byte in range(0x80, 0xA0)}
STRAYS_TO_WINDOWS = {0xDC00 + byte: bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0x100)}


@dataclass(frozen=True)
class Decoded:
    """A file's text.

    data: the text as UTF-8, without byte-order mark and NUL characters.
    encoding: how the file spelled it, as Python names it.
    notes: what was decided or repaired.
    """

    data: bytes
    encoding: str
    notes: tuple[str, ...]


def decode(raw: bytes, wanted: str | None = None) -> Decoded:
    """Turn a file's bytes into UTF-8 text, in the wanted encoding or in the one found out.

    Raises:
        UnknownName: the wanted encoding does not exist.
        UnreadableData: the bytes are not text, or not text in the wanted encoding.
    """
    if wanted is not None:
        text, encoding, notes = _decode_as(raw, wanted)
    elif raw.isascii() and b"\0" not in raw:  # UTF-16 of Western text is ASCII and NULs
        text, encoding, notes = raw.decode("ascii"), "utf-8", ()
    else:
        text, encoding, notes = _find_out(raw)
    nulls = text.count("\0")
    if nulls:
        text = text.replace("\0", "")
    is_windows = not text.isascii() and WINDOWS_AS_CONTROLS.search(text) is not None
    if is_windows:
        # Windows text once taken for Latin-1; web browsers repair it the same way
        text = text.translate(CONTROLS_TO_WINDOWS)
    notes += about_repairs(nulls, is_windows)
    refuse_binary(text[:SAMPLE_BYTES], len(text), nulls)
    if encoding == "utf-8" and not notes:
        return Decoded(
            raw.removeprefix(codecs.BOM_UTF8), encoding, ()
        )  # as it is: a large file is not copied
    # surrogates cannot be written as UTF-8; they only come from broken UTF-16 or UTF-7
    return Decoded(text.encode("utf-8", "replace").removeprefix(codecs.BOM_UTF8), encoding, notes)


def about_repairs(nulls: int, is_windows: bool) -> tuple[str, ...]:
    """What to say of NUL characters that were taken out, and of Windows' punctuation."""
    notes: tuple[str, ...] = ()
    if nulls:
        notes += (told(nulls, "NUL character", "in the text", "removed"),)
    if is_windows:
        notes += ("Control characters that are really Windows punctuation were put right.",)
    return notes


def refuse_binary(start: str, size: int, nulls: int) -> None:
    """Raise UnreadableData where so many signs of a text's beginning, or NULs in all of it, are those of no text."""
    controls = len(_CONTROLS.findall(start))
    if controls > CONTROL_SHARE * size + 2 or nulls > NULL_SHARE * size + 2:
        raise UnreadableData("Expected a table of text, but the file holds binary data.")


def _decode_as(raw: bytes, wanted: str) -> tuple[str, str, tuple[str, ...]]:
    name = encoding_named(wanted)
    try:
        return raw.decode(name), name, ()
    except UnicodeError as error:
        raise not_in(wanted) from error


def encoding_named(wanted: str) -> str:
    """Python's name of an encoding; raises UnknownName."""
    try:
        name = codecs.lookup(wanted).name
        if not codecs.lookup(name)._is_text_encoding:
            raise LookupError(wanted)
    except (LookupError, ValueError) as error:
        raise UnknownName("encoding", wanted, ["cp1252", "latin-1", "utf-16", "utf-8"]) from error
    return name


def not_in(wanted: str) -> UnreadableData:
    """What to raise where the text is not in the encoding that the user names."""
    return UnreadableData(
        f"The file is not text in the encoding {wanted}. Leave the encoding out to have it found out."
    )


def _find_out(raw: bytes) -> tuple[str, str, tuple[str, ...]]:
    for mark, encoding in BYTE_ORDER_MARKS:
        if raw.startswith(mark):
            return _decode_marked(raw, encoding)
    wide = wide_without_mark(raw[:WIDE_SAMPLE], len(raw))
    if wide is not None:
        return raw.decode(wide, "replace"), wide, (about_wide(wide),)
    try:
        return raw.decode("utf-8"), "utf-8", ()
    except UnicodeDecodeError:
        return _mostly_utf8(raw) or _one_byte_or_asian(raw)


def _decode_marked(raw: bytes, encoding: str) -> tuple[str, str, tuple[str, ...]]:
    text = raw.decode(encoding, "replace")
    return text, encoding, about_marked(encoding, text.count(REPLACEMENT))


def about_marked(encoding: str, broken: int) -> tuple[str, ...]:
    """What to say of a text whose byte-order mark says how it is spelled."""
    shown = "UTF-8" if encoding == "utf-8-sig" else encoding.upper()
    notes: tuple[str, ...] = ()
    if encoding != "utf-8-sig":
        notes = (f"The text is {shown}, as its byte-order mark says.",)
    if broken:
        notes += (told(broken, "character", f"that cannot be read as {shown}", "replaced"),)
    return notes


def wide_without_mark(sample: bytes, size: int) -> str | None:
    """UTF-16 without its mark, as a text's first bytes and its size say: every second byte of Western text is NUL."""
    if len(sample) < 4 or size % 2:
        return None
    evens, odds = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) / 2
    if odds > 0.4 * half and evens < 0.05 * half:
        return "utf-16-le"
    if evens > 0.4 * half and odds < 0.05 * half:
        return "utf-16-be"
    return None


def about_wide(encoding: str) -> str:
    """What to say of a text that is UTF-16 and does not say so."""
    return f"The text is {encoding.upper()} without a byte-order mark."


def _mostly_utf8(raw: bytes) -> tuple[str, str, tuple[str, ...]] | None:
    """UTF-8 with a few stray bytes of Windows text, as files have that were put together from several."""
    text = raw.decode("utf-8", "surrogateescape")
    strays = sum(1 for character in text if 0xDC80 <= ord(character) <= 0xDCFF)
    proper = sum(1 for character in text if ord(character) > 0x7F) - strays
    if not is_mostly_utf8(strays, proper):
        return None
    return text.translate(STRAYS_TO_WINDOWS), "utf-8", (about_strays(strays),)


def is_mostly_utf8(strays: int, proper: int) -> bool:
    """Whether so few bytes are no UTF-8 among so many characters beyond ASCII that the others prove it."""
    return strays * 5 <= proper


def about_strays(strays: int) -> str:
    """What to say of bytes that are no UTF-8."""
    return f"The text is UTF-8, but for {counted(strays, 'byte')}, read as Windows-1252."


def _one_byte_or_asian(raw: bytes) -> tuple[str, str, tuple[str, ...]]:
    encoding = likeliest(line for line in raw.splitlines() if not line.isascii())
    try:
        text = raw.decode(encoding)
    except UnicodeError:
        encoding = "latin-1"
        text = raw.decode(encoding)
    return text, encoding, (about_guess(encoding),)


def about_guess(encoding: str) -> str:
    """What to say of an encoding that was guessed."""
    return f"The text is not UTF-8; {encoding} was taken as the likeliest encoding."


def likeliest(lines: Iterable[bytes]) -> str:
    """The likeliest encoding of lines that are not UTF-8, each with a character beyond ASCII."""
    sample = b"\n".join(lines)[:SAMPLE_BYTES]
    if _looks_western(sample):
        return "cp1252"
    best = from_bytes(sample, cp_isolation=list(GUESSED_ENCODINGS)).best()
    if best is None:
        return "cp1252"
    return (
        ENCODING_OF_LANGUAGE.get(best.language, "cp1252")
        if best.encoding in LATIN_ENCODINGS
        else best.encoding
    )


def _looks_western(sample: bytes) -> bool:
    """Whether the bytes above 127, read as Windows-1252, are what Western European text has."""
    try:
        text = sample.decode("cp1252")
    except UnicodeDecodeError:
        return False
    high = [character for character in text if ord(character) > 0x7F]
    usual = sum(character in WESTERN_CHARACTERS for character in high) - len(_SIGN_IN_WORD.findall(text))
    return usual >= 0.9 * len(high) and len(high) < 0.25 * len(text)
