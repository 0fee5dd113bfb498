"""Texts as sparse counts of terms beside the scaled matrix of the other columns, for linear models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt
import scipy.sparse

from fathometer.core.files import State, read_state, write_state
from fathometer.core.states import array, demand, several, sound_state, table, text, whole, wholes
from fathometer.data.rows import Rows
from fathometer.kind import Features
from fathometer.kinds.text import COUNTS, count_features, texts_of
from fathometer.learner import Facts, Model, Run
from fathometer.learners._inputs import Inputs, join
from fathometer.learners._linear import checked_weights, weighed
from fathometer.learners._matrix import Matrix, scaled_matrix
from fathometer.learners._terms import Terms, Vocabulary
from fathometer.task import Prediction, Task

T = TypeVar("T")

WORDS = "text"  # the kind of column whose cells are taken apart
# scaled columns beside texts, whose rows have length one, are made smaller: they are large, and there are few of them
BESIDE = 0.1  # where there are other columns than text
COUNTED = 0.03  # where there is only what is counted in the texts: at 0.1 it costs 2 points on 250 news items
CHUNK_ROWS = 2_000  # rows predicted at a time, so that memory stays bounded
LONGEST_RUN = 64  # words or characters
MOST_TERMS = 100_000
FEW_TERMS = 6_000  # where fewer are shown twice, those shown once are kept too
MOST_LETTERS = 20_000_000  # characters in all that are taken apart into runs of letters
SECONDS_PER_VALUE = 4e-9  # of one round of the solver, for each value that is not zero and each class
TIME_SHARE = 0.3  # of what is left, for one strength
FEWEST_ROUNDS, MOST_ROUNDS = 15, 200
FEWEST_SIGNS = 200  # of one text are always looked at


def unsuited_without_text(facts: Facts) -> str | None:
    """Why learners of words should not be tried where there are none."""
    return None if WORDS in facts.kinds or not facts.kinds else "there is no column of text"


def text_columns(rows: Rows) -> tuple[str, ...]:
    """The columns whose cells are texts."""
    return tuple(name for name, kind in rows.kinds.items() if kind == WORDS)


@dataclass(frozen=True)
class Block:
    """The terms of one column: each text's counts as (1 + log count) * weight, every row of length one.

    That is scikit-learn's TfidfVectorizer(sublinear_tf=True).
    """

    column: str
    vocabulary: Vocabulary

    def transform(self, rows: Rows) -> scipy.sparse.csr_matrix:
        """(rows, terms) float32."""
        counts = self.vocabulary.counts(texts_of(rows.column(self.column)))
        texts = self.vocabulary.texts
        weights = np.log((1 + texts) / (1 + self.vocabulary.shown)) + 1
        amounts = (1 + np.log(counts.data.astype(np.float64))) * weights[counts.indices]
        row = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
        lengths = np.sqrt(np.bincount(row, weights=amounts**2, minlength=counts.shape[0]))
        data = (amounts / lengths[row]).astype(np.float32)
        return scipy.sparse.csr_matrix((data, counts.indices, counts.indptr), shape=counts.shape)

    def state(self) -> State:
        """What was learned, as data."""
        terms = self.vocabulary.terms
        return {
            "column": self.column,
            "words": terms.words,
            "letters": list(terms.letters),
            "signs": terms.signs,
            "keys": self.vocabulary.keys.view(np.int64),
            "shown": self.vocabulary.shown,
            "texts": self.vocabulary.texts,
        }

    @classmethod
    def from_state(cls, state: State) -> Block:
        """The block that gave this state.

        Raises:
            BadBundle: it is not what a block gives.
        """
        table(state, "a block", ("column", "words", "letters", "signs", "keys", "shown", "texts"))
        shortest, longest = wholes(state["letters"], "letters", 0, LONGEST_RUN, count=2)
        words = whole(state["words"], "words", 0, LONGEST_RUN)
        demand(words or longest, "a block has no terms")
        terms = Terms(words, (shortest, longest), whole(state["signs"], "signs"))
        keys = array(state["keys"], "keys", None, kinds="iu")
        demand(keys.dtype.itemsize == 8, "keys should have 64 bits")
        texts = whole(state["texts"], "texts")
        shown = array(state["shown"], "shown", len(keys), kinds="iu", low=0, high=texts)
        vocabulary = Vocabulary(terms, keys.view(np.uint64), shown, texts)
        return cls(text(state["column"], "column"), vocabulary)


@dataclass(frozen=True)
class SparseInputs:
    """The terms of every column of text, then the scaled matrix of all other columns."""

    blocks: tuple[Block, ...]
    inputs: Inputs
    matrix: Matrix

    @classmethod
    def fit(
        cls, train: Rows, task: Task, seed: int, wanted: Sequence[Terms]
    ) -> tuple[SparseInputs, scipy.sparse.csr_matrix]:
        """Learn terms and scales; also gives the training rows, whose target encodings are cross-fitted."""
        names = text_columns(train)
        blocks = tuple(_fitted(train, name, terms) for name in names for terms in wanted)
        inputs = Inputs.fit(train, only=[name for name in train.kinds if name not in names])
        matrix, beside = scaled_matrix(_beside(inputs, train), train.answers, task, seed)
        made = cls(blocks, inputs, matrix)
        return made, made._together(train, beside)

    def transform(self, rows: Rows) -> scipy.sparse.csr_matrix:
        """(rows, terms and columns) float32."""
        told = {block.column for block in self.blocks} == set(text_columns(rows))
        demand(told, "a member knows other columns of texts than the model")
        return self._together(rows, self.matrix.transform(_beside(self.inputs, rows)))

    def _together(self, rows: Rows, beside: npt.NDArray[np.float32]) -> scipy.sparse.csr_matrix:
        parts = [block.transform(rows) for block in self.blocks]
        weight = BESIDE if self.inputs.columns else COUNTED
        return scipy.sparse.hstack(
            [*parts, scipy.sparse.csr_matrix(weight * beside)], format="csr", dtype=np.float32
        )

    def terms(self) -> int:
        """How many of the columns, the first ones, are terms."""
        return sum(len(block.vocabulary.keys) for block in self.blocks)

    def state(self) -> State:
        """What was learned, as data."""
        return {
            "blocks": [block.state() for block in self.blocks],
            "inputs": self.inputs.state(),
            "matrix": self.matrix.state(),
        }

    @classmethod
    def from_state(cls, state: State) -> SparseInputs:
        """The inputs that gave this state.

        Raises:
            BadBundle: its parts do not fit each other.
        """
        table(state, "inputs", ("blocks", "inputs", "matrix"))
        blocks = tuple(Block.from_state(item) for item in several(state["blocks"], "blocks"))
        inputs = Inputs.from_state(state["inputs"])
        numbers, sizes = inputs.shape
        counted = len(COUNTS) * len({block.column for block in blocks})
        return cls(blocks, inputs, Matrix.from_state(state["matrix"], (numbers + counted, sizes)))


@dataclass(frozen=True)
class SparseModel(Model):
    """Weights over terms and columns; a subclass says how scores answer."""

    inputs: SparseInputs
    parts: State

    def answer(self, rows: scipy.sparse.csr_matrix) -> Prediction:
        """The prediction for rows (rows, terms and columns): softmax for classes."""
        return weighed(rows, self.parts)

    def predict(self, rows: Rows) -> Prediction:
        starts = range(0, max(len(rows), 1), CHUNK_ROWS)
        places = [np.arange(start, min(start + CHUNK_ROWS, len(rows))) for start in starts]
        return np.concatenate([self.answer(self.inputs.transform(rows.take(some))) for some in places])

    def save(self, folder: Path) -> None:
        write_state(folder, "model", {"inputs": self.inputs.state(), "parts": self.parts})

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The model that was saved in this folder."""
        state = table(read_state(folder, "model"), "model.json", ("inputs", "parts"))
        with sound_state():
            inputs = SparseInputs.from_state(state["inputs"])
            columns = inputs.terms() + inputs.matrix.width
            return cls(inputs, checked_weights(state["parts"], columns))


