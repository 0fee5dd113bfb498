"""Texture: how often each small pattern of brighter and darker neighbours occurs.

Ojala, Pietikaeinen & Maeenpaeae (2002). Multiresolution gray-scale and rotation invariant texture classification with
local binary patterns. https://doi.org/10.1109/TPAMI.2002.1017623
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fathometer.kinds.image.grids import Floats

AROUND = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))  # clockwise
PLAINLY = 4.0  # grey levels by which a neighbour must be brighter, so that noise makes no pattern


def _uniform() -> npt.NDArray[np.intp]:
    """(256,) pattern -> its bin: one for each with at most two changes around the circle, one for all others."""
    bins = np.zeros(256, dtype=np.intp)
    found = 0
    for code in range(256):
        turned = ((code << 1) | (code >> 7)) & 255
        if bin(code ^ turned).count("1") <= 2:
            bins[code] = found
            found += 1
        else:
            bins[code] = -1
    bins[bins < 0] = found
    return bins


BINS = _uniform()
PATTERNS = int(BINS.max()) + 1  # 58 uniform ones and the rest


def pattern_names() -> list[str]:
    """What each number is."""
    codes = [int(np.flatnonzero(place == BINS)[0]) for place in range(PATTERNS - 1)]
    return [f"texture with neighbours {code:08b} brighter" for code in codes] + [
        "texture of any other pattern"
    ]


def patterns(grey: Floats) -> Floats:
    """(pictures, PATTERNS) square roots of the shares of each pattern in (pictures, height, width).

    Of roots the plain distance is that between distributions (Hellinger); a rare pattern then counts too.
    """
    middle = grey[:, 1:-1, 1:-1]
    height, width = middle.shape[1:]
    codes = np.zeros(middle.shape, dtype=np.intp)
    for bit, (down, right) in enumerate(AROUND):
        neighbour = grey[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width]
        codes |= (neighbour > middle + PLAINLY).astype(np.intp) << bit
    places = BINS[codes] + PATTERNS * np.arange(len(grey))[:, None, None]
    counts = np.bincount(places.reshape(-1), minlength=PATTERNS * len(grey)).reshape(len(grey), PATTERNS)
    shares: Floats = np.sqrt(counts / max(height * width, 1)).astype(np.float32)
    return shares
