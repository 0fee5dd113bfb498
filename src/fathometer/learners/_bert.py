"""BERT [1] as it stands in files that others trained: the commonest encoder of texts, without its library's weight.

Importing the library takes some seconds of processor time in every trial; this takes none.

[1] Devlin, Chang, Lee & Toutanova (2019). https://aclanthology.org/N19-1423
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": nn.functional.gelu,
    "gelu_new": partial(nn.functional.gelu, approximate="tanh"),
    "gelu_pytorch_tanh": partial(nn.functional.gelu, approximate="tanh"),
    "relu": nn.functional.relu,
}
EMBEDDINGS = ("word_embeddings", "position_embeddings", "token_type_embeddings", "LayerNorm")


class Bert(nn.Module):
    """Tokens to one vector each; the names of its parts are those of the published files."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width, norm = int(config["hidden_size"]), float(config.get("layer_norm_eps", 1e-12))
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": _embedding(int(config["vocab_size"]), width),
                "position_embeddings": _embedding(int(config["max_position_embeddings"]), width),
                "token_type_embeddings": _embedding(int(config.get("type_vocab_size", 2)), width),
                "LayerNorm": nn.LayerNorm(width, eps=norm),
            }
        )
        inner, heads = int(config["intermediate_size"]), int(config["num_attention_heads"])
        act = str(config.get("hidden_act", "gelu"))
        layers = [_Layer(width, inner, heads, act, norm) for _ in range(int(config["num_hidden_layers"]))]
        self.layers = layers
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(layers)})

    @staticmethod
    def reads(config: Mapping[str, Any]) -> bool:
        """Whether this is the architecture that the configuration describes."""
        return (
            config.get("model_type") == "bert"
            and config.get("position_embedding_type", "absolute") == "absolute"
            and config.get("hidden_act", "gelu") in ACTIVATIONS
            and not config.get("is_decoder")
        )

    def forward(self, tokens: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """tokens (rows, places) int64, known (rows, places) bool -> (rows, places, width)."""
        words, places, types, norm = (self.embeddings[name] for name in EMBEDDINGS)
        order = torch.arange(tokens.shape[1], device=tokens.device)
        first_type = types(torch.zeros(1, dtype=torch.long, device=tokens.device))
        hidden: torch.Tensor = norm(words(tokens) + places(order) + first_type)
        mask = known[:, None, None, :]  # (rows, 1, 1, places)
        for layer in self.layers:
            hidden = layer(hidden, mask)
        return hidden


class _Layer(nn.Module):
    def __init__(self, width: int, inner: int, heads: int, activation: str, norm: float) -> None:
        super().__init__()
        self.heads = heads
        self.activation = ACTIVATIONS[activation]
        self.asked = {name: nn.Linear(width, width) for name in ("query", "key", "value")}
        self.after = _joined(width, width, norm)  # in plain dicts, or its weights would have two names
        self.attention = nn.ModuleDict(
            {"self": nn.ModuleDict(self.asked), "output": nn.ModuleDict(self.after)}
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, inner)})
        self.ended = _joined(inner, width, norm)
        self.output = nn.ModuleDict(self.ended)

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        rows, places, width = hidden.shape
        query, key, value = (
            self.asked[name](hidden).view(rows, places, self.heads, -1).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        seen = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        seen = seen.transpose(1, 2).reshape(rows, places, width)
        hidden = self.after["LayerNorm"](self.after["dense"](seen) + hidden)
        inner = self.activation(self.intermediate["dense"](hidden))
        ended: torch.Tensor = self.ended["LayerNorm"](self.ended["dense"](inner) + hidden)
        return ended


def _embedding(count: int, width: int) -> nn.Embedding:
    """Vectors that a file will fill: drawing them at random where tensors have no memory would import torch's compiler,
    a second and more in every trial."""
    return nn.Embedding(count, width, _weight=torch.empty(count, width))


def _joined(inputs: int, outputs: int, norm: float) -> dict[str, nn.Module]:
    return {"dense": nn.Linear(inputs, outputs), "LayerNorm": nn.LayerNorm(outputs, eps=norm)}
