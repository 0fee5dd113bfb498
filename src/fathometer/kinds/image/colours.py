"""Which colours a picture has, and where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fathometer.kinds.image.grids import Floats, reduced

LEVELS = 4  # of each of red, green, blue
REGIONS = 4  # a side
AXES = ("brightness", "red against green", "yellow against blue")
TO_AXES = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, -0.5, 0.0], [0.25, 0.25, -0.5]], dtype=np.float32)


@dataclass(frozen=True)
class ColourGrid:
    """Regions laid over pictures of (height, width) pixels."""

    height: int
    width: int
    down: int
    across: int

    @classmethod
    def over(cls, height: int, width: int) -> ColourGrid:
        """Four by four regions, fewer where there are fewer pixels."""
        return cls(height, width, min(height, REGIONS), min(width, REGIONS))

    def share_names(self) -> list[str]:
        """What each of `shares` is."""
        levels = range(1, LEVELS + 1)
        return [
            f"share of red {r}, green {g}, blue {b} of {LEVELS}"
            for r in levels
            for g in levels
            for b in levels
        ]

    def shares(self, pixels: Floats) -> Floats:
        """(pictures, LEVELS ** 3) square roots of the share of each coarse colour; a pixel votes for its neighbours."""
        count = len(pixels)
        place = pixels.reshape(count, -1, 3) * np.float32((LEVELS - 1) / 255.0)
        below = np.minimum(place.astype(np.intp), LEVELS - 2)
        above = place - below
        offsets = np.arange(count)[:, None] * LEVELS**3
        votes = np.zeros(count * LEVELS**3)
        for corner in np.ndindex(2, 2, 2):
            code = ((below[..., 0] + corner[0]) * LEVELS + below[..., 1] + corner[1]) * LEVELS
            code = code + below[..., 2] + corner[2] + offsets
            weight = np.ones(place.shape[:2], dtype=np.float32)
            for axis, up in enumerate(corner):
                weight = weight * (above[..., axis] if up else 1 - above[..., axis])
            votes += np.bincount(code.reshape(-1), weights=weight.reshape(-1), minlength=len(votes))
        shares: Floats = np.sqrt(votes.reshape(count, -1) / place.shape[1]).astype(np.float32)
        return shares

    def region_names(self) -> list[str]:
        """What each of `regions` is."""
        places = [f"{i + 1},{j + 1}" for i in range(self.down) for j in range(self.across)]
        return [
            f"{how} {axis} in region {place}"
            for how in ("mean", "spread of")
            for place in places
            for axis in AXES
        ]

    def regions(self, pixels: Floats) -> Floats:
        """(pictures, 2 * regions * 3) mean and standard deviation along each axis, 0 to 1."""
        axes = pixels @ TO_AXES.T / np.float32(255)
        shape = self.down, self.across
        means = reduced(axes, shape)
        squares = reduced(axes**2, shape)
        spreads = np.sqrt(np.maximum(squares - means**2, 0.0))
        count = len(pixels)
        return np.concatenate([means.reshape(count, -1), spreads.reshape(count, -1)], axis=1)
