"""Ask a model: check the rows against what was learned, answer them, and say what did not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.task import Prediction

if TYPE_CHECKING:
    from fathometer.bundle.read import Bundle

ON_BAD = ("missing", "stop", "skip", "null")
"""What becomes of a row with a cell that does not read as its column was learned: the cell counts as missing; nothing
is answered at all; the row is left out; the row's answer is empty."""


@dataclass(frozen=True)
class BadCell:
    """A cell that does not read as its column was learned. row: position in the frame, from 0. why: a clause."""

    row: int
    column: str
    shown: str
    why: str


@dataclass(frozen=True)
class Asked:
    """What a model said of a frame.

    answers, prediction: of the rows at `places` (positions in the frame), in their order.
    bad: the first cells that do not read as learned; bad_rows: how many rows have one.
    unseen: column -> how many cells hold a level that training never saw.
    """

    answers: pd.DataFrame
    prediction: Prediction
    places: npt.NDArray[np.intp]
    bad: tuple[BadCell, ...] = ()
    bad_rows: int = 0
    unseen: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def ask(
    bundle: Bundle,
    frame: pd.DataFrame,
    *,
    family: str | None = None,
    on_bad: str = "missing",
    fill_missing: bool = False,
) -> Asked:
    """Answer the rows of a frame of cells.

    Args:
        frame: cells as read from a file, or typed; columns in any order, further ones ignored.
        family: who answers; the verdict's choice unless given.
        on_bad: one of `ON_BAD`.
        fill_missing: a column that is not there counts as missing everywhere, instead of being refused.

    Raises:
        UserError: a column or the family is not there; with "stop", a cell does not read.
    """
    raise NotImplementedError
