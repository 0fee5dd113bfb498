"""Train a pre-trained encoder of texts on, in small steps, from where a linear head on it begins."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from fathometer.core.files import State
from fathometer.learner import Run
from fathometer.learners._answers import Answers
from fathometer.learners._bert import Bert
from fathometer.learners._clock import Watch
from fathometer.learners._encoder_texts import TextReader, Tokens, coarsely, place_width
from fathometer.learners._loop import slope
from fathometer.learners._matrix import Floats
from fathometer.learners._optimizer import AdamW
from fathometer.task import Prediction

SORTED_TOGETHER = 8  # batches whose texts are sorted by length, so that little of a batch is filling
LAYER_PACE = 0.85  # each layer learns by so much less than the one above it
HEAD_PACE = 10.0  # the head learns faster than the encoder
DECAY = 0.01
KEPT_BACK = 0.2  # share of the time that is not planned for
TIMED_STEPS = 2
BETAS = (0.9, 0.98)


@dataclass(frozen=True)
class Material:
    """What is learned from. tokens: of each column's texts. there: (rows, columns) whether there is a text.

    plain: (rows, features) of all other columns.
    """

    tokens: tuple[Tokens, ...]
    there: npt.NDArray[np.bool_]
    plain: Floats

    def __len__(self) -> int:
        return len(self.plain)

    def lengths(self) -> npt.NDArray[np.int64]:
        """(rows,) tokens of each row's longest text."""
        return np.array(
            [max(len(column[row]) for column in self.tokens) for row in range(len(self))], dtype=np.int64
        )


class Tuned(nn.Module):
    """An encoder of texts and a linear head over what it says, centred and scaled, and over all other features."""

    centres: torch.Tensor
    scales: torch.Tensor

    def __init__(
        self, reader: TextReader, network: nn.Module, centres: Floats, scales: Floats, head: nn.Linear
    ) -> None:
        super().__init__()
        self.reader = reader
        self.network = network
        self.head = head
        self.register_buffer("centres", torch.from_numpy(centres))
        self.register_buffer("scales", torch.from_numpy(scales))

    def forward(self, material: Material, some: npt.NDArray[np.intp]) -> torch.Tensor:
        """(1, rows, outputs) of some rows."""
        parts = [torch.from_numpy(material.plain[some])]
        for column, tokens in enumerate(material.tokens):
            padded, known = _padded([tokens[row] for row in some], self.reader.padding)
            there = torch.from_numpy(material.there[some, column]).unsqueeze(1)
            vectors = self.reader.finished(self.network(padded, known), known)
            scaled = (vectors - self.centres[column]) / self.scales[column]
            parts += [scaled * there, (~there).float()]
        outputs: torch.Tensor = self.head(torch.cat(parts, dim=1))
        return outputs.unsqueeze(0)


@dataclass(frozen=True)
class Course:
    """How it is trained. rate: of the topmost layer. batch: rows. epochs: at most. coarse: in bfloat16."""

    rate: float
    batch: int
    epochs: int
    coarse: bool


def head_from(parts: State, answers: Answers, outputs: int) -> nn.Linear:
    """A linear head that answers as the solved one (see `_linear.solve`) does."""
    weights = torch.from_numpy(np.asarray(parts["weights"], dtype=np.float64))
    offsets = torch.from_numpy(np.asarray(parts["offsets"], dtype=np.float64))
    head = nn.Linear(weights.shape[1], outputs).double()
    with torch.no_grad():
        head.weight.zero_()
        if parts["classes"] == 0:
            state = answers.state()
            head.weight.copy_(weights / state["scale"])
            head.bias.copy_((offsets - state["centre"]) / state["scale"])
        else:
            head.bias.fill_(-20.0)  # classes that training does not show
            seen = torch.from_numpy(np.asarray(parts["seen"], dtype=np.int64))
            both = torch.cat([torch.zeros_like(weights), weights]) if len(weights) == 1 else weights
            shifts = torch.cat([torch.zeros_like(offsets), offsets]) if len(offsets) == 1 else offsets
            head.weight[seen], head.bias[seen] = both, shifts
    return head.float()


