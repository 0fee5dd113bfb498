"""Pictures that are nearly the same: resized, saved again, brightened or slightly cropped copies.

Candidates are pictures whose thumbnails lie close together along the axes on which the column's thumbnails vary most;
a search tree finds them without comparing every picture with every other. Candidates are then compared pixel by pixel,
as they are and less the column's mean picture: where one camera looks at one scene, all pictures agree in the scene.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.core.pictures import PictureArray, Pixels
from fathometer.kinds.image.grids import Floats, reduced

Pairs = npt.NDArray[np.int64]
Places = npt.NDArray[np.int64]

FEWEST_PIXELS = 16  # a side; in fewer, things that are alike cannot be told from copies
LEAST_DETAIL = 3.0  # grey levels of spread; two plain grounds are no copies
COARSE, FINE = 8, 32  # sides of the thumbnails that are searched, and of those that are compared
AXES = 12
SAMPLED = 4000  # pictures from which the mean and the axes are learned
NEAR, NEAR_SMALL = (
    0.97,
    0.985,
)  # correlation of coarse thumbnails, less the mean, of candidates; of small pictures
LIKE, LIKE_SMALL = 0.96, 0.992  # correlation of fine thumbnails; of pictures that are no finer themselves
LIKE_APART = 0.95  # the same, less the mean picture
LIKE_SHAPED = 0.95  # the same, less each channel's mean: yellow flowers agree in being yellow
CROPS = (0.0, 0.03, 0.06)  # shares of a side that a copy may have lost at each border; of large pictures
CROPPED_FROM = 48  # pixels a side
CROPPED_AMONG = (
    20_000  # pictures: among more, cropped copies are not looked for, which takes three times as long
)
NEIGHBOURS = 24  # candidates for each picture, the nearest
CROWD = 20  # whoever is like so many is no copy: all pictures of some scene are alike
CHUNK_BYTES = 1 << 23
PAIRS_AT_ONCE = 2048
ASKED_AT_ONCE = 16384


def near_duplicates(pictures: PictureArray) -> Pairs:
    """(pairs, 2) rows that show nearly the same, each pair once; of equal pictures the first row stands for all."""
    from scipy.spatial import cKDTree  # by studies alone: an answer needs none of it

    digests = pictures.digests()
    rows = np.sort(np.unique(digests, return_index=True)[1])
    rows = rows[~pictures.isna()[rows]]
    if len(rows) < 2 or min(pictures.shape_of_one[:2]) < FEWEST_PIXELS:
        return np.zeros((0, 2), dtype=np.int64)
    # the same sample whatever the order of the rows
    sample = rows[np.argsort(digests[rows], kind="stable")[:SAMPLED]]
    may_be_cropped = min(pictures.shape_of_one[:2]) >= CROPPED_FROM and len(rows) <= CROPPED_AMONG
    crops = CROPS if may_be_cropped else CROPS[:1]
    search = Search.learned(pictures, sample)
    coarse, detailed = search.coarse(pictures, rows, 0.0)
    rows, coarse = rows[detailed], coarse[detailed]
    if len(rows) < 2:
        return np.zeros((0, 2), dtype=np.int64)
    tree = cKDTree(coarse @ search.axes)
    found = [
        _compared(pictures, search, rows[_candidates(tree, search, pictures, rows, coarse, crop)], crop)
        for crop in crops
    ]
    pairs = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    crowded = np.bincount(pairs.ravel(), minlength=len(pictures)) >= CROWD
    return np.asarray(pairs[~crowded[pairs].any(axis=1)], dtype=np.int64)


@dataclass(frozen=True)
class Search:
    """Where a picture lies among a column's.

    coarse_mean: (numbers,) of thumbnails of length one. axes: (numbers, axes). fine_mean: as coarse_mean.
    """

    coarse_mean: Floats
    axes: Floats
    fine_mean: Floats

    @classmethod
    def learned(cls, pictures: PictureArray, sample: Places) -> Search:
        """From these rows."""
        coarse = np.concatenate([_unit(_thumbs(some, COARSE)) for _, some in _shown(pictures, sample)])
        fine = [_unit(_thumbs(some, FINE)).sum(axis=0) for _, some in _shown(pictures, sample)]
        mean = coarse.mean(axis=0)
        apart = _unit(coarse - mean)
        _, axes = np.linalg.eigh((apart.T @ apart).astype(np.float64))
        return cls(mean, axes[:, ::-1][:, :AXES].astype(np.float32), np.sum(fine, axis=0) / len(sample))

    def coarse(
        self, pictures: PictureArray, rows: Places, crop: float
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """(rows, numbers) coarse thumbnails less the mean, of length one, of rows' pictures, cropped.

        And which of them have something to be known by.
        """
        found = np.zeros((len(rows), len(self.coarse_mean)), dtype=np.float32)
        detailed = np.zeros(len(rows), dtype=bool)
        for some, pixels in _shown(pictures, rows):
            thumbs = _thumbs(_cropped(pixels, crop), COARSE)
            apart = _unit(thumbs) - self.coarse_mean
            found[some] = _unit(apart)
            # a picture that is nearly the mean has nothing of its own either
            detailed[some] = (thumbs.std(axis=1) >= LEAST_DETAIL) & (np.linalg.norm(apart, axis=1) > 0.02)
        return found, detailed


def _candidates(
    tree: Any, search: Search, pictures: PictureArray, rows: Places, whole_coarse: Floats, crop: float
) -> npt.NDArray[np.int64]:
    """(pairs, 2) places in `rows`: of a whole picture, and of one that shows the same when its borders are cut off."""
    # projections are no further apart than what they are projections of, so no pair is lost
    is_small = min(pictures.shape_of_one[:2]) < CROPPED_FROM
    least = NEAR_SMALL if is_small else NEAR
    near = float(np.sqrt(2 - 2 * least))
    asked = search.coarse(pictures, rows, crop)[0] if crop else whole_coarse
    parts = [np.zeros((0, 2), dtype=np.int64)]
    for start in range(0, len(asked), ASKED_AT_ONCE):
        some = asked[start : start + ASKED_AT_ONCE]
        away, whole = tree.query(some @ search.axes, k=min(NEIGHBOURS, len(rows)), distance_upper_bound=near)
        cropped, place = np.nonzero(np.isfinite(away))
        found = np.stack([whole[cropped, place], cropped], axis=1)
        # the whole thumbnails say more than their projections: most pairs of much alike columns end here
        kept = [
            np.einsum("ij,ij->i", whole_coarse[part[:, 0]], some[part[:, 1]]) >= least
            for part in np.array_split(found, len(found) // PAIRS_AT_ONCE + 1)
        ]
        parts.append(found[np.concatenate(kept)] + np.array([0, start]))
    pairs = np.concatenate(parts)
    if crop == 0.0:
        return np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0).astype(np.int64)
    return np.asarray(pairs[pairs[:, 0] != pairs[:, 1]], dtype=np.int64)


def _compared(pictures: PictureArray, search: Search, pairs: Pairs, crop: float) -> Pairs:
    """Those pairs (whole row, cropped row) whose pixels agree."""
    like = LIKE if min(pictures.shape_of_one[:2]) >= CROPPED_FROM else LIKE_SMALL
    channels = pictures.shape_of_one[2]
    parts = [np.zeros((0, 2), dtype=np.int64)]
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        some = pairs[start : start + PAIRS_AT_ONCE]
        whole = _unit(_thumbs(pictures.shown(some[:, 0]), FINE))
        cropped = _unit(_thumbs(_cropped(pictures.shown(some[:, 1]), crop), FINE))
        alike = (whole * cropped).sum(axis=1) >= like  # most pairs end here
        some, whole, cropped = some[alike], whole[alike], cropped[alike]
        apart = _unit(whole - search.fine_mean) * _unit(cropped - search.fine_mean)
        shaped = _shaped(whole, channels) * _shaped(cropped, channels)
        parts.append(some[(apart.sum(axis=1) >= LIKE_APART) & (shaped.sum(axis=1) >= LIKE_SHAPED)])
    return np.concatenate(parts)


def _shown(pictures: PictureArray, rows: Places) -> Iterator[tuple[slice, Pixels]]:
    step = max(1, CHUNK_BYTES // int(np.prod(pictures.shape_of_one)))
    for start in range(0, len(rows), step):
        some = slice(start, start + step)
        yield some, pictures.shown(rows[some])


def _cropped(pixels: Pixels, crop: float) -> Pixels:
    """Pixels without this share of each border."""
    if not crop:
        return pixels
    down, across = (max(1, round(crop * side)) for side in pixels.shape[1:3])
    return pixels[:, down:-down, across:-across]


def _thumbs(pixels: Pixels, side: int) -> Floats:
    """(pictures, numbers) with all channels, at most side x side."""
    shape = min(pixels.shape[1], side), min(pixels.shape[2], side)
    return reduced(pixels, shape).reshape(len(pixels), -1)


def _unit(thumbs: Floats) -> Floats:
    """Each row less its own mean, of length one."""
    centred = thumbs - thumbs.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6))


def _shaped(thumbs: Floats, channels: int) -> Floats:
    """Each row less the mean of each of its channels, of length one."""
    split = thumbs.reshape(len(thumbs), thumbs.shape[1] // channels, channels)
    return _unit((split - split.mean(axis=1, keepdims=True)).reshape(thumbs.shape))
