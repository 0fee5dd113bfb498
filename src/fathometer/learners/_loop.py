"""The training loop: batches, schedule, report, stop, keep the best epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from fathometer.learner import Run
from fathometer.learners._answers import Answers
from fathometer.learners._clock import Watch, coarse_is_faster
from fathometer.learners._network import Dropout, Part, Recalling
from fathometer.learners._optimizer import AdamW
from fathometer.learners._tensors import Batches, Tensors
from fathometer.task import Prediction

KEPT_BACK = 0.08  # share of the time left that is not planned for: validation, noise, the last steps
HEAT_STEP = 1.1  # heats are powers of this
COOLEST, HOTTEST = (
    -2,
    16,
)  # powers: 0.8 to 4.6; a few validation rows, all easy, must not make a network surer
TIMED_STEPS = 4  # at least
MOST_TIMED = 50
TIMED_SHARE = 0.02  # of the time left, spent on timing


@dataclass(frozen=True)
class Pace:
    """How to train.

    rate: the highest learning rate. decay: weight decay. schedule: "waves", "slope" or "cycle". batch: rows per step.
    epochs: at most. patience: share of the epochs after which to stop when none was better.
    """

    rate: float
    decay: float
    schedule: str
    batch: int
    epochs: int
    patience: float
    betas: tuple[float, float] = (0.9, 0.95)


@dataclass(frozen=True)
class Examples:
    """Training rows as tensors, and what the outputs should come to."""

    inputs: Batches
    goal: torch.Tensor


@dataclass(frozen=True)
class Judged:
    """Validation loss at an epoch's end, and the heat by which outputs are divided to come to it.

    Judging after the heat is set keeps epochs that tell classes apart better but are too sure of themselves
    (Berta, Holzmueller, Jordan & Bach 2025, https://arxiv.org/abs/2501.19195).
    """

    loss: float
    heat: float


@dataclass(frozen=True)
class Lesson:
    """What to learn, and how: judge gives the validation loss of a prediction of the validation rows."""

    answers: Answers
    examples: Examples
    valid: Batches
    judge: Callable[[Prediction], float]
    pace: Pace

    @property
    def steps_per_epoch(self) -> int:
        """Batches that fit into the training rows; at least one."""
        return max(1, len(self.examples.inputs) // self.pace.batch)


def train(network: nn.Module, lesson: Lesson, run: Run, part: int = 0) -> float:
    """Train the network within the run's time and leave it with the weights of its best epoch; give its heat.

    The untrained network, which gives the best constant prediction, counts as an epoch: learning nothing is
    better than learning noise. part: counts the networks trained in one run; the first one's plan holds for all.
    """
    optimizer = AdamW(network, betas=lesson.pace.betas)
    _set_coarse(network, run.decide("coarse", lambda: coarse_is_faster(run.device)))
    per_epoch = lesson.steps_per_epoch
    best, best_weights, best_epoch = _judged(network, lesson), optimizer.weights.clone(), 0
    best_statistics = Statistics(network)
    steps = run.decide("steps", lambda: _planned_steps(network, lesson, optimizer, run))
    # beside what time allowed what was wanted: who plans fewer steps ends by itself, and is cut off all the same
    run.decide("epochs_wanted", lambda: lesson.pace.epochs)
    run.decide("steps_an_epoch", lambda: per_epoch)
    epochs = math.ceil(steps / per_epoch)
    first_step, first_epoch = part * steps, part * (epochs + 1)
    run.report(first_epoch, best.loss)
    torch.manual_seed(seed_of(run, part) + 1)
    batches = _batches(lesson, seed_of(run, part), run.device)
    step = 0
    for epoch in range(1, epochs + 1):
        last = min(steps, epoch * per_epoch)
        while step < last and run.goes_on(first_step + step):
            _set_dropout(network, flat_then_down(step / steps))
            _learn(network, lesson, next(batches), optimizer, step / steps)
            step += 1
        judged = _judged(network, lesson)
        run.report(first_epoch + epoch, judged.loss)
        if judged.loss <= best.loss:
            best, best_epoch = judged, epoch
            best_weights.copy_(optimizer.weights)
            best_statistics = Statistics(network)
        if step < last or epoch - best_epoch >= max(2.0, lesson.pace.patience * epochs):
            break
    with torch.no_grad():
        optimizer.weights.copy_(best_weights)
    best_statistics.put_back()
    _memorise(network, lesson.examples, trained=True)
    network.eval()
    return best.heat


class Statistics:
    """What a network's normalising layers have seen in the mean: part of what was learned, beside the weights."""

    def __init__(self, network: nn.Module) -> None:
        self.buffers = [
            buffer
            for module in network.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm)
            for buffer in module.buffers(recurse=False)
        ]
        self.values = [buffer.clone() for buffer in self.buffers]

    def put_back(self) -> None:
        """Make them what they were when this was made."""
        for buffer, value in zip(self.buffers, self.values, strict=True):
            buffer.copy_(value)


def outputs_of(network: nn.Module, inputs: Batches) -> torch.Tensor:
    """(members, rows, outputs) of the network in its resting state, some rows at a time."""
    network.eval()
    with torch.inference_mode():
        step = inputs.together
        starts = range(0, max(len(inputs), 1), step)
        return torch.cat([network(inputs.part(start, start + step)) for start in starts], dim=1)


def seed_of(run: Run, part: int) -> int:
    """The seed of one of the networks trained in a run."""
    return run.seed * 1000 + part * 10


