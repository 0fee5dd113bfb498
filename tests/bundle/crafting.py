"""Models as an attacker would make them: changed at will, with a manifest that fits."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import stat
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fathometer.bundle import Limits, Member, open_bundle, pack
from fathometer.bundle.format import role_of
from fathometer.core.files import digest
from fathometer.data.encoder_files import encoder_at
from fathometer.data.rows import Rows
from fathometer.data.schema import Column, Schema, learn_schema
from fathometer.data.wire import to_wire
from fathometer.errors import BadBundle
from fathometer.learner import LEARNERS, Run
from fathometer.tasks.classification import Classification
from fathometer.testing.learners import Toy, make_toy


def manifest_of(folder: Path) -> dict[str, Any]:
    """A manifest that fits what is there now, whatever it is."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "manifest.json"]
    listed = []
    for path in files:
        name = path.relative_to(folder).as_posix()
        sha256, role = digest(path), role_of(name) or "member"
        listed.append({"path": name, "size": path.stat().st_size, "sha256": sha256, "role": role})
    total = sum(one["size"] for one in listed)
    return {"format": 2, "made_by": "someone", "created": "now", "total_size": total, "files": listed}


def relist(folder: Path) -> None:
    """Write the manifest that fits."""
    (folder / "manifest.json").write_text(json.dumps(manifest_of(folder)))


def describe(folder: Path, change: Callable[[Any], Any]) -> None:
    """Change model.json, and the manifest with it."""
    path = folder / "model.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    relist(folder)


def put(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put further files in, and list them."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(content)
    relist(folder)


def refused(path: Path, words: str = ".", limits: Limits | None = None) -> None:
    """Opening it must be refused in one line."""
    with pytest.raises(BadBundle) as caught:
        open_bundle(path, limits or Limits())
    said = str(caught.value).replace(str(path), "X")  # its name must not be taken for the reason
    assert re.search(words, said), said
    assert "\n" not in said
    assert len(said) < 500
    assert tempfile.gettempdir() not in said.replace(str(path.parent), "")  # nor where it was unpacked


@dataclass
class Piece:
    """One entry of a zip file, every field of which may lie. None: the truth."""

    name: bytes
    content: bytes = b""
    method: int = 0
    flags: int = 0
    mode: int = stat.S_IFREG | 0o644
    dos: int = 0
    raw: bytes | None = None  # the packed bytes
    size: int | None = None
    packed: int | None = None
    checksum: int | None = None
    extra: bytes = b""
    disk: int = 0
    start: int | None = None  # where the directory says it begins
    local: dict[str, Any] = field(default_factory=dict)  # what the local header says instead
    after: bytes = b""  # between this and the next
    is_written: bool = True

    def packed_bytes(self) -> bytes:
        if self.raw is not None:
            return self.raw
        if self.method != 8:
            return self.content
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return packer.compress(self.content) + packer.flush()


@dataclass
class Ending:
    """The end of a zip file, every field of which may lie."""

    count: int | None = None
    here: int | None = None
    size: int | None = None
    start: int | None = None
    disk: int = 0
    remark: bytes = b""
    before: bytes = b""  # between the directory and the end
    within: bytes = b""  # at the end of the directory
    prefix: bytes = b""
    suffix: bytes = b""


def zipped(pieces: Sequence[Piece], ending: Ending | None = None) -> bytes:
    """A zip file that says exactly this."""
    end = ending or Ending()
    out, directory = bytearray(end.prefix), bytearray()
    for piece in pieces:
        raw, begin = piece.packed_bytes(), len(out)
        size = len(piece.content) if piece.size is None else piece.size
        packed = len(raw) if piece.packed is None else piece.packed
        checksum = zlib.crc32(piece.content) if piece.checksum is None else piece.checksum
        told = {
            "magic": b"PK\x03\x04",
            "name": piece.name,
            "flags": piece.flags,
            "method": piece.method,
            "size": size,
            "packed": packed,
            "checksum": checksum,
            "extra": b"",
        } | piece.local
        if piece.is_written:
            numbers = (
                20,
                told["flags"],
                told["method"],
                0,
                0x21,
                told["checksum"],
                told["packed"],
                told["size"],
            )
            lengths = (len(told["name"]), len(told["extra"]))
            out += struct.pack("<4s5H3L2H", told["magic"], *numbers, *lengths)
            out += told["name"] + told["extra"] + raw + piece.after
        place = begin if piece.start is None else piece.start
        outside = (piece.mode << 16) | piece.dos
        facts = (0x0314, 20, piece.flags, piece.method, 0, 0x21, checksum, packed, size)
        lengths = (len(piece.name), len(piece.extra), 0, piece.disk, 0)
        directory += struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *facts, *lengths, outside, place)
        directory += piece.name + piece.extra
    directory += end.within
    start, count = len(out), len(pieces)
    out += directory + end.before
    numbers = (
        end.disk,
        end.disk,
        count if end.here is None else end.here,
        count if end.count is None else end.count,
        len(directory) if end.size is None else end.size,
        start if end.start is None else end.start,
    )
    out += struct.pack("<4s4H2LH", b"PK\x05\x06", *numbers, len(end.remark)) + end.remark + end.suffix
    return bytes(out)


