"""Whole-or-nothing writes, digests, and states of arrays and plain values on disk without pickle."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from fathometer.core.strict_json import parse_json, refuse_many
from fathometer.errors import BadBundle, UserError

State = dict[str, Any]
"""A fitted thing as data: text, numbers, truth values, None, lists, dicts with text keys, numpy arrays."""

ARRAY_MARK = "$array"
FLOAT_MARK = "$float"
FLOATS = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
LARGEST_TEXT = 1 << 29  # bytes
LARGEST_PLAIN = 1 << 26  # bytes of a state's JSON


REFUSALS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
    | {errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ENOENT, errno.EINVAL}
)
"""Errors of the system that the user can put right: no space, no right, no such place."""


@contextmanager
def writing_to(folder: Path, advice: str) -> Iterator[None]:
    """Tell a full disk or a place that cannot be written in a sentence.

    Raises:
        UserError: a file below this folder could not be written; `advice` says what to do.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSALS or str(folder) not in f"{error.filename or folder}":
            raise
        reason = os.strerror(error.errno)
    except SafetensorError as error:  # wraps the system's error in text
        if "I/O error" not in str(error):
            raise
        reason = str(error).partition("I/O error:")[2].strip() or str(error)
    else:
        return
    raise UserError(f"{folder} could not be written: {reason}. {advice}")


@contextmanager
def drafted(path: Path) -> Iterator[BinaryIO]:
    """A file to be written whole or not at all; it is made to last before the old one is replaced."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with draft.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with drafted(path) as stream:
        stream.write(text.encode("utf-8"))


def put_folder(draft: Path, folder: Path) -> None:
    """A finished folder in its place, on the same disk; the one before it stays if that fails, and else goes."""
    if not folder.exists():
        draft.rename(folder)
        return
    before = draft.with_name(f"{draft.name}-before")
    folder.rename(before)
    try:
        draft.rename(folder)
    except BaseException:
        before.rename(folder)
        raise
    shutil.rmtree(before, ignore_errors=True)


def read_text(path: Path, largest: int = LARGEST_TEXT) -> str:
    """Read a text file that came with a model.

    Raises:
        BadBundle: it is missing, larger than so many bytes, or no UTF-8.
    """
    try:
        if path.stat().st_size > largest:
            raise BadBundle(
                f"{path} is larger than {largest:,} bytes, as none of its kind is. Make the model again."
            )
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise BadBundle(f"{path.name} is missing in {path.parent}. Copy the whole folder again.") from error
    except UnicodeDecodeError as error:
        raise BadBundle(f"{path} is not what it should be: it is no UTF-8. Make the model again.") from error


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON, whole or not at all; NaN and infinity are refused."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False))


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ValueError: it is none, or holds millions of values.
    """
    text = path.read_text(encoding="utf-8")
    refuse_many(text)
    return json.loads(text)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last (fsync of the folder), where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Make every file below a folder, and the folders' names, last."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
    sync_folder(folder)


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal text."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def size_bytes(folder: Path) -> int:
    """Total size of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write_state(folder: Path, name: str, state: Mapping[str, Any]) -> None:
    """Write a state as `name.json`, its arrays in `name.safetensors` beside it."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    folder.mkdir(parents=True, exist_ok=True)
    plain = _pull_arrays(dict(state), arrays)
    if arrays:
        save_file(arrays, folder / f"{name}.safetensors")
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False)
    (folder / f"{name}.json").write_text(text, encoding="utf-8")


def read_state(folder: Path, name: str) -> State:
    """Read what `write_state` wrote.

    Raises:
        BadBundle: the files are not what it writes: keys that stand twice, arrays that are missing, not asked for, of
            other shapes or of no numbers.
    """
    path = folder / f"{name}.json"
    try:
        raw = path.read_bytes() if path.stat().st_size <= LARGEST_PLAIN else b""
        if not raw:
            raise ValueError("it is empty, or larger than any model's")
        plain = parse_json(raw)
        arrays = _arrays(folder / f"{name}.safetensors")
        state = _put_arrays(plain, arrays)
        if arrays:
            raise ValueError(f"the array {min(arrays)[:40]!r} has no place")
        if not isinstance(state, dict):
            raise ValueError("it is no object")
    except FileNotFoundError as error:
        raise BadBundle(f"{path.name} is missing in {folder}. Copy the whole folder again.") from error
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise BadBundle(f"{path} is not what it should be: {error}. Make the model again.") from error
    return state


def _arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a file, all of numbers; each is taken out once it is used, for one that many share is a trap."""
    arrays: dict[str, np.ndarray[Any, Any]] = dict(load_file(path)) if path.exists() else {}
    for key, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise TypeError(f"the array {key[:40]!r} is of {array.dtype}")
    return arrays


def _pull_arrays(value: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biuf":
            raise TypeError(f"an array of {value.dtype} cannot be written; use numbers, or a list of text")
        key = f"a{len(arrays)}"
        arrays[key] = np.ascontiguousarray(value)
        # safetensors keeps no zero-dimensional shape apart from a one-element one on every version
        return {ARRAY_MARK: key, "shape": list(value.shape)}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        # A key from people's data may look like one of our marks: a second $ tells them apart.
        return {_escape(str(key)): _pull_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_pull_arrays(item, arrays) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return {FLOAT_MARK: repr(value)}
    return value


def _put_arrays(value: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, dict):
        if ARRAY_MARK in value:
            return _shaped(value, arrays)
        if FLOAT_MARK in value:
            return FLOATS[value[FLOAT_MARK]]
        return {_unescape(key): _put_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_put_arrays(item, arrays) for item in value]
    return value


def _shaped(value: dict[str, Any], arrays: dict[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    found, shape = arrays.pop(value[ARRAY_MARK]), value["shape"]
    # numpy takes -1 for "whatever fits"
    if not all(type(size) is int and size >= 0 for size in shape) or len(shape) > 8:
        raise ValueError("an array has an impossible shape")
    return found.reshape(shape)


def _escape(key: str) -> str:
    return f"${key}" if key.startswith("$") else key


def _unescape(key: str) -> str:
    return key.removeprefix("$")
