"""Encoders taken out of a trained network, to read other data with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from fathometer.core.files import State
from fathometer.learners._raw import RawModel
from fathometer.learners._raw_network import picture_readers, word_readers
from fathometer.learners._raw_picture_encoders import PictureReader, PictureRecipe
from fathometer.learners._raw_pictures import Changes
from fathometer.learners._raw_word_encoders import WordReader, WordRecipe
from fathometer.learners._raw_words import Vocabulary
from fathometer.learners._weights import filled


def picture_encoder_state(model: RawModel, column: int = 0) -> State:
    """The picture encoder of a trained model as data: how it is built, and its weights.

    Raises:
        ValueError: the model has no encoder of that many columns of pictures.
    """
    reader = _at(picture_readers(model.trained.networks[0]), column, "pictures")
    return {"recipe": reader.recipe.state(), "weights": _weights(reader)}


def load_picture_encoder(state: State, changes: Changes | None = None) -> PictureReader:
    """The encoder of such a state, resting.

    `encoder.features(pictures)` gives (rows, encoder.width) for (rows, height, width, channels) bytes of any size;
    frozen under `torch.inference_mode()`, or to be trained further after `encoder.train()`, with these changes.
    """
    recipe = PictureRecipe.from_state(state["recipe"])
    return filled(lambda: PictureReader(recipe, changes or Changes()), state["weights"]).requires_grad_(True)


def word_encoder_state(model: RawModel, column: int = 0) -> State:
    """The word encoder of a trained model as data: its words, how it is built, and its weights.

    Raises:
        ValueError: the model has no encoder of that many columns of texts.
    """
    reader = _at(word_readers(model.trained.networks[0]), column, "texts")
    vocabulary = model.inputs.words[column][1]
    return {"recipe": reader.recipe.state(), "vocabulary": vocabulary.state(), "weights": _weights(reader)}


def load_word_encoder(state: State, forgetting: float = 0.0) -> tuple[Vocabulary, WordReader]:
    """The vocabulary and the encoder of such a state, resting: `encoder(vocabulary.seen(texts))` is (rows, width)."""
    vocabulary = Vocabulary.from_state(state["vocabulary"])
    weights = torch.from_numpy(vocabulary.number_weights())
    recipe = WordRecipe.from_state(state["recipe"], vocabulary)
    reader = filled(lambda: WordReader(recipe, weights, forgetting), state["weights"])
    return vocabulary, reader.requires_grad_(True)


def first_filters(model: RawModel, column: int = 0) -> npt.NDArray[np.float32]:
    """(filters, height, width, channels) of the first layer that looks at the pictures of a column."""
    reader = _at(picture_readers(model.trained.networks[0]), column, "pictures")
    filters: npt.NDArray[np.float32] = (
        reader.first_filters().detach().cpu().permute(0, 2, 3, 1).contiguous().numpy()
    )
    return filters


def _at(readers: list[Any], column: int, what: str) -> Any:
    if column >= len(readers):
        raise ValueError(
            f"the network reads {len(readers)} columns of {what}, and number {column} was asked for"
        )
    return readers[column]


def _weights(reader: nn.Module) -> dict[str, npt.NDArray[Any]]:
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in reader.state_dict().items()}
