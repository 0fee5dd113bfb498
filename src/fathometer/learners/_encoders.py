"""Pre-trained encoders at work: found again by their digest, loaded once, and what they made is remembered."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.files import State, write_json
from fathometer.core.memo import name_of, recalled_rows, recalled_state, remembered
from fathometer.core.states import demand, table, text, truth, whole
from fathometer.data.encoder_files import (
    IMAGE,
    TEXT,
    demand_no_others,
    digest_of_files,
    encoder_at,
    used_files,
)
from fathometer.errors import BadBundle, UserError
from fathometer.kind import KINDS
from fathometer.learner import Run
from fathometer.learners._clock import coarse_is_faster
from fathometer.learners._encoder_onnx import onnx_reader
from fathometer.learners._encoder_own import own_reader
from fathometer.learners._encoder_pictures import TorchPictureReader
from fathometer.learners._encoder_reading import Floats, Reader
from fathometer.learners._encoder_texts import TorchTextReader

NEEDED_FILE = "encoders.json"  # as bundle/write.py reads it
MANIFEST = "manifest.json"  # in a folder: it is a packed model
FORMS = ("transformers", "onnx", "fathometer")
LONGEST = 4_096  # tokens of a text, at most
PACKED = "encoders"  # folder of a model folder: its encoders, each under its digest
ABOVE = 3  # folders above a member's in which it may lie
REMEMBERED_TOGETHER = 512  # rows made before they are kept
READING_SHARE = 0.6  # of the time left may go into reading; the rest is for learning and for the rows asked
SAMPLED = 192  # values by which the work is estimated
TIMED = 12  # values read to see how fast it goes
FEWEST_ROWS = 60  # are read however short the time is


@dataclass(frozen=True)
class Source:
    """Where an encoder's files are, and what they must be."""

    digest: str
    folder: str
    form: str
    kind: str

    def state(self) -> State:
        """This, as data."""
        return {"digest": self.digest, "folder": self.folder, "form": self.form, "kind": self.kind}

    @classmethod
    def from_state(cls, state: State, model: Path) -> Source:
        """What was saved; its files are looked for in the folders above the model's first.

        A model folder that was packed brings its encoders along: such a one, which may be a stranger's, has no say in
        which other folders of this machine are looked into.

        Raises:
            BadBundle: it is no encoder, or is missing in a packed model.
        """
        table(state, "an encoder", ("digest", "folder", "form", "kind"))
        digest = text(state["digest"], "an encoder's digest")
        demand(re.fullmatch("[0-9a-f]{64}", digest), "an encoder's digest is none")
        form, kind = text(state["form"], "its form", FORMS), text(state["kind"], "its kind", (TEXT, IMAGE))
        for place in [model, *model.parents][: ABOVE + 1]:
            packed = place / PACKED / digest
            if packed.is_dir():
                return cls(digest, str(packed.resolve()), form, kind)
            demand(not (place / MANIFEST).is_file(), f"the encoder {digest[:12]} was not packed with it")
        return cls(digest, text(state["folder"], "its folder"), form, kind)


@dataclass(frozen=True)
class Encoding:
    """An encoder and how it reads. coarse: in bfloat16. length: tokens of a text at most; 0: values are read whole."""

    source: Source
    coarse: bool
    length: int

    def embed(self, values: pd.Series) -> Floats:
        """(rows, width) numbers of a column's values; what was made of a value before is looked up."""
        digests = KINDS.get(self.source.kind)().digests(values)
        facts = facts_of(self.source, self.coarse)

        def make(positions: npt.NDArray[np.intp]) -> Floats:
            return reader_of(self.source, self.coarse).embed(values.iloc[positions], self.length)

        return recalled_rows(self.name, digests, facts["width"], make, REMEMBERED_TOGETHER)

    @property
    def name(self) -> str:
        """Under which its rows are remembered."""
        return name_of("embedding", self.source.digest, self.coarse, self.length)

    def state(self) -> State:
        """This, as data."""
        return {"source": self.source.state(), "coarse": self.coarse, "length": self.length}

    @classmethod
    def from_state(cls, state: State, model: Path) -> Encoding:
        """The encoding that gave this state, of a model that was saved in this folder."""
        table(state, "an encoding", ("source", "coarse", "length"))
        source = Source.from_state(state["source"], model)
        return cls(source, truth(state["coarse"], "coarse"), whole(state["length"], "length", 0, LONGEST))


