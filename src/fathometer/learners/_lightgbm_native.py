"""LightGBM's trees asked through its C library alone, by its documented interface [1].

Importing the Python package takes nearly a second of processor time, for it brings scikit-learn and more along; its
library takes some milliseconds, and answers one row in a quarter of the time. Only text that `_lightgbm_text` wrote is
given to it.

[1] https://lightgbm.readthedocs.io/en/latest/C-API.html
"""

from __future__ import annotations

import ctypes
import importlib.util
import threading
import weakref
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.errors import BadBundle, MissingExtra

FLOAT32 = 0  # C_API_DTYPE_FLOAT32
ANSWER = 0  # C_API_PREDICT_NORMAL
SETTINGS = b"num_threads=1 verbosity=-1"  # one thread: the server has its own
NAMES = ("lib_lightgbm.so", "lib_lightgbm.dylib", "lib_lightgbm.dll")
FOLDERS = ("lib", "bin", ".", "Release")
MOST_ROWS = 1 << 20  # asked at a time


class NativeTrees:
    """Trees in the library's memory, for tables of so many columns."""

    def __init__(self, text: str, columns: int, outputs: int) -> None:
        """`outputs`: numbers it answers a row with.

        Raises:
            BadBundle: the library does not take the text.
            MissingExtra: there is no library.
        """
        self.columns, self.outputs = columns, outputs
        self.library = _library()
        self._asking = threading.Lock()  # what one row is put into is there once
        self._booster, self._one = ctypes.c_void_p(), ctypes.c_void_p()
        weakref.finalize(self, _free, self.library, self._one, self._booster)
        self._call(
            "LGBM_BoosterLoadModelFromString",
            ctypes.c_char_p(text.encode("ascii")),
            ctypes.byref(ctypes.c_int()),
            ctypes.byref(self._booster),
        )
        self._check()
        self._call(
            "LGBM_BoosterPredictForMatSingleRowFastInit",
            self._booster,
            ctypes.c_int(ANSWER),
            ctypes.c_int(0),
            ctypes.c_int(-1),
            ctypes.c_int(FLOAT32),
            ctypes.c_int32(columns),
            ctypes.c_char_p(SETTINGS),
            ctypes.byref(self._one),
        )

    def answer(self, table: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """(rows, outputs) for a table (rows, columns), NaN where missing.

        Raises:
            ValueError: the table is of another width.
        """
        if table.ndim != 2 or table.shape[1] != self.columns:
            raise ValueError(f"expected a table of {self.columns} columns, got one of shape {table.shape}")
        given = np.ascontiguousarray(table, dtype=np.float32)
        answers = np.empty((len(given), self.outputs), dtype=np.float64)
        if len(given) == 1:
            self._answer_one(given, answers)
            return answers
        for start in range(0, len(given), MOST_ROWS):
            self._answer_many(given[start : start + MOST_ROWS], answers[start : start + MOST_ROWS])
        return answers

    def _answer_one(self, given: npt.NDArray[np.float32], answers: npt.NDArray[np.float64]) -> None:
        count = ctypes.c_int64()
        with self._asking:
            self._call(
                "LGBM_BoosterPredictForMatSingleRowFast",
                self._one,
                ctypes.c_void_p(given.ctypes.data),
                ctypes.byref(count),
                ctypes.c_void_p(answers.ctypes.data),
            )

    def _answer_many(self, given: npt.NDArray[np.float32], answers: npt.NDArray[np.float64]) -> None:
        count = ctypes.c_int64()
        self._call(
            "LGBM_BoosterPredictForMat",
            self._booster,
            ctypes.c_void_p(given.ctypes.data),
            ctypes.c_int(FLOAT32),
            ctypes.c_int32(len(given)),
            ctypes.c_int32(self.columns),
            ctypes.c_int(1),  # row by row
            ctypes.c_int(ANSWER),
            ctypes.c_int(0),
            ctypes.c_int(-1),
            ctypes.c_char_p(SETTINGS),
            ctypes.byref(count),
            ctypes.c_void_p(answers.ctypes.data),
        )

    def _check(self) -> None:
        """The library writes as many answers a row as it thinks, into memory of our size.

        Raises:
            BadBundle: it thinks otherwise.
        """
        columns, outputs = ctypes.c_int(), ctypes.c_int()
        self._call("LGBM_BoosterGetNumFeature", self._booster, ctypes.byref(columns))
        self._call("LGBM_BoosterGetNumClasses", self._booster, ctypes.byref(outputs))
        if (columns.value, outputs.value) != (self.columns, self.outputs):
            raise BadBundle(
                f"A model's trees answer {columns.value} columns with {outputs.value} numbers, and should answer "
                f"{self.columns} with {self.outputs}. Make the model again."
            )

    def _call(self, name: str, *given: Any) -> None:
        if getattr(self.library, name)(*given) != 0:
            told = self.library.LGBM_GetLastError().decode("utf-8", "replace")[:200]
            raise BadBundle(f"LightGBM does not take a model's trees ({told}). Make the model again.")


def _free(library: Any, one: ctypes.c_void_p, booster: ctypes.c_void_p) -> None:
    """Give back what was made; what never was is null."""
    if one:
        library.LGBM_FastConfigFree(one)
    if booster:
        library.LGBM_BoosterFree(booster)


@lru_cache(maxsize=1)
def _library() -> Any:
    spec = importlib.util.find_spec("lightgbm")  # finds the package's place, and does not import it
    if spec is None:
        raise MissingExtra("A model of boosted trees", "lightgbm", 'pip install "lightgbm>=4.6"')
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    paths = (place / folder / name for place in places for folder in FOLDERS for name in NAMES)
    found = next((path for path in paths if path.is_file()), None)
    # a build whose library lies elsewhere: its own package knows where
    library = ctypes.CDLL(str(found)) if found else importlib.import_module("lightgbm.basic")._LIB
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    return library
