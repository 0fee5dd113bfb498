"""Trees that ask one question a level, as arrays: what CatBoost grows, answered without its library.

A question is about one column. Whether a number lies above a border is seen here; what the library makes of a category
(hashes, target statistics) is not repeated: the library was asked once, after the fit, what it answers for every code
there is, and that is kept as a table. So what is loaded is arrays that can be checked, and no parser of the library's
ever sees a file of someone else's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State
from fathometer.core.states import array, counts, demand, table
from fathometer.kind import Features

DEEPEST = 16  # levels of a tree; the library's own limit
TOGETHER = 1 << 20  # answers of questions, or of trees, held at a time


@dataclass(frozen=True, eq=False)
class ObliviousTrees:
    """Trees end to end.

    Questions about numbers come first. column: (a,) which number; border: (a,) it must lie above; missing: (a,) the
    answer where there is none. Then those about codes. coded: (b,) which code column; sizes: (b,) codes of each;
    truths: (sizes in all,) the answer for every code. depths: (trees,) levels of each tree. asked: (levels in all,)
    question of each level, lowest bit of the leaf's number first. values: (leaves in all, width). bias: (width,).
    """

    column: npt.NDArray[np.int32]
    border: npt.NDArray[np.float32]
    missing: npt.NDArray[np.bool_]
    coded: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int64]
    truths: npt.NDArray[np.bool_]
    depths: npt.NDArray[np.int64]
    asked: npt.NDArray[np.int32]
    values: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]

    def sums(self, features: Features) -> npt.NDArray[np.float64]:
        """(rows, width) what the leaves add up to, with the bias."""
        step = max(1, TOGETHER // max(len(self.column) + len(self.coded), len(self.depths), 1))
        starts = range(0, max(len(features.numbers), 1), step)
        parts = [
            self._sums(features.numbers[at : at + step], features.codes[at : at + step]) for at in starts
        ]
        return np.concatenate(parts)

    def _sums(self, numbers: npt.NDArray[Any], codes: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        found = numbers[:, self.column]
        above = (found > self.border) | (np.isnan(found) & self.missing)
        listed = self.truths[codes[:, self.coded] + (np.cumsum(self.sizes) - self.sizes)]
        never = np.zeros((len(numbers), 1), dtype=bool)
        answers = np.concatenate([above, listed, never], axis=1)
        leaf = np.tile(self._first_leaves, (len(numbers), 1))
        for level, questions in enumerate(self._levels):
            leaf += answers[:, questions].astype(np.int64) << level
        # one tree after the other: a row's answer must not depend on how many are asked with it
        sums = [np.cumsum(column[leaf], axis=1)[:, -1] for column in self.values.T]
        return np.stack(sums, axis=1) + self.bias

    @cached_property
    def _first_leaves(self) -> npt.NDArray[np.int64]:
        leaves: npt.NDArray[np.int64] = 1 << self.depths
        return np.cumsum(leaves) - leaves

    @cached_property
    def _levels(self) -> list[npt.NDArray[np.int64]]:
        """Of every level, (trees,) which question each tree asks; the last one, which is never true, where it ends."""
        never = len(self.column) + len(self.coded)
        first = np.cumsum(self.depths) - self.depths
        levels = []
        for level in range(int(self.depths.max(initial=0))):
            goes_on = self.depths > level
            questions = np.full(len(self.depths), never, dtype=np.int64)
            questions[goes_on] = self.asked[(first + level)[goes_on]]
            levels.append(questions)
        return levels

    def state(self) -> State:
        """This, as data."""
        return {name: getattr(self, name) for name in NAMES}

    @classmethod
    def from_state(cls, state: State, numbers: int, sizes: tuple[int, ...], width: int) -> ObliviousTrees:
        """The trees that gave this state.

        Args:
            numbers, sizes: how many numbers will be asked, and the sizes of the codes.
            width: of an answer.

        Raises:
            BadBundle: they are no trees, or ask for what is not there.
        """
        table(state, "trees", NAMES)
        column = array(state["column"], "column", None, kinds="i", low=0, high=numbers - 1)
        coded = array(state["coded"], "coded", None, kinds="i", low=0, high=len(sizes) - 1)
        truths = array(state["truths"], "truths", None, kinds="b")
        own = counts(state["sizes"], "sizes", len(truths), count=len(coded))
        demand(own.tolist() == [sizes[place] for place in coded.tolist()], "sizes are those of other codes")
        depths = array(state["depths"], "depths", None, kinds="i", low=0, high=DEEPEST)
        demand(len(depths), "there are no trees")
        questions = len(column) + len(coded)
        border = array(state["border"], "border", len(column))
        demand(border.dtype == np.float32, "borders are of another type")
        return cls(
            column=column,
            border=border,
            missing=array(state["missing"], "missing", len(column), kinds="b"),
            coded=coded,
            sizes=own,
            truths=truths,
            depths=depths.astype(np.int64),
            asked=array(state["asked"], "asked", int(depths.sum()), kinds="i", low=0, high=questions - 1),
            values=array(state["values"], "values", int((1 << depths.astype(np.int64)).sum()), width),
            bias=array(state["bias"], "bias", width),
        )


NAMES = ("column", "border", "missing", "coded", "sizes", "truths", "depths", "asked", "values", "bias")
