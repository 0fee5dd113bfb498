"""Cells as JSON values, there and back: how rows travel to a server and lie in a model folder.

A number is a JSON number, a text a string, a truth value true or false, a missing cell null, a moment ISO 8601 text,
and bytes (of a picture, say) `{"b64": "<base64>"}`, as TensorFlow Serving and KServe write them.
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any

import numpy as np
import pandas as pd

from fathometer.core.pictures import Picture
from fathometer.core.png import as_png
from fathometer.errors import UnreadableData

BYTES_MARK = "b64"


def from_wire(value: Any) -> Any:
    """One JSON value as a cell.

    Raises:
        UnreadableData: a list, or an object that is not `{"b64": ...}`.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, dict) and set(value) == {BYTES_MARK} and isinstance(value[BYTES_MARK], str):
        try:
            return base64.b64decode(value[BYTES_MARK], validate=True)
        except (binascii.Error, ValueError) as error:
            raise UnreadableData('Expected base64 in a cell {"b64": ...}, but it is not.') from error
    what = "a list" if isinstance(value, list) else "an object"
    raise UnreadableData(
        f'Expected a number, a text, true, false, null or {{"b64": ...}} in each cell, got {what}.'
    )


def to_wire(cell: Any) -> Any:
    """One cell as a JSON value; NaN, NaT and infinities become null."""
    if cell is None or cell is pd.NaT or cell is pd.NA:
        return None
    if isinstance(cell, str | bool):
        return cell
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, int):
        return cell
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None
    if isinstance(cell, pd.Timestamp):
        return cell.isoformat()
    if isinstance(cell, bytes):
        return {BYTES_MARK: base64.b64encode(cell).decode("ascii")}
    if isinstance(cell, Picture):
        cell = cell.pixels
    if isinstance(cell, np.ndarray):
        return {BYTES_MARK: base64.b64encode(as_png(cell.astype(np.uint8))).decode("ascii")}
    return str(cell)
