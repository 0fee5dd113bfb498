"""Small pictures for a record: as text, and no larger together than there is room for."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fathometer.core.pictures import Pixels

Floats = npt.NDArray[np.float64]

STEPS = ((64, 0), (64, 64), (48, 48), (40, 32), (32, 16), (24, 16))
"""Longest side in pixels, and colours (0: all), tried in this order until all thumbnails together are small enough."""

FILTERS_MOST = 16
CELLS, BINS = 8, 9  # of a drawing of gradients: cells a side, directions
STRENGTHS = 9  # steps of strength


def thumbnails(pictures: Sequence[Pixels], most_characters: int) -> list[str]:
    """Each picture (height, width, channels) as a PNG in base64; "" where even small ones leave no room for it."""
    for side, colours in STEPS:
        made = [as_png(one, side, colours) for one in pictures]
        if sum(map(len, made)) <= most_characters:
            return made
    kept: list[str] = []
    for one in made:
        kept.append(one if sum(map(len, kept)) + len(one) <= most_characters else "")
    return kept


def as_png(pixels: Pixels, side: int, colours: int = 0) -> str:
    """A PNG in base64, its longer side at most so long; with a palette of so many colours unless 0."""
    # loaded here because the main program, which imports the probe to order it, stays light
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels[..., :3])
    if max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    if colours and pixels.shape[2] > 1:
        image = image.quantize(colours, dither=Image.Dither.NONE)
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def filter_pictures(filters: Floats) -> list[str]:
    """(filters, height, width, channels) weights as PNGs, grey standing for zero; the strongest ones first."""
    strength = np.sqrt((filters**2).sum(axis=(1, 2, 3)))
    chosen = filters[np.argsort(-strength, kind="stable")[:FILTERS_MOST]]
    largest = np.abs(chosen).max(axis=(1, 2, 3), keepdims=True)
    shares = np.divide(chosen, largest, out=np.zeros_like(chosen), where=largest > 0)
    pixels = np.rint(127.5 + 127.5 * shares).astype(np.uint8)
    shown = pixels if pixels.shape[3] in (1, 3) else pixels.mean(axis=3, keepdims=True).astype(np.uint8)
    return [as_png(one, 64) for one in shown]


def gradient_drawing(pixels: Pixels) -> list[str]:
    """Directions of edges [1]: for each of 8 x 8 cells, line by line, nine digits of how strong each direction is.

    The first direction is an edge that runs upright, the others follow in steps of 20 degrees; 9 is the strongest of
    all cells.

    [1] Dalal & Triggs (2005). Histograms of oriented gradients. https://doi.org/10.1109/CVPR.2005.177
    """
    grey = pixels.astype(np.float64).mean(axis=2)
    down, across = np.gradient(grey) if min(grey.shape) > 1 else (np.zeros_like(grey), np.zeros_like(grey))
    strength = np.hypot(down, across)
    direction = np.mod(np.round(np.mod(np.arctan2(down, across), np.pi) * BINS / np.pi), BINS).astype(int)
    row, column = (np.arange(size) * CELLS // size for size in grey.shape)
    cell = row[:, None] * CELLS + column[None, :]
    sums = np.bincount((cell * BINS + direction).ravel(), strength.ravel(), CELLS * CELLS * BINS)
    scaled = np.rint(STRENGTHS * np.sqrt(sums / (sums.max() or 1.0))).astype(int).reshape(-1, BINS)
    return ["".join(map(str, digits)) for digits in scaled.tolist()]
