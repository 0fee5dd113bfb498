"""Grids of pixels made smaller and grey, many pictures at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fathometer.core.pictures import Pixels

Floats = npt.NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as pillow's


def grey_of(pixels: npt.NDArray[np.uint8] | Floats) -> Floats:
    """(pictures, height, width) brightness of (pictures, height, width, channels), 0 to 255."""
    if pixels.shape[3] == 1:
        return pixels[..., 0].astype(np.float32)
    return np.asarray(pixels[..., :3].astype(np.float32) @ LUMA, dtype=np.float32)


def reduced(pixels: Pixels | Floats, shape: tuple[int, int]) -> Floats:
    """(pictures, *shape, channels) means over the area that each new pixel covers; never larger than it was."""
    _, height, width, _ = pixels.shape
    shown = pixels.astype(np.float32)
    if shape[0] < height:
        shown = np.einsum("ah,nhwc->nawc", area_weights(height, shape[0]), shown, optimize=True)
    if shape[1] < width:
        shown = np.einsum("bw,nawc->nabc", area_weights(width, shape[1]), shown, optimize=True)
    return np.ascontiguousarray(shown)


def area_weights(old: int, new: int) -> Floats:
    """(new, old) how much of each old pixel a new one covers; rows sum to one."""
    edges = np.linspace(0.0, old, new + 1)
    starts = np.maximum(edges[:-1, None], np.arange(old)[None, :])
    ends = np.minimum(edges[1:, None], np.arange(1, old + 1)[None, :])
    covered = np.maximum(ends - starts, 0.0)
    weights: Floats = (covered / covered.sum(axis=1, keepdims=True)).astype(np.float32)
    return weights
