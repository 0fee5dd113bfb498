"""What a model folder may hold: its files, how they may be called, and how large they may be."""

from __future__ import annotations

import re
import struct
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

FORMAT = 2
READABLE = (1, 2)
MANIFEST = "manifest.json"
DESCRIPTION = "model.json"
REFERENCE = "reference.json"
GOLDEN = "golden.json"
VERDICT = "verdict.json"
CARD = "README.md"
REQUIREMENTS = "requirements.txt"
ENCODERS_FILE = (
    "encoders.json"  # in a member's folder: the digest, folder and form of each encoder that it needs
)
ARCHIVE_ENDINGS = (".fathom", ".zip")

ROLES = {
    DESCRIPTION: "description",
    REFERENCE: "reference",
    GOLDEN: "golden",
    VERDICT: "verdict",
    CARD: "card",
    REQUIREMENTS: "requirements",
}
"""Role of each file at the top; those of a member lie in `members/<key>/`, of an encoder in `encoders/<digest>/`."""

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,120}")
SHA256 = re.compile(r"[0-9a-f]{64}")

_FORBIDDEN = frozenset('\\:*?"<>|')
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])", re.IGNORECASE
)
_SAFETENSORS_HEADER = 100_000_000
_PLAIN_ENDINGS = ("txt", "md", "")


@dataclass(frozen=True)
class Limits:
    """How large a model may be, in bytes and counts; beyond it is refused before it is read.

    total_size: of all files of an archive, unpacked. folder_size: of all files of a folder, which is on this disk
    already. ratio: of unpacked to packed size, once more than ratio_from bytes came out. depth: parts of a path.
    """

    total_size: int = 4 << 30
    folder_size: int = 64 << 30
    files: int = 5_000
    json_size: int = 256 << 20
    manifest_size: int = 8 << 20
    ratio: int = 200
    ratio_from: int = 10 << 20
    name_bytes: int = 200
    depth: int = 8


def role_of(path: str) -> str | None:
    """What a file at this path is for; None where no file may be."""
    if path in ROLES:
        return ROLES[path]
    parts = path.split("/")
    if len(parts) >= 3 and parts[0] == "members" and SAFE_NAME.fullmatch(parts[1]):
        return "member"
    if len(parts) >= 3 and parts[0] == "encoders" and SHA256.fullmatch(parts[1]):
        return "encoder"
    return None


def fault_of_name(path: str, limits: Limits) -> str | None:
    """Why a path may not be that of a file in a model folder, as a clause; None: it may.

    What one system takes for another place (`..`, a drive, a backslash, CON) is refused on all.
    """
    if not path:
        return "it is empty"
    try:
        size = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        return "it holds half a character"
    if size > limits.name_bytes:
        return f"it is longer than {limits.name_bytes} bytes"
    parts = path.split("/")
    if len(parts) > limits.depth:
        return f"it lies deeper than {limits.depth} folders"
    return next((fault for part in parts if (fault := _fault_of_part(part)) is not None), None)


def _fault_of_part(part: str) -> str | None:
    if part in ("", ".", ".."):
        return "it leads out of the folder"
    if _FORBIDDEN & set(part):
        return 'it holds one of the signs \\ : * ? " < > |'
    # controls, marks that turn the direction of writing, half characters, private and unassigned ones, line ends
    if any(
        unicodedata.category(sign)[0] == "C" or unicodedata.category(sign) in ("Zl", "Zp") for sign in part
    ):
        return "it holds a sign that cannot be seen"
    if part != part.strip() or part.endswith("."):
        return "a part of it begins or ends with a blank, or ends with a dot"
    if _RESERVED.fullmatch(part.split(".")[0].rstrip()):
        return "Windows keeps that name for a device"
    return None


def fault_of_names(paths: Iterable[str]) -> str:
    """Which of these are one file, or a file and a folder, on some system, as a clause; empty where none are."""
    files: set[str] = set()
    folders: dict[str, str] = {}
    for path in paths:
        parts = path.split("/")
        for count in range(1, len(parts)):
            folder = "/".join(parts[:count])
            if folders.setdefault(_as_one_name(folder), folder) != folder:
                return f"{path[:80]!r}, and another folder of the same name"
        if _as_one_name(path) in files:
            return f"{path[:80]!r}, and another file of the same name"
        files.add(_as_one_name(path))
    both = files & set(folders)
    return f"{min(both)[:80]!r} as a file and as a folder" if both else ""


def _as_one_name(path: str) -> str:
    """The same for paths that some system takes for one: in another case, or composed otherwise."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def fault_of_content(path: str, start: bytes, size: int) -> str | None:
    """Why a file that begins so cannot be what its name says, as a clause; None: it can.

    Only forms that hold data are known: JSON, safetensors, text, CatBoost's and ONNX's trees and networks.

    Args:
        start: the first bytes of the file, 512 or all.
        size: of the whole file.
    """
    name = path.rsplit("/", 1)[-1]
    ending = name.rsplit(".", 1)[-1].lower() if "." in name else ""
    if ending == "json":
        return None if start.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] in (b"{", b"[") else "it is no JSON"
    if ending == "safetensors":
        length = struct.unpack("<Q", start[:8])[0] if len(start) >= 9 else 0
        is_sound = 2 <= length <= min(size - 8, _SAFETENSORS_HEADER) and start[8:9] == b"{"
        return None if is_sound else "it is no safetensors file"
    if ending == "cbm":
        return None if start.startswith(b"CBM1") else "it is no CatBoost model"
    if ending == "onnx":
        # what onnxruntime takes for its own format, whatever else it may be, is not what would be looked at
        is_sound = start.startswith(b"\x08") and start[4:8] != b"ORTM"
        return None if is_sound else "it is no ONNX model"
    if ending in _PLAIN_ENDINGS:
        return "it is no text" if b"\0" in start or start.startswith((b"\x80", b"PK")) else None
    return f"a model folder holds no files that end in .{ending[:20]}"
