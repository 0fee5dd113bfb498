"""Train an encoder on the user's own pictures or texts that have no answers.

Pictures: those with like engineered features are grouped, and a convolutional network learns to tell the groups apart
however a picture is shifted, zoomed and wiped in part [1]. It was the best of those tried (docs/decisions/0009).
Texts: words are given vectors by which words stand near them: the factors of their positive pointwise mutual
information, which is what skip-grams with negative samples come to [2].

[1] Caron, Bojanowski, Joulin & Douze (2018). Deep clustering. https://arxiv.org/abs/1807.05520
[2] Levy & Goldberg (2014). Neural word embedding as implicit matrix factorization. https://papers.nips.cc/paper/5477
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse
import torch
from sklearn.cluster import MiniBatchKMeans
from sklearn.utils.extmath import randomized_svd
from torch import nn

from fathometer.core.pictures import as_pictures
from fathometer.data.encoder_files import IMAGE, TEXT, Encoder
from fathometer.data.storage import read_rows
from fathometer.errors import UnsuitableData
from fathometer.kind import KINDS
from fathometer.learner import Run
from fathometer.learners._clock import Watch, coarse_is_faster
from fathometer.learners._encoder_own import (
    FIRST_WORDS,
    OwnPictures,
    OwnWords,
    as_plain,
    features_of,
    write_own,
)
from fathometer.learners._loop import seeded, slope
from fathometer.learners._optimizer import AdamW
from fathometer.learners._raw_picture_encoders import PictureReader, PictureRecipe
from fathometer.learners._raw_pictures import Changes, Sight
from fathometer.learners._raw_words import Vocabulary

FEWEST = 100  # values from which anything can be learned
GROUPS = 100
ROWS_PER_GROUP = 20
GROUPED = 10_000  # pictures whose engineered features are looked at
SIDE, FILTERS = 64, 24
BATCH = 128
RATE, DECAY = 2e-3, 0.01
MOST_PASSES = 30  # through the pictures
KEPT_BACK = 0.15  # share of the time left that is not planned for
CHANGES = Changes(shift=0.12, zoom=0.2, flip=True, erase=0.4, light=0.3)
WINDOW = 4  # words on either side
WORD_WIDTH = 160


def run_pretraining(order: dict[str, Any]) -> dict[str, Any]:
    """A job for a worker.

    Args:
        order: "rows": folder in which `storage.write_rows` left one column; "column": its name; "kind"; "place": folder
            for the encoder; "seconds" of processor time; "seed"; perhaps "learned_from", in words.

    Returns:
        "encoder": its description as plain data; "decided": what was chosen by the clock.

    Raises:
        UnsuitableData: there is too little to learn from.
    """
    rows = read_rows(Path(order["rows"]), {order["column"]: order["kind"]})
    run = Run(seed=int(order.get("seed", 0)), seconds=float(order["seconds"]))
    told = str(order.get("learned_from", ""))
    made = pretrain(rows.column(order["column"]), order["kind"], run, Path(order["place"]), told)
    return {"encoder": as_plain(made), "decided": run.decided}


def pretrain(values: pd.Series, kind: str, run: Run, place: Path, learned_from: str = "") -> Encoder:
    """Learn from a column's values, within the run's time, and write the encoder to a folder.

    Raises:
        UnsuitableData: there is too little to learn from, or this kind of column has no such encoder.
    """
    known = values[values.notna()].reset_index(drop=True)
    if kind not in (TEXT, IMAGE):
        raise UnsuitableData(f"Encoders are trained on texts and pictures; got a column of kind {kind}.")
    what = "texts" if kind == TEXT else "pictures"
    if len(known) < FEWEST:
        raise UnsuitableData(f"Expected at least {FEWEST} {what} to train an encoder on, got {len(known)}.")
    with seeded(run):
        torch.manual_seed(run.seed)
        reader = words_from(known, run) if kind == TEXT else pictures_from(known, run)
    return write_own(reader, place, learned_from or f"{len(known):,} {what} without answers")


def pictures_from(values: pd.Series, run: Run) -> OwnPictures:
    """A network that tells groups of like pictures apart."""
    pictures = as_pictures(values)
    some = np.sort(np.random.default_rng(run.seed).permutation(len(values))[:GROUPED])
    shown, groups = as_pictures(values.iloc[some]), _groups(values.iloc[some], run.seed)
    network = PictureReader(PictureRecipe("compact", Sight.of(pictures, SIDE), FILTERS), CHANGES)
    head = nn.Linear(network.width, int(groups.max()) + 1)
    both = nn.ModuleList([network, head])
    optimizer = AdamW(both, betas=(0.9, 0.98))
    coarse = run.decide("coarse", lambda: coarse_is_faster(run.device))

    def learn(progress: float, index: npt.NDArray[np.int64]) -> None:
        pixels = network.changes.moved(torch.from_numpy(np.array(shown.shown(index))))
        with torch.autocast("cpu", torch.bfloat16, enabled=coarse):
            scores = head(network.features(pixels))
        nn.functional.cross_entropy(scores.float(), groups[index]).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            optimizer.step(RATE * slope(progress), DECAY)

    both.train()
    batch, most = min(BATCH, len(some)), MOST_PASSES * len(some) // BATCH + 1
    weights, state = optimizer.weights.clone(), copy.deepcopy(both.state_dict())
    steps = run.decide("steps", lambda: _planned(lambda: learn(0.0, np.arange(batch)), most, run))
    both.load_state_dict(state)
    optimizer.reset(weights)
    torch.manual_seed(run.seed + 1)
    rng = np.random.default_rng(run.seed)
    for step in range(steps):
        if not run.goes_on(step):
            break
        learn(step / steps, rng.integers(0, len(some), batch))
    network.eval()
    features = np.concatenate([features_of(network, pixels) for _, pixels in shown.chunks(1 << 20)])
    spread = features.std(axis=0)
    return OwnPictures(
        network, features.mean(axis=0), np.where(spread > 1e-6, spread, 1.0).astype(np.float32)
    )


def words_from(values: pd.Series, run: Run) -> OwnWords:
    """Vectors of the words that occur in at least two texts."""
    vocabulary = Vocabulary.of(values, FIRST_WORDS)
    numbers = vocabulary.seen(values).numbers.numpy()
    near = scipy.sparse.csr_matrix((vocabulary.size, vocabulary.size))
    for apart in range(1, WINDOW + 1):
        left, right = numbers[:, :-apart].reshape(-1), numbers[:, apart:].reshape(-1)
        both = (left > 0) & (right > 0)
        weights = np.full(int(both.sum()), 1.0 / apart)
        near = near + scipy.sparse.csr_matrix((weights, (left[both], right[both])), shape=near.shape)
    near = (near + near.T).tocoo()
    width = min(WORD_WIDTH, vocabulary.size - 1)
    factors, sizes, _ = randomized_svd(_information(near), width, n_iter=4, random_state=run.seed)
    vectors = (factors * np.sqrt(sizes)).astype(np.float16).astype(np.float32)  # as they are kept
    return OwnWords(vocabulary, vectors)


def _information(near: scipy.sparse.coo_matrix) -> scipy.sparse.csr_matrix:
    """Positive pointwise mutual information of words that stand near each other; rare neighbours count for less."""
    total = np.asarray(near.sum(axis=1)).reshape(-1)
    context = total**0.75
    expected = total[near.row] * context[near.col] / max(context.sum(), 1e-9)
    with np.errstate(divide="ignore"):
        amounts = np.maximum(np.log(near.data / np.maximum(expected, 1e-12)), 0.0)
    return scipy.sparse.csr_matrix((amounts, (near.row, near.col)), shape=near.shape)


def _groups(values: pd.Series, seed: int) -> torch.Tensor:
    """(rows,) the group of each picture, by its engineered features."""
    features = KINDS.get(IMAGE)().fit_features(values).transform(values).numbers
    filled = np.nan_to_num(features)
    spread = filled.std(axis=0)
    scaled = np.clip((filled - filled.mean(axis=0)) / np.where(spread > 1e-6, spread, 1.0), -4, 4)
    count = max(2, min(GROUPS, len(values) // ROWS_PER_GROUP))
    found: npt.NDArray[np.int32] = MiniBatchKMeans(
        count, random_state=seed, n_init=1, batch_size=2048
    ).fit_predict(scaled)
    return torch.from_numpy(found.astype(np.int64))


def _planned(learn: Callable[[], None], most: int, run: Run) -> int:
    """How many steps fit into the time left, by timing a few."""
    learn()  # the first one prepares
    watch = Watch(run)
    for _ in range(3):
        learn()
    return max(1, min(most, int((1.0 - KEPT_BACK) / max(watch.shares(3)))))
