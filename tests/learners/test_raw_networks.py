"""Networks that read words and pictures themselves: inputs, streaming, encoders that are taken out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from torch import nn

from fathometer.core.pictures import PictureArray
from fathometer.data.rows import Rows
from fathometer.learner import LEARNERS, Facts, Run
from fathometer.learners._loop import Statistics, cycle
from fathometer.learners._raw import RawModel
from fathometer.learners._raw_inputs import RawInputs
from fathometer.learners._raw_picture_encoders import ENCODERS, PictureReader, PictureRecipe
from fathometer.learners._raw_pictures import Changes, PictureRows, Sight, may_be_mirrored, resized
from fathometer.learners._raw_transfer import (
    first_filters,
    load_picture_encoder,
    load_word_encoder,
    picture_encoder_state,
    word_encoder_state,
)
from fathometer.learners._raw_word_encoders import ENCODERS as WORD_ENCODERS
from fathometer.learners._raw_word_encoders import WordReader, WordRecipe
from fathometer.learners._raw_words import FIRST, Vocabulary
from fathometer.task import TASKS

TASK = TASKS.get("classification").from_json(
    {"name": "classification", "target": "y", "metric": "accuracy", "margin": 0.5, "labels": ["a", "b"]}
)
TEXTS = ["A good <br /> day", "a bad day", None, "good, GOOD!", "", "what a day it was"] * 4


def column(pixels: npt.NDArray[np.uint8]) -> PictureArray:
    count = len(pixels)
    return PictureArray(pixels, np.arange(1, count + 1, dtype=np.uint64), np.arange(count, dtype=np.int64))


def bars(count: int, side: int = 12) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Pictures of a lying (0) or a standing (1) bar, and which."""
    rng = np.random.default_rng(0)
    which = (np.arange(count) % 2).astype(np.int64)
    pixels = rng.integers(0, 60, (count, side, side, 1), dtype=np.uint8)
    for picture, stands in zip(pixels, which, strict=True):
        place = int(rng.integers(2, side - 2))
        (picture[:, place] if stands else picture[place])[:] = 220
    return pixels, which


def rows_of(pixels: npt.NDArray[np.uint8], which: npt.NDArray[np.int64] | None) -> Rows:
    return Rows(pd.DataFrame({"picture": pd.Series(column(pixels))}), {"picture": "image"}, which)


@pytest.fixture(scope="module")
def seen() -> RawModel:
    """A convolutional network that has learned to tell bars."""
    rows = rows_of(*bars(120))
    model = LEARNERS.get("cnn")(epochs=8, filters=12).fit(
        rows.take(np.arange(80)), rows.take(np.arange(80, 120)), TASK, Run(seed=1, seconds=30)
    )
    assert isinstance(model, RawModel)
    return model


def test_bars_are_told_apart(seen: RawModel) -> None:
    pixels, which = bars(200)
    found = seen.predict(rows_of(pixels, None)).argmax(axis=1)
    assert (found == which).mean() > 0.9


def test_mapped_pictures_are_answered_as_those_in_memory(seen: RawModel, tmp_path: Path) -> None:
    pixels, _ = bars(50)
    np.save(tmp_path / "pixels.npy", pixels)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    np.testing.assert_array_equal(seen.predict(rows_of(mapped, None)), seen.predict(rows_of(pixels, None)))


def test_pictures_of_the_right_size_are_not_copied() -> None:
    pixels, _ = bars(10)
    array = column(pixels)
    assert Sight.of(array, 12).seen(array).pixels is pixels


def test_large_pictures_are_reduced_by_areas() -> None:
    pixels = np.zeros((2, 32, 16, 3), dtype=np.uint8)
    pixels[:, ::2, ::2] = 200
    array = column(pixels)
    seen_rows = Sight.of(array, 16).seen(array)
    assert seen_rows.pixels.shape == (2, 16, 8, 3)
    assert (seen_rows.pixels == 50).all()


def test_unchanged_pictures_stay_as_they_are_and_moves_keep_to_the_picture() -> None:
    pictures = torch.from_numpy(bars(6)[0])
    assert Changes().moved(pictures) is pictures
    torch.manual_seed(0)
    moved = Changes(shift=0.2, zoom=0.2, flip=True).moved(pictures)
    assert moved.shape == pictures.shape
    assert moved.dtype == torch.uint8
    for before, after in zip(pictures, moved, strict=True):
        assert set(after.unique().tolist()) <= set(before.unique().tolist())


def test_a_mirrored_picture_is_the_picture_backwards() -> None:
    pictures = torch.from_numpy(bars(40)[0])
    torch.manual_seed(0)
    moved = Changes(flip=True).moved(pictures)
    backwards = [bool((after == before.flip(1)).all()) for before, after in zip(pictures, moved, strict=True)]
    same = [bool((after == before).all()) for before, after in zip(pictures, moved, strict=True)]
    assert all(a or b for a, b in zip(backwards, same, strict=True))
    assert 5 < sum(backwards) < 35


def test_arrows_that_tell_left_from_right_are_not_mirrored() -> None:
    rng = np.random.default_rng(0)
    which = (np.arange(200) % 2).astype(np.int64)
    pixels = rng.integers(0, 40, (200, 16, 16, 1), dtype=np.uint8)
    pixels[which == 0, :, :8] += 150
    pixels[which == 1, :, 8:] += 150
    rows = PictureRows(pixels, np.arange(200))
    assert not may_be_mirrored(rows, which)
    assert may_be_mirrored(PictureRows(bars(200, 16)[0], np.arange(200)), bars(200, 16)[1])


