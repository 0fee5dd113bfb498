"""Pictures as networks read them: bytes until they are used, reduced once, changed a little while learning."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from fathometer.core.files import State
from fathometer.core.pictures import PictureArray, Pixels, blank_pixels
from fathometer.core.states import demand, number, several, whole

LOOKED_AT = 2000  # pictures from which means and the worth of mirroring are found
REDUCED_TOGETHER = 1 << 22  # bytes of pixels
TOGETHER = 256  # pictures answered at a time
USUAL_SIDE = 64
LARGEST_SIDE = 1_024  # that any recipe asks for
SMALLEST_SIDE = 8  # smaller pictures are enlarged, or nothing would be left after pooling
MIRROR_SIDE = 16
MIRROR_LOSS = 0.85  # share of the neighbours found that mirroring may not fall below


@dataclass(frozen=True)
class PictureRows:
    """The pictures of some rows.

    pixels: (pictures, height, width, channels) bytes, in memory or mapped. places: (rows,) which picture each row
    shows; -1: none.
    """

    pixels: Pixels
    places: npt.NDArray[np.int64]
    device: str = "cpu"

    def __len__(self) -> int:
        return len(self.places)

    @property
    def together(self) -> int:
        """How many are answered at a time; few where they are large."""
        height, width = int(self.pixels.shape[1]), int(self.pixels.shape[2])
        return max(1, TOGETHER * USUAL_SIDE**2 // max(height * width, USUAL_SIDE**2))

    def take(self, index: torch.Tensor) -> PictureRows:
        """The rows at these positions; no pixel is read."""
        return PictureRows(self.pixels, self.places[index.cpu().numpy()], self.device)

    def part(self, start: int, end: int) -> PictureRows:
        """The rows from start to before end."""
        return PictureRows(self.pixels, self.places[start:end], self.device)

    def to(self, device: str) -> PictureRows:
        """The same, whose pixels go to another device as they are shown."""
        return PictureRows(self.pixels, self.places, device)

    def shown(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(rows, height, width, channels) bytes, black where missing, and (rows,) whether missing."""
        missing = torch.from_numpy(self.places < 0)
        if len(self.pixels):
            taken = torch.from_numpy(np.asarray(self.pixels[np.maximum(self.places, 0)]))
        else:
            taken = torch.zeros((len(self), *self.pixels.shape[1:]), dtype=torch.uint8)
        if self.device == "cpu":
            return taken, missing
        return (
            taken.pin_memory().to(self.device, non_blocking=True),
            missing.to(self.device, non_blocking=True),
        )


