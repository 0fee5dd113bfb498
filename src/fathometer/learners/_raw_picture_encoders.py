"""Networks that turn pictures into features: (rows, height, width, channels) bytes to (rows, width)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from fathometer.learners._raw_pictures import Changes, PictureRows, Sight, resized


@dataclass(frozen=True)
class PictureRecipe:
    """How a picture encoder is built. of: which one. filters: of its first layer. depth: blocks per stage."""

    of: str
    sight: Sight
    filters: int
    depth: int = 1

    def state(self) -> dict[str, Any]:
        """This, as plain data."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> PictureRecipe:
        """The recipe that gave this state."""
        return cls(**{**state, "sight": Sight.from_state(state["sight"])})


class Block(nn.Sequential):
    """Convolution, normalisation over the batch, and a bend."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Compact(nn.Module):
    """A few convolutions, halved in between until about seven are left on a side."""

    def __init__(self, recipe: PictureRecipe) -> None:
        super().__init__()
        width = recipe.filters
        layers: list[nn.Module] = [Block(recipe.sight.channels, width)]
        for _ in range(_halvings(recipe.sight)):
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
            layers += [Block(width if part == 0 else 2 * width, 2 * width) for part in range(recipe.depth)]
            width *= 2
        self.layers = nn.Sequential(*layers)
        self.width = 2 * width

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        hidden = self.layers(planes)  # (rows, width, about 7, about 7)
        return torch.cat([hidden.mean(dim=(2, 3)), hidden.amax(dim=(2, 3))], dim=1)


class Residue(nn.Module):
    """Two convolutions whose result is added to what came in (He et al. 2016, https://arxiv.org/abs/1603.05027)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = Block(inputs, outputs, stride)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        nn.init.zeros_(self.norm.weight)  # begins as if it were not there
        self.past = (
            nn.Identity()
            if (inputs, stride) == (outputs, 1)
            else nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True), nn.Conv2d(inputs, outputs, 1, bias=False)
            )
        )

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        return torch.relu_(self.norm(self.second(self.first(planes))) + self.past(planes))


class Residual(nn.Module):
    """A small residual network; its width doubles as its sides are halved."""

    def __init__(self, recipe: PictureRecipe) -> None:
        super().__init__()
        width = recipe.filters
        layers: list[nn.Module] = [Block(recipe.sight.channels, width)]
        layers += [Residue(width, width, 1) for _ in range(recipe.depth)]
        for _ in range(_halvings(recipe.sight)):
            layers += [
                Residue(width if part == 0 else 2 * width, 2 * width, 2 if part == 0 else 1)
                for part in range(recipe.depth)
            ]
            width *= 2
        self.layers = nn.Sequential(*layers)
        self.width = width

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.layers(planes)
        return hidden.mean(dim=(2, 3))


ENCODERS: dict[str, Callable[[PictureRecipe], nn.Module]] = {"compact": Compact, "residual": Residual}


class PictureReader(nn.Module):
    """Normalises pictures, changes them while learning, and encodes them; a missing one has features of its own."""

    mean: torch.Tensor
    spread: torch.Tensor

    def __init__(self, recipe: PictureRecipe, changes: Changes) -> None:
        super().__init__()
        self.recipe = recipe
        self.changes = changes
        self.register_buffer("mean", torch.tensor(recipe.sight.mean))
        self.register_buffer("spread", torch.tensor(recipe.sight.spread))
        self.encoder = ENCODERS[recipe.of](recipe)
        self.width = int(self.encoder.width)  # type: ignore[arg-type]
        self.nothing = nn.Parameter(torch.zeros(1, self.width))

    def forward(self, rows: PictureRows, *, mirrored: bool = False) -> torch.Tensor:
        """(rows, width)."""
        pictures, missing = rows.shown()
        if self.training:
            pictures = self.changes.moved(pictures)
        elif mirrored:
            pictures = pictures.flip(2)
        features = self.features(pictures)
        return torch.where(missing.unsqueeze(1), self.nothing, features)

    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        """(rows, width) of (rows, height, width, channels) bytes of any size."""
        if tuple(pictures.shape[1:]) != self.recipe.sight.shape:
            pictures = resized(pictures, self.recipe.sight.shape)
        # bytes lie channels last, and stay so
        planes = pictures.float().sub_(self.mean).mul_(1.0 / self.spread).permute(0, 3, 1, 2)
        if self.training:
            planes = self.changes.recoloured(planes)
        features: torch.Tensor = self.encoder(planes)
        return features.float()


def _halvings(sight: Sight) -> int:
    """How often sides are halved, so that about seven are left."""
    return max(1, round(math.log2(max(sight.height, sight.width) / 7)))
