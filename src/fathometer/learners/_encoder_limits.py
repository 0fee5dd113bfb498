"""What is looked at in the files of an encoder, which may be a stranger's, before any library sees them.

Weights are safetensors and are checked where a network is filled. Here: the configuration, by which a library would
make a network of any size; the tokenizer, whose patterns a library would search for as long as they take; and the graph
of an ONNX model, as far as it could name other files, bring operators of its own, or run without end. The graph is read
here by the rules of protobuf [1], of which it needs little, so that no parser of another library sees it first.

[1] https://protobuf.dev/programming-guides/encoding/, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fathometer.core.strict_json import parse_json
from fathometer.errors import UserError

LARGEST_TOKENIZER = 1 << 26  # bytes
LARGEST_GRAPH = (1 << 31) - 1  # bytes: protobuf's own limit
LARGEST_NUMBER = 10_000_000  # in a configuration: more than any vocabulary has words
MOST_LAYERS = 256
DEEPEST = 8  # graphs in graphs
DEEPEST_KEY = 64  # of a configuration
MOST_NODES = 200_000
ORT_MARK = (
    b"ORTM"  # at the fifth byte: what onnxruntime reads as its own format, in which nothing is looked at here
)
ENDLESS = frozenset({"Loop", "Scan"})
STANDARD = frozenset({b"", b"ai.onnx", b"ai.onnx.ml"})
MICROSOFT = b"com.microsoft"
FUSED = frozenset(
    {
        "Attention",
        "BiasGelu",
        "BiasSplitGelu",
        "DynamicQuantizeLSTM",
        "DynamicQuantizeMatMul",
        "EmbedLayerNormalization",
        "FastGelu",
        "FusedConv",
        "FusedGemm",
        "FusedMatMul",
        "Gelu",
        "MatMulIntegerToFloat",
        "MatMulNBits",
        "MultiHeadAttention",
        "QAttention",
        "QEmbedLayerNormalization",
        "QGemm",
        "QLinearAdd",
        "QLinearGlobalAveragePool",
        "QLinearLeakyRelu",
        "QLinearMul",
        "QLinearSigmoid",
        "QuickGelu",
        "RotaryEmbedding",
        "SimplifiedLayerNormalization",
        "SkipLayerNormalization",
        "SkipSimplifiedLayerNormalization",
    }
)
"""Operators of onnxruntime's own that its optimiser puts into encoders of texts and pictures."""

CONTRACTED = "'s|'t|'re|'ve|'m|'ll|'d"
GPT2 = CONTRACTED + r"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    f"(?i:{CONTRACTED})"
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
KNOWN_PATTERNS = frozenset({GPT2, LLAMA3, LLAMA3.replace("{1,3}", "")})
"""Of tokenizers in wide use, which were searched for without harm in all the texts of the world."""
ESCAPED = re.compile(r"\\[pP]\{[^{}]*\}|\\.", re.DOTALL)
REFERRING = re.compile(r"\\[0-9kgGKRXx]")
OF_SIGNS = re.compile(r"\[\^?[^\[\]^&]+\]")
CHOOSING = re.compile(
    "^(?:auto_map|custom_pipelines|quantization_config)$|experts_implementation|attn_implementation(?!_autoset)"
)
USUAL_PARTS = (None, "eager", "sdpa")
FIELDS_OF_LAYERS = re.compile("(?:^|_)(?:layers?|depths?|blocks)$")


def check_configuration(config: Mapping[str, Any], folder: Path) -> None:
    """Whether a network of this configuration can be of a usual size, and is made of the library's own parts.

    Raises:
        UserError: it cannot, or is not.
    """
    for name, value in _keys(config, 0):
        is_usual = value in USUAL_PARTS if "attn_implementation" in name else not value
        if CHOOSING.search(name) and not is_usual:
            raise UserError(
                f"{folder / 'config.json'} chooses code or weights of another form ({name}), which is never done. "
                "Take an encoder of a standard architecture."
            )
    for name, value in _numbers(config, "", 0):
        limit = MOST_LAYERS if FIELDS_OF_LAYERS.search(name) else LARGEST_NUMBER
        if abs(value) > limit and "token_id" not in name and value != 1e30:
            raise UserError(
                f"{folder / 'config.json'} says {name} = {value:g}, and {limit:,} is the most. Take another encoder."
            )


def check_tokenizer(path: Path) -> None:
    """Whether a tokenizer is of a usual size, and searches for nothing that could take without end.

    Raises:
        UserError: it is not.
    """
    if path.stat().st_size > LARGEST_TOKENIZER:
        raise UserError(
            f"{path} is larger than {LARGEST_TOKENIZER:,} bytes, as no tokenizer is. Take another encoder."
        )
    try:
        described = parse_json(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path} cannot be read: {error}. Copy the folder again.") from error
    for pattern in _patterns(described):
        if pattern not in KNOWN_PATTERNS and not is_plain(pattern):
            raise UserError(
                f"{path} splits texts by a pattern that could take for ever ({pattern[:80]!r}). Take another encoder."
            )


