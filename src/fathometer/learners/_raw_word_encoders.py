"""Networks that turn texts into features: (rows, longest) numbers of words to (rows, width)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from fathometer.core.states import demand, table, text, whole
from fathometer.learners._network import Part
from fathometer.learners._raw_words import FIRST, Vocabulary, WordRows

MOST_WIDTH, MOST_LAYERS = 1 << 22, 100
POWER_STEPS = 3
PAIR = 1_000_003  # a prime by which the first word's number of a pair is multiplied before it is hashed


@dataclass(frozen=True)
class WordRecipe:
    """How a word encoder is built.

    of: which one. size: numbers of words. width: of a word. filters: features of a convolution or a layer.
    depth: layers. pairs: buckets for pairs of words. longest: words of a text.
    """

    of: str
    size: int
    width: int
    filters: int = 0
    depth: int = 1
    pairs: int = 0
    longest: int = 256

    def state(self) -> dict[str, Any]:
        """This, as plain data."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any], vocabulary: Vocabulary) -> WordRecipe:
        """The recipe that gave this state, for these words.

        Raises:
            BadBundle: it is none.
        """
        table(state, "a recipe", ("of", "size", "width"), ("filters", "depth", "pairs", "longest"))
        sizes = {name: whole(value, name, 0, MOST_WIDTH) for name, value in state.items() if name != "of"}
        demand(sizes["size"] == vocabulary.size, "a recipe is for other words")
        demand(
            sizes.get("longest", vocabulary.longest) >= vocabulary.longest,
            "texts are longer than the recipe's",
        )
        demand(sizes.get("depth", 1) <= MOST_LAYERS, "a network of words is too deep")
        return cls(of=text(state["of"], "an encoder", ENCODERS.keys()), **sizes)


class Table(Part):
    """A vector for each number; number 0 fills up and counts nowhere."""

    still: ClassVar[frozenset[str]] = frozenset({"vectors"})

    def __init__(self, size: int, width: int, spread: float) -> None:
        super().__init__()
        self.spread = spread
        self.vectors = nn.Parameter(torch.randn(size, width) * spread)


class Meanings(Table):
    """Vectors of words that begin alike where the words are used in the same texts (LSA, Deerwester et al. 1990)."""

    def __init__(self, size: int, width: int, spread: float) -> None:
        super().__init__(size, width, spread)
        with torch.no_grad():
            self.vectors[:FIRST] = 0.0  # words that are not known begin as nothing

    @torch.no_grad()
    def prepare(self, rows: WordRows, weights: torch.Tensor) -> None:
        """Begin with the directions in which the training texts differ most."""
        import scipy.sparse  # by fits alone

        size, width = self.vectors.shape
        row, place = np.nonzero(rows.numbers.cpu().numpy())
        numbers = rows.numbers.cpu().numpy()[row, place]
        matrix = scipy.sparse.csr_matrix(
            (np.ones(len(row), dtype=np.float32), (row, numbers)), shape=(len(rows), size)
        )
        matrix.data = (1 + np.log(matrix.data)) * weights.cpu().numpy()[matrix.indices]
        lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        matrix = scipy.sparse.diags(1.0 / np.maximum(lengths, 1e-6)) @ matrix
        count = min(width, len(rows) - 1, size - 1)
        if count < 2 or not len(row):
            return
        start = torch.randn(size, count).numpy()
        basis = np.linalg.qr(matrix @ start)[0]
        for _ in range(POWER_STEPS):
            basis = np.linalg.qr(matrix @ np.linalg.qr(matrix.T @ basis)[0])[0]
        _, sizes, right = np.linalg.svd((matrix.T @ basis).T, full_matrices=False)
        found = torch.from_numpy(np.ascontiguousarray((right * np.sqrt(sizes)[:, None]).T)).float()
        found *= self.spread * math.sqrt(width) / found.norm(dim=1, keepdim=True).clamp(min=1e-6)
        known = (rows.numbers.new_zeros(size).index_fill(0, rows.numbers.flatten().long().cpu(), 1) > 0).cpu()
        known[:FIRST] = False  # words that share a number have no meaning in common
        self.vectors[known, :count] = found[known].to(self.vectors.device)
        self.vectors[known, count:] = 0.0


class Bag(nn.Module):
    """The mean of the vectors of words and of pairs of words, each by how telling it is (fastText [1]).

    [1] Joulin et al. (2016). Bag of tricks for efficient text classification. https://arxiv.org/abs/1607.01759
    """

    weights: torch.Tensor

    def __init__(self, recipe: WordRecipe, weights: torch.Tensor) -> None:
        super().__init__()
        self.pairs = recipe.pairs
        self.words = Meanings(recipe.size, recipe.width, 1.0)
        # pairs that training never shows stay at nothing
        self.beside = Table(recipe.pairs, recipe.width, 0.0) if recipe.pairs else None
        self.register_buffer("weights", weights)
        self.width = recipe.width

    def forward(self, rows: WordRows) -> torch.Tensor:
        numbers = rows.numbers.long()
        amounts = self.weights[numbers]  # (rows, longest)
        total = amounts.square().sum(dim=1)
        found = _bagged(numbers, self.words.vectors, amounts)
        if self.beside is not None and numbers.shape[1] > 1:
            first, second = numbers[:, :-1], numbers[:, 1:]
            both = torch.sqrt(amounts[:, :-1] * amounts[:, 1:])
            found = found + _bagged((first * PAIR + second) % self.pairs, self.beside.vectors, both)
            total = total + both.square().sum(dim=1)
        return found / total.clamp(min=1e-6).sqrt().unsqueeze(1)