def tune(
    tuned: Tuned,
    material: Material,
    goal: torch.Tensor,
    answers: Answers,
    judge: Callable[[], float],
    course: Course,
    run: Run,
) -> None:
    """Train within the run's time, and leave the weights that were best on the validation rows.

    The beginning counts: where training on does not help, nothing is changed.
    """
    optimizers = _optimizers(tuned)
    best, kept = judge(), [one.weights.clone() for one, _ in optimizers]
    run.report(0, best)
    order = _batches(material.lengths(), course.batch, run.seed)
    per_epoch = max(1, math.ceil(len(material) / course.batch))

    def learn(progress: float) -> None:
        some = next(order)
        tuned.train()
        with coarsely(course.coarse):
            outputs = tuned(material, some)
        answers.loss(outputs.float(), goal[torch.from_numpy(some)]).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for one, pace in optimizers:
                one.step(course.rate * pace * slope(progress), DECAY)

    steps = run.decide(
        "tuning_steps", lambda: _planned(learn, judge, optimizers, kept, course.epochs * per_epoch, run)
    )
    torch.manual_seed(run.seed)
    order = _batches(material.lengths(), course.batch, run.seed)
    every = max(1, min(per_epoch, math.ceil(steps / 4)))
    for step in range(steps):
        if not run.goes_on(step):
            break
        learn(step / steps)
        if (step + 1) % every == 0 or step + 1 == steps:
            loss = judge()
            run.report((step + 1) // every, loss)
            if loss < best:
                best, kept = loss, [one.weights.clone() for one, _ in optimizers]
    with torch.no_grad():
        for (one, _), weights in zip(optimizers, kept, strict=True):
            one.weights.copy_(weights)
    tuned.eval()


def answer(tuned: Tuned, material: Material, answers: Answers, coarse: bool) -> Prediction:
    """What it answers while it is being trained, texts of about one length together."""
    tuned.eval()
    order = np.argsort(material.lengths(), kind="stable")
    outputs = torch.zeros(1, len(material), tuned.head.out_features)
    with torch.inference_mode(), coarsely(coarse):
        for start in range(0, len(order), 32):
            some = order[start : start + 32]
            outputs[:, torch.from_numpy(some)] = tuned(material, some).float()
    return answers.prediction(outputs)


def _planned(
    learn: Callable[[float], None],
    judge: Callable[[], float],
    optimizers: Sequence[tuple[AdamW, float]],
    weights: Sequence[torch.Tensor],
    most: int,
    run: Run,
) -> int:
    """How many steps fit into the time left, by timing a few; the weights are then as before."""
    learn(0.0)  # the first one prepares
    watch = Watch(run)
    for _ in range(TIMED_STEPS):
        learn(0.0)
    step_share = max(watch.shares(TIMED_STEPS))
    watch = Watch(run)
    judge()
    judge_share = max(watch.shares(1))
    for (one, _), before in zip(optimizers, weights, strict=True):
        one.reset(before)
    allowed = (1.0 - KEPT_BACK - 5 * judge_share) / step_share
    return max(0, min(most, int(allowed)))


def _optimizers(tuned: Tuned) -> list[tuple[AdamW, float]]:
    """Layer by layer, each with its pace; what stands for single words stays as it is, being most of the weights."""
    network = tuned.network
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    layers = network.layers if isinstance(network, Bert) else _layers(network)
    made = [(AdamW(tuned.head, betas=BETAS), HEAD_PACE)]
    for depth, layer in enumerate(reversed(layers)):
        for parameter in layer.parameters():
            parameter.requires_grad_(True)
        made.append((AdamW(layer, betas=BETAS, epsilon=1e-6), LAYER_PACE**depth))
    return made


def _layers(network: nn.Module) -> list[nn.Module]:
    """The layers of a network of another library: its longest list of like parts."""
    lists = [list(module) for module in network.modules() if isinstance(module, nn.ModuleList)]
    return max(lists, key=len) if lists else [network]


def _batches(lengths: npt.NDArray[np.int64], batch: int, seed: int) -> Iterator[npt.NDArray[np.intp]]:
    """Endless shuffled batches of rows of about one length."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(lengths))
        made = []
        for start in range(0, len(order), batch * SORTED_TOGETHER):
            some = order[start : start + batch * SORTED_TOGETHER]
            some = some[np.argsort(lengths[some], kind="stable")]
            made += [some[at : at + batch] for at in range(0, len(some), batch)]
        for place in rng.permutation(len(made)):
            yield made[place]


def _padded(tokens: Tokens, padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    width = place_width(max(map(len, tokens)))
    padded = torch.full((len(tokens), width), padding, dtype=torch.long)
    known = torch.zeros((len(tokens), width), dtype=torch.bool)
    for row, found in enumerate(tokens):
        padded[row, : len(found)] = torch.tensor(found, dtype=torch.long)
        known[row, : len(found)] = True
    known[:, 0] = True
    return padded, known