def is_plain(pattern: str) -> bool:
    """Whether the time that a search for a pattern takes grows no faster than the square of a text's length.

    So it is where nothing is repeated as a group, nothing refers back, and no alternative repeats more than one thing.
    """
    if len(pattern) > 1_000 or REFERRING.search(pattern):
        return False
    # an escaped sign, and then a class of signs, is one sign as any other
    bare = OF_SIGNS.sub("x", ESCAPED.sub("x", pattern))
    repeats = (len(re.findall(r"[*+{]", part)) for part in bare.split("|"))
    return not re.search(r"[()\[\]]", bare) and all(count <= 1 for count in repeats)


def check_graph(raw: bytes, path: Path) -> None:
    """Whether an ONNX model keeps to itself: no other files, no operators or functions of its own, no loops.

    Raises:
        UserError: it does not.
    """
    try:
        _check_model(memoryview(raw))
    except ValueError as error:
        raise UserError(f"{path} cannot be run: {error}. Export the model again.") from error


def _check_model(model: memoryview) -> None:
    if len(model) > LARGEST_GRAPH:
        raise ValueError("it is larger than two gigabytes")
    if model[4:8] == ORT_MARK:
        raise ValueError("it is in onnxruntime's own format")
    nodes = [0]
    graphs = 0
    for field, value in _fields(model):
        if field == 7:  # graph
            graphs += 1
            _check_graph(_part(value), nodes, 0)
        elif field == 25:  # functions
            raise ValueError("it brings functions of its own")
        elif field == 20:  # training_info
            raise ValueError("it is made for training")
    if graphs != 1:
        raise ValueError("it has no graph, or several")


def _check_graph(graph: memoryview, nodes: list[int], depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError("its graphs lie too deep in each other")
    for field, value in _fields(graph):
        if field == 1:  # node
            nodes[0] += 1
            if nodes[0] > MOST_NODES:
                raise ValueError(f"it has more than {MOST_NODES:,} nodes")
            _check_node(_part(value), nodes, depth)
        elif field == 5:  # initializer
            _check_tensor(_part(value))
        elif field == 15:  # sparse_initializer: values, indices
            for inner, tensor in _fields(_part(value)):
                if inner in (1, 2):
                    _check_tensor(_part(tensor))


def _check_node(node: memoryview, nodes: list[int], depth: int) -> None:
    operator, domain = "", b""
    for field, value in _fields(node):
        if field == 4:
            operator = bytes(_part(value)).decode("utf-8", "replace")
        elif field == 7:
            domain = bytes(_part(value))
        elif field == 5:  # attribute: one tensor, tensors, one graph, graphs, sparse tensors
            for inner, part in _fields(_part(value)):
                if inner in (5, 10):
                    _check_tensor(_part(part))
                elif inner in (6, 11):
                    _check_graph(_part(part), nodes, depth + 1)
                elif inner in (22, 23):
                    raise ValueError("it holds sparse attributes")
    if operator in ENDLESS:
        raise ValueError(f"it could run without end ({operator})")
    if domain not in STANDARD and not (domain == MICROSOFT and operator in FUSED):
        shown = domain.decode("utf-8", "replace")[:60]
        raise ValueError(f"it wants an operator that is not a standard one ({operator[:60]} of {shown})")


def _check_tensor(tensor: memoryview) -> None:
    for field, value in _fields(tensor):
        if field == 13 or (field == 14 and value != 0):  # external_data, data_location
            raise ValueError("it keeps its numbers in another file")


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of each field of a protobuf message.

    Raises:
        ValueError: it is none.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        field, wire = key >> 3, key & 7
        if field == 0:  # which protobuf does not know
            raise ValueError("it is damaged")
        if wire == 0:
            value, at = _varint(message, at)
            yield field, value
            continue
        if wire == 2:
            size, at = _varint(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError("it is damaged")
        if size > len(message) - at:
            raise ValueError("it is cut off")
        yield field, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("it is damaged")


def _part(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("it is damaged")
    return value


def _numbers(value: Any, name: str, depth: int) -> Iterator[tuple[str, float]]:
    """Every number in a configuration, and the name of the innermost key it stands under."""
    if isinstance(value, bool) or depth > 16:
        return
    if isinstance(value, int | float):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(inner, str(key), depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner, name, depth + 1)


def _keys(value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Every key in a configuration, and what stands under it."""
    if isinstance(value, Mapping) and depth <= DEEPEST_KEY:
        for key, inner in value.items():
            yield str(key), inner
            yield from _keys(inner, depth + 1)
    elif isinstance(value, list) and depth <= DEEPEST_KEY:
        for inner in value:
            yield from _keys(inner, depth + 1)


def _patterns(value: Any) -> Iterator[str]:
    """Every regular expression in a tokenizer."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Regex" and isinstance(inner, str):
                yield inner
            else:
                yield from _patterns(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _patterns(inner)
