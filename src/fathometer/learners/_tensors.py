"""Features as tensors that networks train well on.

Numbers are centred by their median, divided by their interquartile range and squeezed smoothly into (-3, 3),
as in RealMLP (Holzmueller, Grinsztajn & Steinwart 2024, https://arxiv.org/abs/2407.04491); gaps become the
median and a flag of their own. Columns that never vary in training are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from fathometer.core.files import State
from fathometer.core.states import array, demand, table
from fathometer.kind import Features

Floats = TypeVar("Floats", np.float32, np.float64)
LOOKED_AT = 20_000  # rows from which quantiles are taken: their error is far below what a network notices
SPIKE = 0.125  # share of the rows up to which a single value counts when scales are set
WIDEST = 1024  # bins of all columns together; more columns have fewer each
ROWS_PER_BIN = 40
FEWEST_BINS = 4  # below this none, as the number itself says as much
SQUEEZE = 3.0
TOGETHER = 2048
FARTHEST = 1e6  # scaled values are cut here before they are squared


class Batches(Protocol):
    """Rows as a network takes them, from which batches are drawn."""

    def __len__(self) -> int: ...

    @property
    def together(self) -> int:
        """How many are answered at a time: enough to be quick, few enough for the memory."""

    def take(self, index: torch.Tensor) -> Self:
        """The rows at these positions."""

    def part(self, start: int, end: int) -> Self:
        """The rows from start to before end."""

    def to(self, device: str) -> Self:
        """The same on another device."""


@dataclass(frozen=True)
class Tensors:
    """The same rows as tensors: numbers (rows, a) and flags (rows, m) float32, codes (rows, b) int32."""

    numbers: torch.Tensor
    flags: torch.Tensor
    codes: torch.Tensor

    @property
    def together(self) -> int:
        """How many are answered at a time."""
        return TOGETHER

    def __len__(self) -> int:
        return int(self.numbers.shape[0])

    def take(self, index: torch.Tensor) -> Tensors:
        """The rows at these positions."""
        return Tensors(
            self.numbers.index_select(0, index),
            self.flags.index_select(0, index),
            self.codes.index_select(0, index),
        )

    def part(self, start: int, end: int) -> Tensors:
        """The rows from start to before end."""
        return Tensors(self.numbers[start:end], self.flags[start:end], self.codes[start:end])

    def to(self, device: str) -> Tensors:
        """The same on another device."""
        return Tensors(self.numbers.to(device), self.flags.to(device), self.codes.to(device))


@dataclass(frozen=True)
class Scaling:
    """What was learned from training features.

    kept: (a,) positions of the number columns that vary; centre, factor: (a,) of each.
    gappy: (m,) positions of the number columns with gaps in training.
    coded: (b,) positions of the code columns that vary; sizes: (b,) of each.
    zero_seen: (b,) whether code 0 (missing) occurred in training.
    """

    kept: npt.NDArray[np.int64]
    centre: npt.NDArray[np.float32]
    factor: npt.NDArray[np.float32]
    gappy: npt.NDArray[np.int64]
    coded: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    zero_seen: npt.NDArray[np.bool_]

    @classmethod
    def fit(cls, features: Features) -> Scaling:
        """Learn the scales of training features."""
        numbers = features.numbers
        found = [_centre_and_factor(numbers[:, column]) for column in range(numbers.shape[1])]
        kept = np.asarray([c for c, (_, factor) in enumerate(found) if factor > 0], dtype=np.int64)
        known = np.isfinite(numbers)
        some_gaps = ~known.all(axis=0) & known.any(axis=0) if len(numbers) else np.zeros(0, dtype=bool)
        codes = features.codes
        varies = (codes != codes[:1]).any(axis=0) if len(codes) else np.zeros(codes.shape[1], dtype=bool)
        coded = np.flatnonzero(varies)
        return cls(
            kept=kept,
            centre=np.asarray([found[c][0] for c in kept], dtype=np.float32),
            factor=np.asarray([found[c][1] for c in kept], dtype=np.float32),
            gappy=np.flatnonzero(some_gaps).astype(np.int64),
            coded=coded.astype(np.int64),
            sizes=np.asarray([features.sizes[c] for c in coded], dtype=np.int64),
            zero_seen=(codes[:, coded] == 0).any(axis=0),
        )

    def apply(self, features: Features) -> Tensors:
        """Features as tensors."""
        numbers = features.numbers[:, self.kept]
        gaps = ~np.isfinite(numbers)
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = (numbers - self.centre) * self.factor
        scaled[gaps] = 0.0
        np.clip(scaled, -FARTHEST, FARTHEST, out=scaled)
        scaled /= np.sqrt(1.0 + (scaled / SQUEEZE) ** 2)
        flags = (~np.isfinite(features.numbers[:, self.gappy])).astype(np.float32)
        codes = np.ascontiguousarray(features.codes[:, self.coded])
        return Tensors(torch.from_numpy(scaled), torch.from_numpy(flags), torch.from_numpy(codes))

    def state(self) -> State:
        """What was learned, as data."""
        return {
            "kept": self.kept,
            "centre": self.centre,
            "factor": self.factor,
            "gappy": self.gappy,
            "coded": self.coded,
            "sizes": self.sizes,
            "zero_seen": self.zero_seen,
        }

    @classmethod
    def from_state(cls, state: State, shape: tuple[int, tuple[int, ...]]) -> Scaling:
        """The scaling that gave this state.

        Args:
            shape: how many numbers the features have, and the sizes of their codes.

        Raises:
            BadBundle: it is not for such features.
        """
        columns, all_sizes = shape
        table(state, "scaling", ("kept", "centre", "factor", "gappy", "coded", "sizes", "zero_seen"))
        kept, gappy = (_places(state[name], name, columns) for name in ("kept", "gappy"))
        coded = _places(state["coded"], "coded", len(all_sizes))
        centre, factor = (array(state[name], name, len(kept)) for name in ("centre", "factor"))
        sizes = array(state["sizes"], "sizes", len(coded), kinds="i")
        demand(sizes.tolist() == [all_sizes[place] for place in coded], "sizes are those of other codes")
        zero_seen = array(state["zero_seen"], "zero_seen", len(coded), kinds="b")
        return cls(kept, centre, factor, gappy, coded, sizes, zero_seen)


@dataclass(frozen=True)
class Layout:
    """What a network must know of its input to be built.

    numbers, flags: how many of each. sizes: of each code column; zero_seen: whether its code 0 was in
    training. edges: per number column the edges of its bins, increasing, from the squeezed training values;
    empty
        unless asked for.
    outputs: columns of the answer.
    """

    numbers: int
    flags: int
    sizes: tuple[int, ...]
    zero_seen: tuple[bool, ...]
    edges: tuple[tuple[float, ...], ...]
    outputs: int


def _places(value: Any, name: str, columns: int) -> npt.NDArray[np.int64]:
    """Positions of some of so many columns, each once, in their order."""
    places = array(value, name, None, kinds="i", low=0, high=columns - 1)
    demand((np.diff(places) > 0).all(), f"{name} should rise")
    return places


def layout_of(scaling: Scaling, tensors: Tensors, outputs: int, bins: int) -> Layout:
    """The layout of training tensors; bins: into how many to cut each number column at
    most, 0 for none."""
    looked_at = _some_rows(tensors.numbers.numpy())
    bins = min(bins, WIDEST // max(len(scaling.kept), 1), len(tensors) // ROWS_PER_BIN)
    bins = bins if bins >= FEWEST_BINS else 0
    return Layout(
        numbers=len(scaling.kept),
        flags=len(scaling.gappy),
        sizes=tuple(int(size) for size in scaling.sizes),
        zero_seen=tuple(bool(seen) for seen in scaling.zero_seen),
        edges=tuple(_edges(looked_at[:, c], bins) for c in range(len(scaling.kept))) if bins else (),
        outputs=outputs,
    )


def _some_rows(values: npt.NDArray[Floats]) -> npt.NDArray[Floats]:
    """At most LOOKED_AT rows, evenly spread."""
    if len(values) <= LOOKED_AT:
        return values
    return values[np.linspace(0, len(values) - 1, LOOKED_AT).astype(np.int64)]


def _centre_and_factor(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Median and one over the interquartile range (or half the range); factor 0 if nothing varies."""
    known = values[np.isfinite(values)].astype(np.float64)
    if len(known) == 0:
        return 0.0, 0.0
    low, high = known.min(), known.max()
    if low == high:
        return float(low), 0.0
    lower, median, upper = _even_quantiles(_some_rows(known), np.array([0.25, 0.5, 0.75]), SPIKE)
    width = upper - lower if upper > lower else (high - low) / 2.0
    with np.errstate(over="ignore"):
        factor = float(np.float32(1.0 / width)) if width > 0 else 0.0
    return float(median), factor if np.isfinite(factor) else 0.0


def _edges(values: npt.NDArray[np.float32], bins: int) -> tuple[float, ...]:
    cuts = _even_quantiles(values.astype(np.float64), np.linspace(0.0, 1.0, bins + 1), 0.5 / bins)
    return tuple(float(edge) for edge in np.unique(cuts.astype(np.float32)))


def _even_quantiles(
    values: npt.NDArray[np.float64], places: npt.NDArray[np.float64], spike: float
) -> npt.NDArray[np.float64]:
    """Quantiles in which no single value counts for more than this share of the rows.

    Where most rows share one value (capital gains: 0), plain quantiles fall on it and see nothing of the rest.
    """
    distinct, counts = np.unique(values, return_counts=True)
    weights = np.minimum(counts, max(1.0, spike * len(values)))
    middles = np.cumsum(weights) - weights / 2.0
    reached = (middles - middles[0]) / max(middles[-1] - middles[0], 1e-12)
    return np.interp(places, reached, distinct)
