"""What every network that reads words and pictures themselves has in common."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from fathometer.core.files import State, read_state, write_state
from fathometer.core.pictures import as_pictures
from fathometer.core.states import demand, number, sound_state, table, truth, whole
from fathometer.data.rows import Rows
from fathometer.learner import Facts, Learner, Model, Range, Run
from fathometer.learners._answers import Answers, answers_for, answers_from_state
from fathometer.learners._clock import Watch, coarse_is_faster
from fathometer.learners._deep import Together, trained_together
from fathometer.learners._loop import Examples, Lesson, Pace, outputs_of, seeded
from fathometer.learners._raw_inputs import RawInputs, RawRows
from fathometer.learners._raw_network import RawNetwork, picture_readers, word_readers
from fathometer.learners._raw_picture_encoders import MOST_FILTERS, PictureReader, PictureRecipe
from fathometer.learners._raw_pictures import LARGEST_SIDE, Changes, Sight, may_be_mirrored
from fathometer.learners._raw_word_encoders import WordReader, WordRecipe
from fathometer.learners._raw_words import Vocabulary
from fathometer.learners._weights import alike, checked_weights_of, filled, recipe_from
from fathometer.task import Prediction, Task

FILE = "network"
PARTS = ("settings", "inputs", "plan", "answers", "networks", "weights")
PICTURES, TEXTS = "image", "text"
WORTH = 0.5  # share of the epochs wanted for which there must be time; below it the network is made smaller
TIMED_BATCHES = 3
SMALLEST_SIDE, FEWEST_FILTERS = 24, 12
SMALL = 32  # pixels a side up to which a picture shows one thing in its middle
FEW_PICTURES = 10_000  # of more, each is changed less: there is less to invent, and time for fewer passes
FEWEST_WORDS = 64


@dataclass(frozen=True)
class Plan:
    """What a fit chose before its network was made.

    side: of pictures. filters: of the first layer of a picture encoder.
    longest: words of a text. flip: whether pictures are mirrored. places: whether it matters where in a picture things
    are. strength: how much pictures are changed while learning, 0 to 1.
    """

    side: int
    filters: int
    longest: int
    flip: bool = False
    places: bool = False
    strength: float = 1.0

    @classmethod
    def from_state(cls, state: State) -> Plan:
        """The plan that gave this state.

        Raises:
            BadBundle: it is none.
        """
        table(state, "plan", ("side", "filters", "longest"), ("flip", "places", "strength"))
        return cls(
            side=whole(state["side"], "side", 1, LARGEST_SIDE),
            filters=whole(state["filters"], "filters", 1, MOST_FILTERS),
            longest=whole(state["longest"], "longest", 1),
            flip=truth(state.get("flip", False), "flip"),
            places=truth(state.get("places", False), "places"),
            strength=number(state.get("strength", 1.0), "strength", 0.0, 1.0),
        )


@dataclass(frozen=True)
class RawLearner(Learner):
    """A learner that trains one network on words, pictures and the features of all other columns.

    rate, decay: highest learning rate, weight decay. smoothing: of labels. dropout: before the last layer.
    side: of pictures at most. filters: of the first layer of the picture encoder. shift, zoom, erase, light: how
    pictures are changed while learning (see `Changes`). flip: "yes", "no", or "auto": by whether mirrored training
    pictures have the right neighbours. places: "yes", "no", or "auto": whether the network knows where in a picture
    things are, as small pictures show one thing in the middle. longest: words of a text that are read. forgetting:
    share of the words left out while learning. epochs: at most; 0: by the number of rows. networks: trained at most,
    time allowing.
    """

    family: ClassVar[str] = "deep"
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    reads: ClassVar[str]
    passes: ClassVar[tuple[int, int, int]]  # through ten thousand rows; at least, and at most
    missing_column: ClassVar[Mapping[str, str]] = {
        PICTURES: "there is no column of pictures",
        TEXTS: "there is no column of texts",
    }

    rate: float = 0.003
    decay: float = 0.05
    smoothing: float = 0.0
    dropout: float = 0.1
    side: int = 64
    filters: int = 32
    shift: float = 0.08
    zoom: float = 0.1
    erase: float = 0.3
    light: float = 0.1
    flip: str = "auto"
    places: str = "auto"
    longest: int = 256
    forgetting: float = 0.1
    epochs: int = 0
    networks: int = 1

    @classmethod
    def unsuited(cls, facts: Facts) -> str | None:
        """Only where there is a column of the kind it is made for."""
        return None if cls.reads in facts.kinds else cls.missing_column[cls.reads]

    def picture_recipe(self, sight: Sight, plan: Plan) -> PictureRecipe:
        """How to build the encoder of a column of pictures."""
        return PictureRecipe("compact", sight, plan.filters, places=plan.places)

    def word_recipe(self, vocabulary: Vocabulary) -> WordRecipe:
        """How to build the encoder of a column of texts."""
        return WordRecipe("bag", vocabulary.size, 64, pairs=1 << 15, longest=vocabulary.longest)

    def most_epochs(self, rows: int) -> int:
        """Epochs that bring it to its best on so many rows."""
        usual, least, most = self.passes
        return int(min(max(usual * math.sqrt(10_000 / max(rows, 1)), least), most))

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> Model:
        """Train a network on the training rows; stop and keep its best epoch by the validation rows."""
        return fit_network(self, train, valid, task, run)

    @classmethod
    def load(cls, folder: Path) -> Model:
        """The model that was saved there."""
        return load_network(cls, folder)

    def pace(self, rows: int) -> Pace:
        """How to train on so many rows."""
        return Pace(
            rate=self.rate,
            decay=self.decay,
            schedule="cycle",
            batch=batch_size(rows),
            epochs=self.epochs or self.most_epochs(rows),
            patience=0.5,
            betas=(0.9, 0.99),
        )

    def changes(self, plan: Plan) -> Changes:
        """How pictures are changed while learning."""
        zoom, erase, light = (plan.strength * size for size in (self.zoom, self.erase, self.light))
        return Changes(self.shift, zoom, plan.flip, erase, light)

    def network(self, inputs: RawInputs, plan: Plan, start: torch.Tensor) -> RawNetwork:
        """A new network for such inputs."""
        changes = self.changes(plan)
        return RawNetwork(
            inputs.layout,
            [
                WordReader(
                    self.word_recipe(vocabulary),
                    torch.from_numpy(vocabulary.number_weights()),
                    self.forgetting,
                )
                for _, vocabulary in inputs.words
            ],
            [PictureReader(self.picture_recipe(sight, plan), changes) for _, sight in inputs.pictures],
            start,
            rate=self.rate,
            hidden=0,
            dropout=self.dropout,
        )


@dataclass(frozen=True)
class PictureLearner(RawLearner):
    """A learner that is made for pictures. encoder: which one reads them; widths: filters worth searching."""

    reads: ClassVar[str] = PICTURES
    passes: ClassVar[tuple[int, int, int]] = (30, 12, 150)
    encoder: ClassVar[str]
    widths: ClassVar[tuple[int, ...]] = (16, 24, 32)

    depth: int = 1

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {
            "filters": Range(among=cls.widths),
            "depth": Range(1, 2, whole=True),
            "rate": Range(0.001, 0.01, logarithmic=True),
            "dropout": Range(0.0, 0.4),
            "erase": Range(0.0, 0.5),
            "smoothing": Range(0.0, 0.1),
        }

    def picture_recipe(self, sight: Sight, plan: Plan) -> PictureRecipe:
        return PictureRecipe(self.encoder, sight, plan.filters, self.depth, plan.places)


@dataclass(frozen=True)
class RawModel(Model):
    """A trained network and all it needs to read rows and to answer."""

    learner: RawLearner
    inputs: RawInputs
    plan: Plan
    answers: Answers
    trained: Together
    device: str

    def predict(self, rows: Rows) -> Prediction:
        """(rows,) values, or (rows, classes) probabilities."""
        return self.answers.prediction(outputs_of(self.trained, self.inputs.rows(rows).to(self.device)))

    def save(self, folder: Path) -> None:
        """Write the weights as safetensors and the rest as JSON."""
        weights = {
            name: np.ascontiguousarray(tensor.cpu().numpy())
            for name, tensor in self.trained.state_dict().items()
        }
        state = {
            "settings": self.learner.settings(),
            "inputs": self.inputs.state(),
            "plan": vars(self.plan),
            "answers": self.answers.state(),
            "networks": len(self.trained.networks),
            "weights": weights,
            "readers": self._readers(),
        }
        write_state(folder, FILE, state)

    def _readers(self) -> State:
        """How the encoders of its first network are built, so that a later run may begin from them."""
        first = self.trained.networks[0]
        return {
            "pictures": [reader.recipe.state() for reader in picture_readers(first)],
            "words": [reader.recipe.state() for reader in word_readers(first)],
        }


def fit_network(learner: RawLearner, train: Rows, valid: Rows, task: Task, run: Run) -> RawModel:
    """Train the learner's network."""
    answers = answers_for(task, train.answers, learner.smoothing)
    plan = Plan(
        learner.side,
        learner.filters,
        learner.longest,
        places=_knows_places(learner, train),
        strength=min(1.0, (FEW_PICTURES / max(len(train), 1)) ** 0.75),
    )
    with seeded(run):
        inputs = RawInputs.fit(train, outputs=task.outputs, longest=plan.longest, side=plan.side)
        rows, goal = inputs.rows(train).to(run.device), answers.goal(train.answers).to(run.device)
        pace = learner.pace(len(train))
        sizes = run.decide(
            "size", partial(_fitting_size, learner, inputs, plan, Examples(rows, goal), answers, pace, run)
        )
        if sizes != [plan.side, plan.filters, plan.longest]:
            plan = replace(plan, side=sizes[0], filters=sizes[1], longest=sizes[2])
            inputs = RawInputs.fit(train, outputs=task.outputs, longest=plan.longest, side=plan.side)
            rows = inputs.rows(train).to(run.device)
        plan = replace(plan, flip=_flips(learner, rows, train))
        lesson = Lesson(
            answers=answers,
            examples=Examples(rows, goal),
            valid=inputs.rows(valid).to(run.device),
            judge=lambda prediction: task.fitting_loss(valid.answers, prediction),
            pace=pace,
        )

        def make() -> nn.Module:
            network = learner.network(inputs, plan, answers.start())
            network.prepare(rows)
            return channels_last(network)

        together = trained_together(make, learner.networks, lesson, run)
    _set_mirrors(together, plan)
    return RawModel(learner, inputs, plan, answers, together, run.device)


