"""Networks that turn pictures into features: (rows, height, width, channels) bytes to (rows, width)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from fathometer.core.states import table, text, truth, whole
from fathometer.learners._raw_pictures import Changes, PictureRows, Sight, resized

MOST_FILTERS, MOST_BLOCKS = 256, 16
PATCH = 5  # pixels on a side
PATCHES = 20_000
EVENNESS = 0.05  # added to a patch's variance, so that noise in flat places is not blown up
PREPARED_BY = 1000  # training pictures


@dataclass(frozen=True)
class PictureRecipe:
    """How a picture encoder is built.

    of: which one. filters: of its first layer. depth: blocks per stage. places: whether it tells where things are.
    """

    of: str
    sight: Sight
    filters: int
    depth: int = 1
    places: bool = False

    def state(self) -> dict[str, Any]:
        """This, as plain data."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> PictureRecipe:
        """The recipe that gave this state.

        Raises:
            BadBundle: it is none.
        """
        table(state, "a recipe", ("of", "sight", "filters"), ("depth", "places"))
        return cls(
            of=text(state["of"], "an encoder", ENCODERS.keys()),
            sight=Sight.from_state(state["sight"]),
            filters=whole(state["filters"], "filters", 1, MOST_FILTERS),
            depth=whole(state.get("depth", 1), "depth", 1, MOST_BLOCKS),
            places=truth(state.get("places", False), "places"),
        )


