"""Pixels as a PNG file, without a library of pictures: opening a model of numbers must not load one."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> grey, grey and opacity, colour, colour and opacity


def as_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A PNG file of (height, width) grey or (height, width, channels) pixels of one byte [1].

    [1] W3C (2003). Portable Network Graphics (PNG) Specification. https://www.w3.org/TR/png/

    Raises:
        ValueError: they have another shape.
    """
    shaped = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if shaped.ndim != 3 or shaped.shape[2] not in COLOUR_TYPES or 0 in shaped.shape:
        raise ValueError(f"pixels of shape {pixels.shape} are no picture")
    height, width, channels = shaped.shape
    lines = np.ascontiguousarray(shaped, dtype=np.uint8).reshape(height, width * channels)
    plain = np.concatenate(
        [np.zeros((height, 1), dtype=np.uint8), lines], axis=1
    )  # 0: a line that is not filtered
    head = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    packed = zlib.compress(plain.tobytes(), 6)
    return SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
