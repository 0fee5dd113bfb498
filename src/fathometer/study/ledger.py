"""What was tried and what came of it: append-only on disk, whole or not at all per trial.

A run folder holds
    run.json         what was asked and understood (written once, before the first trial)
    rows.feather     the typed input columns
    folds.safetensors  the target, and the rows of every fold
    ledger.jsonl     one line per finished trial, failures included; each ends in a checksum
    trials/KEY/      predictions.safetensors (validation and test rows) and model/ of a finished trial

A trial is written beside its place, made to last, renamed into it, and only then entered into the ledger; so a line
in the ledger always has its files, and a kill at any moment loses at most the trials that were running.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from fathometer.core.files import sync_folder, sync_tree, write_text
from fathometer.errors import BadRun

RUN_FORMAT = 1


@dataclass(frozen=True)
class Trial:
    """One fit and what came of it.

    key: where its files are, and what makes it the same trial. decided: what the fit chose by the clock.
    cpu_seconds: of the whole process, failures included; fit_seconds and predict_seconds: of the learner alone, with
        what making the features would have taken where an earlier trial had made them. shared_seconds: of cpu_seconds,
        spent on features that later trials find ready. borrowed_seconds: of fit_seconds and predict_seconds, spent by
        earlier trials on what this one found ready.
    valid_loss: on the fold's validation rows (the loss models are chosen by). screen_loss: of a fit on fewer rows, on
        those of the whole fold's validation rows that it was not given. at: second of the run it ended.
    """

    key: str
    family: str
    learner: str
    title: str
    settings: Mapping[str, Any]
    turn: int
    fold: str
    seed: int
    stage: str
    status: str
    reason: str = ""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0
    shared_seconds: float = 0.0
    borrowed_seconds: float = 0.0
    predicted_rows: int = 0
    peak_bytes: int = 0
    model_bytes: int = 0
    valid_loss: float | None = None
    train_loss: float | None = None
    screen_loss: float | None = None
    decided: Mapping[str, Any] = field(default_factory=dict)
    curve: tuple[tuple[int, float], ...] = ()
    at: float = 0.0

    @cached_property
    def recipe(self) -> str:
        """The learner and its settings, whatever the fold."""
        return f"{self.learner} {json.dumps(dict(self.settings), sort_keys=True)}"


@dataclass(frozen=True)
class Ledger:
    """The record in one run folder."""

    folder: Path

    def trials(self) -> list[Trial]:
        """Every trial entered, in order."""
        return [_trial(entry) for entry in self._entries() if entry["type"] == "trial"]

    def commit(self, trial: Trial, scratch: Path | None) -> None:
        """Enter a trial; its files, if it has any, are moved from `scratch` into place first."""
        if scratch is not None:
            sync_tree(scratch)
            place = self.folder / "trials" / trial.key
            if place.exists():  # written by a run that was killed before it could enter it
                shutil.rmtree(place)
            scratch.rename(place)
            sync_folder(place.parent)
        self._append({"type": "trial", **asdict(trial)})

    def note_end(self, elapsed: float, why: str, cpu_seconds: float) -> None:
        """Enter that a sitting ended at this second of the run, why, and what it cost with everything around it."""
        self._append({"type": "end", "elapsed": elapsed, "why": why, "cpu_seconds": cpu_seconds})

    def cpu_seconds(self) -> float:
        """Processor seconds of all ended sittings, with everything around the trials."""
        return sum(float(entry["cpu_seconds"]) for entry in self._entries() if entry["type"] == "end")

    def elapsed(self) -> float:
        """Seconds the run has been at work, over all its sittings."""
        return max(
            (float(entry.get("at", entry.get("elapsed", 0.0))) for entry in self._entries()), default=0.0
        )

    def ended(self) -> str | None:
        """Why the run last ended, or None when it never did."""
        ends = [str(entry["why"]) for entry in self._entries() if entry["type"] == "end"]
        return ends[-1] if ends else None

    def predictions(self, trial: Trial) -> dict[str, npt.NDArray[np.float64]]:
        """A finished trial's predictions: "valid" and "test".

        Raises:
            BadRun: they are missing or damaged.
        """
        arrays = read_arrays(self.folder / "trials" / trial.key / "predictions.safetensors")
        return {name: array.astype(np.float64) for name, array in arrays.items()}

    def model_folder(self, trial: Trial) -> Path:
        """Where a finished trial's model is."""
        return self.folder / "trials" / trial.key / "model"

    def scratch(self) -> Path:
        """A fresh folder for a trial's files, beside their place."""
        place = self.folder / "trials" / f".draft-{secrets.token_hex(6)}"
        place.mkdir(parents=True)
        return place

    def mend(self) -> None:
        """After a kill: cut a half-written last line, and clear away half-written trials."""
        path = self.folder / "ledger.jsonl"
        if path.exists():
            whole = list(self._lines())
            text = "".join(line for line, _ in whole)
            if len(text.encode()) != path.stat().st_size:
                write_text(path, text)
        for draft in (self.folder / "trials").glob(".draft-*"):
            shutil.rmtree(draft, ignore_errors=True)

    def _append(self, entry: dict[str, Any]) -> None:
        body = json.dumps(entry, ensure_ascii=False, allow_nan=False)
        line = json.dumps({"entry": body, "crc": zlib.crc32(body.encode())}, ensure_ascii=False) + "\n"
        path = self.folder / "ledger.jsonl"
        is_new = not path.exists()
        with path.open("ab", buffering=0) as stream:
            size = stream.seek(0, os.SEEK_END)
            try:
                rest = memoryview(line.encode())
                while rest:
                    rest = rest[stream.write(rest) :]
                os.fsync(stream.fileno())
            except BaseException as error:
                # Half a line would be taken for damage as soon as another follows it. A whole one, interrupted while
                # being made to last, may have been seen and stays.
                if rest or isinstance(error, OSError):
                    os.ftruncate(stream.fileno(), size)
                raise
        if is_new:
            sync_folder(self.folder)

    def _entries(self) -> Iterator[dict[str, Any]]:
        for _, entry in self._lines():
            yield entry

    def _lines(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Whole lines with their entries; stops quietly at a torn last line.

        Raises:
            BadRun: a line before the last is damaged.
        """
        path = self.folder / "ledger.jsonl"
        if not path.exists():
            return
        lines = path.read_bytes().split(b"\n")
        for number, raw in enumerate(lines, 1):
            entry = _checked(raw)
            if entry is None:
                if all(not later for later in lines[number:]):
                    return  # torn while being written: the run was killed
                raise BadRun(
                    f"Line {number} of {path} is damaged. Restore the file from a copy, or delete it and what follows."
                )
            yield raw.decode() + "\n", entry


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Arrays of a run's folder.

    Raises:
        BadRun: the file is missing or damaged.
    """
    try:
        arrays: dict[str, npt.NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise BadRun(
            f"{path} is missing or damaged ({error}). Restore the run's folder from a copy, or run compare again."
        ) from error
    return arrays


def _checked(raw: bytes) -> dict[str, Any] | None:
    try:
        outer = json.loads(raw)
        body = outer["entry"]
        if zlib.crc32(body.encode()) != outer["crc"]:
            return None
        entry: dict[str, Any] = json.loads(body)
        return entry
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _trial(entry: dict[str, Any]) -> Trial:
    values = {key: value for key, value in entry.items() if key != "type"}
    values["curve"] = tuple((int(step), float(loss)) for step, loss in values["curve"])
    return Trial(**values)


class Lock:
    """One writer per run folder. The system lets go of the lock when its holder ends, however it ends.

    Raises:
        BadRun: another process that is alive holds it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run.lock"
        self._stream: IO[str] | None = None

    def __enter__(self) -> Lock:
        while self._stream is None:
            stream = self.path.open("a+", encoding="utf-8")
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                stream.close()
                if not isinstance(error, BlockingIOError):
                    raise BadRun(
                        f"The run {self.path.parent} cannot be locked ({error}). Put it on another disk."
                    ) from error
                raise BadRun(
                    f"The run {self.path.parent} is being worked on by another process. Wait for it, or stop it."
                ) from None
            # a holder that has just ended may have removed the file that was opened here
            if self.path.exists() and self.path.stat().st_ino == os.fstat(stream.fileno()).st_ino:
                self._stream = stream
            else:
                stream.close()
        return self

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)
        if self._stream is not None:
            self._stream.close()
            self._stream = None
