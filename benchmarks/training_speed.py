"""Pictures a second in training, ours against the plain PyTorch loop of the same network.

    OMP_NUM_THREADS=1 python -m benchmarks.training_speed

Both train alternately in one process, one thread, on the same random pictures with the same random changes, in the same
precision; what differs is what this product adds: its batches, its optimiser, its bookkeeping.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import nn

from fathometer.core.pictures import PictureArray, as_pictures
from fathometer.data.rows import Rows
from fathometer.learner import LEARNERS, Run
from fathometer.learners._clock import coarse_is_faster
from fathometer.learners._raw import RawLearner
from fathometer.learners._raw_picture_encoders import ENCODERS, PictureRecipe
from fathometer.learners._raw_pictures import Sight
from fathometer.task import TASKS

CLASSES = 10


def pictures(count: int, side: int, channels: int) -> tuple[Rows, npt.NDArray[np.uint8]]:
    """Rows that show pictures of noise, and their pixels."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    column = PictureArray(pixels, np.arange(1, count + 1, dtype=np.uint64), np.arange(count, dtype=np.int64))
    target = rng.integers(0, CLASSES, count).astype(np.int64)
    return Rows(pd.DataFrame({"picture": pd.Series(column)}), {"picture": "image"}, target), pixels


def recipe_of(name: str, **settings: int | str) -> RawLearner:
    """The learner of that name."""
    learner = LEARNERS.get(name)(**settings)
    if not isinstance(learner, RawLearner):
        raise TypeError(f"{name} does not read pictures itself")
    return learner


def ours(name: str, rows: Rows, epochs: int, run: Run) -> float:
    """Processor seconds that a fit of so many epochs takes."""
    task = TASKS.get("classification").from_json(
        {
            "name": "classification",
            "target": "y",
            "metric": "accuracy",
            "margin": 0.5,
            "labels": [f"{label}" for label in range(CLASSES)],
        }
    )
    valid = rows.take(np.arange(2))
    learner = recipe_of(name, epochs=epochs, flip="no")
    started = time.process_time()
    learner.fit(rows, valid, task, run)
    return time.process_time() - started


def plain(
    recipe: PictureRecipe, pixels: npt.NDArray[np.uint8], target: torch.Tensor, epochs: int, run: Run
) -> float:
    """Processor seconds of the loop a good engineer would write: channels last, bfloat16, fused AdamW."""
    started = time.process_time()
    learner = recipe_of(run.decided["learner"])
    batch = learner.pace(len(pixels)).batch
    changes = learner.changes(flip=False)
    encoder = ENCODERS[recipe.of](recipe)
    head = nn.Linear(int(encoder.width), CLASSES)  # type: ignore[arg-type]
    network = nn.Sequential(encoder, nn.Dropout(learner.dropout), head)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=learner.rate, fused=True)
    steps = epochs * (len(pixels) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learner.rate, total_steps=steps)
    mean, spread = torch.tensor(recipe.sight.mean), torch.tensor(recipe.sight.spread)
    given = torch.from_numpy(pixels)
    for _ in range(epochs):
        for index in torch.randperm(len(pixels)).split(batch):  # type: ignore[no-untyped-call]
            if len(index) < batch:
                continue
            planes = ((changes.moved(given[index]).float() - mean) / spread).permute(0, 3, 1, 2)
            with torch.autocast("cpu", torch.bfloat16, enabled=run.decided["coarse"]):
                outputs = network(changes.recoloured(planes))
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(outputs.float(), target[index]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return time.process_time() - started


def main() -> None:
    """Print pictures a second of both, and how much slower ours is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learners", default="cnn,rescnn,patchnet")
    parser.add_argument("--pictures", type=int, default=2048)
    parser.add_argument("--side", type=int, default=28)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    rows, pixels = pictures(chosen.pictures, chosen.side, chosen.channels)
    target = torch.from_numpy(rows.answers)
    coarse = coarse_is_faster("cpu")
    for name in chosen.learners.split(","):
        learner = recipe_of(name)
        sight = Sight.of(as_pictures(rows.column("picture")), learner.side)
        recipe = learner.picture_recipe(sight, learner.filters)
        shown = chosen.epochs * len(pixels)
        seconds: list[tuple[float, float]] = []
        for turn in range(chosen.rounds + 1):
            decided = {
                "coarse": coarse,
                "learner": name,
                "size": [learner.side, learner.filters, learner.longest],
            }
            steps = chosen.epochs * (len(pixels) // learner.pace(len(pixels)).batch)
            run = Run(
                seed=turn,
                seconds=1e6,
                decided={**decided, "steps": steps, "network_1": False},
                replaying=True,
            )
            pair = ours(name, rows, chosen.epochs, run), plain(recipe, pixels, target, chosen.epochs, run)
            if turn:  # the first warms up
                seconds.append(pair)
        rates = [tuple(shown / part for part in pair) for pair in seconds]
        ratio = statistics.median(plain_part / our_part for our_part, plain_part in seconds)
        ours_rate, plain_rate = (statistics.median(rate[part] for rate in rates) for part in (0, 1))
        print(
            f"{name}: ours {ours_rate:,.0f} pictures/s, plain loop {plain_rate:,.0f}, ratio {ratio:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