@dataclass(frozen=True)
class Sight:
    """How a network sees the pictures of a column.

    height, width: of the pictures as it sees them. channels: 1 or 3. mean, spread: (channels,) of the brightness, by
    which it is normalised.
    """

    height: int
    width: int
    channels: int
    mean: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def of(cls, column: PictureArray, side: int) -> Sight:
        """Training pictures, reduced so that the longer side is no longer than `side`."""
        height, width, channels = column.shape_of_one
        share = min(1.0, side / max(height, width))
        height, width = (max(SMALLEST_SIDE, round(share * length)) for length in (height, width))
        shown = column.places[column.places >= 0]
        some = np.unique(shown)[:: max(1, len(shown) // LOOKED_AT)]
        channels = channels if channels in (1, 3) else 3
        blank = cls(height, width, channels, (0.0,) * channels, (1.0,) * channels)
        pixels = blank.seen(PictureArray(column.pixels, column._digests, some)).pixels
        values = pixels.reshape(-1, channels).astype(np.float32)
        if not len(values):
            return blank
        spread = np.maximum(values.std(axis=0), 1.0)
        return cls(height, width, channels, tuple(values.mean(axis=0).tolist()), tuple(spread.tolist()))

    def state(self) -> State:
        """This, as data."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: State) -> Sight:
        """The sight that gave this state.

        Raises:
            BadBundle: it is none.
        """
        height, width = (whole(state[name], name, 1, LARGEST_SIDE) for name in ("height", "width"))
        channels = whole(state["channels"], "channels", 1, 3)
        demand(channels != 2, "pictures are grey or in colour")
        mean, spread = (several(state[name], name, channels) for name in ("mean", "spread"))
        return cls(
            height,
            width,
            channels,
            tuple(number(one, "mean") for one in mean),
            tuple(number(one, "spread", 1e-6) for one in spread),
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels

    def seen(self, column: PictureArray) -> PictureRows:
        """The column's rows with pictures of this size; those that have it already are not copied."""
        if column.shape_of_one == self.shape:
            return PictureRows(column.pixels, column.places)
        shown = np.unique(column.places[column.places >= 0])
        reduced = blank_pixels(len(shown), self.shape)
        step = max(1, REDUCED_TOGETHER // max(1, int(np.prod(column.shape_of_one))))
        for start in range(0, len(shown), step):
            some = torch.from_numpy(np.array(column.pixels[shown[start : start + step]]))
            reduced[start : start + step] = resized(some, self.shape).numpy()
        new = np.full(len(column.pixels) + 1, -1, dtype=np.int64)
        new[shown] = np.arange(len(shown))
        return PictureRows(reduced, new[column.places])


def resized(pictures: torch.Tensor, shape: tuple[int, int, int]) -> torch.Tensor:
    """(rows, height, width, channels) bytes in another shape: areas are averaged, channels joined or repeated."""
    height, width, channels = shape
    planes = pictures.permute(0, 3, 1, 2)
    if planes.shape[1] != channels:
        planes = planes[:, :3].float().mean(dim=1, keepdim=True).expand(-1, channels, -1, -1)
    if planes.shape[2:] != (height, width):
        planes = nn.functional.adaptive_avg_pool2d(planes.float(), (height, width))
    return planes.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


@dataclass(frozen=True)
class Changes:
    """How pictures are changed at random while learning.

    shift: up to which share of the side. zoom: up to which share larger or smaller. flip: mirrored half the time.
    erase: up to which share of the side a rectangle is wiped out. light: up to which share brighter or darker.
    """

    shift: float = 0.0
    zoom: float = 0.0
    flip: bool = False
    erase: float = 0.0
    light: float = 0.0

    def moved(self, pictures: torch.Tensor) -> torch.Tensor:
        """(rows, height, width, channels) bytes: shifted, zoomed, mirrored; what comes in from outside is reflected."""
        if not (self.shift or self.zoom or self.flip):
            return pictures
        rows, height, width, channels = pictures.shape
        device = pictures.device
        scale = 1.0 + self.zoom * (2 * torch.rand(rows, 1, device=device) - 1)
        down = _places(height, self.shift, scale, device)
        across = _places(width, self.shift, scale, device)
        if self.flip:
            mirrored = torch.rand(rows, 1, device=device) < 0.5
            across = torch.where(mirrored, width - 1 - across, across)
        first = torch.arange(rows, device=device)[:, None] * (height * width)
        places = ((first + down * width)[:, :, None] + across[:, None, :]).reshape(-1)
        flat = pictures.reshape(rows * height * width, channels)
        return flat.index_select(0, places).view(rows, height, width, channels)

    def recoloured(self, planes: torch.Tensor) -> torch.Tensor:
        """(rows, channels, height, width) normalised: brighter or darker, and a rectangle wiped out."""
        rows, _, height, width = planes.shape
        device = planes.device
        if self.light:
            change = self.light * (2 * torch.rand(2, rows, 1, 1, 1, device=device) - 1)
            planes = torch.addcmul(change[0], planes, 1.0 + change[1])
        if self.erase:
            inside = (
                _stretch(rows, height, self.erase, device)[:, :, None]
                & (_stretch(rows, width, self.erase, device)[:, None, :])
            )
            planes = planes.masked_fill(inside.unsqueeze(1), 0.0)
        return planes


def _places(length: int, shift: float, scale: torch.Tensor, device: torch.device) -> torch.Tensor:
    """(rows, length) from where each line or column comes."""
    most = round(shift * length)
    moves = torch.randint(-most, most + 1, scale.shape, device=device)
    middle = (length - 1) / 2
    wanted = ((torch.arange(length, device=device) - middle) * scale + middle).round().long() + moves
    wanted = wanted.abs()
    return ((length - 1) - ((length - 1) - wanted).abs()).clamp_(min=0)


def _stretch(rows: int, length: int, share: float, device: torch.device) -> torch.Tensor:
    """(rows, length) whether within a stretch of random length and place."""
    size = torch.rand(rows, 1, device=device) * (share * length)
    start = torch.rand(rows, 1, device=device) * length - size / 2
    places = torch.arange(length, device=device)
    return (places >= start) & (places < start + size)


def may_be_mirrored(pictures: PictureRows, answers: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> bool:
    """Whether mirrored training pictures find neighbours with the right answer about as often as unchanged ones do.

    Mirrored letters and digits do not; photographs do.
    """
    shown = np.flatnonzero(pictures.places >= 0)
    shown = shown[:: max(1, len(shown) // LOOKED_AT)][:LOOKED_AT]
    if len(shown) < 2:
        return False
    bytes_shown, _ = pictures.take(torch.from_numpy(shown)).shown()
    planes = nn.functional.adaptive_avg_pool2d(bytes_shown.permute(0, 3, 1, 2).float(), MIRROR_SIDE)
    known = torch.from_numpy(answers[shown].astype(np.float64))
    own, other = (_error_of_neighbours(asked, planes, known) for asked in (planes, planes.flip(3)))
    worst = _error_of_constant(known, is_class=answers.dtype.kind == "i")
    if answers.dtype.kind == "i":
        own, other = ((error > 0).double() for error in (own, other))
    gained, kept = worst - float(own.mean()), worst - float(other.mean())
    return kept >= MIRROR_LOSS * gained


def _error_of_neighbours(asked: torch.Tensor, kept: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """(rows,) squared difference between a row's answer and that of its nearest other row."""
    distances = torch.cdist(asked.flatten(1), kept.flatten(1))
    distances.fill_diagonal_(torch.inf)
    return (known[distances.argmin(dim=1)] - known).square()


def _error_of_constant(known: torch.Tensor, *, is_class: bool) -> float:
    if is_class:
        shares = torch.bincount(known.long()) / len(known)
        return float(1.0 - shares.square().sum())
    return float(2.0 * known.var(correction=0))