def load_network(learner_class: type[RawLearner], folder: Path) -> RawModel:
    """The model that `RawModel.save` wrote; it answers on the processor.

    Raises:
        BadBundle: its parts do not fit each other.
    """
    state = table(read_state(folder, FILE), FILE, PARTS, ("readers",))
    with sound_state():
        weights = checked_weights_of(state)
        learner = recipe_from(learner_class, state["settings"], weights)
        inputs = RawInputs.from_state(state["inputs"])
        answers, plan = answers_from_state(state["answers"]), Plan.from_state(state["plan"])
        demand(len(answers.start()) == inputs.layout.outputs, "answers and outputs disagree")
        count = whole(state["networks"], "networks", 1, weights)
        start = answers.start().to("meta")
        deep = inputs.pictures if learner.reads == PICTURES else inputs.words
        # each of these columns has an encoder of its own, of so many layers
        demand(getattr(learner, "depth", 1) * len(deep) <= weights, "there are weights of fewer layers")

        def make() -> Together:
            networks = alike(lambda: learner.network(inputs, plan, start), count, weights)
            return Together(networks, [1.0] * count)

        together = filled(make, state["weights"])
    channels_last(together)
    _set_mirrors(together, plan)
    return RawModel(learner, inputs, plan, answers, together, "cpu")


