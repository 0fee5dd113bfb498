"""A simple model on what a pre-trained encoder says of each value; the encoder stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fathometer.core.files import State, read_state, write_state
from fathometer.core.states import sound_state, table, text
from fathometer.data.rows import Rows
from fathometer.learner import Facts, Learner, Model, Run
from fathometer.learners._encoded import Encoded, chosen_source, planned, presets_of, read_by, thinned
from fathometer.learners._encoders import write_needed
from fathometer.learners._kernel import checked_kernel, fit_kernel, kernel_answer
from fathometer.learners._linear import best_strength, checked_weights, solve, weighed
from fathometer.learners._loop import seeded
from fathometer.learners._matrix import Floats
from fathometer.learners._sklearn import CHUNK_ROWS
from fathometer.task import Prediction, Task

TOKENS_A_SECOND = 4_000 * 91e6  # of an encoder of so many bytes, on a slow processor's core
TOKENS_LEAST = 24  # of a text, when time is short
TOKENS_OF_PICTURE = 200


@dataclass(frozen=True)
class FrozenModel(Model):
    """The matrix of embeddings and features, and the head over it: the parts of a "linear" or a "kernel" one."""

    encoded: Encoded
    head: str
    parts: State

    def answer(self, matrix: Floats) -> Prediction:
        """The prediction for rows in the matrix."""
        return (kernel_answer if self.head == "kernel" else weighed)(matrix, self.parts)

    def predict(self, rows: Rows) -> Prediction:
        starts = range(0, max(len(rows), 1), CHUNK_ROWS)
        every = np.arange(len(rows))
        chunks = [rows.take(every[start : start + CHUNK_ROWS]) for start in starts]
        return np.concatenate([self.answer(self.encoded.rows(chunk)) for chunk in chunks])

    def save(self, folder: Path) -> None:
        write_needed(folder, self.encoded.encoding)
        write_state(
            folder, "model", {"encoded": self.encoded.state(), "head": self.head, "parts": self.parts}
        )


@dataclass(frozen=True)
class Frozen(Learner):
    """Kernel ridge, or logistic or ridge regression, on embeddings; validation rows choose the penalty.

    encoder: its digest; the installed encoder of texts where empty. folder, form: of its files. engineered: whether the
    engineered features of what it reads are used too. head: "kernel" or "linear". strengths: inverse penalties that a
    linear head tries.
    """

    family = "pretrained"
    title = "frozen encoder with a simple head"
    needs = ("scipy", "torch")  # and what the form of its encoder takes (data/encoder_files.py)
    presets: ClassVar[Any] = ((1, {}),)
    encoder: str = ""
    folder: str = ""
    form: str = ""
    engineered: bool = False
    head: str = "kernel"
    strengths: tuple[float, ...] = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)

    @classmethod
    def presets_for(cls, facts: Facts) -> tuple[tuple[int, Mapping[str, Any]], ...]:
        return presets_of(
            facts, (1, {}), (3, {"engineered": True, "head": "linear"}), (6, {"engineered": True})
        )

    @classmethod
    def unsuited(cls, facts: Facts) -> str | None:
        fitting = [one for one in facts.encoders if one.kind in facts.kinds]
        if not fitting:
            return "there is no pre-trained encoder for any column"
        tokens = TOKENS_LEAST if fitting[0].kind == "text" else TOKENS_OF_PICTURE
        seconds = facts.rows * tokens * min(one.size_bytes for one in fitting) / TOKENS_A_SECOND
        if seconds > 4 * facts.seconds:
            return f"reading the rows with the pre-trained encoder would take about {seconds:,.0f} seconds"
        return None

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> FrozenModel:
        with seeded(run):
            source = chosen_source(self.encoder, self.folder, self.form)
            columns = read_by(source, train)
            reading = planned(source, columns, train, valid, run)
            if reading is not None:
                train = thinned(train, reading.share, task, run.seed)
                valid = thinned(valid, reading.share, task, run.seed)
            encoding = None if reading is None else reading.encoding
            encoded, rows = Encoded.fit(train, encoding, columns, self.engineered, task, run.seed)
            checked = encoded.rows(valid)
            if self.head == "kernel":
                parts = fit_kernel(rows, train.answers, task, (checked, valid.answers), run)
                return FrozenModel(encoded, self.head, parts)
            return best_strength(
                self.strengths,
                lambda strength: FrozenModel(encoded, self.head, solve(rows, train.answers, task, strength)),
                lambda model: task.fitting_loss(valid.answers, model.answer(checked)),
                run,
            )

    @classmethod
    def load(cls, folder: Path) -> FrozenModel:
        state = table(read_state(folder, "model"), "model.json", ("encoded", "head", "parts"))
        head = text(state["head"], "head", ("kernel", "linear"))
        with sound_state():
            encoded = Encoded.from_state(state["encoded"], folder)
            checked = checked_kernel if head == "kernel" else checked_weights
            return FrozenModel(encoded, head, checked(state["parts"], encoded.width))
