"""Rows: named, typed columns with (while learning) the target, taken by index."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.memo import once


@dataclass(frozen=True)
class Rows:
    """A table of input values.

    frame: one column per input, as `Kind.read` gives them (number: float64; category: pandas categorical of text;
        moment: datetime64; text: text); never changed by anyone.
    kinds: column name -> name of its kind, in the frame's order.
    target: (rows,) class codes (int64) or numbers (float64); None when predicting.
    """

    frame: pd.DataFrame
    kinds: Mapping[str, str]
    target: npt.NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, index: npt.NDArray[np.intp]) -> Rows:
        """The rows at these positions, in this order."""
        target = None if self.target is None else self.target[index]
        return replace(self, frame=self.frame.iloc[index].reset_index(drop=True), target=target)

    def column(self, name: str) -> pd.Series:
        """One column's values."""
        return once((self.frame, sys.intern(name)), lambda: self.frame[name])

    @property
    def answers(self) -> npt.NDArray[Any]:
        """The target, where there must be one."""
        if self.target is None:
            raise ValueError("these rows have no target")
        return self.target