def channels_last(network: nn.Module) -> nn.Module:
    """The network itself, its convolutions' weights in the order in which pictures lie."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def batch_size(rows: int) -> int:
    """A batch that grows with the rows: 32 for some hundreds, 128 from ten thousand on."""
    wanted = 2 ** round(np.log2(max(rows, 1) / 16))
    return int(min(max(wanted, 32), 128, max(rows, 1)))


def _flips(learner: RawLearner, rows: RawRows, train: Rows) -> bool:
    if not rows.pictures or learner.flip == "no":
        return False
    return learner.flip == "yes" or all(may_be_mirrored(column, train.answers) for column in rows.pictures)


def _knows_places(learner: RawLearner, train: Rows) -> bool:
    if learner.places != "auto":
        return learner.places == "yes"
    columns = [as_pictures(train.column(name)) for name, kind in train.kinds.items() if kind == PICTURES]
    return bool(columns) and all(max(column.shape_of_one[:2]) <= SMALL for column in columns)


def _set_mirrors(together: Together, plan: Plan) -> None:
    """Once trained, a network that learned from mirrored pictures answers for both views."""
    for network in together.networks:
        if isinstance(network, RawNetwork):
            network.mirrors = plan.flip and bool(picture_readers(network))


def _fitting_size(
    learner: RawLearner,
    inputs: RawInputs,
    plan: Plan,
    examples: Examples,
    answers: Answers,
    pace: Pace,
    run: Run,
) -> list[int]:
    """[side, filters, longest] for which there is time enough, by timing a few batches of the largest."""
    network = learner.network(inputs, plan, answers.start())
    channels_last(network).to(run.device)
    network.coarse.on = run.decide("coarse", lambda: coarse_is_faster(run.device))
    index = torch.arange(pace.batch, device=run.device)

    def learn() -> None:
        outputs = network(examples.inputs.take(index))
        answers.loss(outputs, examples.goal[index]).backward()  # type: ignore[no-untyped-call]

    learn()  # the first one warms up
    watch = Watch(run)
    for _ in range(TIMED_BATCHES):
        learn()
    share = max(watch.shares(TIMED_BATCHES))
    needed = WORTH * pace.epochs * max(1, len(examples.inputs) // pace.batch) * share
    side, filters, longest = plan.side, plan.filters, plan.longest
    largest = max([max(sight.height, sight.width) for _, sight in inputs.pictures], default=side)
    while needed > 1 and inputs.pictures:
        if side > SMALLEST_SIDE and min(side, largest) * 3 // 4 >= SMALLEST_SIDE:
            side = min(side, largest) * 3 // 4
            needed *= 0.6
        elif filters * 3 // 4 >= FEWEST_FILTERS:
            filters = filters * 3 // 4
            needed *= 0.65
        else:
            break
    while needed > 1 and inputs.words and longest // 2 >= FEWEST_WORDS:
        longest //= 2
        needed *= 0.6
    return [side, filters, longest]
