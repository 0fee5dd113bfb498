"""Pictures through a pre-trained encoder of pixels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import nn

from fathometer.core.files import read_json
from fathometer.core.pictures import as_pictures
from fathometer.errors import UserError
from fathometer.learners._encoder_limits import check_configuration
from fathometer.learners._encoder_reading import Floats, Reader
from fathometer.learners._encoder_texts import coarsely, make_coarse, standard_network

PIXELS_TOGETHER = 1 << 21  # numbers in a batch: some pictures of 224 x 224 x 3
USUAL_SIDE, LARGEST_SIDE = 224, 2_048
USUAL_MEAN, USUAL_SPREAD = (
    (0.485, 0.456, 0.406),
    (0.229, 0.224, 0.225),
)  # of ImageNet, where the files say nothing


@dataclass(frozen=True)
class View:
    """How an encoder wants pictures. height, width: in its pixels. crops: the middle is taken, or all is fitted in.

    mean, spread: (channels,) of brightness from 0 to 1.
    """

    height: int
    width: int
    channels: int
    crops: bool
    mean: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def of(cls, config: Mapping[str, Any], prepared: Mapping[str, Any]) -> Self:
        """As config.json and preprocessor_config.json say; either may be empty."""
        channels = int(config.get("num_channels") or 3)
        crops = bool(prepared.get("do_center_crop", False))
        asked = prepared.get("crop_size") if crops and prepared.get("crop_size") else prepared.get("size")
        height, width = _sides(asked or config.get("image_size") or USUAL_SIDE)
        mean, spread = (0.0,) * channels, (1.0,) * channels
        if prepared.get("do_normalize", True):
            mean = _per_channel(prepared.get("image_mean"), USUAL_MEAN, channels)
            spread = _per_channel(prepared.get("image_std"), USUAL_SPREAD, channels)
        if not (1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE and 1 <= channels <= 4):
            raise UserError(
                f"An encoder wants pictures of {width} x {height} pixels in {channels} colours. Take another."
            )
        return cls(height, width, channels, crops, mean, spread)

    def show(self, pixels: npt.NDArray[np.uint8]) -> torch.Tensor:
        """(rows, height, width, channels) bytes -> (rows, channels, height, width) as the encoder wants them."""
        tensor = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255.0
        tensor = _with_channels(tensor, self.channels)
        _, _, height, width = tensor.shape
        if self.crops:
            factor = max(self.height / height, self.width / width)
            height, width = max(self.height, round(height * factor)), max(self.width, round(width * factor))
        else:
            height, width = self.height, self.width
        if tensor.shape[2:] != (height, width):
            tensor = nn.functional.interpolate(
                tensor, (height, width), mode="bilinear", align_corners=False, antialias=True
            )
        top, left = (height - self.height) // 2, (width - self.width) // 2
        tensor = tensor[:, :, top : top + self.height, left : left + self.width]
        centre, spread = torch.tensor(self.mean)[:, None, None], torch.tensor(self.spread)[:, None, None]
        return ((tensor - centre) / spread).contiguous()


class PictureReader(Reader):
    """Shows pictures as the encoder wants them, a few at a time."""

    lengths = (0,)

    def __init__(self, view: View) -> None:
        self.view = view

    @abstractmethod
    def vectors(self, shown: torch.Tensor) -> Floats:
        """(rows, channels, height, width) -> (rows, width)."""

    def embed(self, values: pd.Series, length: int) -> Floats:
        pictures = as_pictures(values)
        rows = np.zeros((len(pictures), self.width), dtype=np.float32)
        there = np.flatnonzero(~pictures.isna())
        one = self.view.height * self.view.width * self.view.channels
        step = max(1, PIXELS_TOGETHER // one)
        for start in range(0, len(there), step):
            some = there[start : start + step]
            rows[some] = self.vectors(self.view.show(pictures.shown(some)))
        return rows

    def work(self, values: pd.Series, length: int) -> float:
        return float(len(values))


class TorchPictureReader(PictureReader):
    """An encoder in the form of Hugging Face, run by torch. coarse: whether it multiplies in bfloat16."""

    def __init__(self, folder: Path, coarse: bool) -> None:
        path = folder / "preprocessor_config.json"
        config = read_json(folder / "config.json")
        check_configuration(config, folder)
        network = standard_network(folder)
        # of a pair of encoders, of pictures and of texts, the one of pictures
        self.network = getattr(network, "vision_model", network).eval()
        super().__init__(
            View.of(config.get("vision_config") or config, read_json(path) if path.exists() else {})
        )
        self.coarse = coarse
        if coarse:
            make_coarse(self.network)
        blank = np.zeros((1, self.view.height, self.view.width, self.view.channels), dtype=np.uint8)
        self.width = self.vectors(self.view.show(blank)).shape[1]

    def vectors(self, shown: torch.Tensor) -> Floats:
        with torch.inference_mode(), coarsely(self.coarse):
            hidden = self.network(pixel_values=shown).last_hidden_state
        return pooled_places(hidden.float().numpy())


def pooled_places(hidden: npt.NDArray[Any]) -> Floats:
    """One vector a picture: of a map (rows, width, h, w) the mean, of (rows, places, width) the first and the mean.

    The first place is the one that stands for the whole picture, where an encoder has such a one.
    """
    if hidden.ndim == 4:
        return np.asarray(hidden.mean(axis=(2, 3)), dtype=np.float32)
    if hidden.ndim == 3:
        return np.concatenate([hidden[:, 0], hidden.mean(axis=1)], axis=1).astype(np.float32)
    return hidden.reshape(len(hidden), -1).astype(np.float32)


def _with_channels(tensor: torch.Tensor, channels: int) -> torch.Tensor:
    found = tensor.shape[1]
    if found == channels:
        return tensor
    if found in (2, 4):  # the last one says how much can be seen through
        tensor = tensor[:, : found - 1]
    if tensor.shape[1] == channels:
        return tensor
    return tensor.mean(dim=1, keepdim=True).expand(-1, channels, -1, -1)


def _sides(size: Any) -> tuple[int, int]:
    if isinstance(size, Mapping):
        side = size.get("shortest_edge") or size.get("longest_edge") or USUAL_SIDE
        return int(size.get("height") or side), int(size.get("width") or side)
    if isinstance(size, list | tuple):
        return int(size[0]), int(size[-1])
    return int(size), int(size)


def _per_channel(found: Any, usual: tuple[float, ...], channels: int) -> tuple[float, ...]:
    values = tuple(float(value) for value in (found if isinstance(found, list) else usual))
    return values if len(values) == channels else (sum(values) / len(values),) * channels
