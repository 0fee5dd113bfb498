"""Small encoders with random weights, in the forms that users have."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fathometer.core.pictures import PictureArray, digest_of

TEXT = "[PAD] [UNK] [CLS] [SEP] red green blue one two three cat dog house tree . , ! a b c d e f g"
WORDS = TEXT.split()


def text_folder(folder: Path, *, pooling: bool = True) -> Path:
    """A BERT of two layers, saved by transformers, with a tokenizer of a few words."""
    transformers = pytest.importorskip("transformers", reason="needs the extra 'text'")
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=80,
    )
    transformers.BertModel(config).save_pretrained(folder)
    write_tokenizer(folder)
    if pooling:
        (folder / "1_Pooling").mkdir()
        asked = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(asked))
        kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
        modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds]
        (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\ndatasets:\n- one\n- two\n---\n# A model\n")
    return folder


def write_tokenizer(folder: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="needs the extra 'text'")
    made = tokenizers.Tokenizer(
        tokenizers.models.WordPiece({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    made.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    made.save(str(folder / "tokenizer.json"))


def picture_folder(folder: Path) -> Path:
    """A ViT of two layers for pictures of 16 by 16."""
    transformers = pytest.importorskip("transformers", reason="needs the extra 'text'")
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=16,
        patch_size=8,
        num_channels=3,
    )
    transformers.ViTModel(config).save_pretrained(folder)
    prepared = {
        "size": {"height": 16, "width": 16},
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.2, 0.3, 0.4],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(prepared))
    return folder


def onnx_text_folder(folder: Path) -> Path:
    """An ONNX model that looks a vector up for each token: (rows, places) -> (rows, places, 6)."""
    onnx = pytest.importorskip("onnx", reason="needs the package onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    table = np.random.default_rng(0).normal(size=(len(WORDS), 6)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])],
        "words",
        [helper.make_tensor_value_info("input_ids", kinds.INT64, ["rows", "places"])],
        [helper.make_tensor_value_info("last_hidden_state", kinds.FLOAT, ["rows", "places", 6])],
        [onnx.numpy_helper.from_array(table, "table")],
    )
    folder.mkdir(exist_ok=True)
    _save_onnx(onnx, graph, folder)
    write_tokenizer(folder)
    return folder


def onnx_picture_folder(folder: Path) -> Path:
    """An ONNX model that takes the mean of each channel of 8 by 8 pictures."""
    onnx = pytest.importorskip("onnx", reason="needs the package onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [helper.make_node("GlobalAveragePool", ["pixels"], ["map"])],
        "means",
        [helper.make_tensor_value_info("pixels", kinds.FLOAT, ["rows", 3, 8, 8])],
        [helper.make_tensor_value_info("map", kinds.FLOAT, ["rows", 3, 1, 1])],
    )
    folder.mkdir(exist_ok=True)
    _save_onnx(onnx, graph, folder)
    return folder


def texts(count: int, seed: int = 0) -> pd.Series:
    """Texts of a few words, of different lengths; every ninth is missing."""
    rng = np.random.default_rng(seed)
    made = [" ".join(rng.choice(WORDS[4:], rng.integers(1, 40))) for _ in range(count)]
    return pd.Series([None if place % 9 == 4 else text for place, text in enumerate(made)], dtype=object)


def pictures(count: int, shape: tuple[int, int, int] = (12, 10, 3), seed: int = 0) -> pd.Series:
    """A column of noise; every ninth picture is missing."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    digests = np.array([digest_of(one) for one in pixels], dtype=np.uint64)
    places = np.where(np.arange(count) % 9 == 4, -1, np.arange(count))
    return pd.Series(PictureArray(pixels, digests, places))


def _save_onnx(onnx, graph, folder: Path) -> None:  # type: ignore[no-untyped-def]
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(folder / "model.onnx"))