def test_what_normalising_layers_saw_is_put_back() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    kept = Statistics(network)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network(torch.rand(8, 1, 6, 6) * 9)
    assert not torch.equal(before["1.running_mean"], network.state_dict()["1.running_mean"])
    kept.put_back()
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_one_cycle_goes_up_once_and_down_to_nothing() -> None:
    values = [cycle(progress) for progress in np.linspace(0, 1, 101)]
    assert max(values) == pytest.approx(1.0, abs=0.05)
    assert values[-1] == pytest.approx(0.0, abs=1e-9)
    assert np.argmax(values) == pytest.approx(20, abs=1)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("shape", [(8, 8, 1), (20, 31, 3)])
def test_every_picture_encoder_takes_every_shape(name: str, shape: tuple[int, int, int]) -> None:
    sight = Sight(*shape, mean=(100.0,) * shape[2], spread=(50.0,) * shape[2])
    reader = PictureReader(PictureRecipe(name, sight, 4), Changes(0.1, 0.1, True, 0.3, 0.1))
    rows = PictureRows(
        np.random.default_rng(0).integers(0, 256, (6, *shape), dtype=np.uint8), np.arange(-1, 5)
    )
    reader.prepare(rows)
    for learns in (True, False):
        reader.train(learns)
        features = reader(rows)
        assert features.shape == (6, reader.width)
        assert bool(torch.isfinite(features).all())
    assert bool((features[0] == 0).all())  # missing: begins as nothing


@pytest.mark.parametrize("name", WORD_ENCODERS)
def test_every_word_encoder_reads_a_text_the_same_in_any_company(name: str) -> None:
    texts = pd.Series(TEXTS, dtype=object)
    vocabulary = Vocabulary.of(texts, 16)
    torch.manual_seed(0)
    recipe = WordRecipe(name, vocabulary.size, 8, filters=4, pairs=64, longest=16)
    reader = WordReader(recipe, torch.from_numpy(vocabulary.number_weights()), 0.1)
    rows = vocabulary.seen(texts)
    reader.prepare(rows)
    reader.eval()
    together = reader(rows)
    alone = torch.cat([reader(vocabulary.seen(texts.iloc[[place]])) for place in range(6)])
    torch.testing.assert_close(together[:6], alone, atol=1e-6, rtol=0)


def test_words_are_told_without_markup_and_case() -> None:
    vocabulary = Vocabulary.of(pd.Series(["Bob&#39;s <b>Car</b>", "bob's car"], dtype=object), 16)
    assert set(vocabulary.words) == {"bob's", "car"}
    rows = vocabulary.seen(pd.Series(["car spaceship", None, ""], dtype=object))
    assert rows.lengths.tolist() == [2, -1, 0]
    assert 0 < int(rows.numbers[0, 1]) < FIRST <= int(rows.numbers[0, 0])


def test_a_column_that_never_varies_is_left_out() -> None:
    frame = pd.DataFrame({"t": pd.Series(["same words"] * 6, dtype=object), "n": np.arange(6.0)})
    inputs = RawInputs.fit(
        Rows(frame, {"t": "text", "n": "number"}, np.zeros(6)), outputs=1, longest=9, side=32
    )
    assert inputs.words == ()
    assert inputs.layout.numbers == 1


def test_a_picture_encoder_taken_out_sees_as_it_did(seen: RawModel) -> None:
    pixels = torch.from_numpy(bars(9)[0])
    state = picture_encoder_state(seen)
    reader = load_picture_encoder(state)
    own = seen.trained.networks[0].pictures[0]  # type: ignore[union-attr, index]
    with torch.inference_mode():
        torch.testing.assert_close(reader.features(pixels), own.features(pixels))
        larger = reader.features(resized(pixels, (40, 30, 3)))
    assert larger.shape == (9, reader.width)
    filters = first_filters(seen)
    assert filters.shape == (12, 3, 3, 1)


def test_a_word_encoder_taken_out_reads_as_it_did() -> None:
    frame = pd.DataFrame({"t": pd.Series(TEXTS, dtype=object)})
    rows = Rows(frame, {"t": "text"}, np.array([1, 0, 0, 1, 0, 0] * 4))
    model = LEARNERS.get("textcnn")(epochs=2).fit(rows, rows, TASK, Run(seconds=20))
    assert isinstance(model, RawModel)
    vocabulary, reader = load_word_encoder(word_encoder_state(model))
    own = model.trained.networks[0].words[0]  # type: ignore[union-attr, index]
    with torch.inference_mode():
        torch.testing.assert_close(
            reader(vocabulary.seen(rows.column("t"))), own(model.inputs.rows(rows).words[0])
        )
    with pytest.raises(ValueError, match="columns of pictures"):
        picture_encoder_state(model)


def test_each_kind_of_network_is_tried_on_what_it_reads() -> None:
    pictures = Facts(rows=100, columns=1, task="classification", outputs=2, kinds=("image",), structured=0)
    both = Facts(
        rows=100, columns=3, task="classification", outputs=2, kinds=("image", "number"), structured=2
    )
    assert LEARNERS.get("cnn").unsuited(pictures) is None
    assert LEARNERS.get("bag").unsuited(pictures) == "there is no column of texts"
    assert "themselves" in str(LEARNERS.get("mlp").unsuited(pictures))
    assert LEARNERS.get("mlp").unsuited(both) is None