def waves(progress: float) -> float:
    """Four cosine waves of doubling length, each from 0 up to 1 and down ("coslog4" of RealMLP)."""
    return 0.5 - 0.5 * math.cos(2 * math.pi * math.log2(1 + 15 * progress))


def slope(progress: float) -> float:
    """Up to 1 over the first twentieth, then down to 0 along a cosine."""
    if progress < 0.05:
        return progress / 0.05
    return 0.5 + 0.5 * math.cos(math.pi * (progress - 0.05) / 0.95)


def cycle(progress: float) -> float:
    """From a tenth up to 1 over the first fifth, then straight down to 0 ("one cycle", Smith & Topin 2019 [1]).

    [1] Super-convergence. https://arxiv.org/abs/1708.07120
    """
    return 0.1 + 4.5 * progress if progress < 0.2 else (1.0 - progress) / 0.8


def flat_then_down(progress: float) -> float:
    """1 over the first half, then down to 0 along a cosine."""
    return 1.0 if progress < 0.5 else 0.5 + 0.5 * math.cos(math.pi * (2 * progress - 1))


SCHEDULES = {"waves": waves, "slope": slope, "cycle": cycle}


@contextmanager
def seeded(run: Run) -> Iterator[None]:
    """Random numbers of torch's own and the run's threads inside; as it was before afterwards."""
    threads = torch.get_num_threads()
    devices = [torch.device(run.device)] if run.device.startswith("cuda") else []
    with torch.random.fork_rng(devices=devices):
        torch.set_num_threads(run.threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _judged(network: nn.Module, lesson: Lesson) -> Judged:
    _memorise(network, lesson.examples)
    outputs = outputs_of(network, lesson.valid)
    network.train()

    def loss(exponent: float) -> float:
        return lesson.judge(lesson.answers.prediction(outputs / HEAT_STEP**exponent))

    low, high = (COOLEST, HOTTEST) if lesson.answers.warms else (0, 0)
    exponent = _lowest(loss, low, high)
    judged = loss(exponent)
    return Judged(judged if math.isfinite(judged) else math.inf, HEAT_STEP**exponent)


def _lowest(loss: Callable[[float], float], low: int, high: int) -> int:
    """Where from low to high a loss that falls and then rises is lowest, by halving."""
    while low < high:
        middle = (low + high) // 2
        if loss(middle) <= loss(middle + 1):
            high = middle
        else:
            low = middle + 1
    return low


def _learn(
    network: nn.Module, lesson: Lesson, index: torch.Tensor, optimizer: AdamW, progress: float
) -> None:
    examples, pace = lesson.examples, lesson.pace
    inputs, goal = examples.inputs.take(index), examples.goal.index_select(0, index)
    if isinstance(network, Recalling) and isinstance(inputs, Tensors):
        outputs = network.learn(inputs, goal)
    else:
        outputs = network(inputs)
    lesson.answers.loss(outputs, goal).backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        optimizer.step(pace.rate * SCHEDULES[pace.schedule](progress), pace.decay * flat_then_down(progress))


def _memorise(network: nn.Module, examples: Examples, *, trained: bool = False) -> None:
    if isinstance(network, Recalling) and isinstance(examples.inputs, Tensors):
        network.eval()
        network.memorise(examples.inputs, examples.goal, trained=trained)


def _batches(lesson: Lesson, seed: int, device: str) -> Iterator[torch.Tensor]:
    """Endless shuffled batches; the few rows left over at the end of an epoch are others each time."""
    rows, batch = len(lesson.examples.inputs), lesson.pace.batch
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(rows, generator=generator).to(device)
        for start in range(0, max(rows - batch, 0) + 1, batch):
            yield order[start : start + batch]


def _set_coarse(network: nn.Module, on: bool) -> None:
    """Let the layers that can multiply coarsely do so, or not."""
    for module in network.modules():
        if isinstance(module, Part) and module.coarse is not None:
            module.coarse.on = on


def _set_dropout(network: nn.Module, factor: float) -> None:
    for module in network.modules():
        if isinstance(module, Dropout):
            module.share = module.full_share * factor


def _planned_steps(network: nn.Module, lesson: Lesson, optimizer: AdamW, run: Run) -> int:
    """How many steps fit into the time left, by timing a few; the network is then as before."""
    before, statistics = optimizer.weights.clone(), Statistics(network)
    batches = _batches(lesson, run.seed, run.device)
    _learn(network, lesson, next(batches), optimizer, 0.0)  # the first step warms up
    enough = TIMED_SHARE * max(run.left(), 0.0)
    watch, timed = Watch(run), 0
    while timed < TIMED_STEPS or (timed < MOST_TIMED and watch.seconds() < enough):
        _learn(network, lesson, next(batches), optimizer, 0.0)
        timed += 1
        if watch.seconds() > 5 * enough:
            break
    per_step = watch.shares(timed)
    watch = Watch(run)
    _judged(network, lesson)
    per_valid = watch.shares(1)
    with torch.no_grad():
        optimizer.reset(before)
    statistics.put_back()
    # shares of the time left, by the processor's clock and by the one on the wall; the scarcer decides
    epochs = min(
        (1 - KEPT_BACK - valid_share) / (step_share * lesson.steps_per_epoch + valid_share)
        for step_share, valid_share in zip(per_step, per_valid, strict=True)
    )
    return max(1, int(min(float(lesson.pace.epochs), epochs) * lesson.steps_per_epoch))
