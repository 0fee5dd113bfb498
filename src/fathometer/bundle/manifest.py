"""The manifest of a model folder: what is in it, to the byte; checked before anything else is read."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fathometer.bundle.format import (
    FORMAT,
    MANIFEST,
    READABLE,
    SHA256,
    Limits,
    fault_of_content,
    fault_of_name,
    fault_of_names,
    role_of,
)
from fathometer.core.files import digest
from fathometer.core.strict_json import parse_json
from fathometer.errors import BadBundle

CHUNK_BYTES = 1 << 20
START_BYTES = 512
_KEYS = {1: {"format", "files"}, 2: {"format", "made_by", "created", "total_size", "files"}}
_FILE_KEYS = {1: {"path", "size", "sha256"}, 2: {"path", "size", "sha256", "role"}}

Signature = tuple[int, int, int, int, int]
"""Of a file: changes when anyone changes, replaces or touches it."""


@dataclass(frozen=True)
class Listed:
    """A file as the manifest has it. role: as in `format.ROLES`, "member" or "encoder"."""

    path: str
    size: int
    sha256: str
    role: str


@dataclass(frozen=True)
class Manifest:
    """What a model folder holds. version: first 12 digits of the SHA-256 of the manifest, which names the model."""

    format: int
    made_by: str
    created: str
    files: Mapping[str, Listed]
    version: str

    def below(self, folder: str) -> list[Listed]:
        """The files in a folder, and in those in it."""
        return [one for one in self.files.values() if one.path.startswith(f"{folder}/")]


def make_manifest(folder: Path, *, made_by: str, created: str) -> dict[str, Any]:
    """The manifest of a folder that is finished but for it, as plain data.

    Raises:
        BadBundle: a file lies or is called as none may, or is of a kind that may not be in a model folder.
    """
    files = []
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            continue
        name = path.relative_to(folder).as_posix()
        with path.open("rb") as stream:
            start = stream.read(START_BYTES)
        size, role = path.stat().st_size, role_of(name)
        fault = fault_of_name(name, Limits()) or fault_of_content(name, start, size)
        if role is None or fault:
            raise BadBundle(
                f"{name[:200]!r} cannot go into a model folder: {fault or 'there is no place for it'}. "
                "Take it out, or call it otherwise."
            )
        files.append({"path": name, "size": size, "sha256": digest(path), "role": role})
    return {
        "format": FORMAT,
        "made_by": made_by,
        "created": created,
        "total_size": sum(int(str(one["size"])) for one in files),
        "files": files,
    }


@dataclass(frozen=True)
class Seal:
    """A folder that was verified, and how to see later that a file in it still is what was verified.

    shown: what to call it in messages. signatures: path -> of the file when it was verified.
    """

    folder: Path
    shown: Path
    manifest: Manifest
    signatures: dict[str, Signature]

    def read(self, path: str) -> bytes | None:
        """The bytes of a listed file, which are those of the manifest; None where none is listed.

        Raises:
            BadBundle: it was altered.
        """
        listed = self.manifest.files.get(path)
        if listed is None:
            return None
        try:
            with open_plain(self.folder / path) as stream:
                raw: bytes = stream.read(listed.size + 1)
        except OSError as error:
            raise BadBundle(f"{path} in {self.shown} cannot be read: {error.strerror}.") from error
        if hashlib.sha256(raw).hexdigest() != listed.sha256:
            raise _altered(path, self.shown)
        return raw

    def parsed(self, path: str) -> Any:
        """A listed JSON file, read strictly; None where none is listed.

        Raises:
            BadBundle: it was altered, or is no decent JSON.
        """
        raw = self.read(path)
        if raw is None:
            return None
        try:
            return parse_json(raw)
        except ValueError as error:
            raise BadBundle(
                f"{path} in {self.shown} is not what it should be: {error}. Make the model again."
            ) from error

    def check(self, files: Iterable[Listed]) -> list[Signature]:
        """The signatures of these files now; one that changed since it was verified is verified again.

        Raises:
            BadBundle: one was altered.
        """
        found = []
        for listed in files:
            try:
                now = signature((self.folder / listed.path).lstat())
            except OSError:
                now = None
            if now is None or now != self.signatures[listed.path]:
                now = self.signatures[listed.path] = check_file(self.folder, listed, self.shown)
            found.append(now)
        return found


def verify(folder: Path, limits: Limits, shown: Path | None = None) -> Seal:
    """Check every file of a folder against its manifest; nothing but the manifest is interpreted.

    Args:
        shown: what to call the folder in messages.

    Raises:
        BadBundle: no model folder, of another format, incomplete, altered, or holding something that is not listed.
    """
    shown = shown or folder
    manifest = read_manifest(folder, limits, shown)
    found = set(_walk(folder, manifest, shown))
    for one in manifest.files.values():
        if one.path not in found:
            raise BadBundle(f"{one.path} is missing from {shown}. Copy the whole model again.")
    signatures = {path: check_file(folder, one, shown) for path, one in manifest.files.items()}
    return Seal(folder, shown, manifest, signatures)


def read_manifest(folder: Path, limits: Limits, shown: Path) -> Manifest:
    """The manifest alone.

    Raises:
        BadBundle: there is none, or it is not what it should be.
    """
    path = folder / MANIFEST
    if path.is_symlink() or not path.is_file():
        raise BadBundle(f"{shown} is no model folder: there is no {MANIFEST} in it.")
    with path.open("rb") as stream:
        raw = stream.read(limits.manifest_size + 1)
    if len(raw) > limits.manifest_size:
        raise BadBundle(
            f"{MANIFEST} of {shown} is larger than {limits.manifest_size:,} bytes. Make the model again."
        )
    try:
        value = parse_json(raw)
        if not isinstance(value, dict):
            raise ValueError("expected an object")
        if value.get("format") not in READABLE or type(value["format"]) is not int:
            raise BadBundle(_other_format(shown, value.get("format")))
        return _as_manifest(value, hashlib.sha256(raw).hexdigest()[:12], limits)
    except ValueError as error:
        raise BadBundle(
            f"{MANIFEST} of {shown} is not what it should be: {error}. Make the model again."
        ) from error


def check_file(folder: Path, listed: Listed, shown: Path) -> Signature:
    """Whether a file is what the manifest says; gives its signature.

    Raises:
        BadBundle: it was altered, or is not of the kind that its name says.
    """
    path, found, start = folder / listed.path, hashlib.sha256(), b""
    try:
        with open_plain(path) as stream:
            before = signature(os.fstat(stream.fileno()))
            is_whole = before[0] == listed.size
            while is_whole and (part := stream.read(CHUNK_BYTES)):
                start = start or part[:START_BYTES]
                found.update(part)
    except OSError as error:
        raise BadBundle(f"{listed.path} in {shown} cannot be read: {error.strerror}.") from error
    if not is_whole or found.hexdigest() != listed.sha256:
        raise _altered(listed.path, shown)
    fault = fault_of_content(listed.path, start, listed.size)
    if fault:
        raise BadBundle(f"{listed.path} in {shown} is refused: {fault}.")
    return before


def _altered(path: str, shown: Path) -> BadBundle:
    return BadBundle(
        f"{path} in {shown} was altered: its SHA-256 is not the manifest's. Copy the model again."
    )


def open_plain(path: Path) -> Any:
    """A plain file for reading bytes; a link, or a pipe that would be waited for, is an OSError."""
    flags = (
        os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    number = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(22, "it is no plain file")
    return os.fdopen(number, "rb")


def signature(found: os.stat_result) -> Signature:
    """What changes when a file does: size, identity, and times of which one cannot be set at will."""
    return (found.st_size, found.st_ino, found.st_dev, found.st_mtime_ns, found.st_ctime_ns)


def _other_format(shown: Path, found: object) -> str:
    readable = " and ".join(map(str, READABLE))
    newer = type(found) is int and found > FORMAT
    advice = "Update fathometer." if newer else "Make the model again."
    return f"{shown} is a model of format {str(found)[:20]!r}, and this version reads {readable}. {advice}"


def _as_manifest(value: Mapping[str, Any], version: str, limits: Limits) -> Manifest:
    """The manifest of plain data.

    Raises:
        ValueError: it is not what it should be.
    """
    number = int(value["format"])
    _demand_keys(value, _KEYS[number], "it")
    files = value["files"]
    if not isinstance(files, list):
        raise ValueError("its files are no list")
    if len(files) > limits.files:
        raise ValueError(f"it lists {len(files):,} files, and at most {limits.files:,} are allowed")
    listed = [_as_listed(one, number, limits) for one in files]
    fault = fault_of_names([*(one.path for one in listed), MANIFEST])
    if fault:
        raise ValueError(f"it lists {fault}")
    total = sum(one.size for one in listed)
    if number > 1 and (type(value["total_size"]) is not int or value["total_size"] != total):
        raise ValueError("its total_size is not the sum of its sizes")
    if total > limits.folder_size:
        raise ValueError(f"it lists {total:,} bytes, and at most {limits.folder_size:,} are allowed")
    told = {key: value.get(key, "") for key in ("made_by", "created")}
    for key, text in told.items():
        if not isinstance(text, str) or len(text) > 200:
            raise ValueError(f"its {key} is no short text")
    return Manifest(number, told["made_by"], told["created"], {one.path: one for one in listed}, version)


def _as_listed(value: Any, number: int, limits: Limits) -> Listed:
    if not isinstance(value, dict):
        raise ValueError("it lists something that is no object")
    _demand_keys(value, _FILE_KEYS[number], "a file in it")
    path, size, sha256 = value["path"], value["size"], value["sha256"]
    if not isinstance(path, str):
        raise ValueError("the path of a file is no text")
    fault = fault_of_name(path, limits)
    if fault:
        raise ValueError(f"it lists {path[:80]!r}, which cannot be: {fault}")
    role = role_of(path)
    if role is None:
        raise ValueError(f"it lists {path[:80]!r}, and no file of a model lies there")
    if number > 1 and value["role"] != role:
        raise ValueError(f"the role of {path[:80]!r} is not {role!r}")
    if type(size) is not int or size < 0:
        raise ValueError(f"the size of {path[:80]!r} is no whole number")
    if path.endswith(".json") and size > limits.json_size:
        raise ValueError(
            f"{path[:80]!r} has {size:,} bytes, and at most {limits.json_size:,} of JSON are read"
        )
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
        raise ValueError(f"the sha256 of {path[:80]!r} is none")
    return Listed(path, size, sha256, role)


def _demand_keys(value: Mapping[str, Any], keys: set[str], what: str) -> None:
    if set(value) != keys:
        lacking, further = sorted(keys - set(value)), sorted(set(value) - keys)
        fault = f"lacks {lacking[0]!r}" if lacking else f"has a key {further[0][:40]!r} that is not known"
        raise ValueError(f"{what} {fault}")


def _walk(folder: Path, manifest: Manifest, shown: Path) -> Iterator[str]:
    """The files there are but for the manifest, each of which is a plain file that is listed."""
    folders = {part for path in manifest.files for part in _folders_of(path)}
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(folder / inside) as entries:
                for entry in entries:
                    name = inside + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if name not in folders:
                            raise _unlisted(f"The folder {name!r}", shown)
                        waiting.append(f"{name}/")
                    elif entry.is_symlink() or not entry.is_file(follow_symlinks=False):
                        raise BadBundle(
                            f"{name!r} in {shown} is a link or a device. A model holds plain files only."
                        )
                    elif name in manifest.files:
                        yield name
                    elif name != MANIFEST:
                        raise _unlisted(repr(name), shown)
        except OSError as error:
            raise BadBundle(f"{inside or '.'} in {shown} cannot be read: {error.strerror}.") from error


def _folders_of(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _unlisted(what: str, shown: Path) -> BadBundle:
    return BadBundle(f"{what} in {shown} is not in its manifest. Remove it, or make the model again.")