def write_needed(folder: Path, encoding: Encoding | None) -> None:
    """Say in a model's folder which encoder must be packed with it."""
    if encoding is not None:
        source = encoding.source
        one = {"digest": source.digest, "folder": source.folder, "form": source.form}
        write_json(folder / NEEDED_FILE, [one])


@dataclass(frozen=True)
class Plan:
    """What is read within the time: how much of each value, and what share of the rows learned from."""

    encoding: Encoding
    share: float


def source_at(folder: str, digest: str, form: str) -> Source:
    """The encoder in a folder, as a recipe names it.

    Raises:
        UserError: it is not there, or another one.
    """
    found = encoder_at(Path(folder), form=form)
    if found.digest != digest:
        raise UserError(f"The encoder in {folder} has changed since the run began. Begin a new run.")
    return Source(digest, folder, found.form, found.kind)


def facts_of(source: Source, coarse: bool) -> dict[str, Any]:
    """Its width and the lengths it may read; loaded for that once in a run."""

    def make() -> State:
        reader = reader_of(source, coarse)
        return {"width": reader.width, "lengths": list(reader.lengths)}

    return recalled_state(name_of("encoder", source.digest), make)


def reader_of(source: Source, coarse: bool) -> Reader:
    """The encoder, loaded and verified once in a process.

    Raises:
        BadBundle: its files are not there, or others.
    """
    return _reader(source, coarse)


@functools.lru_cache(maxsize=4)
def _reader(source: Source, coarse: bool) -> Reader:
    folder = Path(source.folder)
    try:
        found = digest_of_files(folder, used_files(folder, source.form))
        if folder.parent.name == PACKED and (folder.parent.parent / MANIFEST).is_file():
            demand_no_others(folder, source.form)
    except (UserError, OSError) as error:
        raise BadBundle(
            f"The encoder that this model reads with is not in {folder} ({error}). Put it there again."
        ) from error
    if found != source.digest:
        raise BadBundle(
            f"The encoder in {folder} is not the one this model was made with. Put that one there again."
        )
    if source.form == "onnx":
        return onnx_reader(folder, source.kind)
    if source.form == "fathometer":
        return own_reader(folder, source.kind)
    return TorchTextReader(folder, coarse) if source.kind == TEXT else TorchPictureReader(folder, coarse)


def plan(source: Source, columns: Sequence[pd.Series], run: Run) -> Plan:
    """How to read these columns' values within the time that is left; what is remembered costs nothing."""
    coarse = bool(
        run.decide("encoder_coarse", lambda: source.form == "transformers" and coarse_is_faster(run.device))
    )
    length, share = run.decide("encoder_plan", lambda: _planned(source, coarse, columns, run))
    return Plan(Encoding(source, coarse, int(length)), float(share))


def _planned(source: Source, coarse: bool, columns: Sequence[pd.Series], run: Run) -> list[float]:
    """[length, share of rows]: as much of each value as time allows; fewer rows where the least is too long."""
    lengths = facts_of(source, coarse)["lengths"]
    kind = KINDS.get(source.kind)()
    values = pd.concat(list(columns), ignore_index=True)
    digests = kind.digests(values)
    _, first = np.unique(digests, return_index=True)
    allowed = READING_SHARE * max(run.left_for_features(), 0.0)
    speed: float | None = None
    share = 1.0
    for length in lengths:
        name = Encoding(source, coarse, length).name
        absent = first[~remembered(name, digests[first])]
        if not len(absent):
            return [length, 1.0]
        reader = reader_of(source, coarse)
        some = values.iloc[np.random.default_rng(0).permutation(np.sort(absent))[:SAMPLED]]
        if speed is None:
            speed = _seconds_per_work(reader, some.iloc[:TIMED], length, run)
            allowed = READING_SHARE * max(run.left_for_features(), 0.0)
        seconds = speed * reader.work(some, length) * len(absent) / len(some)
        if seconds <= allowed:
            return [length, 1.0]
        share = allowed / seconds
    least = min(1.0, FEWEST_ROWS / max(len(columns[0]), 1))
    return [lengths[-1], max(share, least)]


def _seconds_per_work(reader: Reader, values: pd.Series, length: int, run: Run) -> float:
    """Processor seconds for one unit of work, or more where the processor is shared and the wall's clock is scarcer."""
    reader.embed(values.iloc[:1], length)  # the first one prepares
    used, left = run.used(), run.left()
    reader.embed(values, length)
    return max(run.used() - used, left - run.left(), 1e-9) / max(reader.work(values, length), 1e-9)
