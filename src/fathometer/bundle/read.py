"""Open a model folder: verify first, load after, and only what is asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fathometer.bundle.asking import ask
from fathometer.bundle.write import BUNDLE_FORMAT
from fathometer.core.files import digest, read_json
from fathometer.core.memo import sharing
from fathometer.data.rows import Rows
from fathometer.data.schema import Schema
from fathometer.errors import BadBundle, UnknownName
from fathometer.learner import LEARNERS, Model
from fathometer.task import Prediction, Task, task_from_json

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,120}")


@dataclass(frozen=True)
class Bundle:
    """A model that predicts. Members are loaded when first needed, and kept."""

    folder: Path
    schema: Schema
    task: Task
    learners: Mapping[str, str]  # member key -> learner
    mixes: Mapping[str, Sequence[Mapping[str, float]]]
    default: str
    about: Mapping[str, Any]
    loaded: dict[str, Model] = field(default_factory=dict, repr=False, compare=False)

    def predict(self, frame: pd.DataFrame, family: str | None = None) -> pd.DataFrame:
        """Answers in the order of the rows: `prediction`, and for classes one `probability_<label>` each.

        Args:
            frame: cells as read from a file, or typed; other columns than the inputs are ignored.
            family: "classical", "deep", "together", "pretrained" where there is one, or "baseline"; the verdict's
                choice unless given.

        Raises:
            UserError: a column is missing, or hardly a picture of it can be read, or the family is not in the folder.
        """
        return ask(self, frame, family=family).answers

    def predict_raw(self, rows: Rows, family: str | None = None) -> Prediction:
        """(rows,) numbers or (rows, classes) probabilities, for rows the schema has read."""
        name = family or self.default
        if name not in self.mixes:
            raise UnknownName("competitor in this model", name, self.mixes)
        if len(rows) == 0:
            return np.zeros((0,) if self.task.outputs == 1 else (0, self.task.outputs))
        folds = self.mixes[name]
        answers: dict[str, Prediction] = {}
        with sharing():
            for key in {key for mix in folds for key in mix}:
                answers[key] = self._member(key).predict(rows)
        means = [
            self.task.average([answers[key] for key in mix], [float(weight) for weight in mix.values()])
            for mix in folds
        ]
        return self.task.average(means, [1.0] * len(means))

    def _member(self, key: str) -> Model:
        if key not in self.loaded:
            learner = LEARNERS.get(self.learners[key])
            self.loaded[key] = learner.load(self.folder / "members" / key)
        return self.loaded[key]


def open_bundle(folder: Path) -> Bundle:
    """Open a model folder after checking every file in it against its manifest.

    Raises:
        BadBundle: no model folder, of another format, incomplete, altered, or holding something unlisted.
    """
    manifest = _json(folder / "manifest.json")
    if manifest.get("format") != BUNDLE_FORMAT:
        raise BadBundle(
            f"{folder} is a model folder of format {manifest.get('format')!r}, and this version reads {BUNDLE_FORMAT}."
        )
    _verify(folder, manifest)
    described = _json(folder / "model.json")
    try:
        bundle = Bundle(
            folder=folder,
            schema=Schema.from_json(described["schema"]),
            task=task_from_json(described["task"]),
            learners={str(key): str(value["learner"]) for key, value in described["members"].items()},
            mixes=described["mixes"],
            default=str(described["default"]),
            about=described["about"],
        )
        _check(bundle)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadBundle(
            f"{folder / 'model.json'} is not what it should be ({error}). Make the model again."
        ) from error
    return bundle


def _check(bundle: Bundle) -> None:
    """What is named must be there.

    Raises:
        BadBundle, ValueError, TypeError: it is not.
    """
    for key in bundle.learners:
        if not SAFE_NAME.fullmatch(key):
            raise BadBundle(
                f"{bundle.folder} names a member {key!r}, which is no file name. It cannot be opened."
            )
    if bundle.default not in bundle.mixes:
        raise ValueError(f"there is no {bundle.default!r} to answer by default")
    for name, mixes in bundle.mixes.items():
        if not mixes:
            raise ValueError(f"{name!r} has no members")
        for mix in mixes:
            unknown = sorted(set(mix) - set(bundle.learners))
            if unknown:
                raise ValueError(f"{name!r} names {unknown[0]!r}, which is no member")
            weights = [float(weight) for weight in mix.values()]
            if not all(weight >= 0 for weight in weights) or not math.isclose(sum(weights), 1, abs_tol=1e-6):
                raise ValueError(f"the weights of {name!r} do not sum to one")


def _json(path: Path) -> dict[str, Any]:
    if path.is_symlink() or not path.is_file():
        raise BadBundle(f"{path.parent} is no model folder: there is no {path.name} in it.")
    try:
        value = read_json(path)
    except (ValueError, RecursionError) as error:
        raise BadBundle(f"{path} is damaged ({error}). Make the model again.") from error
    if not isinstance(value, dict):
        raise BadBundle(f"{path} is not what it should be. Make the model again.")
    return value


def _verify(folder: Path, manifest: Mapping[str, Any]) -> None:
    try:
        listed = {str(item["path"]): (int(item["size"]), str(item["sha256"])) for item in manifest["files"]}
    except (KeyError, TypeError, ValueError) as error:
        raise BadBundle(
            f"The manifest of {folder} is not what it should be. Make the model again."
        ) from error
    # a link to a folder is not followed, but is_dir() is true of it
    found = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    for name, path in found.items():
        if path.is_symlink() or not path.is_file():
            raise BadBundle(
                f"{name} in {folder} is a link or a device. A model folder holds plain files only."
            )
        if name not in listed and name != "manifest.json":
            raise BadBundle(f"{name} in {folder} is not in its manifest. Remove it, or make the model again.")
    for name, (size, sha256) in listed.items():
        if name not in found:
            raise BadBundle(f"{name} is missing from {folder}. Copy the whole folder again.")
        if found[name].stat().st_size != size or digest(found[name]) != sha256:
            raise BadBundle(
                f"{name} in {folder} was altered: its SHA-256 is not the manifest's. Copy it again."
            )
