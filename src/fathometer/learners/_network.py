"""Parts of networks for tables: embeddings of numbers and codes, scaling, dense layers."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import nn

from fathometer.learners._tensors import Layout, Tensors

ONE_HOT_UP_TO = 9  # sizes up to this (code 0 included) become one column each; larger ones are embedded
WIDEST_NUMBERS = 2048  # columns that the embedded numbers may take together
CODE_WIDTH = 8


class Mish(torch.autograd.Function):
    """x tanh(log(1 + e^x)) (Misra 2019), without the logarithm and the tangent that make torch's own slow."""

    @staticmethod
    def forward(context: Any, inputs: torch.Tensor) -> torch.Tensor:
        power = inputs.clamp(max=20.0).exp_()  # above 20 the factor is 1 in single precision
        product = (power + 2.0).mul_(power)
        below = 1.0 / (product + 2.0)
        factor = product.mul_(below)
        if context.needs_input_grad[0]:
            # factor' = 4 e^x (e^x + 1) / (product + 2)^2
            change = (power + 1.0).mul_(power).mul_(below).mul_(below).mul_(4.0)
            context.save_for_backward(change.mul_(inputs).add_(factor))
        return factor * inputs

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (slopes,) = context.saved_tensors
        result: torch.Tensor = gradients[0] * slopes
        return result


def mish(inputs: torch.Tensor) -> torch.Tensor:
    """The activation of that name."""
    result: torch.Tensor = Mish.apply(inputs)  # type: ignore[no-untyped-call]
    return result


ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "selu": torch.selu,
    "mish": mish,
    "silu": nn.functional.silu,
    "relu": torch.relu,
}


