"""Rows on disk: written once when a run begins, and mapped into every worker's memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pandas as pd
from pyarrow import feather

from fathometer.core.files import read_json, write_json
from fathometer.core.pictures import PictureArray, as_pictures, read_pictures, write_pictures
from fathometer.data.rows import Rows

FILE = "rows.feather"
NAMES = "names.json"
PICTURES = "pictures-"  # then the place of the column


def write_rows(folder: Path, rows: Rows) -> None:
    """Write the input columns; pictures lie beside the others, in files of their own."""
    plain = [name for name in rows.kinds if not _holds_pictures(rows.column(name))]
    # a table of pictures alone must still say how many rows it has
    frame = rows.frame[plain] if plain else pd.DataFrame({"": range(len(rows))})
    frame.to_feather(folder / FILE, compression="uncompressed")
    for place, name in enumerate(rows.kinds):
        if name not in plain:
            write_pictures(folder, _file_of(place), as_pictures(rows.column(name)))


def read_rows(folder: Path, kinds: Mapping[str, str], target: npt.NDArray[Any] | None = None) -> Rows:
    """The rows that were written, with these columns in this order, as they were then."""
    frame = feather.read_table(folder / FILE, memory_map=True).to_pandas()
    columns: dict[str, Any] = {}
    for place, name in enumerate(kinds):
        if (folder / f"{_file_of(place)}.npy").exists():
            columns[name] = pd.Series(read_pictures(folder, _file_of(place)))
        else:
            columns[name] = frame[name]
    return Rows(pd.DataFrame(columns, index=frame.index), kinds, target)


def files_of_rows(folder: Path) -> list[str]:
    """Names of the files in which `write_rows` left them."""
    return [FILE, *sorted(path.name for path in folder.glob(f"{PICTURES}*.npy"))]


def write_names(folder: Path, names: Sequence[str]) -> None:
    """Write what people call the rows, where that is not their number."""
    if names:
        write_json(folder / NAMES, list(names))


def read_names(folder: Path) -> list[str] | None:
    """What people call the rows; None where that is their number, from 1."""
    return list(read_json(folder / NAMES)) if (folder / NAMES).is_file() else None


def _holds_pictures(values: pd.Series) -> bool:
    return isinstance(values.array, PictureArray)


def _file_of(place: int) -> str:
    return f"{PICTURES}{place}"
