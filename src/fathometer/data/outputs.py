"""Write a table to a file, whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import itertools
import os
import secrets
from pathlib import Path
from typing import Literal

import pandas as pd

from fathometer.core.files import sync_folder
from fathometer.errors import UnknownName, UserError

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet program takes a cell that begins so for a formula and may run it
(https://owasp.org/www-community/attacks/CSV_Injection)."""

ENDINGS = (".csv", ".json", ".jsonl", ".parquet")


def write_table(frame: pd.DataFrame, path: Path | str) -> None:
    """Write a table as csv, parquet, JSON (an array) or JSON lines, as the file's ending says.

    In csv a text cell (or column name) that a spreadsheet program could run as a formula gets an apostrophe.

    Raises:
        UnknownName: the ending stands for no known format.
        UserError: the file cannot be written.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UnknownName("file ending", ending, ENDINGS)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(frame, draft, ending)
        with draft.open("rb") as stream:
            os.fsync(stream.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    except (OSError, ValueError, TypeError, NotImplementedError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error.args[0]
        raise UserError(f"The file {path} cannot be written: {reason}.") from error
    finally:
        with contextlib.suppress(OSError):  # what went wrong has been said
            draft.unlink(missing_ok=True)


def _write(frame: pd.DataFrame, draft: Path, ending: str) -> None:
    if ending == ".csv":
        safe = without_formulas(frame)
        # Python's csv module quotes a carriage return only where it ends lines
        quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if _has_carriage_return(safe) else csv.QUOTE_MINIMAL
        safe.to_csv(draft, index=False, encoding="utf-8", lineterminator="\n", quoting=quoting)
    elif ending == ".parquet":
        frame.to_parquet(draft, index=False)
    else:
        lines = ending == ".jsonl"
        frame.to_json(
            draft, orient="records", lines=lines, force_ascii=False, date_format="iso", double_precision=15
        )


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """The same table with an apostrophe before every text that begins like a formula; numbers stay."""
    safe = frame.copy()
    for position in _places_of_text(frame):
        safe.isetitem(position, frame.iloc[:, position].astype(object).map(_defused).array)
    safe.columns = pd.Index([_defused(name) for name in frame.columns])
    return safe


def _has_carriage_return(frame: pd.DataFrame) -> bool:
    texts = (frame.iloc[:, position] for position in _places_of_text(frame))
    cells = itertools.chain(frame.columns, itertools.chain.from_iterable(texts))
    return any(isinstance(cell, str) and "\r" in cell for cell in cells)


def _places_of_text(frame: pd.DataFrame) -> list[int]:
    is_number, is_moment = pd.api.types.is_numeric_dtype, pd.api.types.is_datetime64_any_dtype
    types = frame.dtypes.tolist()
    return [place for place, type_ in enumerate(types) if not is_number(type_) and not is_moment(type_)]


def _defused(cell: object) -> object:
    if not isinstance(cell, str) or not cell.startswith(FORMULA_STARTS) or len(cell) == 1:
        return cell
    try:
        float(cell)  # a label such as -1 is no formula, and must compare equal to the truth
    except ValueError:
        return f"'{cell}"
    return cell
