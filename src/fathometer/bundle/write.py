"""Write a model: every member's own files, a description, what goes with it, and last the manifest that seals it."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fathometer import __version__
from fathometer.bundle.archive import write_zip
from fathometer.bundle.format import (
    ARCHIVE_ENDINGS,
    CARD,
    DESCRIPTION,
    ENCODERS_FILE,
    GOLDEN,
    MANIFEST,
    REFERENCE,
    REQUIREMENTS,
    VERDICT,
    Limits,
)
from fathometer.bundle.manifest import make_manifest, verify
from fathometer.bundle.requirements import requirements_text
from fathometer.core.files import put_folder, read_json, sync_folder, sync_tree, write_json, write_text
from fathometer.data.encoder_files import digest_of_files, licence_files, used_files
from fathometer.data.schema import Schema
from fathometer.errors import BadBundle, UserError
from fathometer.task import Task

LIMITS = Limits()

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
    requires: Mapping[str, str] | None = None,
    reference: Mapping[str, Any] | None = None,
    verdict: Mapping[str, Any] | None = None,
    card: str | None = None,
    golden: Callable[[Path], Mapping[str, Any]] | None = None,
    created: str | None = None,
) -> None:
    """Write a model folder, whole or not at all; one that is there already is replaced.

    Pre-trained encoders that members read with (their `encoders.json`) are packed once each, under their digest.

    Args:
        mixes: competitor -> one mix per fold; its answer is the mean of the mixes' answers.
        default: the competitor that answers unless another is asked for.
        about: facts for people, plain data.
        requires: distribution -> version, of what answering needs.
        reference, verdict: plain data that goes with the model. card: its model card.
        golden: given the draft, in which all but the manifest is there, gives rows and what the model answers to them.
        created: when, in ISO 8601; now unless given.

    Raises:
        BadBundle: an encoder is not what a member was made with, or a file may not be in a model folder.
    """
    for left in folder.parent.glob(f".{folder.name}-*"):  # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    draft = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    try:
        (draft / "members").mkdir(parents=True)
        for member in members:
            _copy(member.folder, draft / "members" / member.key)
            _pack_encoders(member.folder, draft / "encoders")
            _forget_places(draft / "members" / member.key)
        described = {
            "schema": schema.to_json(),
            "task": task.to_json(),
            "members": {m.key: {"learner": m.learner, "title": m.title} for m in members},
            "mixes": {name: [dict(mix) for mix in several] for name, several in mixes.items()},
            "default": default,
            "about": dict(about),
            "requires": dict(requires or {}),
        }
        write_json(draft / DESCRIPTION, described)
        _write_extras(draft, {REFERENCE: reference, VERDICT: verdict}, card, requires or {})
        if golden is not None:
            write_json(draft / GOLDEN, dict(golden(draft)))
        made = created or datetime.now(UTC).isoformat(timespec="seconds")
        write_json(draft / MANIFEST, make_manifest(draft, made_by=f"fathometer {__version__}", created=made))
        sync_tree(draft)
        put_folder(draft, folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def pack_archive(folder: Path, path: Path, limits: Limits = LIMITS) -> None:
    """Write a model folder as one file (.fathom or .zip), whole or not at all; one that is there is replaced.

    Args:
        limits: with which the file will be opened.

    Raises:
        BadBundle: the folder is not what its manifest says.
        UserError: the file cannot be written, would be too large to be opened, or is not called as a model's.
    """
    if path.suffix not in ARCHIVE_ENDINGS:
        raise UserError(f"Expected a name that ends in {' or '.join(ARCHIVE_ENDINGS)}, got {path.name!r}.")
    if path.is_dir():
        raise UserError(
            f"{path} is a folder, and the model cannot be written in its place. Give another name."
        )
    if not path.parent.is_dir():
        raise UserError(f"There is no folder {path.parent} to write {path.name} in. Make it first.")
    if path.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{path} lies in the model folder that it is made from. Write it elsewhere.")
    seal = verify(folder, limits)
    total = sum(one.size for one in seal.manifest.files.values()) + (folder / MANIFEST).stat().st_size
    if total > limits.total_size:
        raise UserError(
            f"The model has {total:,} bytes, and one file is opened up to {limits.total_size:,}. "
            "Leave it a folder, or pack one family of it."
        )
    write_zip(folder, path)


def _write_extras(
    draft: Path, values: Mapping[str, Mapping[str, Any] | None], card: str | None, requires: Mapping[str, str]
) -> None:
    """What goes with a model, where it is known."""
    for name, value in values.items():
        if value is not None:
            write_json(draft / name, dict(value))
    if card is not None:
        write_text(draft / CARD, card)
    if requires:
        write_text(draft / REQUIREMENTS, requirements_text(requires))


def _pack_encoders(member: Path, place: Path) -> None:
    """The encoders that a member reads with, unless they are there already.

    Raises:
        BadBundle: one is not what the member was made with.
    """
    wanted = read_json(member / ENCODERS_FILE) if (member / ENCODERS_FILE).exists() else []
    for one in wanted:
        there = place / one["digest"]
        if there.exists():
            continue
        beside = member.parent.parent / "encoders" / one["digest"]  # where the member is of a packed model
        source = beside if beside.is_dir() else Path(one["folder"])
        names = used_files(source, one["form"])
        if digest_of_files(source, names) != one["digest"]:
            raise BadBundle(
                f"The encoder in {source} has changed since the run, so its models cannot be packed. Put it back."
            )
        for name in [*names, *licence_files(source)]:
            (there / name).parent.mkdir(parents=True, exist_ok=True)
            _copy_file((source / name).resolve(), there / name)


def _forget_places(member: Path) -> None:
    """Take out where this machine keeps the encoders that a member reads with: they are packed beside it."""
    if not (member / ENCODERS_FILE).exists():
        return
    places = {str(one["folder"]) for one in read_json(member / ENCODERS_FILE)}
    for path in member.rglob("*.json"):
        # written beside and moved over it: the file may be the run's own, linked here
        write_json(path, _without(read_json(path), places))


def _without(value: Any, places: set[str]) -> Any:
    if isinstance(value, dict):
        return {
            key: "" if key == "folder" and one in places else _without(one, places)
            for key, one in value.items()
        }
    return [_without(one, places) for one in value] if isinstance(value, list) else value


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
