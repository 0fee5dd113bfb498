"""Pixels written as PNG are what a library of pictures reads."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from fathometer.core.png import as_png


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (7, 5, 1), (3, 8, 2), (16, 9, 3), (4, 4, 4)])
def test_a_library_of_pictures_reads_the_same_pixels(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with PIL.Image.open(io.BytesIO(as_png(pixels))) as picture:
        picture.verify()
    read = np.asarray(PIL.Image.open(io.BytesIO(as_png(pixels))))
    assert np.array_equal(read, pixels[:, :, 0] if shape[2:] == (1,) else pixels)


@pytest.mark.parametrize("shape", [(3,), (0, 4), (2, 2, 5), (1, 2, 2, 3)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="no picture"):
        as_png(np.zeros(shape, dtype=np.uint8))