class Coarse:
    """Whether a layer multiplies with 8 bits of precision (bfloat16) while it learns.

    Weights, sums, activations, the last layer and every prediction keep single precision.
    """

    def __init__(self) -> None:
        self.on = False

    def product(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Matrix product, or one per member."""
        return torch.matmul(left.bfloat16(), right.bfloat16()).float()


class Part(nn.Module):
    """A part that says how fast its own parameters learn.

    paces: parameter name -> factor on the learning rate. still: names of parameters that do not decay.
    coarse: of parts that multiply matrices, whether they may do so coarsely while learning.
    """

    paces: dict[str, float]
    coarse: Coarse | None = None
    still: ClassVar[frozenset[str]] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.paces = {}


class Scale(Part):
    """One learned factor per column, learning faster than the rest: soft choice of features."""

    def __init__(self, width: int, pace: float = 6.0) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.ones(width))
        self.paces = {"factors": pace}

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs * self.factors


class Dense(Part):
    """A linear layer in the neural tangent parametrisation.

    zero: start with weights of zero, as the last layer does, which is never coarse.

    Weights of unit size divided by sqrt(width of the input) at a common learning rate are, under Adam, the
    same as weights of size 1 / sqrt(width) whose learning rate is divided by sqrt(width); the second costs
    nothing.
    """

    still: ClassVar[frozenset[str]] = frozenset({"bias"})

    def __init__(self, inputs: int, outputs: int, *, zero: bool = False, bias_pace: float = 0.1) -> None:
        super().__init__()
        self.coarse = None if zero else Coarse()
        root = math.sqrt(max(inputs, 1))
        size = 0.0 if zero else 1.0
        self.weight = nn.Parameter(torch.randn(inputs, outputs) * (size / root))
        self.bias = nn.Parameter(torch.randn(outputs) * size)
        self.paces = {"weight": 1.0 / root, "bias": bias_pace}

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.coarse is not None and self.coarse.on and self.training:
            return self.coarse.product(inputs, self.weight) + self.bias
        return torch.addmm(self.bias, inputs, self.weight)


class Periodic(Part):
    """Numbers as themselves beside learned mixtures of cosines (PBLD of RealMLP; Gorishniy et al. 2022 [1]).

    (rows, a) -> (rows, a * width). [1] https://arxiv.org/abs/2203.05556
    """

    def __init__(self, numbers: int, *, width: int, waves: int, frequency: float, pace: float = 0.1) -> None:
        super().__init__()
        self.frequency = nn.Parameter(torch.randn(numbers, 1, waves) * (2 * math.pi * frequency))
        self.phase = nn.Parameter((torch.rand(numbers, 1, waves) * 2 - 1) * math.pi)
        bound = 1.0 / math.sqrt(waves)
        self.mixture = nn.Parameter((torch.rand(numbers, waves, width - 1) * 2 - 1) * bound)
        self.shift = nn.Parameter((torch.rand(numbers, 1, width - 1) * 2 - 1) * bound)
        self.paces = dict.fromkeys(("frequency", "phase", "mixture", "shift"), pace)
        # the paper's frequency is multiplied by 2 pi after learning; here 2 pi is part of it and of its pace
        self.paces["frequency"] *= 2 * math.pi
        self.width = width * numbers

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        columns = numbers.t().unsqueeze(2)  # (a, rows, 1)
        waves = torch.cos(torch.addcmul(self.phase, columns, self.frequency))  # (a, rows, waves)
        mixed = torch.baddbmm(self.shift, waves, self.mixture)  # (a, rows, width - 1)
        return torch.cat([columns, mixed], dim=2).transpose(0, 1).reshape(len(numbers), self.width)


class Piecewise(Part):
    """Numbers as themselves beside how far each of their bins is filled (PLE, Gorishniy et al. 2022 [1]).

    (rows, a) -> (rows, a + all bins). [1] https://arxiv.org/abs/2203.05556
    """

    column: torch.Tensor
    slope: torch.Tensor
    start: torch.Tensor

    def __init__(self, edges: tuple[tuple[float, ...], ...]) -> None:
        super().__init__()
        bins = [
            (column, low, high) for column, cuts in enumerate(edges) for low, high in itertools.pairwise(cuts)
        ]
        slopes = [1.0 / (high - low) for _, low, high in bins]
        starts = [-low * slope for (_, low, _), slope in zip(bins, slopes, strict=True)]
        self.register_buffer("column", _positions([column for column, _, _ in bins]))
        self.register_buffer("slope", torch.tensor(slopes, dtype=torch.float32))
        self.register_buffer("start", torch.tensor(starts, dtype=torch.float32))
        self.width = len(edges) + len(bins)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        spread = numbers.index_select(1, self.column)
        filled = torch.addcmul(self.start, spread, self.slope).clamp_(0.0, 1.0)
        return torch.cat([numbers, filled], dim=1)


class Codes(Part):
    """Code columns as numbers: small ones one column per code, large ones embedded.

    A code that training never showed gives zeros. (rows, b) -> (rows, width).
    """

    small: torch.Tensor
    small_offset: torch.Tensor
    small_zero: torch.Tensor
    large: torch.Tensor
    large_offset: torch.Tensor
    still: ClassVar[frozenset[str]] = frozenset({"table"})

    def __init__(self, sizes: tuple[int, ...], zero_seen: tuple[bool, ...]) -> None:
        super().__init__()
        small = [c for c, size in enumerate(sizes) if size <= ONE_HOT_UP_TO]
        large = [c for c, size in enumerate(sizes) if size > ONE_HOT_UP_TO]
        self.small_width = sum(sizes[c] for c in small)
        self.register_buffer("small", _positions(small))
        self.register_buffer("small_offset", _offsets([sizes[c] for c in small]))
        self.register_buffer("small_zero", torch.tensor([float(zero_seen[c]) for c in small]))
        self.register_buffer("large", _positions(large))
        self.register_buffer("large_offset", _offsets([sizes[c] for c in large]))
        table = torch.randn(sum(sizes[c] for c in large), CODE_WIDTH)
        if large:
            table[self.large_offset] = 0.0  # code 0, missing or never seen, starts as "nothing known"
        self.table = nn.Parameter(table)
        self.width = self.small_width + CODE_WIDTH * len(large)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        parts = []
        if self.small_width:
            chosen = codes.index_select(1, self.small).long()
            worth = torch.where(chosen > 0, 1.0, self.small_zero)
            flat = torch.zeros(len(codes), self.small_width, device=codes.device)
            parts.append(flat.scatter_(1, chosen + self.small_offset, worth))
        if len(self.large):
            places = codes.index_select(1, self.large).long() + self.large_offset
            parts.append(nn.functional.embedding(places, self.table).flatten(1))
        return torch.cat(parts, dim=1) if parts else torch.zeros(len(codes), 0, device=codes.device)


class Dropout(nn.Module):
    """Set a share of the inputs to zero while training; the training loop changes the share as it goes.

    The share is rounded to 1/256: one random byte per input, eight drawn at a time, costs an eighth of
    torch's own dropout, which took a quarter of the training time.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.full_share = share
        self.share = share

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        dropped = round(self.share * 256)
        if not self.training or dropped == 0:
            return inputs
        count = inputs.numel()
        words = torch.empty((count + 7) // 8, dtype=torch.int64, device=inputs.device).random_(-(2**63), None)
        kept = words.view(torch.uint8)[:count].view(inputs.shape) >= dropped
        return inputs * kept.to(inputs.dtype).mul_(256 / (256 - dropped))


class Recalling(nn.Module, ABC):
    """A network that answers by training rows it keeps in mind.

    keys: (kept, width) those rows as it sees them. values: (kept, outputs) their answers.
    """

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("keys", torch.zeros(0, width))
        self.register_buffer("values", torch.zeros(0, outputs))

    @abstractmethod
    def learn(self, inputs: Tensors, goal: torch.Tensor) -> torch.Tensor:
        """(members, rows, outputs) for a batch of training rows, each without recalling itself."""

    @abstractmethod
    def memorise(self, inputs: Tensors, goal: torch.Tensor, *, trained: bool) -> None:
        """Keep these training rows in mind, as the present weights see them; fewer while not yet trained."""

    def make_room(self, rows: int) -> None:
        """Memory for so many rows, before weights are loaded."""
        self.keys = self.keys.new_zeros(rows, self.keys.shape[1])
        self.values = self.values.new_zeros(rows, self.values.shape[1])


class Front(nn.Module):
    """All columns of a row side by side: (rows, width)."""

    def __init__(self, layout: Layout, numbers: Periodic | Piecewise | None) -> None:
        super().__init__()
        self.numbers = numbers
        self.codes = Codes(layout.sizes, layout.zero_seen) if layout.sizes else None
        self.width = (
            (layout.numbers if self.numbers is None else self.numbers.width)
            + layout.flags
            + (0 if self.codes is None else self.codes.width)
        )

    def forward(self, inputs: Tensors) -> torch.Tensor:
        parts = [inputs.numbers if self.numbers is None else self.numbers(inputs.numbers)]
        if inputs.flags.shape[1]:
            parts.append(inputs.flags)
        if self.codes is not None:
            parts.append(self.codes(inputs.codes))
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


def number_embedding(
    layout: Layout, name: str, *, width: int = 4, waves: int = 16, frequency: float = 0.1
) -> Periodic | Piecewise | None:
    """The embedding of that name ("periodic", "piecewise", "none"), or none where it would be too wide."""
    if name == "piecewise" and layout.edges:
        return Piecewise(layout.edges)
    if name == "periodic" and 0 < layout.numbers * width <= WIDEST_NUMBERS:
        return Periodic(layout.numbers, width=width, waves=waves, frequency=frequency)
    return None


def _offsets(sizes: list[int]) -> torch.Tensor:
    starts = [sum(sizes[:position]) for position in range(len(sizes))]
    return _positions(starts)


def _positions(places: list[int]) -> torch.Tensor:
    """Made for real even where a network is made without memory: nothing may be looked up out of bounds."""
    return torch.tensor(places, dtype=torch.int64, device="cpu")
