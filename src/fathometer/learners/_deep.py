"""What every deep learner for tables has in common: features in, a network trained, predictions out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from fathometer.core.files import State, read_state, write_state
from fathometer.core.states import (
    MOST_CLASSES,
    array,
    demand,
    several,
    sound_state,
    table,
    truth,
    whole,
    wholes,
)
from fathometer.data.rows import Rows
from fathometer.learner import Facts, Learner, Model, Run
from fathometer.learners._answers import Answers, answers_for, answers_from_state
from fathometer.learners._clock import Watch
from fathometer.learners._inputs import Inputs
from fathometer.learners._loop import Examples, Lesson, Pace, outputs_of, seed_of, seeded, train
from fathometer.learners._tensors import Batches, Layout, Scaling, layout_of
from fathometer.learners._weights import alike, checked_weights_of, filled, make_room, recipe_from
from fathometer.task import Prediction, Task

FILE = "network"
PARTS = ("settings", "inputs", "scaling", "layout", "answers", "networks", "weights")
MOST_EDGES = 1 << 16  # of bins, of all columns together
READ_RAW = frozenset({"text", "image"})  # kinds of column whose values networks read themselves
SURE = 0.8  # a further network is trained if one took less than this share of the time now left


class Together(nn.Module):
    """Networks side by side, as members of one: (members, rows, outputs); each divided by its heat."""

    heats: torch.Tensor

    def __init__(self, networks: list[nn.Module], heats: list[float]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.register_buffer("heats", torch.tensor(heats))

    def forward(self, inputs: Batches) -> torch.Tensor:
        pairs = zip(self.networks, self.heats, strict=True)
        return torch.cat([network(inputs) / heat for network, heat in pairs])


@dataclass(frozen=True)
class DeepLearner(Learner):
    """A learner that trains one network on the features of all columns."""

    family: ClassVar[str] = "deep"
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    growth: ClassVar[float] = 0.8  # with more rows fewer epochs are enough

    @classmethod
    def unsuited(cls, facts: Facts) -> str | None:
        """Tables only: words and pictures have networks of their own."""
        if facts.structured == 0 and READ_RAW & set(facts.kinds):
            return "networks that read words and pictures themselves are tried instead"
        return None

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
    def bags(self) -> int:
        """How many networks to train at most, time allowing; they answer together."""

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
class EvenLearner(DeepLearner):
    """A deep learner whose settings say how it is trained, the same way on every table.

    embedding, cuts: how numbers are embedded, and into how many bins where that is piecewise. epochs: at most; 0: by
    the number of rows. networks: trained at most, time allowing. patience: share of the epochs without gain that ends
    a fit.
    """

    patience: ClassVar[float]

    embedding: str = "piecewise"
    cuts: int = 48
    rate: float = 0.03
    decay: float = 0.02
    smoothing: float = 0.0
    schedule: str = "slope"
    epochs: int = 0
    networks: int = 1

    @property
    def bins(self) -> int:
        return self.cuts if self.embedding == "piecewise" else 0

    @property
    def bags(self) -> int:
        return self.networks

    @property
    def label_smoothing(self) -> float:
        return self.smoothing

    def pace(self, rows: int, task: Task) -> Pace:
        batch = batch_size(rows)
        return Pace(
            rate=fitting_rate(self.rate, batch),
            decay=self.decay,
            schedule=self.schedule,
            batch=batch,
            epochs=self.epochs or most_epochs(rows),
            patience=self.patience,
        )


@dataclass(frozen=True)
class DeepModel(Model):
    """A trained network and all it needs to read rows and to answer."""

    learner: DeepLearner
    inputs: Inputs
    scaling: Scaling
    layout: Layout
    answers: Answers
    trained: Together
    device: str

    def predict(self, rows: Rows) -> Prediction:
        """(rows,) values, or (rows, classes) probabilities."""
        tensors = self.scaling.apply(self.inputs.features(rows)).to(self.device)
        return self.answers.prediction(outputs_of(self.trained, tensors))

    def save(self, folder: Path) -> None:
        """Write the weights as safetensors and the rest as JSON."""
        weights = {name: tensor.cpu().numpy() for name, tensor in self.trained.state_dict().items()}
        state = {
            "settings": self.learner.settings(),
            "inputs": self.inputs.state(),
            "scaling": self.scaling.state(),
            "layout": layout_state(self.layout),
            "answers": self.answers.state(),
            "networks": len(self.trained.networks),
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
    lesson = Lesson(
        answers=answers,
        examples=Examples(tensors.to(run.device), answers.goal(train_rows.answers).to(run.device)),
        valid=scaling.apply(inputs.features(valid_rows)).to(run.device),
        judge=lambda prediction: task.fitting_loss(valid_rows.answers, prediction),
        pace=learner.pace(len(train_rows), task),
    )
    with seeded(run):
        together = trained_together(
            lambda: learner.network(layout, answers.start()), learner.bags, lesson, run
        )
    return DeepModel(learner, inputs, scaling, layout, answers, together, run.device)


def trained_together(make: Callable[[], nn.Module], most: int, lesson: Lesson, run: Run) -> Together:
    """One network, and further ones from other random numbers as long as one more is sure to be finished."""
    networks: list[nn.Module] = []
    heats: list[float] = []
    while len(networks) < most:
        part = len(networks)
        watch = Watch(run)
        torch.manual_seed(seed_of(run, part))
        network = make().to(run.device)
        heats.append(train(network, lesson, run, part))
        networks.append(network)
        if not run.decide(f"network_{part + 1}", partial(_is_time_for_another, watch)):
            break
    return Together(networks, heats).to(run.device)


def _is_time_for_another(watch: Watch) -> bool:
    return max(watch.shares(1)) < SURE


def load_network(learner_class: type[DeepLearner], folder: Path) -> DeepModel:
    """The model that `DeepModel.save` wrote; it answers on the processor.

    Raises:
        BadBundle: its parts do not fit each other.
    """
    state = table(read_state(folder, FILE), FILE, PARTS)
    inputs = Inputs.from_state(state["inputs"])
    with sound_state():
        weights = checked_weights_of(state)
        learner = recipe_from(learner_class, state["settings"], weights)
        scaling = Scaling.from_state(state["scaling"], inputs.shape)
        layout = layout_from_state(state["layout"], scaling)
        answers = answers_from_state(state["answers"])
        start = answers.start()
        demand(len(start) == layout.outputs, "answers and outputs disagree")
        count = whole(state["networks"], "networks", 1, weights)

        def make() -> Together:
            networks = alike(lambda: learner.network(layout, start.to("meta")), count, weights)
            return Together(networks, [1.0] * count)

        trained = filled(make, state["weights"], lambda empty: make_room(empty, state["weights"], ""))
    return DeepModel(learner, inputs, scaling, layout, answers, trained, "cpu")


def batch_size(rows: int, *, smallest: int = 128, largest: int = 1024) -> int:
    """A batch that grows with the rows: 256 for about ten thousand."""
    wanted = 2 ** round(np.log2(max(rows, 1) / 40))
    return int(min(max(wanted, smallest), largest, max(rows, 1)))


def fitting_rate(rate: float, batch: int) -> float:
    """The learning rate for this batch: all of it from 256 rows on, less for noisier smaller ones."""
    return rate * min(1.0, batch / 256)


def most_epochs(rows: int) -> int:
    """Epochs that brought every network measured to its best: 64 for small tables, 24 from 14,000 rows on."""
    return int(min(max(64 * np.sqrt(2000 / max(rows, 1)), 24), 64))


def layout_state(layout: Layout) -> State:
    """A layout as data."""
    plain: State = {item.name: getattr(layout, item.name) for item in fields(layout)}
    plain["edges"] = [np.asarray(cuts, dtype=np.float64) for cuts in layout.edges]
    return plain


def layout_from_state(state: State, scaling: Scaling) -> Layout:
    """The layout that gave this state.

    Raises:
        BadBundle: it is not that of features which are scaled like this.
    """
    table(state, "layout", ("numbers", "flags", "sizes", "zero_seen", "edges", "outputs"))
    edges = several(state["edges"], "edges")
    demand(len(edges) in (0, len(scaling.kept)), "edges are those of other columns")
    edges = [array(cuts, "edges", None) for cuts in edges]
    demand(sum(map(len, edges)) <= MOST_EDGES, "edges are too many")
    demand(all((np.diff(cuts) > 0).all() for cuts in edges), "edges should rise")
    layout = Layout(
        numbers=whole(state["numbers"], "numbers", len(scaling.kept), len(scaling.kept)),
        flags=whole(state["flags"], "flags", len(scaling.gappy), len(scaling.gappy)),
        sizes=wholes(state["sizes"], "sizes"),
        zero_seen=tuple(truth(one, "zero_seen") for one in several(state["zero_seen"], "zero_seen")),
        edges=tuple(tuple(cuts.tolist()) for cuts in edges),
        outputs=whole(state["outputs"], "outputs", 1, MOST_CLASSES),
    )
    fits = layout.sizes == tuple(scaling.sizes.tolist()) and layout.zero_seen == tuple(
        scaling.zero_seen.tolist()
    )
    demand(fits, "the layout is that of other codes")
    return layout
