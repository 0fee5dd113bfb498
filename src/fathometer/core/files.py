"""Whole-or-nothing writes, digests, and states of arrays and plain values on disk without pickle."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from fathometer.errors import UserError

State = dict[str, Any]
"""A fitted thing as data: text, numbers, truth values, None, lists, dicts with text keys, numpy arrays."""

ARRAY_MARK = "$array"
FLOAT_MARK = "$float"


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


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, and make it last before the old one is replaced."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with draft.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON, whole or not at all; NaN and infinity are refused."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False))


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


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
    """Read what `write_state` wrote."""
    path = folder / f"{name}.safetensors"
    arrays = load_file(path) if path.exists() else {}
    state: State = _put_arrays(read_json(folder / f"{name}.json"), arrays)
    return state


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


def _put_arrays(value: Any, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, dict):
        if ARRAY_MARK in value:
            return arrays[value[ARRAY_MARK]].reshape(value["shape"])
        if FLOAT_MARK in value:
            return float(value[FLOAT_MARK])
        return {_unescape(key): _put_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_put_arrays(item, arrays) for item in value]
    return value


def _escape(key: str) -> str:
    return f"${key}" if key.startswith("$") else key


def _unescape(key: str) -> str:
    return key.removeprefix("$")
