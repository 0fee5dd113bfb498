"""Read idx files, as Fashion-MNIST and MNIST come in: one file of pictures, one of their labels.

LeCun, Cortes & Burges (1998). The MNIST database of handwritten digits. http://yann.lecun.com/exdb/mnist/
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.data.sentences import listed
from fathometer.data.table import Table
from fathometer.errors import UnreadableData

PICTURE, LABEL = "picture", "label"
PICTURES_MAGIC, LABELS_MAGIC = b"\0\0\x08\x03", b"\0\0\x08\x01"

_NAME = re.compile(r"(images|labels)[-._]idx[13]-ubyte(?:\.gz)?$", re.IGNORECASE)


class Pair(NamedTuple):
    """Names of the two files that belong together; None: it is not there."""

    images: str | None
    labels: str | None


def is_idx(raw: bytes) -> bool:
    """Whether the bytes begin as idx files of pictures or labels do."""
    return raw.startswith((PICTURES_MAGIC, LABELS_MAGIC))


def is_idx_name(name: str) -> bool:
    """Whether a file is named as these files are."""
    return _NAME.search(name) is not None


def partner(name: str, names: Iterable[str]) -> str | None:
    """Of a file of pictures the one of its labels, and the other way round, packed or not; None: there is none."""
    wanted = _stem(_swapped(name))
    found = sorted(other for other in names if _stem(other) == wanted)
    return found[0] if found else None


def pair_of(name: str, raw: bytes, names: Iterable[str]) -> Pair:
    """The pair a file belongs to, by its content and the names beside it."""
    other = partner(name, names)
    return Pair(name, other) if raw.startswith(PICTURES_MAGIC) else Pair(other, name)


def pair_to_train(names: Iterable[str]) -> tuple[Pair, tuple[str, ...]]:
    """Of a folder's idx files the ones to learn from, and a note on the others.

    Raises:
        UnreadableData: there are several, and none alone is for training.
    """
    known = list(names)
    images = {_stem(name): name for name in sorted(known) if "images" in name.lower()}
    train = {stem: name for stem, name in images.items() if "train" in stem} if len(images) > 1 else images
    if len(train) != 1:
        raise UnreadableData(
            f"Expected one idx file of pictures to learn from, but there are {len(images)}: {listed(known)}. Name one."
        )
    taken = next(iter(train.values()))
    others = [name for name in images.values() if name != taken]
    note = f"{taken!r} was read. Left for you to test with (fathom predict): {listed(map(repr, others))}."
    return Pair(taken, partner(taken, known)), (note,) if others else ()


def idx_table(images: bytes, labels: bytes | None, pair: Pair, origin: str) -> Table:
    """Pictures, (height, width) of bytes each, and their labels as text where there are any.

    Raises:
        UnreadableData: a file is not what it says, or the two do not belong together.
    """
    pixels = _values(images, PICTURES_MAGIC, str(pair.images))
    cells = np.empty(len(pixels), dtype=object)
    for place, picture in enumerate(pixels):
        cells[place] = picture
    frame = pd.DataFrame({PICTURE: pd.Series(cells, dtype=object)})
    if labels is None:
        return Table(frame, ("There is no file of labels beside the pictures.",), origin)
    codes = _values(labels, LABELS_MAGIC, str(pair.labels))
    if len(codes) != len(pixels):
        raise UnreadableData(
            f"Expected as many labels as pictures, but {pair.images} holds {len(pixels):,} pictures and {pair.labels} "
            f"{len(codes):,} labels. Fetch both again."
        )
    frame[LABEL] = pd.Series([str(code) for code in codes.tolist()], dtype="str")
    return Table(frame, (f"The labels are those of {pair.labels}.",), origin, target=LABEL)


def _values(raw: bytes, magic: bytes, name: str) -> npt.NDArray[np.uint8]:
    """The array in a file: (pictures, height, width), or (labels,)."""
    dimensions = magic[3]
    start = 4 + 4 * dimensions
    what = "pictures" if magic == PICTURES_MAGIC else "labels"
    if not raw.startswith(magic) or len(raw) < start:
        raise UnreadableData(f"Expected an idx file of {what}, but {name} does not begin as one.")
    shape = tuple(int.from_bytes(raw[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(dimensions))
    said = 1
    for length in shape:
        said *= length  # whole numbers of Python: a lie of 2**96 does not overflow
    if not said or said != len(raw) - start:
        raise UnreadableData(
            f"The idx file {name} says that it holds {' x '.join(f'{length:,}' for length in shape)} bytes, but there "
            f"are {len(raw) - start:,}. Fetch it again."
        )
    return np.frombuffer(raw, dtype=np.uint8, offset=start).reshape(shape)


def _stem(name: str) -> str:
    return name.lower().removesuffix(".gz")


def _swapped(name: str) -> str:
    """The partner's name, in lower case."""
    words = {"images": "labels", "labels": "images", "idx3": "idx1", "idx1": "idx3"}
    folder, slash, last = name.lower().rpartition("/")
    return folder + slash + re.sub("images|labels|idx3|idx1", lambda found: words[found[0]], last)
