"""What a person, or a program that knows nothing of pictures, sees in one: facts, plain pixels, a careless camera."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fathometer.core.pictures import PictureArray, Pixels, blank_pixels, digest_of
from fathometer.kinds.image.grids import grey_of, reduced

Floats = npt.NDArray[np.float64]

PLAIN_SIDE = {1: 32, 3: 16}  # channels -> most pixels a side


def seen_facts(pictures: PictureArray) -> dict[str, Floats]:
    """Brightness, contrast, ... of every picture; shares of the most possible, NaN where missing."""
    found: dict[str, list[Floats]] = {}
    for _, pixels in pictures.chunks(1 << 24):
        for name, values in _facts(pixels).items():
            found.setdefault(name, []).append(values)
    names = list(found) or list(_facts(np.zeros((1, *pictures.shape_of_one), dtype=np.uint8)))
    absent = pictures.isna()
    joined = {name: np.concatenate([*found.get(name, []), np.zeros(0)]) for name in names}
    return {name: np.where(absent, np.nan, values) for name, values in joined.items()}


def plain_pixels(pictures: PictureArray) -> dict[str, Floats]:
    """Pixels as plain numbers, at most 32 x 32 grey or 16 x 16 in colour."""
    height, width, channels = pictures.shape_of_one
    side = PLAIN_SIDE.get(channels, 16)
    shape = min(height, side), min(width, side)
    parts = [reduced(pixels, shape).reshape(len(pixels), -1) for _, pixels in pictures.chunks(1 << 24)]
    columns = np.concatenate([*parts, np.zeros((0, shape[0] * shape[1] * channels), dtype=np.float32)])
    values = np.where(pictures.isna()[:, None], np.nan, columns.astype(np.float64))
    told = ("",) if channels == 1 else (" red", " green", " blue")
    names = [
        f"pixel {i + 1},{j + 1}{colour}" for i in range(shape[0]) for j in range(shape[1]) for colour in told
    ]
    return dict(zip(names, values.T, strict=True))


def disturbed_pictures(pictures: PictureArray, size: float, rng: np.random.Generator) -> PictureArray:
    """Each picture darker or brighter, a little out of focus and with noise, as much as `size` says."""
    absent = pictures.isna()
    spoiled = blank_pixels(len(pictures), pictures.shape_of_one)
    digests = np.zeros(len(pictures), dtype=np.uint64)
    for rows, pixels in pictures.chunks(1 << 24):
        spoiled[rows] = _spoiled(pixels, size, rng)
        digests[rows] = [digest_of(picture) for picture in spoiled[rows]]
    return PictureArray(spoiled, digests, np.where(absent, -1, np.arange(len(pictures))).astype(np.int64))


def _spoiled(pixels: Pixels, size: float, rng: np.random.Generator) -> Pixels:
    import scipy.ndimage  # by studies alone: an answer needs none of it

    shares = pixels.astype(np.float32) / 255
    across = np.sqrt(pixels.shape[1] * pixels.shape[2])
    blur = size * across / 28.0  # in pixels: a third of one at 28 pixels a side and size 0.3
    shares = scipy.ndimage.gaussian_filter(shares, (0.0, blur, blur, 0.0), mode="nearest")
    one = (len(pixels), 1, 1, 1)
    shares = shares * (1.0 + size * rng.uniform(-1.0, 1.0, one)) + 0.5 * size * rng.uniform(-1.0, 1.0, one)
    shares = shares + 0.3 * size * rng.standard_normal(pixels.shape, dtype=np.float32)
    spoiled: Pixels = np.rint(np.clip(shares, 0.0, 1.0) * 255).astype(np.uint8)
    return spoiled


def _facts(pixels: Pixels) -> dict[str, Floats]:
    grey = grey_of(pixels).astype(np.float64) / 255
    flat = grey.reshape(len(grey), -1)
    down, right = np.diff(grey, axis=1), np.diff(grey, axis=2)
    edges = np.abs(down).mean(axis=(1, 2)) if down.size else np.zeros(len(grey))
    edges = edges + (np.abs(right).mean(axis=(1, 2)) if right.size else 0.0)
    facts = {
        "brightness": flat.mean(axis=1),
        "contrast": flat.std(axis=1),
        "share of dark pixels": (flat < 0.2).mean(axis=1),
        "share of bright pixels": (flat > 0.8).mean(axis=1),
        "amount of edges": edges,
    }
    if pixels.shape[3] == 3:
        facts["colourfulness"] = _colourfulness(pixels)
        facts["warmth"] = (pixels[..., 0].mean(axis=(1, 2)) - pixels[..., 2].mean(axis=(1, 2))) / 255
    return facts


def _colourfulness(pixels: Pixels) -> Floats:
    """Hasler & Suesstrunk (2003), Measuring colourfulness in natural images. https://doi.org/10.1117/12.477378"""
    colours = pixels.reshape(len(pixels), -1, 3).astype(np.float32) / 255
    red_green = colours[..., 0] - colours[..., 1]
    yellow_blue = (colours[..., 0] + colours[..., 1]) / 2 - colours[..., 2]
    spread = np.hypot(red_green.std(axis=1), yellow_blue.std(axis=1))
    middle = np.hypot(red_green.mean(axis=1), yellow_blue.mean(axis=1))
    return np.asarray(spread + 0.3 * middle, dtype=np.float64)
