"""Where edges lie and how they run: histograms of oriented gradients.

Dalal & Triggs (2005). Histograms of oriented gradients for human detection. https://doi.org/10.1109/CVPR.2005.177
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fathometer.kinds.image.grids import Floats

ANGLES = 9  # of half a turn: an edge from dark to bright counts as one from bright to dark
CUT = 0.2  # the largest share of a block's length that one bin keeps
NO_EDGE = 1.0  # added to a block's length: noise of a grey level or so makes no edges


@dataclass(frozen=True)
class EdgeGrid:
    """Cells laid over pictures of (height, width) pixels; a block is two by two of them."""

    height: int
    width: int
    down: int
    across: int

    @classmethod
    def over(cls, height: int, width: int) -> EdgeGrid:
        """Cells of about four pixels, at most eight a side."""
        return cls(height, width, _cells(height), _cells(width))

    @property
    def size(self) -> int:
        """How many numbers a picture becomes."""
        return max(self.down - 1, 1) * max(self.across - 1, 1) * self._of_block() * ANGLES

    def names(self) -> list[str]:
        """What each number is: which block, which of its cells, which direction."""
        degrees = [round(180 * angle / ANGLES) for angle in range(ANGLES)]
        cells = [
            (block_down + cell_down + 1, block_across + cell_across + 1, block_down + 1, block_across + 1)
            for block_down in range(max(self.down - 1, 1))
            for block_across in range(max(self.across - 1, 1))
            for cell_down in range(min(self.down, 2))
            for cell_across in range(min(self.across, 2))
        ]
        return [
            f"edges {cell[0]},{cell[1]} at {angle} deg (in block {cell[2]},{cell[3]})"
            for cell in cells
            for angle in degrees
        ]

    def histograms(self, pixels: Floats) -> Floats:
        """(pictures, size) of pictures (pictures, height, width, channels), 0 to 255."""
        strength, angle = _gradients(pixels)
        cells = self._cells_of(strength, angle)
        blocks = _blocks(cells).reshape(len(pixels), -1, self._of_block() * ANGLES)
        length = np.sqrt((blocks**2).sum(axis=2, keepdims=True) + NO_EDGE**2)
        cut = np.minimum(blocks / length, CUT)
        length = np.sqrt((cut**2).sum(axis=2, keepdims=True) + 1e-6)
        return np.asarray((cut / length).reshape(len(pixels), self.size), dtype=np.float32)

    def _of_block(self) -> int:
        return min(self.down, 2) * min(self.across, 2)

    def _cells_of(self, strength: Floats, angle: Floats) -> Floats:
        """(pictures, down, across, ANGLES): each pixel votes for the cells and angles it lies between."""
        below = np.floor(angle).astype(np.intp)
        share = angle - below
        votes = np.zeros((*strength.shape, ANGLES), dtype=np.float32)
        flat = votes.reshape(-1, ANGLES)
        places = np.arange(len(flat))
        flat[places, below.reshape(-1) % ANGLES] = (strength * (1 - share)).reshape(-1)
        flat[places, (below.reshape(-1) + 1) % ANGLES] += (strength * share).reshape(-1)
        rows = _nearness(self.height, self.down)  # (down, height)
        columns = _nearness(self.width, self.across)
        by_row = np.matmul(rows, votes.reshape(len(votes), self.height, -1))
        by_row = by_row.reshape(len(votes) * self.down, self.width, ANGLES)
        cells: Floats = np.matmul(columns, by_row).reshape(len(votes), self.down, self.across, ANGLES)
        return cells


def _cells(side: int) -> int:
    """How many cells a side of so many pixels has."""
    return max(1, side // 2) if side < 8 else min(8, max(4, side // 4))


def _gradients(pixels: Floats) -> tuple[Floats, Floats]:
    """Strength and angle (0 to ANGLES) of each pixel's gradient, of the channel where it is strongest."""
    padded = np.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    right = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    if pixels.shape[3] > 1:
        best = (down**2 + right**2).argmax(axis=3)[..., None]
        down, right = np.take_along_axis(down, best, 3), np.take_along_axis(right, best, 3)
    down, right = down[..., 0], right[..., 0]
    angle = np.arctan2(down, right) * np.float32(ANGLES / np.pi) % np.float32(ANGLES)
    return np.hypot(down, right), np.minimum(angle, np.float32(ANGLES) * (1 - 1e-6)).astype(np.float32)


def _nearness(pixels: int, cells: int) -> Floats:
    """(cells, pixels) how much of a pixel's vote a cell gets: all at its centre, none a cell further."""
    side = pixels / cells
    centres = (np.arange(cells) + 0.5) * side - 0.5
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(pixels)[None, :] - centres[:, None]) / side)
    result: Floats = weights.astype(np.float32)
    return result


def _blocks(cells: Floats) -> npt.NDArray[np.float32]:
    """(pictures, blocks down, blocks across, cells of a block, ANGLES) of (pictures, down, across, ANGLES)."""
    _, down, across, _ = cells.shape
    rows = [cells[:, i : down - 1 + i] for i in range(2)] if down > 1 else [cells]
    parts = [
        row[:, :, j : across - 1 + j] if across > 1 else row
        for row in rows
        for j in range(2 if across > 1 else 1)
    ]
    return np.stack(parts, axis=3)
