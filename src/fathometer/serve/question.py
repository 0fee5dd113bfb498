"""What every protocol turns a request into, and what it makes its response from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.bundle.asking import BadCell
from fathometer.errors import UserError
from fathometer.task import Prediction


@dataclass(frozen=True)
class Question:
    """Rows to be answered.

    frame: cells, one column per name the client gave. family: who is to answer; the bundle's choice unless given.
    request: the client's own name of this request, given back with the answer; "" where it has none.
    keys: (rows,) the client's own names of the rows, by which true answers may arrive later; None where it has none.
    on_bad: what becomes of rows with cells that do not read as learned (`bundle.asking.ON_BAD`).
    fill_missing: whether a column that is not there counts as missing everywhere, instead of being refused.
    """

    frame: pd.DataFrame
    family: str | None = None
    request: str = ""
    keys: tuple[str, ...] | None = None
    on_bad: str = "missing"
    fill_missing: bool = False


@dataclass(frozen=True)
class Reply:
    """What the model says.

    request: the client's name of the request, or one made for it. places: (answered rows,) positions in the
    question's frame. answers: as `Bundle.predict` gives them. prediction: the same as numbers. labels: of its columns,
    empty for numbers. row_ids: (answered rows,) names for feedback: the client's keys, or `<request>-<position>`.
    unseen: column -> cells with a level never seen in training.
    """

    request: str
    model: str
    version: str
    family: str
    places: npt.NDArray[np.intp]
    answers: pd.DataFrame
    prediction: Prediction
    labels: tuple[str, ...]
    row_ids: tuple[str, ...]
    bad: tuple[BadCell, ...] = ()
    bad_rows: int = 0
    notes: tuple[str, ...] = ()
    unseen: Mapping[str, int] = field(default_factory=dict)


class RefusedError(UserError):
    """A request that is not answered: the HTTP status, one sentence, and seconds after which to try again (0: none)."""

    def __init__(self, status: int, sentence: str, retry_after: int = 0) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_after = retry_after