def pieces_of(folder: Path) -> list[Piece]:
    """The entries of an honest zip file of this folder."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [Piece(name.encode(), (folder / name).read_bytes()) for name in names]


def small_model(folder: Path) -> Path:
    """A model of two members, made in a moment, under `folder`."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(size=40), "colour": rng.choice(["red", "green"], 40)})
    schema, _ = learn_schema(frame)
    rows = schema.read(frame)
    rows = Rows(rows.frame, rows.kinds, (frame["size"] > 0).to_numpy().astype(np.int64))
    task = Classification("answer", "accuracy", 0.5, ("no", "yes"))
    members = []
    for name in ("baseline", "linear"):
        place = folder / "trials" / name
        place.mkdir(parents=True)
        LEARNERS.get(name)().fit(rows, rows, task, Run()).save(place)
        members.append(Member(f"a-{name}", name, name, place))
    pack(
        folder / "model",
        schema=schema,
        task=task,
        members=members,
        mixes={"classical": [{"a-linear": 1.0}], "baseline": [{"a-baseline": 1.0}]},
        default="classical",
        about={},
        requires={"numpy": "2.0"},
        reference={"rows": 40, "columns": [], "answers": {}},
        verdict={"use": "classical"},
        card="# A model\n",
        created="2026-01-01T00:00:00+00:00",
    )
    return folder / "model"


def asked(rows: int = 5) -> pd.DataFrame:
    """Rows for the small model."""
    rng = np.random.default_rng(1)
    return pd.DataFrame({"size": rng.normal(size=rows), "colour": rng.choice(["red", "green"], rows)})


KINDS_OF_ALL = ("number", "category", "moment", "text", "image")


def members_of_all(folder: Path) -> list[Member]:
    """A fitted model of every learner that needs nothing from elsewhere; fitted in a moment, they know little."""
    toy = toy_of_all()
    train, valid = toy.train.take(np.arange(60)), toy.valid.take(np.arange(24))
    members = []
    for name in LEARNERS.usable():
        learner = LEARNERS.get(name)
        if learner.family == "pretrained":
            continue
        place = folder / name
        place.mkdir(parents=True)
        learner().fit(train, valid, toy.task, Run(seed=1, seconds=0.3)).save(place)
        members.append(Member(name, name, learner.title, place))
    return members


def pretrained_members(folder: Path) -> list[Member]:
    """Fitted models that read words and pictures with small encoders of random weights."""
    path = Path(__file__).parents[1] / "learners" / "pretrained" / "folders.py"
    spec = importlib.util.spec_from_file_location("pretrained_folders", path)
    assert spec is not None and spec.loader is not None
    folders = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(folders)
    toy, members = toy_of_all(), []
    train, valid = toy.train.take(np.arange(60)), toy.valid.take(np.arange(24))
    encoders = {"words": folders.text_folder, "pictures": folders.picture_folder}
    for name, learner in (("words", "frozen"), ("pictures", "frozen"), ("words", "finetune")):
        source, place = folder / "encoders" / f"{name}-{learner}", folder / f"{learner}-{name}"
        for one in (source, place):
            one.mkdir(parents=True)
        found = encoder_at(encoders[name](source))
        recipe = LEARNERS.get(learner)(encoder=found.digest, folder=str(source), form=found.form)
        recipe.fit(train, valid, toy.task, Run(seed=1, seconds=2.0)).save(place)
        members.append(Member(place.name, learner, learner, place))
    return members


def pack_members(folder: Path, members: Sequence[Member]) -> Path:
    """A model of these members, each a competitor of its own; beside it lies `rows.json` with rows to ask."""
    toy = toy_of_all()
    columns = tuple(
        Column(name, kind, toy.readings[name], {}, False, "") for name, kind in toy.train.kinds.items()
    )
    folder.mkdir(parents=True, exist_ok=True)
    pack(
        folder / "model",
        schema=Schema(columns),
        task=toy.task,
        members=members,
        mixes={member.key: [{member.key: 1.0}] for member in members},
        default=members[0].key,
        about={},
    )
    rows = [[to_wire(cell) for cell in row] for row in toy.asked.frame.head(4).itertuples(index=False)]
    (folder / "rows.json").write_text(json.dumps({"columns": list(toy.asked.frame), "rows": rows}))
    return folder / "model"


@functools.cache
def toy_of_all() -> Toy:
    """A small table with every kind of column."""
    return make_toy("two classes", list(KINDS_OF_ALL), 2)


CACHES = ("TMPDIR", "HOME", "XDG_CACHE_HOME", "HF_HOME", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")
"""Where libraries keep what is theirs: torch makes a folder for compiled code, though nothing is compiled."""


def watched(model: Path, rows: Path, tmp_path: Path, *further: str) -> dict[str, Any]:
    """What a model answers in a process that ends at anything data alone could not ask for (`watched.py`)."""
    outside, private = tmp_path / "outside", tmp_path / "private"
    for folder in (outside, private):
        folder.mkdir(exist_ok=True)
    (outside / "libevil.so").write_bytes(b"")
    (outside / "evil.py").write_text("raise SystemExit('it ran')")
    run = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "watched.py"), str(model), str(rows), *further],
        env={
            **os.environ,
            **dict.fromkeys(CACHES, str(private)),
            "OUTSIDE": str(outside),
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        cwd=outside,
    )
    assert run.returncode == 0, run.stderr[-3_000:]
    said: dict[str, Any] = json.loads(run.stdout)
    return said
