"""Encoders that were trained here: without any answer on the user's own pictures or texts, or by an earlier run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse
import torch

from fathometer.core.files import State, read_state, write_json, write_state
from fathometer.core.pictures import as_pictures
from fathometer.core.states import array, sound_state, table
from fathometer.data.encoder_files import FATHOMETER_FILE, IMAGE, NETWORK_FILE, TEXT, Encoder, encoder_at
from fathometer.learners._encoder_reading import Floats, Reader
from fathometer.learners._raw_picture_encoders import PictureReader as PictureNetwork
from fathometer.learners._raw_picture_encoders import PictureRecipe
from fathometer.learners._raw_pictures import Changes
from fathometer.learners._raw_word_encoders import WordReader as WordNetwork
from fathometer.learners._raw_word_encoders import WordRecipe
from fathometer.learners._raw_words import Vocabulary
from fathometer.learners._weights import filled

WEIGHTS = "weights"
TOGETHER = 128  # pictures
FIRST_WORDS = 256  # of a text


@dataclass
class OwnPictures(Reader):
    """A network of pictures. centre, spread: (width,) of its features on what it learned from."""

    network: PictureNetwork
    centre: Floats
    spread: Floats
    lengths: tuple[int, ...] = (0,)

    @property
    def width(self) -> int:  # type: ignore[override]
        """Numbers a picture becomes."""
        return self.network.width

    def embed(self, values: pd.Series, length: int) -> Floats:
        pictures = as_pictures(values)
        rows = np.zeros((len(pictures), self.width), dtype=np.float32)
        there = np.flatnonzero(~pictures.isna())
        for start in range(0, len(there), TOGETHER):
            some = there[start : start + TOGETHER]
            rows[some] = (features_of(self.network, pictures.shown(some)) - self.centre) / self.spread
        return rows

    def work(self, values: pd.Series, length: int) -> float:
        return float(len(values))

    def state(self) -> State:
        """This, as data."""
        weights = {name: tensor.numpy() for name, tensor in self.network.state_dict().items()}
        return {
            "recipe": self.network.recipe.state(),
            "weights": weights,
            "centre": self.centre,
            "spread": self.spread,
        }

    @classmethod
    def from_state(cls, state: State) -> OwnPictures:
        """What gave this state."""
        table(state, "an encoder", ("recipe", "weights", "centre", "spread"))
        recipe = PictureRecipe.from_state(state["recipe"])
        network = filled(lambda: PictureNetwork(recipe, Changes()), state["weights"])
        centre = array(state["centre"], "centre", network.width)
        return cls(network, centre, array(state["spread"], "spread", network.width, low=1e-30))


@dataclass
class OwnWords(Reader):
    """Vectors of words; a text is the mean of its words', the rarer ones counting more. vectors: (numbers, width)."""

    vocabulary: Vocabulary
    vectors: Floats
    lengths: tuple[int, ...] = (FIRST_WORDS,)

    @property
    def width(self) -> int:  # type: ignore[override]
        """Numbers a text becomes."""
        return int(self.vectors.shape[1])

    def embed(self, values: pd.Series, length: int) -> Floats:
        counted = counts_of(self.vocabulary, values)
        sums = np.asarray(counted.multiply(self.vocabulary.number_weights()[None, :]).tocsr() @ self.vectors)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        rows: Floats = (sums / np.maximum(lengths, 1e-9)).astype(np.float32)
        return rows

    def work(self, values: pd.Series, length: int) -> float:
        return float(len(values))

    def state(self) -> State:
        """This, as data."""
        return {"vocabulary": self.vocabulary.state(), "vectors": self.vectors.astype(np.float16)}

    @classmethod
    def from_state(cls, state: State) -> OwnWords:
        """What gave this state."""
        table(state, "an encoder", ("vocabulary", "vectors"))
        vocabulary = Vocabulary.from_state(state["vocabulary"])
        return cls(vocabulary, array(state["vectors"], "vectors", vocabulary.size, None).astype(np.float32))


