"""What every pre-trained encoder does: values of one column become rows of numbers."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.errors import MissingExtra

Floats = npt.NDArray[np.float32]


class Reader(ABC):
    """A loaded encoder. A value's numbers depend on this value alone, not on those it is read with.

    width: numbers a value becomes. lengths: how much of a value may be read (tokens), longest first; (0,) where a value
    is always read whole.
    """

    width: int
    lengths: tuple[int, ...]

    @abstractmethod
    def embed(self, values: pd.Series, length: int) -> Floats:
        """(rows, width) numbers of values of this kind; a missing value becomes zeros."""

    @abstractmethod
    def work(self, values: pd.Series, length: int) -> float:
        """How much there is to read in these values, in a unit of its own: time grows with it."""


def needed(package: str, wanted_for: str, extra: str) -> ModuleType:
    """A package of one of our extras, imported only where it is used: importing some takes seconds.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise MissingExtra(wanted_for, package, f'pip install "fathometer[{extra}]"') from error


def pooled_tokens(hidden: Any, known: Any, mode: str) -> Any:
    """(rows, places, width) and (rows, places) of which are known -> (rows, width); torch tensors."""
    if mode == "cls":
        return hidden[:, 0].float()
    weights = known.unsqueeze(2).float()
    if mode == "max":
        return hidden.float().masked_fill(weights == 0, -1e9).amax(dim=1)
    total = weights.sum(dim=1).clamp(min=1.0)
    return (hidden.float() * weights).sum(dim=1) / (total.sqrt() if mode == "sqrt" else total)
