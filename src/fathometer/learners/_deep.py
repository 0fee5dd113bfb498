"""What every deep learner for tables has in common: features in, a network trained, predictions out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from fathometer.core.files import State, read_state, write_state
from fathometer.data.rows import Rows
from fathometer.learner import Learner, Model, Run
from fathometer.learners._answers import Answers, answers_for, answers_from_state
from fathometer.learners._inputs import Inputs
from fathometer.learners._loop import Examples, Pace, predict, seeded, train
from fathometer.learners._network import Recalling
from fathometer.learners._tensors import Layout, Scaling, layout_of
from fathometer.task import Prediction, Task

FILE = "network"


@dataclass(frozen=True)
class DeepLearner(Learner):
    """A learner that trains one network on the features of all columns."""

    family: ClassVar[str] = "deep"

    @abstractmethod
    def network(self, layout: Layout, start: torch.Tensor) -> nn.Module:
        """A new network: Tensors to (members, rows, outputs); untrained it gives `start` for every row."""

    @abstractmethod
    def pace(self, rows: int, task: Task) -> Pace:
        """How to train it on so many rows."""

    @property
    @abstractmethod
    def bins(self) -> int:
        """How many bins the network wants each number column cut into; 0 for none."""

    @property
    @abstractmethod
    def label_smoothing(self) -> float:
        """Share of each label that is spread over all classes while training."""

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> Model:
        """Train a network on the training rows; stop and keep its best epoch by the validation rows."""
        return fit_network(self, train, valid, task, run)

    @classmethod
    def load(cls, folder: Path) -> Model:
        """The model that was saved there."""
        return load_network(cls, folder)


@dataclass(frozen=True)
class DeepModel(Model):
    """A trained network and all it needs to read rows and to answer."""

    learner: DeepLearner
    inputs: Inputs
    scaling: Scaling
    layout: Layout
    answers: Answers
    trained: nn.Module
    device: str

    def predict(self, rows: Rows) -> Prediction:
        """(rows,) values, or (rows, classes) probabilities."""
        tensors = self.scaling.apply(self.inputs.features(rows)).to(self.device)
        return predict(self.trained, self.answers, tensors)

    def save(self, folder: Path) -> None:
        """Write the weights as safetensors and the rest as JSON."""
        weights = {name: tensor.cpu().numpy() for name, tensor in self.trained.state_dict().items()}
        state = {
            "settings": self.learner.settings(),
            "inputs": self.inputs.state(),
            "scaling": self.scaling.state(),
            "layout": _layout_state(self.layout),
            "answers": self.answers.state(),
            "weights": weights,
        }
        write_state(folder, FILE, state)


def fit_network(learner: DeepLearner, train_rows: Rows, valid_rows: Rows, task: Task, run: Run) -> DeepModel:
    """Train the learner's network."""
    inputs = Inputs.fit(train_rows)
    features = inputs.features(train_rows)
    scaling = Scaling.fit(features)
    tensors = scaling.apply(features)
    layout = layout_of(scaling, tensors, task.outputs, learner.bins)
    answers = answers_for(task, train_rows.answers, learner.label_smoothing)
    examples = Examples(tensors.to(run.device), answers.goal(train_rows.answers).to(run.device))
    valid = scaling.apply(inputs.features(valid_rows)).to(run.device)
    with seeded(run):
        network = learner.network(layout, answers.start()).to(run.device)
        train(
            network,
            answers,
            examples,
            valid,
            lambda prediction: task.fitting_loss(valid_rows.answers, prediction),
            learner.pace(len(train_rows), task),
            run,
        )
    return DeepModel(learner, inputs, scaling, layout, answers, network, run.device)


def load_network(learner_class: type[DeepLearner], folder: Path) -> DeepModel:
    """The model that `DeepModel.save` wrote; it answers on the processor."""
    state = read_state(folder, FILE)
    learner = learner_class(**state["settings"])
    layout = _layout_from_state(state["layout"])
    answers = answers_from_state(state["answers"])
    network = learner.network(layout, answers.start())
    if isinstance(network, Recalling):
        network.make_room(len(state["weights"]["keys"]))
    network.load_state_dict({name: torch.from_numpy(array) for name, array in state["weights"].items()})
    network.eval()
    return DeepModel(
        learner=learner,
        inputs=Inputs.from_state(state["inputs"]),
        scaling=Scaling.from_state(state["scaling"]),
        layout=layout,
        answers=answers,
        trained=network,
        device="cpu",
    )


def batch_size(rows: int, *, smallest: int = 32, largest: int = 1024) -> int:
    """A batch that grows with the rows: 256 for about ten thousand."""
    wanted = 2 ** round(np.log2(max(rows, 1) / 40))
    return int(min(max(wanted, smallest), largest, max(rows, 1)))


def _layout_state(layout: Layout) -> State:
    plain: State = {item.name: getattr(layout, item.name) for item in fields(layout)}
    plain["edges"] = [np.asarray(cuts, dtype=np.float64) for cuts in layout.edges]
    return plain


def _layout_from_state(state: State) -> Layout:
    lists: dict[str, Any] = {key: tuple(state[key]) for key in ("sizes", "zero_seen")}
    plain = Layout(**{**state, **lists})
    return replace(plain, edges=tuple(tuple(cuts.tolist()) for cuts in state["edges"]))