class Block(nn.Sequential):
    """Convolution, normalisation over the batch, and a bend."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Gather(nn.Module):
    """What the last layer found, anywhere in the picture or about where: (rows, width, about 7, about 7) to flat."""

    def __init__(self, sight: Sight, width: int, *, places: bool) -> None:
        super().__init__()
        self.places = places
        self.width = 2 * width
        if places:
            down, across = (_halved(side, _halvings(sight) + 1) for side in (sight.height, sight.width))
            self.width = down * across * width

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        if self.places:
            return nn.functional.max_pool2d(hidden, 2, ceil_mode=True).flatten(1)
        return torch.cat([hidden.mean(dim=(2, 3)), hidden.amax(dim=(2, 3))], dim=1)


class Gathered(nn.Module):
    """Layers, and what the last of them found made flat."""

    def __init__(self, recipe: PictureRecipe, layers: list[nn.Module], width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.gather = Gather(recipe.sight, width, places=recipe.places)
        self.width = self.gather.width

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        gathered: torch.Tensor = self.gather(self.layers(planes))
        return gathered


class Compact(Gathered):
    """A few convolutions, halved in between until about seven are left on a side."""

    def __init__(self, recipe: PictureRecipe) -> None:
        width = recipe.filters
        layers: list[nn.Module] = [Block(recipe.sight.channels, width)]
        for _ in range(_halvings(recipe.sight)):
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
            layers += [Block(width if part == 0 else 2 * width, 2 * width) for part in range(recipe.depth)]
            width *= 2
        super().__init__(recipe, layers, width)


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


class Residual(Gathered):
    """A small residual network; its width doubles as its sides are halved."""

    def __init__(self, recipe: PictureRecipe) -> None:
        width = recipe.filters
        layers: list[nn.Module] = [Block(recipe.sight.channels, width)]
        layers += [Residue(width, width, 1) for _ in range(recipe.depth)]
        for _ in range(_halvings(recipe.sight)):
            layers += [
                Residue(width if part == 0 else 2 * width, 2 * width, 2 if part == 0 else 1)
                for part in range(recipe.depth)
            ]
            width *= 2
        super().__init__(recipe, layers, width)


class Whitened(nn.Module):
    """Fixed filters, patches of the training pictures made uncorrelated, and a little that is learned on top.

    Each place's contrast is evened out first. Nothing has to be learned of edges and blobs, so that few pictures are
    enough for the rest (Coates, Ng & Lee 2011, https://proceedings.mlr.press/v15/coates11a.html).
    """

    fixed: torch.Tensor
    threshold: torch.Tensor

    def __init__(self, recipe: PictureRecipe) -> None:
        super().__init__()
        count = 4 * recipe.filters
        self.register_buffer("fixed", torch.randn(count, recipe.sight.channels, PATCH, PATCH) / PATCH)
        self.register_buffer("threshold", torch.full((1, count, 1, 1), 0.25))
        self.halving = max(1, round(max(recipe.sight.height, recipe.sight.width) / 7))
        self.even = nn.BatchNorm2d(2 * count)
        self.mix = nn.Conv2d(2 * count, 2 * recipe.filters, 1, bias=False)
        self.norm = nn.BatchNorm2d(2 * recipe.filters)
        self.look = Block(2 * recipe.filters, 4 * recipe.filters)
        self.width = 8 * recipe.filters

    @torch.no_grad()
    def prepare(self, planes: torch.Tensor) -> None:
        """Take the filters from (rows, channels, height, width) normalised training pictures."""
        patches = (
            nn.functional.unfold(planes, PATCH, stride=2).transpose(1, 2).reshape(-1, self.fixed[0].numel())
        )
        patches = patches[torch.randperm(len(patches), device=patches.device)[:PATCHES]].double()
        spread = patches.std(dim=1, keepdim=True)
        patches = patches[(spread > EVENNESS).squeeze(1)]
        if len(patches) < 2 * len(self.fixed):
            return  # hardly anything is to be seen: random filters do as well
        patches = (patches - patches.mean(dim=1, keepdim=True)) / (
            patches.var(dim=1, keepdim=True) + EVENNESS
        ).sqrt()
        sizes, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
        whitening = directions @ torch.diag((sizes.clamp(min=0) + 0.1).rsqrt()) @ directions.T
        white = nn.functional.normalize(patches[: len(self.fixed)] @ whitening, dim=1)
        self.fixed.copy_((white @ whitening).float().view_as(self.fixed))
        strength = self._strength(planes[:256])
        self.threshold.copy_(strength.abs().mean(dim=(0, 2, 3), keepdim=True))

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            strength = self._strength(planes)
            strong = torch.cat([strength - self.threshold, -strength - self.threshold], dim=1).relu_()
            pooled = nn.functional.avg_pool2d(strong, self.halving, ceil_mode=True)
        hidden = self.look(torch.relu(self.norm(self.mix(self.even(pooled)))))
        return torch.cat([hidden.mean(dim=(2, 3)), hidden.amax(dim=(2, 3))], dim=1)

    def _strength(self, planes: torch.Tensor) -> torch.Tensor:
        """(rows, filters, height, width) of each filter at each place, were the patch there evened out."""
        padded = nn.functional.pad(planes, (PATCH // 2,) * 4, mode="replicate")
        brightness = padded.mean(dim=1, keepdim=True)
        power = padded.square().mean(dim=1, keepdim=True)
        mean, square = (nn.functional.avg_pool2d(part, PATCH, stride=1) for part in (brightness, power))
        spread = (square - mean.square()).clamp(min=0.0).add(EVENNESS).sqrt()
        sums = self.fixed.sum(dim=(1, 2, 3)).view(1, -1, 1, 1)
        return (nn.functional.conv2d(padded, self.fixed) - mean * sums) / spread


ENCODERS: dict[str, Callable[[PictureRecipe], nn.Module]] = {
    "compact": Compact,
    "residual": Residual,
    "whitened": Whitened,
}


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

    def prepare(self, rows: PictureRows) -> None:
        """Fix what is taken from training pictures and not learned."""
        if isinstance(self.encoder, Whitened):
            shown = np.flatnonzero(rows.places >= 0)
            some = torch.from_numpy(shown[:: max(1, len(shown) // PREPARED_BY)])
            self.encoder.prepare(self._planes(rows.take(some).shown()[0]))

    def forward(self, rows: PictureRows, *, mirrored: bool = False) -> torch.Tensor:
        """(rows, width)."""
        pictures, missing = rows.shown()
        if self.training:
            pictures = self.changes.moved(pictures)
        elif mirrored:
            pictures = pictures.flip(2)
        features = self.features(pictures)
        return torch.where(missing.unsqueeze(1), self.nothing, features)

    def first_filters(self) -> torch.Tensor:
        """(filters, channels, height, width) of the layer that looks at the pixels."""
        if isinstance(self.encoder, Whitened):
            return self.encoder.fixed
        return next(module.weight for module in self.encoder.modules() if isinstance(module, nn.Conv2d))

    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        """(rows, width) of (rows, height, width, channels) bytes of any size."""
        if tuple(pictures.shape[1:]) != self.recipe.sight.shape:
            pictures = resized(pictures, self.recipe.sight.shape)
        planes = self._planes(pictures)
        if self.training:
            planes = self.changes.recoloured(planes)
        features: torch.Tensor = self.encoder(planes)
        return features.float()

    def _planes(self, pictures: torch.Tensor) -> torch.Tensor:
        """(rows, channels, height, width) normalised; bytes lie channels last, and stay so."""
        return pictures.float().sub_(self.mean).mul_(1.0 / self.spread).permute(0, 3, 1, 2)


def _halved(side: int, times: int) -> int:
    """A side that was halved so often, each time rounded up."""
    for _ in range(times):
        side = (side + 1) // 2
    return side


def _halvings(sight: Sight) -> int:
    """How often sides are halved, so that about seven are left."""
    return max(1, round(math.log2(max(sight.height, sight.width) / 7)))
