"""Open a model: verify first, load after, and only what is asked for."""

from __future__ import annotations

import os
import re
import shutil
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fathometer.bundle.archive import unpack
from fathometer.bundle.asking import ask, tidied
from fathometer.bundle.described import demand_requirements, described
from fathometer.bundle.format import (
    ARCHIVE_ENDINGS,
    DESCRIPTION,
    ENCODERS_FILE,
    FORMAT,
    GOLDEN,
    REFERENCE,
    REQUIREMENTS,
    VERDICT,
    Limits,
)
from fathometer.bundle.golden import check_golden
from fathometer.bundle.manifest import Listed, Seal, verify
from fathometer.bundle.reference import demand_reference
from fathometer.core.memo import sharing
from fathometer.core.trust import trusting
from fathometer.data.rows import Rows
from fathometer.data.schema import Schema
from fathometer.errors import BadBundle, FathometerError, MissingExtra, UnknownName, UnsuitableData, UserError
from fathometer.learner import LEARNERS, Learner, Model
from fathometer.task import Prediction, Task

LIMITS = Limits()
TRIES = 3  # to read a member whose files are changed meanwhile
TOLERANCE = 1e-6
UNNAMED = "model"


class PrivateFolder:
    """An unpacked archive: gone when nobody holds this any more, at the latest when the program ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.remove = weakref.finalize(self, _remove, path, os.getpid())


@dataclass(frozen=True, repr=False)
class Bundle:
    """A model that predicts. Members are loaded when first needed, and kept.

    name: of the file or folder. version: names exactly these contents. requires: distribution -> version with which
    the model was made. seal: what was verified; None of a draft, which is not finished. private: of an archive.
    """

    folder: Path
    schema: Schema
    task: Task
    learners: Mapping[str, str]  # member key -> learner
    mixes: Mapping[str, Sequence[Mapping[str, float]]]
    default: str
    about: Mapping[str, Any]
    loaded: dict[str, Model] = field(default_factory=dict, repr=False, compare=False)
    name: str = UNNAMED
    requires: Mapping[str, str] = field(default_factory=dict)
    seal: Seal | None = field(default=None, repr=False, compare=False)
    private: PrivateFolder | None = field(default=None, repr=False, compare=False)
    trusted: bool = field(default=False, compare=False)

    @property
    def version(self) -> str:
        """First 12 digits of the SHA-256 of the manifest, and so of everything; "" of a draft."""
        return self.seal.manifest.version if self.seal else ""

    @property
    def format(self) -> int:
        """The version of the way in which the model is laid out."""
        return self.seal.manifest.format if self.seal else FORMAT

    @cached_property
    def reference(self) -> Mapping[str, Any] | None:
        """What the columns and the answers looked like when it was made (bundle/reference.py), if that is known."""
        reference = self._extra(REFERENCE)
        if reference is not None:
            demand_reference(reference)
        return reference

    @cached_property
    def golden(self) -> Mapping[str, Any] | None:
        """Made-up rows and what the model answered when it was made (bundle/golden.py), where there are any."""
        return self._extra(GOLDEN)

    @cached_property
    def verdict(self) -> Mapping[str, Any] | None:
        """What was measured when it was chosen, where that is kept."""
        return self._extra(VERDICT)

    def __repr__(self) -> str:
        return (
            f"Bundle({self.name!r}, version {self.version or 'draft'!r}: answers {self.task.target!r} from "
            f"{len(self.schema.names)} columns; families: {', '.join(self.mixes)}; by default {self.default!r})"
        )

    def predict(self, rows: Any, family: str | None = None) -> pd.DataFrame:
        """Answers in the order of the rows: `prediction`, and for classes one `probability_<label>` each.

        Args:
            rows: a frame of cells as read from a file, or typed, whose index the answers get; or records, columns, or
                a list of values where the model has one input (`bundle.asking.tidied`). Further columns are ignored.
            family: "classical", "deep", "together", "pretrained" where there is one, or "baseline"; the verdict's
                choice unless given.

        Returns:
            `.attrs["notes"]` says in sentences what could not be read, and counts as missing.

        Raises:
            UserError: a column is missing, or hardly a cell of it reads as it did in training, or the family is not in
                the model.
        """
        asked = ask(self, rows, family=family)
        if asked.bad_rows:
            frame = tidied(rows, self.schema)
            self.schema.demand_readable(frame, self.schema.read(frame))
        answers = asked.answers
        if isinstance(rows, pd.DataFrame | pd.Series):
            answers = answers.set_axis(rows.index, axis=0)
        answers.attrs["notes"] = list(asked.notes)
        return answers

    def predict_proba(self, rows: Any, family: str | None = None) -> Prediction:
        """(rows, classes) probabilities, in the order of `task.labels`.

        Raises:
            UserError: as `predict` does, and where the model answers numbers.
        """
        if self.task.outputs == 1:
            raise UnsuitableData(
                f"{self.name} answers numbers, which have no probabilities. Ask it with predict."
            )
        return np.asarray(self.predict(rows, family).iloc[:, 1:].to_numpy(dtype=np.float64))

    def predict_raw(self, rows: Rows, family: str | None = None) -> Prediction:
        """(rows,) numbers or (rows, classes) probabilities, for rows the schema has read."""
        name = family or self.default
        if name not in self.mixes:
            raise UnknownName("family in this model", name, self.mixes)
        if len(rows) == 0:
            return np.zeros((0,) if self.task.outputs == 1 else (0, self.task.outputs))
        folds = self.mixes[name]
        answers: dict[str, Prediction] = {}
        with sharing():
            for key in {key for mix in folds for key in mix}:
                answers[key] = self._answer(key, rows)
        means = [
            self.task.average([answers[key] for key in mix], [float(weight) for weight in mix.values()])
            for mix in folds
        ]
        return self.task.average(means, [1.0] * len(means))

    def member(self, key: str) -> Model:
        """One fitted model of those that the bundle mixes.

        Raises:
            UnknownName: there is none of that name.
            BadBundle: its files are not what they should be.
            UserError: the model was closed before this member was needed.
        """
        if key not in self.learners:
            raise UnknownName("member of this model", key, self.learners)
        if key not in self.loaded:
            if self.private is not None and not self.private.remove.alive:
                raise UserError(f"The model {self._shown} was closed. Open it again to ask it.")
            self.loaded[key] = self._load(key)
        return self.loaded[key]

    def check(self, tolerance: float = TOLERANCE, family: str | None = None) -> None:
        """Have the model answer its golden rows as it did when it was made; every family of it, unless one is given.

        Raises:
            BadBundle: it answers otherwise.
        """
        check_golden(self, tolerance, family)

    def close(self) -> None:
        """Remove what was unpacked for this model; it answers no more unless what it needs is loaded."""
        if self.private is not None:
            self.private.remove()

    def __enter__(self) -> Bundle:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _extra(self, name: str) -> Mapping[str, Any] | None:
        """A JSON file beside the description.

        Raises:
            BadBundle: it is not what it should be.
        """
        value = self.seal.parsed(name) if self.seal else None
        if value is not None and not isinstance(value, dict):
            raise BadBundle(f"{name} in {self._shown} is not what it should be: expected an object.")
        return value

    def _answer(self, key: str, rows: Rows) -> Prediction:
        model = self.member(key)
        try:
            answer = model.predict(rows)
            wanted = (len(rows),) if self.task.outputs == 1 else (len(rows), self.task.outputs)
            if np.shape(answer) != wanted:
                raise ValueError(f"expected answers of shape {wanted}, got {np.shape(answer)}")
            if not np.isfinite(answer).all():
                raise ValueError("an answer is no number")
        except FathometerError:
            raise
        except Exception as error:  # whatever a library raises at states that do not hold together
            raise BadBundle(self._fault(key, "cannot answer", error)) from error
        return answer

    def _load(self, key: str) -> Model:
        learner, files = self._learner(key), self._files(key)
        for _ in range(TRIES):
            before = self.seal.check(files) if self.seal else []
            try:
                with trusting(self.trusted):
                    model = learner.load(self.folder / "members" / key)
            except BadBundle as error:
                raise BadBundle(f"members/{key} ({self.learners[key]}) in {self._shown}: {error}") from error
            except FathometerError:
                raise
            except Exception as error:  # whatever a library raises at files that are damaged
                raise BadBundle(self._fault(key, "cannot be read", error)) from error
            # what was read is what was verified, for nobody has touched it in between
            if not self.seal or self.seal.check(files) == before:
                return model
        raise BadBundle(f"members/{key} in {self._shown} is being changed while it is read. Try again.")

    def _learner(self, key: str) -> type[Learner]:
        try:
            return LEARNERS.get(self.learners[key])
        except ModuleNotFoundError as error:
            package = (error.name or "").split(".")[0]
            if package in ("", "fathometer"):
                raise
            raise MissingExtra(
                f"The member {key!r} of {self._shown}", package, f"pip install {package}"
            ) from error

    def _files(self, key: str) -> list[Listed]:
        """What a member reads: its own files, and the encoders that it names."""
        if self.seal is None:
            return []
        wanted = self.seal.parsed(f"members/{key}/{ENCODERS_FILE}") or []
        below = [f"members/{key}", *(f"encoders/{one['digest']}" for one in wanted)]
        return [listed for folder in below for listed in self.seal.manifest.below(folder)]

    def _fault(self, key: str, what: str, error: Exception) -> str:
        told = "".join(sign if sign.isprintable() else " " for sign in str(error))
        reason = " ".join(told.split())[:200] or "no reason given"
        return (
            f"The member {key!r} ({self.learners[key]}) of {self._shown} {what}: what is in members/{key} is not what "
            f"it should be ({type(error).__name__}: {reason}). Copy or make the model again."
        )

    @property
    def _shown(self) -> Path:
        return self.seal.shown if self.seal else self.folder


def open_bundle(path: Path | str, limits: Limits = LIMITS, *, trust_native: bool = False) -> Bundle:
    """Open a model, a folder or one file, after checking every file in it against its manifest.

    Nothing of it is run: it holds data only, and names of learners, tasks and kinds that are known here.

    Args:
        trust_native: whether members that only another library's own parser can read are opened too (those of CatBoost
            from the first format): for models made by people you trust alone.

    Raises:
        BadBundle: no model, of another format, incomplete, altered, or holding something unlisted.
        UserError: there is no room to unpack it.
    """
    shown = Path(path)
    if not shown.is_file():
        # members are read later, from wherever the program has gone by then
        return replace(_opened(shown.absolute(), shown, limits, None), trusted=trust_native)
    private = PrivateFolder(unpack(Path(os.path.realpath(shown)), limits))
    try:
        return replace(_opened(private.path, shown, limits, private), trusted=trust_native)
    except BaseException:
        private.remove()
        raise


def is_bundle(path: Path | str) -> bool:
    """Whether a path looks like a model: a folder with a manifest, or a file that is called like one."""
    shown = Path(path)
    return (shown / "manifest.json").is_file() or (shown.suffix in ARCHIVE_ENDINGS and shown.is_file())


def _opened(folder: Path, shown: Path, limits: Limits, private: PrivateFolder | None) -> Bundle:
    seal = verify(folder, limits, shown)
    try:
        found = described(seal.parsed(DESCRIPTION), seal.manifest.format)
        _check_places(seal, set(found.members))
    except ValueError as error:
        raise BadBundle(
            f"{DESCRIPTION} in {shown} is not what it should be: {error}. Make the model again."
        ) from error
    try:
        demand_requirements((seal.read(REQUIREMENTS) or b"").decode("ascii"))
    except ValueError as error:
        raise BadBundle(f"{REQUIREMENTS} in {shown} is not what it should be: {error}.") from error
    return Bundle(
        folder=folder,
        schema=found.schema,
        task=found.task,
        learners={key: learner for key, (learner, _) in found.members.items()},
        mixes=found.mixes,
        default=found.default,
        about=found.about,
        name=bundle_name(shown),
        requires=found.requires,
        seal=seal,
        private=private,
    )


def _check_places(seal: Seal, members: set[str]) -> None:
    """Every member has files and every file a member; every encoder that is named is there.

    Raises:
        ValueError, BadBundle: it is not so.
    """
    files = seal.manifest.files.values()
    there = {one.path.split("/")[1] for one in files if one.role == "member"}
    if there != members:
        lacking, further = sorted(members - there), sorted(there - members)
        raise ValueError(
            f"the member {lacking[0]!r} has no files" if lacking else f"members/{further[0]} is no member's"
        )
    packed = {one.path.split("/")[1] for one in files if one.role == "encoder"}
    named = set()
    for key in members:
        wanted = seal.parsed(f"members/{key}/{ENCODERS_FILE}")
        if wanted is None:
            continue
        if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
            raise ValueError(f"members/{key}/{ENCODERS_FILE} is no list of encoders")
        for one in wanted:
            if not isinstance(one.get("digest"), str) or one["digest"] not in packed:
                raise ValueError(f"members/{key} names an encoder that is not there")
            named.add(one["digest"])
    if packed - named:
        raise ValueError(f"encoders/{min(packed - named)} is no member's")


def bundle_name(path: Path) -> str:
    """What to call a model: by its file or folder, or where that says nothing, by the run's."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - a link is called as it is, not as what it leads to
    name = absolute.name
    for ending in ARCHIVE_ENDINGS:
        name = name.removesuffix(ending)
    if name in ("", UNNAMED) and absolute.parent.name:
        name = absolute.parent.name
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip(".-")[:100] or UNNAMED


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:  # a child process that ends must not take the folder from its parent
        shutil.rmtree(path, ignore_errors=True)
