"""Patches are described as the paper does, and suit data with pictures only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fathometer.core.pictures import as_pictures
from fathometer.data.rows import Rows
from fathometer.kind import KINDS
from fathometer.learner import Facts, Run
from fathometer.learners.ml.patches import NEAREST, PATCH, Dictionary, Patches, nearness
from fathometer.task import TASKS

TASK = TASKS.get("classification")(target="y", metric="accuracy", margin=0.5, labels=("low", "high"))  # type: ignore[call-arg]


def toy(count: int, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    signal = rng.random(count)
    kind = KINDS.get("image")()
    cells = kind.toy(signal, rng)
    photo = kind.read(cells, kind.learn_reading(cells))
    return Rows(pd.DataFrame({"photo": photo}), {"photo": "image"}, (signal > 0.5).astype(np.int64))


def test_nearness_is_the_triangle_of_the_paper() -> None:
    rng = np.random.default_rng(0)
    patches, words = rng.normal(size=(7, 12)).astype(np.float32), rng.normal(size=(5, 12)).astype(np.float32)
    distance = np.sqrt(((patches[:, None] - words[None]) ** 2).sum(axis=2) + NEAREST**2)
    wanted = np.maximum(0, distance.mean(axis=1, keepdims=True) - distance)
    np.testing.assert_allclose(nearness(patches, words), wanted, atol=1e-5)


def test_sums_are_those_over_each_quarter() -> None:
    pictures = as_pictures(toy(30).column("photo"))
    dictionary = Dictionary.learned("photo", pictures, 8, np.random.default_rng(0))
    assert dictionary is not None
    grey = pictures.shown(slice(0, 1))[0, :, :, 0].astype(np.float64)
    spots = grey.shape[0] - PATCH + 1
    sums = np.zeros((2, 2, 8))
    for i in range(spots):
        for j in range(spots):
            patch = grey[i : i + PATCH, j : j + PATCH].ravel()
            patch = (patch - patch.mean()) / np.sqrt(patch.var() + 10)
            white = ((patch - dictionary.middle) @ dictionary.whitener)[None].astype(np.float32)
            sums[int(i >= spots // 2), int(j >= spots // 2)] += nearness(white, dictionary.words)[0]
    found = dictionary.sums(pictures, np.array([0]))[0]
    np.testing.assert_allclose(found, sums.ravel() / spots**2, rtol=1e-3, atol=1e-4)


def test_whitened_patches_have_unit_variance_in_every_direction_that_varies() -> None:
    pictures = as_pictures(toy(60).column("photo"))
    dictionary = Dictionary.learned("photo", pictures, 8, np.random.default_rng(0))
    assert dictionary is not None
    assert np.linalg.eigvalsh(dictionary.whitener.astype(float)).min() > 0
    np.testing.assert_allclose(dictionary.whitener, dictionary.whitener.T, atol=1e-4)


def test_pictures_that_are_all_one_give_no_dictionary() -> None:
    pictures = as_pictures(toy(30).column("photo"))
    assert Dictionary.learned("photo", pictures.take([3] * 20), 8, np.random.default_rng(0)) is None
    none = pictures.take([-1] * 4, allow_fill=True)
    assert Dictionary.learned("photo", none, 8, np.random.default_rng(0)) is None


@pytest.mark.parametrize(("seconds", "fewest", "most"), [(0.01, 32, 32), (60.0, 512, 512)])
def test_there_are_as_many_words_as_time_allows(seconds: float, fewest: int, most: int) -> None:
    run = Run(seed=0, seconds=seconds)
    Patches().fit(toy(40), toy(20, 1), TASK, run)
    assert fewest <= run.decided["words"] <= most


def test_a_replay_repeats_the_fit_whatever_the_clock_says() -> None:
    train, valid = toy(60), toy(20, 1)
    run = Run(seed=0, seconds=0.01)
    model = Patches().fit(train, valid, TASK, run)
    again = Patches().fit(train, valid, TASK, replace(run, seconds=100.0, replaying=True))
    np.testing.assert_array_equal(model.predict(valid), again.predict(valid))


def test_it_suits_pictures_only() -> None:
    facts = Facts(rows=100, columns=1, task="classification", outputs=2, kinds=("image",))
    assert Patches.unsuited(facts) is None
    assert Patches.unsuited(replace(facts, kinds=("number", "text"))) is not None