class Convolution(nn.Module):
    """Runs of words that are looked for anywhere in the text (Kim 2014, https://arxiv.org/abs/1408.5882)."""

    RUNS = (2, 3, 4)

    def __init__(self, recipe: WordRecipe, weights: torch.Tensor) -> None:
        super().__init__()
        self.words = Meanings(recipe.size, recipe.width, 1.0 / math.sqrt(recipe.width))
        self.looks = nn.ModuleList(nn.Conv1d(recipe.width, recipe.filters, run) for run in self.RUNS)
        self.width = recipe.filters * len(self.RUNS)

    def forward(self, rows: WordRows) -> torch.Tensor:
        vectors = _vectors(rows, self.words.vectors)
        hidden = nn.functional.pad(vectors, (0, 0, 1, self.RUNS[-1])).transpose(1, 2)  # (rows, width, longer)
        found = []
        for run, look in zip(self.RUNS, self.looks, strict=True):
            strength = torch.relu(look(hidden))  # (rows, filters, places)
            places = torch.arange(strength.shape[2], device=hidden.device)
            # a run may reach over the end of the text by one word, however long the others of the batch are
            within = places <= (rows.lengths + 2 - run).clamp(min=0).unsqueeze(1)
            found.append(strength.masked_fill(~within.unsqueeze(1), 0.0).amax(dim=2))
        return torch.cat(found, dim=1)


class Layer(nn.Module):
    """Words look at each other, then each is worked on alone (pre-norm transformer layer [1]).

    [1] Vaswani et al. (2017). Attention is all you need. https://arxiv.org/abs/1706.03762
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before = nn.LayerNorm(width)
        self.look = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.between = nn.LayerNorm(width)
        self.work = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, hidden: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        rows, length, width = hidden.shape
        asked, offered, told = (
            self.look(self.before(hidden))
            .view(rows, length, 3, self.heads, width // self.heads)
            .permute(2, 0, 3, 1, 4)
        )
        mask = known[:, None, None, :]
        seen = nn.functional.scaled_dot_product_attention(asked, offered, told, attn_mask=mask)
        hidden = hidden + self.mix(seen.transpose(1, 2).reshape(rows, length, width))
        worked: torch.Tensor = hidden + self.work(self.between(hidden))
        return worked


class Attention(nn.Module):
    """A small transformer encoder; the text is the mean and the largest of its words' features."""

    HEADS = 4

    def __init__(self, recipe: WordRecipe, weights: torch.Tensor) -> None:
        super().__init__()
        self.words = Meanings(recipe.size, recipe.width, 1.0 / math.sqrt(recipe.width))
        self.places = Table(recipe.longest, recipe.width, 0.1 / math.sqrt(recipe.width))
        self.layers = nn.ModuleList(Layer(recipe.width, self.HEADS) for _ in range(recipe.depth))
        self.after = nn.LayerNorm(recipe.width)
        self.width = 2 * recipe.width

    def forward(self, rows: WordRows) -> torch.Tensor:
        hidden = _vectors(rows, self.words.vectors)
        length = hidden.shape[1]
        hidden = hidden + self.places.vectors[:length]
        known = torch.arange(length, device=hidden.device) < rows.lengths.unsqueeze(1)
        known[:, 0] = True  # nothing to look at gives no number
        for layer in self.layers:
            hidden = layer(hidden, known)
        hidden = self.after(hidden)
        inside = known.unsqueeze(2)
        mean = (hidden * inside).sum(dim=1) / inside.sum(dim=1)
        return torch.cat([mean, hidden.masked_fill(~inside, -1e4).amax(dim=1)], dim=1)


ENCODERS: dict[str, Callable[[WordRecipe, torch.Tensor], nn.Module]] = {
    "bag": Bag,
    "convolution": Convolution,
    "attention": Attention,
}


class WordReader(nn.Module):
    """Encodes texts, some words left out while learning; a missing text has features of its own."""

    def __init__(self, recipe: WordRecipe, weights: torch.Tensor, forgetting: float) -> None:
        super().__init__()
        self.recipe = recipe
        self.weights = weights  # not part of the state: wanted before training only
        self.forgetting = forgetting
        self.encoder = ENCODERS[recipe.of](recipe, weights)
        self.width = int(self.encoder.width)  # type: ignore[arg-type]
        self.nothing = nn.Parameter(torch.zeros(1, self.width))

    def prepare(self, rows: WordRows) -> None:
        """Begin with what the training texts say of the words' meanings."""
        for module in self.encoder.modules():
            if isinstance(module, Meanings):
                module.prepare(rows, self.weights)

    def forward(self, rows: WordRows) -> torch.Tensor:
        """(rows, width)."""
        if self.training and self.forgetting:
            left_out = torch.rand(rows.numbers.shape, device=rows.numbers.device) < self.forgetting
            rows = WordRows(rows.numbers.masked_fill(left_out, 0), rows.lengths)
        return torch.where(rows.lengths.unsqueeze(1) < 0, self.nothing, self.encoder(rows).float())


def _vectors(rows: WordRows, table: torch.Tensor) -> torch.Tensor:
    """(rows, longest, width), zeros for the filling."""
    numbers = rows.numbers.long()
    return nn.functional.embedding(numbers, table) * (numbers > 0).unsqueeze(2)


def _bagged(numbers: torch.Tensor, table: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
    """(rows, width) sum of the vectors by their amounts."""
    return nn.functional.embedding_bag(numbers, table, mode="sum", per_sample_weights=amounts)
