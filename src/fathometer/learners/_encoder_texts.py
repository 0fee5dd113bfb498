"""Texts through a pre-trained encoder of tokens."""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import nn

from fathometer.core.files import read_json
from fathometer.errors import UserError
from fathometer.learners._bert import Bert
from fathometer.learners._encoder_limits import check_configuration, check_tokenizer
from fathometer.learners._encoder_reading import Floats, Reader, needed, pooled_tokens

LENGTHS = (256, 128, 64, 32)  # tokens of a text that are read at most
WIDTHS = (8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512)
"""Places in a batch. A text's own length decides which: what it is read with must not change its numbers."""
TOKENS_TOGETHER = 2048
UNUSED = 50_000_000  # weights that a configuration may ask for and files lack
SIGNS_PER_TOKEN = 24  # a text is cut here first: a cell of a megabyte is not taken apart for 256 tokens
POOLING = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "sqrt",
}

Tokens = list[list[int]]


class TextReader(Reader):
    """Tokenises, reads texts of about one length together, and makes one vector of each text's."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = _tokenizer(folder)
        self.pooling, self.normalises = _pooling(folder)
        self.config = read_json(folder / "config.json") if (folder / "config.json").exists() else {}
        longest = _longest(folder, self.config)
        self.lengths = tuple(length for length in LENGTHS if length <= longest) or (longest,)
        self.padding = int(self.config.get("pad_token_id") or 0)

    @abstractmethod
    def vectors(self, tokens: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]) -> Floats:
        """(rows, places) tokens, and which of them are there -> (rows, width)."""

    def embed(self, values: pd.Series, length: int) -> Floats:
        texts = [text if isinstance(text, str) else None for text in values]
        there = [position for position, text in enumerate(texts) if text is not None]
        tokens = self.tokens([texts[position] or "" for position in there], length)
        rows = np.zeros((len(texts), self.width), dtype=np.float32)
        for some, padded, known in batches(tokens, self.padding):
            rows[[there[i] for i in some]] = self.vectors(padded, known)
        return rows

    def work(self, values: pd.Series, length: int) -> float:
        texts = [text if isinstance(text, str) else "" for text in values]
        return float(sum(place_width(len(tokens)) for tokens in self.tokens(texts, length)))

    def tokens(self, texts: list[str], length: int) -> Tokens:
        """Each text's tokens, at most `length` of them; one thread, unlike the library's own batches."""
        try:
            self.tokenizer.enable_truncation(max_length=length)
            return [self.tokenizer.encode(text[: length * SIGNS_PER_TOKEN]).ids for text in texts]
        except BaseException as error:  # as above
            if not _is_of_library(error):
                raise
            raise UserError(
                f"The encoder's tokenizer cannot read a text: {error}. Take another encoder."
            ) from error

    def finished(self, hidden: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """(rows, places, width) -> (rows, width), as the encoder's files ask."""
        vectors: torch.Tensor = pooled_tokens(hidden, known, self.pooling)
        return nn.functional.normalize(vectors, dim=1) if self.normalises else vectors


class TorchTextReader(TextReader):
    """An encoder in the form of Hugging Face, run by torch.

    coarse: whether matrices are multiplied in bfloat16.
    """

    def __init__(self, folder: Path, coarse: bool) -> None:
        super().__init__(folder)
        self.network = read_network(folder, self.config)
        self.coarse = coarse
        if coarse:
            make_coarse(self.network)
        self._know_width()

    @classmethod
    def trained_further(cls, folder: Path, network: nn.Module, coarse: bool) -> Self:
        """The encoder of this folder with another network, made coarse from now on where it is to be."""
        reader = cls.__new__(cls)
        TextReader.__init__(reader, folder)
        reader.network, reader.coarse = network.eval(), coarse
        if coarse:
            make_coarse(network)
        reader._know_width()
        return reader

    def _know_width(self) -> None:
        self.width = int(self.config.get("hidden_size") or self.config.get("d_model") or self.config["dim"])

    def vectors(self, tokens: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]) -> Floats:
        there = torch.from_numpy(known)
        with torch.inference_mode(), coarsely(self.coarse):
            hidden = self.network(torch.from_numpy(tokens), there)
        vectors: Floats = self.finished(hidden, there).numpy()
        return vectors


class Standard(nn.Module):
    """An encoder run by the library `transformers`, whose own code alone is used."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, tokens: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        answer = self.inner(input_ids=tokens, attention_mask=known.long())
        hidden: torch.Tensor = answer.last_hidden_state
        return hidden


def read_network(folder: Path, config: Mapping[str, Any]) -> nn.Module:
    """The network of tokens in this folder, at rest; nothing but safetensors is read.

    Raises:
        UserError: its weights do not fit its configuration.
        MissingExtra: it needs `transformers`.
    """
    check_configuration(config, folder)
    if Bert.reads(config) and (folder / "model.safetensors").exists():
        return _filled(config, load_file(folder / "model.safetensors"), folder).eval()
    inner = standard_network(folder)
    return Standard(inner.get_encoder() if config.get("is_encoder_decoder") else inner).eval()


def standard_network(folder: Path) -> Any:
    """A network that `transformers` makes of a folder: no network connection, no code but the library's.

    Raises:
        UserError: the library cannot.
        MissingExtra: it is not installed.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the library is imported
    library = needed("transformers", "This encoder", "text")
    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # parts that the files lack are drawn at random: always the same
        try:
            _demand_weights(library, folder)
            return library.AutoModel.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False, use_safetensors=True
            ).float()
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            told = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
            raise UserError(f"The encoder in {folder} cannot be loaded: {told}. Take another one.") from error


