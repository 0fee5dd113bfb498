"""The training loop: batches, schedule, report, stop, keep the best epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from fathometer.learner import Run
from fathometer.learners._answers import Answers
from fathometer.learners._network import Dropout, Part, Recalling
from fathometer.learners._optimizer import AdamW
from fathometer.learners._tensors import Tensors
from fathometer.task import Prediction

CHUNK = 2048  # rows predicted at a time
KEPT_BACK = 0.08  # share of the time left that is not planned for: validation, noise, the last steps
TIMED_STEPS = 4
MOST_TIMED = 50
TIMED_SHARE = 0.02  # of the time left, spent on timing


@dataclass(frozen=True)
class Pace:
    """How to train.

    rate: the highest learning rate. decay: weight decay. schedule: "waves" or "slope". batch: rows per step.
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

    inputs: Tensors
    goal: torch.Tensor


Judge = Callable[[Prediction], float]
"""Validation loss of a prediction of the validation rows."""


def train(
    network: nn.Module,
    answers: Answers,
    examples: Examples,
    valid: Tensors,
    judge: Judge,
    pace: Pace,
    run: Run,
) -> None:
    """Train the network within the run's time and leave it with the weights of its best epoch.

    The untrained network, which gives the best constant prediction, counts as an epoch: learning nothing is
    better than learning noise.
    """
    optimizer = AdamW(network, betas=pace.betas)
    _set_coarse(network, run.decide("coarse", lambda: coarse_is_faster(run.device)))
    per_epoch = max(1, len(examples.inputs) // pace.batch)
    best, best_weights, best_epoch = _judged(network, answers, examples, valid, judge), optimizer.weights.clone(), 0
    run.report(0, best)
    steps = run.decide(
        "steps", lambda: _planned_steps(network, answers, examples, valid, pace, per_epoch, optimizer, run)
    )
    patience = max(2.0, pace.patience * steps / per_epoch)
    torch.manual_seed(run.seed + 1)
    batches = _batches(len(examples.inputs), pace.batch, run)
    step = 0
    for epoch in range(1, math.ceil(steps / per_epoch) + 1):
        last = min(steps, epoch * per_epoch)
        while step < last and run.goes_on(step):
            _set_dropout(network, flat_then_down(step / steps))
            _learn(network, answers, examples, next(batches), optimizer, pace, step / steps)
            step += 1
        loss = _judged(network, answers, examples, valid, judge)
        run.report(epoch, loss)
        if loss <= best:
            best, best_epoch = loss, epoch
            best_weights.copy_(optimizer.weights)
        if step < last or epoch - best_epoch >= patience:
            break
    with torch.no_grad():
        optimizer.weights.copy_(best_weights)
    _memorise(network, examples)
    network.eval()


def predict(network: nn.Module, answers: Answers, inputs: Tensors) -> Prediction:
    """The network's prediction, some rows at a time."""
    network.eval()
    with torch.inference_mode():
        starts = range(0, max(len(inputs), 1), CHUNK)
        outputs = [network(inputs.part(start, start + CHUNK)) for start in starts]
        return answers.prediction(torch.cat(outputs, dim=1))


def waves(progress: float) -> float:
    """Four cosine waves of doubling length, each from 0 up to 1 and down ("coslog4" of RealMLP)."""
    return 0.5 - 0.5 * math.cos(2 * math.pi * math.log2(1 + 15 * progress))


def slope(progress: float) -> float:
    """Up to 1 over the first twentieth, then down to 0 along a cosine."""
    if progress < 0.05:
        return progress / 0.05
    return 0.5 + 0.5 * math.cos(math.pi * (progress - 0.05) / 0.95)


def flat_then_down(progress: float) -> float:
    """1 over the first half, then down to 0 along a cosine."""
    return 1.0 if progress < 0.5 else 0.5 + 0.5 * math.cos(math.pi * (2 * progress - 1))


SCHEDULES = {"waves": waves, "slope": slope}


@contextmanager
def seeded(run: Run) -> Iterator[None]:
    """torch with this run's seed and threads, and as it was before afterwards."""
    threads = torch.get_num_threads()
    devices = [torch.device(run.device)] if run.device.startswith("cuda") else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(run.seed)
        torch.set_num_threads(run.threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _judged(
    network: nn.Module, answers: Answers, examples: Examples, valid: Tensors, judge: Judge
) -> float:
    _memorise(network, examples)
    loss = judge(predict(network, answers, valid))
    network.train()
    return loss if math.isfinite(loss) else math.inf


def _learn(
    network: nn.Module,
    answers: Answers,
    examples: Examples,
    index: torch.Tensor,
    optimizer: AdamW,
    pace: Pace,
    progress: float,
) -> None:
    inputs, goal = examples.inputs.take(index), examples.goal.index_select(0, index)
    outputs = network.learn(inputs, goal) if isinstance(network, Recalling) else network(inputs)
    answers.loss(outputs, goal).backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        optimizer.step(pace.rate * SCHEDULES[pace.schedule](progress), pace.decay * flat_then_down(progress))


def _memorise(network: nn.Module, examples: Examples) -> None:
    if isinstance(network, Recalling):
        network.eval()
        network.memorise(examples.inputs, examples.goal)


def _batches(rows: int, batch: int, run: Run) -> Iterator[torch.Tensor]:
    """Endless shuffled batches; the few rows left over at the end of an epoch are others each time."""
    generator = torch.Generator().manual_seed(run.seed)
    while True:
        order = torch.randperm(rows, generator=generator).to(run.device)
        for start in range(0, max(rows - batch, 0) + 1, batch):
            yield order[start : start + batch]


def coarse_is_faster(device: str) -> bool:
    """Whether this processor multiplies bfloat16 matrices clearly faster than single precision ones."""
    if device != "cpu":
        return False
    left = torch.ones(256, 256)
    seconds = {}
    for kind in (torch.float32, torch.bfloat16):
        matrix = left.to(kind)
        matrix @ matrix  # the first product prepares the kernel
        rounds = []
        for _ in range(5):
            started = time.perf_counter()
            for _ in range(4):
                matrix @ matrix
            rounds.append(time.perf_counter() - started)
        seconds[kind] = min(rounds)
    return seconds[torch.bfloat16] < 0.6 * seconds[torch.float32]


def _set_coarse(network: nn.Module, on: bool) -> None:
    """Let the layers that can multiply coarsely do so, or not."""
    for module in network.modules():
        if isinstance(module, Part) and module.coarse is not None:
            module.coarse.on = on


def _set_dropout(network: nn.Module, factor: float) -> None:
    for module in network.modules():
        if isinstance(module, Dropout):
            module.share = module.full_share * factor


def _planned_steps(
    network: nn.Module,
    answers: Answers,
    examples: Examples,
    valid: Tensors,
    pace: Pace,
    per_epoch: int,
    optimizer: AdamW,
    run: Run,
) -> int:
    """How many steps fit into the time left, by timing a few; the network is then as before."""
    before = optimizer.weights.clone()
    batches = _batches(len(examples.inputs), pace.batch, run)

    def learn() -> None:
        _learn(network, answers, examples, next(batches), optimizer, pace, 0.0)

    learn()  # the first step warms up
    enough = TIMED_SHARE * max(run.left(), 0.0)
    watch, timed = Watch(run), 0
    while timed < TIMED_STEPS or (timed < MOST_TIMED and watch.seconds() < enough):
        learn()
        timed += 1
        if watch.seconds() > 5 * enough:
            break
    per_step = watch.shares(timed)
    watch = Watch(run)
    _memorise(network, examples)
    predict(network, answers, valid)
    network.train()
    per_valid = watch.shares(1)
    with torch.no_grad():
        optimizer.reset(before)
    # shares of the time left, by the processor's clock and by the one on the wall; the scarcer decides
    epochs = min(
        (1 - KEPT_BACK - valid_share) / (step_share * per_epoch + valid_share)
        for step_share, valid_share in zip(per_step, per_valid, strict=True)
    )
    return max(1, int(min(float(pace.epochs), epochs) * per_epoch))


class Watch:
    """How much of a run's time something takes."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.processor, self.wall = time.process_time(), time.monotonic()

    def seconds(self) -> float:
        """Processor seconds since it was made."""
        return time.process_time() - self.processor

    def shares(self, times: int) -> tuple[float, float]:
        """What each of so many times took, as shares of the processor and of the wall seconds left."""
        processor = (time.process_time() - self.processor) / times
        wall = (time.monotonic() - self.wall) / times
        processor_left = self.run.seconds - self.run.used()
        wall_left = self.run.wall_seconds - (time.monotonic() - self.run.started_wall)
        return _share(processor, processor_left), _share(wall, wall_left)


def _share(part: float, whole: float) -> float:
    """Part of a whole, not below a very small one; all of it where nothing is left."""
    return max(part / whole, 1e-9) if whole > part else 1.0
