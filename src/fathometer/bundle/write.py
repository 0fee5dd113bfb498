"""Write a model folder: manifest, description, and every member's own files."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fathometer.core.files import digest, read_json, sync_folder, sync_tree, write_json
from fathometer.data.encoder_files import digest_of_files, licence_files, used_files
from fathometer.data.schema import Schema
from fathometer.errors import BadBundle
from fathometer.task import Task

BUNDLE_FORMAT = 1
ENCODERS_FILE = (
    "encoders.json"  # in a member's folder: the digest, folder and form of each encoder that it needs
)

Mix = Mapping[str, float]
"""Member key -> weight; the weights of one mix sum to one."""


@dataclass(frozen=True)
class Member:
    """One fitted model: which learner reads it, and the folder it saved itself in."""

    key: str
    learner: str
    title: str
    folder: Path


def pack(
    folder: Path,
    *,
    schema: Schema,
    task: Task,
    members: Sequence[Member],
    mixes: Mapping[str, Sequence[Mix]],
    default: str,
    about: Mapping[str, Any],
) -> None:
    """Write a model folder, whole or not at all; one that is there already is replaced.

    Pre-trained encoders that members read with (their `encoders.json`) are packed once each, under their digest.

    Args:
        mixes: competitor -> one mix per fold; its answer is the mean of the mixes' answers.
        default: the competitor that answers unless another is asked for.
        about: facts for people, plain data.
    """
    for left in folder.parent.glob(f".{folder.name}-*"):  # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    draft = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    try:
        (draft / "members").mkdir(parents=True)
        for member in members:
            _copy(member.folder, draft / "members" / member.key)
            _pack_encoders(member.folder, draft / "encoders")
        write_json(
            draft / "model.json",
            {
                "schema": schema.to_json(),
                "task": task.to_json(),
                "members": {m.key: {"learner": m.learner, "title": m.title} for m in members},
                "mixes": {name: [dict(mix) for mix in several] for name, several in mixes.items()},
                "default": default,
                "about": dict(about),
            },
        )
        write_json(draft / "manifest.json", {"format": BUNDLE_FORMAT, "files": _listed(draft)})
        sync_tree(draft)
        _put(draft, folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _pack_encoders(member: Path, place: Path) -> None:
    """The encoders that a member reads with, unless they are there already.

    Raises:
        BadBundle: one is not what the member was made with.
    """
    wanted = read_json(member / ENCODERS_FILE) if (member / ENCODERS_FILE).exists() else []
    for one in wanted:
        source, there = Path(one["folder"]), place / one["digest"]
        if there.exists():
            continue
        names = used_files(source, one["form"])
        if digest_of_files(source, names) != one["digest"]:
            raise BadBundle(
                f"The encoder in {source} has changed since the run, so its models cannot be packed. Put it back."
            )
        for name in [*names, *licence_files(source)]:
            (there / name).parent.mkdir(parents=True, exist_ok=True)
            _copy_file((source / name).resolve(), there / name)


def _put(draft: Path, folder: Path) -> None:
    """The draft in the folder's place; the one before stays if that fails."""
    if not folder.exists():
        draft.rename(folder)
        return
    before = folder.with_name(f"{draft.name}-before")
    folder.rename(before)
    try:
        draft.rename(folder)
    except BaseException:
        before.rename(folder)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _copy(source: Path, place: Path) -> None:
    """The same files without a second copy on disk where the system allows that."""
    for path in sorted(source.rglob("*")):
        there = place / path.relative_to(source)
        if path.is_dir():
            continue
        there.parent.mkdir(parents=True, exist_ok=True)
        _copy_file(path, there)


def _copy_file(path: Path, there: Path) -> None:
    try:
        os.link(path, there)
    except OSError:
        shutil.copyfile(path, there)


def _listed(folder: Path) -> list[dict[str, Any]]:
    return [
        {"path": path.relative_to(folder).as_posix(), "size": path.stat().st_size, "sha256": digest(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
