"""A pre-trained encoder of texts, trained on with the table's own rows."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors.torch import save_file

from fathometer.core.files import State, read_state, write_state
from fathometer.core.states import array, demand, sound_state, table, truth, whole
from fathometer.data.encoder_files import demand_no_others, licence_files, used_files
from fathometer.data.rows import Rows
from fathometer.errors import UserError
from fathometer.learner import Facts, Learner, Model, Run
from fathometer.learners._answers import Answers, answers_for, answers_from_state
from fathometer.learners._encoded import Encoded, chosen_source, planned, read_by, thinned
from fathometer.learners._encoder_texts import TorchTextReader
from fathometer.learners._linear import solve, weighed
from fathometer.learners._loop import seeded
from fathometer.learners._sklearn import CHUNK_ROWS
from fathometer.learners._tuning import Course, Material, Tuned, answer, head_from, tune
from fathometer.task import Prediction, Task

STRENGTHS = (0.001, 0.003, 0.01, 0.03)
TOKENS_A_SECOND = (
    4_000 * 91e6
)  # of an encoder of so many bytes, read and learned from on a common processor's core
TOKENS_USUAL = 40
LONGEST_READ = 4_096  # tokens of a text, at most
LONGEST = 128  # tokens of a text that are learned from
ENCODER = "encoder"  # folder in a model's own


@dataclass(frozen=True)
class FineTunedModel(Model):
    """The encoder as it was trained on, the other columns' features, and the head. folder: of the encoder's files."""

    reader: TorchTextReader
    folder: Path
    encoded: Encoded
    length: int
    parts: State

    def predict(self, rows: Rows) -> Prediction:
        every = np.arange(len(rows))
        starts = range(0, max(len(rows), 1), CHUNK_ROWS)
        return np.concatenate([self._answer(rows.take(every[at : at + CHUNK_ROWS])) for at in starts])

    def _answer(self, rows: Rows) -> Prediction:
        matrix = self.encoded.rows(rows, lambda values: self.reader.embed(values, self.length))
        return _told(matrix, self.parts)

    def save(self, folder: Path) -> None:
        place = folder / ENCODER
        for name in [*used_files(self.folder, "transformers"), *licence_files(self.folder)]:
            if not name.endswith((".safetensors", ".safetensors.index.json")):
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.folder / name, place / name)
        network = getattr(self.reader.network, "inner", self.reader.network)
        weights = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
        save_file(weights, place / "model.safetensors", metadata={"format": "pt"})
        state = {
            "encoded": replace(self.encoded, encoding=None).state(),
            "length": self.length,
            "coarse": self.reader.coarse,
            "parts": self.parts,
        }
        write_state(folder, "model", state)


@dataclass(frozen=True)
class FineTune(Learner):
    """All layers of the encoder learn, the upper ones faster, from where a linear head on the frozen one begins [1].

    encoder: its digest; the installed encoder of texts where empty. folder, form: of its files. rate: of the topmost
    layer. epochs: at most; 0: by the number of rows.

    [1] Kumar, Raghunathan, Jones, Ma & Liang (2022). Fine-tuning can distort pretrained features and underperform
    out-of-distribution. https://arxiv.org/abs/2202.10054
    """

    family = "pretrained"
    title = "fine-tuned encoder"
    needs = ("scipy", "torch")  # and what the form of its encoder takes (data/encoder_files.py)
    presets: ClassVar[Any] = ((4, {}),)
    encoder: str = ""
    folder: str = ""
    form: str = ""
    rate: float = 1e-4
    epochs: int = 0

    @classmethod
    def presets_for(cls, facts: Facts) -> tuple[tuple[int, Mapping[str, Any]], ...]:
        return tuple(
            (4 + place, {"encoder": one.digest, "folder": one.folder, "form": one.form})
            for place, one in enumerate(_trainable(facts))
        )

    @classmethod
    def unsuited(cls, facts: Facts) -> str | None:
        found = _trainable(facts)
        if not found:
            return "there is no pre-trained encoder of texts whose weights could be trained on"
        work = 3 * 2 * facts.rows * TOKENS_USUAL * min(one.size_bytes for one in found)
        if work / TOKENS_A_SECOND > facts.seconds:
            return (
                f"training the encoder on would take about {work / TOKENS_A_SECOND:,.0f} seconds a fold, and there "
                f"are {facts.seconds:,.0f}"
            )
        return None

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> FineTunedModel:
        source = chosen_source(self.encoder, self.folder, self.form)
        if source is None or source.kind != "text" or source.form != "transformers":
            raise UserError(
                "Fine-tuning needs an encoder of texts with safetensors weights. Name one (--pretrained)."
            )
        with seeded(run):
            torch.manual_seed(run.seed)
            columns = read_by(source, train)
            reading = planned(source, columns, train, valid, run)
            if reading is None:
                raise UserError("Fine-tuning needs a column of texts, and there is none.")
            train, valid = (thinned(rows, reading.share, task, run.seed) for rows in (train, valid))
            encoded, matrix = Encoded.fit(train, reading.encoding, columns, False, task, run.seed)
            checked = encoded.rows(valid)
            solved = [solve(matrix, train.answers, task, strength) for strength in STRENGTHS]
            losses = [task.fitting_loss(valid.answers, weighed(checked, parts)) for parts in solved]
            answers = answers_for(task, train.answers, 0.0)
            head = head_from(solved[int(np.argmin(losses))], answers, task.outputs)

            folder, length = Path(source.folder), min(reading.encoding.length, LONGEST)
            coarse = reading.encoding.coarse
            reader = TorchTextReader(folder, False)
            tuned = Tuned(reader, reader.network, encoded.centres, encoded.scales, head)
            asked = _material(valid, encoded, columns, reader, length)
            tune(
                tuned,
                _material(train, encoded, columns, reader, length),
                answers.goal(train.answers),
                answers,
                lambda: task.fitting_loss(valid.answers, answer(tuned, asked, answers, coarse)),
                Course(
                    self.rate, 16 if len(train) < 2_000 else 32, self.epochs or _epochs(len(train)), coarse
                ),
                run,
            )
            _round(reader.network)
            final = TorchTextReader.trained_further(folder, reader.network, coarse)
            return FineTunedModel(final, folder, encoded, length, _parts(head, answers))

    @classmethod
    def load(cls, folder: Path) -> FineTunedModel:
        state = table(read_state(folder, "model"), "model.json", ("encoded", "length", "coarse", "parts"))
        length = whole(state["length"], "length", 1, LONGEST_READ)
        with sound_state():
            encoded = Encoded.from_state(state["encoded"], folder)
            parts = table(state["parts"], "parts", ("weights", "offsets", "answers"))
            weights = array(parts["weights"], "weights", None, encoded.width)
            array(parts["offsets"], "offsets", len(weights))
            answers = answers_from_state(parts["answers"])
            demand(len(weights) == len(answers.start()), "weights and classes disagree")
            demand_no_others(folder / ENCODER, "transformers")
            reader = TorchTextReader(folder / ENCODER, truth(state["coarse"], "coarse"))
        return FineTunedModel(reader, folder / ENCODER, encoded, length, parts)


def _trainable(facts: Facts) -> list[Any]:
    return [one for one in facts.encoders if one.kind == "text" in facts.kinds and one.form == "transformers"]


def _epochs(rows: int) -> int:
    """Enough for a few hundred rows to be learned; fewer as there are more."""
    return 8 if rows < 500 else 5 if rows < 2_000 else 3


def _material(
    rows: Rows, encoded: Encoded, columns: tuple[str, ...], reader: TorchTextReader, length: int
) -> Material:
    texts = [[text if isinstance(text, str) else "" for text in rows.column(name)] for name in columns]
    there = np.stack([rows.column(name).notna().to_numpy() for name in columns], axis=1)
    return Material(tuple(reader.tokens(some, length) for some in texts), there, encoded.plain(rows))


def _round(network: torch.nn.Module) -> None:
    """Weights as they will be saved: half precision."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.requires_grad_(False)
            parameter.copy_(parameter.half().float())


def _parts(head: torch.nn.Linear, answers: Answers) -> State:
    return {
        "weights": head.weight.detach().double().numpy(),
        "offsets": head.bias.detach().double().numpy(),
        "answers": answers.state(),
    }


def _told(matrix: np.ndarray[Any, Any], parts: State) -> Prediction:
    outputs = matrix.astype(np.float64) @ parts["weights"].T + parts["offsets"]
    return answers_from_state(parts["answers"]).prediction(torch.from_numpy(outputs).unsqueeze(0))