@dataclass
class EarlierWords(Reader):
    """The encoder of texts of a network that an earlier run has trained."""

    vocabulary: Vocabulary
    network: WordNetwork
    lengths: tuple[int, ...] = (FIRST_WORDS,)

    @property
    def width(self) -> int:  # type: ignore[override]
        """Numbers a text becomes."""
        return self.network.width

    def embed(self, values: pd.Series, length: int) -> Floats:
        seen = self.vocabulary.seen(values)
        rows = np.zeros((len(values), self.width), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(values), TOGETHER):
                rows[start : start + TOGETHER] = self.network(seen.part(start, start + TOGETHER)).numpy()
        rows[values.isna().to_numpy()] = 0.0
        return rows

    def work(self, values: pd.Series, length: int) -> float:
        return float(len(values))


def own_reader(folder: Path, kind: str) -> Reader:
    """The encoder that was written to this folder, or that of the network in it.

    Raises:
        BadBundle: it is none.
    """
    with sound_state():
        if not (folder / FATHOMETER_FILE).exists():
            return _of_network(read_state(folder, NETWORK_FILE.removesuffix(".json")), kind)
        state = read_state(folder, WEIGHTS)
        return OwnWords.from_state(state) if kind == TEXT else OwnPictures.from_state(state)


def _of_network(state: State, kind: str) -> Reader:
    """The first encoder of this kind in a network's state (`_raw.RawModel.save`)."""
    part = "words" if kind == TEXT else "pictures"
    prefix = f"networks.0.{part}.0."
    weights = {
        name.removeprefix(prefix): values
        for name, values in state["weights"].items()
        if name.startswith(prefix)
    }
    if kind == TEXT:
        vocabulary = Vocabulary.from_state(state["inputs"]["words"][0])
        told = torch.from_numpy(vocabulary.number_weights())
        words = WordRecipe.from_state(state["readers"]["words"][0], vocabulary)
        return EarlierWords(vocabulary, filled(lambda: WordNetwork(words, told, 0.0), weights))
    recipe = PictureRecipe.from_state(state["readers"]["pictures"][0])
    network = filled(lambda: PictureNetwork(recipe, Changes()), weights)
    width = network.width
    return OwnPictures(network, np.zeros(width, dtype=np.float32), np.ones(width, dtype=np.float32))


def write_own(reader: OwnPictures | OwnWords, folder: Path, learned_from: str) -> Encoder:
    """Write an encoder's folder, and say what is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_state(folder, WEIGHTS, reader.state())
    about: dict[str, Any] = {
        "format": 1,
        "kind": TEXT if isinstance(reader, OwnWords) else IMAGE,
        "width": reader.width,
        "licence": "",
        "learned_from": learned_from,
        "files": [f"{WEIGHTS}.json", f"{WEIGHTS}.safetensors"],
    }
    write_json(folder / FATHOMETER_FILE, about)
    return encoder_at(folder.resolve())


def as_plain(encoder: Encoder) -> dict[str, Any]:
    """An encoder's description as plain data, for run.json."""
    return asdict(encoder)


def features_of(network: PictureNetwork, pixels: npt.NDArray[np.uint8]) -> Floats:
    """(rows, width) of (rows, height, width, channels) bytes, the network at rest."""
    network.eval()
    with torch.inference_mode():
        found: Floats = network.features(torch.from_numpy(np.array(pixels))).numpy()
    return found


def counts_of(vocabulary: Vocabulary, values: pd.Series) -> scipy.sparse.csr_matrix:
    """(texts, numbers) how often each word is in each text, in logarithms."""
    seen = vocabulary.seen(values)
    numbers = seen.numbers.numpy()
    rows, places = np.nonzero(numbers)
    shape = (len(numbers), vocabulary.size)
    counted = scipy.sparse.csr_matrix((np.ones(len(rows)), (rows, numbers[rows, places])), shape=shape)
    counted.sum_duplicates()
    counted.data = 1.0 + np.log(counted.data)
    return counted