def affordable_rounds(rows: scipy.sparse.csr_matrix, outputs: int, run: Run) -> int:
    """After how many rounds at the latest a solver must stop, so that a few strengths can be tried."""
    seconds = max(rows.nnz * outputs * SECONDS_PER_VALUE, 1e-6)
    rounds = run.decide("rounds", lambda: int(TIME_SHARE * max(run.left(), 0.0) / seconds))
    return min(max(rounds, FEWEST_ROUNDS), MOST_ROUNDS)


def climbed(
    strengths: Sequence[float], fit: Callable[[float], T], loss_of: Callable[[T], float], run: Run
) -> T:
    """The model of the best of these rising strengths: from the middle one uphill, as far as time allows.

    A validation loss falls and rises but once as a penalty weakens, so hardly half of them need be tried.
    """
    step = 0
    tried: dict[int, tuple[float, T]] = {}

    def attempt(place: int) -> float:
        nonlocal step
        if place not in tried:
            model = fit(strengths[place])
            loss = loss_of(model)
            run.report(step, loss)
            tried[place] = (loss, model)
            step += 1
        return tried[place][0]

    best = len(strengths) // 2
    attempt(best)
    for direction in (1, -1):
        while 0 <= best + direction < len(strengths) and run.goes_on(step):
            if attempt(best + direction) >= tried[best][0]:
                break
            best += direction
    return tried[best][1]


def _beside(inputs: Inputs, rows: Rows) -> Features:
    """Features of the other columns, and what is counted in the texts: how long they are, how many capitals, ..."""
    counted = [count_features(rows.column(name)) for name in text_columns(rows)]
    return join([inputs.features(rows), *counted], len(rows))


def _fitted(train: Rows, column: str, terms: Terms) -> Block:
    texts = texts_of(train.column(column))
    if terms.letters[1]:
        signs = max(MOST_LETTERS // max(len(texts), 1), FEWEST_SIGNS)
        terms = Terms(terms.words, terms.letters, min(terms.signs, signs))
    vocabulary = Vocabulary.fit(texts, terms, 2, MOST_TERMS)
    if len(vocabulary.keys) < FEW_TERMS:
        vocabulary = Vocabulary.fit(texts, terms, 1, MOST_TERMS)
    return Block(column, vocabulary)
