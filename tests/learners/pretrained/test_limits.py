"""What is looked at in an encoder's files before a library sees them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from fathometer.errors import UserError
from fathometer.learners import _encoder_onnx
from fathometer.learners._encoder_limits import (
    GPT2,
    LLAMA3,
    check_configuration,
    check_graph,
    check_tokenizer,
    is_plain,
)
from fathometer.learners._encoder_onnx import session

PLAIN = [" ", r"\s+", r"\d", r"[^\s]+|\p{L}+", "##", r" ?\p{N}{1,3}|'s|[A-Z]+", r"\[CLS\]|\[SEP\]"]
DANGEROUS = [
    "(a+)+$",
    r"(a|a)*b",
    r"\s*\s*\s*x",
    r"(\w+)\1",
    r"\[(a+)+\]]",
    r"[](a+)+]",
    r"(?x) a",
    r"[a[b]]+(c+)+",
    "a*" * 400,
    r"\G+x",
]


@pytest.mark.parametrize("pattern", PLAIN)
def test_a_plain_pattern_is_taken(pattern: str) -> None:
    assert is_plain(pattern)


@pytest.mark.parametrize("pattern", DANGEROUS)
def test_a_pattern_that_could_take_for_ever_is_refused(pattern: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(
        json.dumps({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": pattern}}}), encoding="utf-8"
    )
    with pytest.raises(UserError, match="for ever"):
        check_tokenizer(path)


def test_the_patterns_of_known_tokenizers_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    for pattern in (GPT2, LLAMA3):
        path.write_text(json.dumps({"pre_tokenizer": [{"pattern": {"Regex": pattern}}]}), encoding="utf-8")
        check_tokenizer(path)


def test_a_configuration_of_an_unheard_of_size_is_refused() -> None:
    check_configuration({"hidden_size": 384, "vocab_size": 250_002, "layer_norm_eps": 1e-12}, Path("folder"))
    for key, value in (
        ("hidden_size", 10**9),
        ("num_hidden_layers", 10**5),
        ("vision", {"depth": [2, 10**6]}),
    ):
        with pytest.raises(UserError, match="the most"):
            check_configuration({key: value}, Path("folder"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("auto_map", {"AutoModel": "code.Model"}),
        ("quantization_config", {"quant_method": "fp8"}),
        ("attn_implementation", "kernels-community/flash-attn"),
        ("_attn_implementation", "flash_attention_2"),
        ("_attn_implementation_internal", "someone/kernel"),
        ("attn_implementation", {"vision_config": "someone/kernel"}),
        ("experts_implementation", "someone/kernel"),
        ("_experts_implementation", "grouped_mm"),
    ],
)
def test_a_configuration_that_chooses_code_of_others_is_refused(key: str, value: object) -> None:
    for config in ({key: value}, {"vision_config": {key: value}}, {"parts": [{key: value}]}):
        with pytest.raises(UserError, match="never done"):
            check_configuration(config, Path("folder"))


@pytest.mark.parametrize("value", [None, "eager", "sdpa"])
def test_a_configuration_may_name_the_usual_ways(value: str | None) -> None:
    config = {
        "_attn_implementation": value,
        "quantization_config": None,
        "_attn_implementation_autoset": True,
    }
    check_configuration(config, Path("folder"))


def varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def message(*fields: tuple[int, bytes | str | int]) -> bytes:
    """A message of protobuf."""
    found = b""
    for number, value in fields:
        if isinstance(value, int):
            found += varint(number << 3) + varint(value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            found += varint(number << 3 | 2) + varint(len(raw)) + raw
    return found


def model(*nodes: bytes, tensors: tuple[bytes, ...] = (), further: bytes = b"") -> bytes:
    graph = message(*((1, node) for node in nodes), *((5, tensor) for tensor in tensors))
    return message((1, 8), (7, graph)) + further


def node(operator: str, domain: str = "", attribute: bytes | None = None) -> bytes:
    return message((4, operator), (7, domain), *(((5, attribute),) if attribute is not None else ()))


TENSOR = message((1, 2), (2, 1), (9, struct.pack("<2f", 1.0, 2.0)))
AWAY = message((1, 2), (2, 1), (13, message((1, "location"), (2, "../../etc/passwd"))), (14, 1))
INNER = message((1, "body"), (6, message((1, node("Loop")))))
REFUSED = {
    "numbers in another file": model(node("Gemm"), tensors=(AWAY,)),
    "numbers in another file, in an attribute": model(
        node("Constant", attribute=message((1, "value"), (5, AWAY)))
    ),
    "an operator of its own": model(node("Evil", "com.evil")),
    "an unknown one of onnxruntime": model(node("PythonOp", "com.microsoft")),
    "a loop": model(node("Loop")),
    "a loop within": model(node("If", attribute=INNER)),
    "functions": model(node("Gemm"), further=message((25, message((1, "own"))))),
    "training": model(node("Gemm"), further=message((20, b"x"))),
    "no graph": message((1, 8)),
    "two graphs": model(node("Gemm")) + model(node("Gemm")),
    "cut off": model(node("Gemm"), tensors=(TENSOR,))[:-3],
    "a field that cannot be": message((1, 8), (0, 7)) + model(node("Gemm")),
    "another format as well": message((1, 8), (9, 7))[:4] + b"ORTM" + model(node("Gemm")),
    "the mark of another format in a sound file": b"\x08\x08\x42\x04ORTM" + model(node("Gemm")),
    "no protobuf": b"\xff" * 40,
    "nothing": b"",
}


def test_a_usual_graph_is_taken() -> None:
    check_graph(model(node("Gemm"), node("Gelu", "com.microsoft"), tensors=(TENSOR,)), Path("model.onnx"))


def test_the_runtime_takes_nothing_for_its_own_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="encoders as ONNX are an extra")
    onnx = pytest.importorskip("onnx", reason="models are made with it here")
    shape = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["rows"])
    there = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["rows"])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["x"], ["y"])], "g", [shape], [there])
    path = tmp_path / "model.onnx"
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path
    )
    assert session(tmp_path).run(None, {"x": np.ones(2, dtype=np.float32)})[0].tolist() == [-1.0, -1.0]
    options = runtime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "other")
    options.add_session_config_entry("session.save_model_format", "ORT")
    runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    path.write_bytes((tmp_path / "other").read_bytes())
    assert path.read_bytes()[4:8] == b"ORTM"
    runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])  # as it would be read
    with pytest.raises(UserError, match="cannot be run"):
        session(tmp_path)
    monkeypatch.setattr(_encoder_onnx, "check_graph", lambda raw, path: None)
    with pytest.raises(UserError, match="cannot be run"):
        session(tmp_path)


@pytest.mark.parametrize("what", REFUSED)
def test_a_graph_that_does_not_keep_to_itself_is_refused(what: str) -> None:
    with pytest.raises(UserError, match="cannot be run"):
        check_graph(REFUSED[what], Path("model.onnx"))