def batches(
    tokens: Tokens, padding: int
) -> Iterator[tuple[list[int], npt.NDArray[np.int64], npt.NDArray[np.bool_]]]:
    """Texts of about one length together: their positions, padded tokens, and which places hold one."""
    by_width: dict[int, list[int]] = {}
    for position, found in enumerate(tokens):
        by_width.setdefault(place_width(len(found)), []).append(position)
    for width, positions in sorted(by_width.items()):
        step = max(1, TOKENS_TOGETHER // width)
        for start in range(0, len(positions), step):
            some = positions[start : start + step]
            padded = np.full((len(some), width), padding, dtype=np.int64)
            known = np.zeros((len(some), width), dtype=bool)
            for row, position in enumerate(some):
                count = len(tokens[position])
                padded[row, :count] = tokens[position]
                known[row, :count] = True
            known[:, 0] = True  # attention to nothing at all is no number
            yield some, padded, known


def place_width(count: int) -> int:
    """The places that a text of so many tokens gets."""
    return next((width for width in WIDTHS if width >= count), count)


def make_coarse(network: nn.Module) -> None:
    """Keep the matrices in bfloat16, as the processor multiplies them, or each batch would turn them anew."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            module.to(torch.bfloat16)


@contextmanager
def coarsely(on: bool) -> Iterator[None]:
    """Matrices are multiplied in bfloat16 inside, sums are kept in single precision."""
    with torch.autocast("cpu", torch.bfloat16) if on else nullcontext():
        yield


def _demand_weights(library: Any, folder: Path) -> None:
    """What the configuration asks for must be in the files, but for a part that is not used, as a decoder.

    Raises:
        ValueError: a network of this configuration would be far larger.
    """
    config = library.AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        wanted = sum(one.numel() for one in library.AutoModel.from_config(config).parameters())
    there = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    if wanted > there + UNUSED:
        raise ValueError(f"its configuration asks for {wanted:,} weights, and its files have {there:,} bytes")


def _filled(config: Mapping[str, Any], weights: Mapping[str, torch.Tensor], folder: Path) -> nn.Module:
    """Made without memory first: what a configuration claims costs nothing before the weights are seen to be there."""
    if int(config["num_hidden_layers"]) > len(weights):
        raise UserError(f"The weights in {folder} are not those of its configuration. Copy the folder again.")
    try:
        with torch.device("meta"):
            network = Bert(config)
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise UserError(
            f"{folder / 'config.json'} describes no network ({error}). Take another encoder."
        ) from error
    plain = {
        name.removeprefix("bert."): tensor for name, tensor in weights.items() if tensor.is_floating_point()
    }
    wanted = network.state_dict()
    unfit = [
        name for name, tensor in wanted.items() if name not in plain or plain[name].shape != tensor.shape
    ]
    if unfit:
        raise UserError(
            f"The weights in {folder} lack {unfit[0]}, or it has another shape. Copy the folder again."
        )
    network.load_state_dict({name: plain[name].float() for name in wanted}, assign=True)
    return network


def _is_of_library(error: BaseException) -> bool:
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _tokenizer(folder: Path) -> Any:
    library = needed("tokenizers", "An encoder of texts", "text")
    check_tokenizer(folder / "tokenizer.json")
    read: Callable[[str], Any] = library.Tokenizer.from_file
    try:
        tokenizer = read(str(folder / "tokenizer.json"))
    except BaseException as error:  # the library raises nothing narrower, and its panics are no Exception
        if not _is_of_library(error):
            raise
        raise UserError(
            f"{folder / 'tokenizer.json'} cannot be read: {error}. Copy the folder again."
        ) from error
    tokenizer.no_padding()
    return tokenizer


def _pooling(folder: Path) -> tuple[str, bool]:
    """How tokens' vectors become a text's: "mean", "cls", "max" or "sqrt"; and whether it gets length one."""
    if not (folder / "modules.json").exists():
        return "mean", False
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    mode = "mean"
    for one in modules:
        path = folder / str(one["path"]) / "config.json"
        if one["type"].endswith("Pooling") and path.exists():
            config = read_json(path)
            named = str(config.get("pooling_mode", "mean"))
            found = [mode for key, mode in POOLING.items() if config.get(key) is True]
            mode = found[0] if found else named if named in ("cls", "max") else "mean"
    return mode, any(one["type"].endswith("Normalize") for one in modules)


def _longest(folder: Path, config: Mapping[str, Any]) -> int:
    """Tokens that the encoder can read."""
    limits = [LENGTHS[0], int(config.get("max_position_embeddings") or LENGTHS[0])]
    if config.get("model_type") in ("roberta", "xlm-roberta", "mpnet", "camembert"):
        limits[1] -= 2  # their places begin at two
    path = folder / "sentence_bert_config.json"
    if path.exists():
        limits.append(int(read_json(path).get("max_seq_length") or LENGTHS[0]))
    return max(4, min(limits))
