"""Encoders that come as one ONNX model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fathometer.core.files import read_json
from fathometer.data.encoder_files import TEXT, onnx_file
from fathometer.errors import UserError
from fathometer.learners._encoder_limits import check_graph
from fathometer.learners._encoder_pictures import PictureReader, View, pooled_places
from fathometer.learners._encoder_reading import Floats, Reader, needed
from fathometer.learners._encoder_texts import TextReader


class OnnxTextReader(TextReader):
    """Tokens in, one vector a token or a text out."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.session = session(folder)
        self.inputs = {one.name for one in self.session.get_inputs()}
        unknown = sorted(self.inputs - {"input_ids", "attention_mask", "token_type_ids"})
        if unknown or "input_ids" not in self.inputs:
            raise UserError(
                f"The ONNX model in {folder} should take input_ids, attention_mask and token_type_ids; it takes "
                f"{', '.join(sorted(self.inputs))}. Export it as an encoder of texts."
            )
        blank = np.full((1, 4), self.padding, dtype=np.int64)
        self.width = self.vectors(blank, np.ones((1, 4), dtype=bool)).shape[1]

    def vectors(self, tokens: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]) -> Floats:
        given = {
            "input_ids": tokens,
            "attention_mask": known.astype(np.int64),
            "token_type_ids": np.zeros_like(tokens),
        }
        answer = self.session.run(None, {name: given[name] for name in self.inputs})[0]
        if answer.ndim != 3:
            return np.asarray(answer, dtype=np.float32).reshape(len(tokens), -1)
        vectors: Floats = self.finished(torch.from_numpy(answer), torch.from_numpy(known)).numpy()
        return vectors


class OnnxPictureReader(PictureReader):
    """Pixels in (rows, channels, height, width), one vector a picture or a place out."""

    def __init__(self, folder: Path) -> None:
        self.session = session(folder)
        taken = self.session.get_inputs()
        shape = list(taken[0].shape)
        if len(taken) != 1 or len(shape) != 4 or taken[0].type != "tensor(float)":
            raise UserError(
                f"The ONNX model in {folder} should take (rows, channels, height, width) of float; it takes "
                f"{', '.join(f'{one.name} {one.shape} {one.type}' for one in taken)}. Export it that way."
            )
        path = folder / "preprocessor_config.json"
        config: dict[str, Any] = {"num_channels": shape[1]} if isinstance(shape[1], int) else {}
        if isinstance(shape[2], int) and isinstance(shape[3], int):
            config["image_size"] = [shape[2], shape[3]]
        super().__init__(View.of(config, read_json(path) if path.exists() else {}))
        self.name = taken[0].name
        blank = np.zeros((1, self.view.height, self.view.width, self.view.channels), dtype=np.uint8)
        self.width = self.vectors(self.view.show(blank)).shape[1]

    def vectors(self, shown: torch.Tensor) -> Floats:
        return pooled_places(self.session.run(None, {self.name: shown.numpy()})[0])


def onnx_reader(folder: Path, kind: str) -> Reader:
    """The reader of an ONNX model's folder.

    Raises:
        UserError: it takes other inputs than an encoder of this kind.
        MissingExtra: ONNX models cannot be run here.
    """
    return OnnxTextReader(folder) if kind == TEXT else OnnxPictureReader(folder)


def session(folder: Path) -> Any:
    """A model ready to run, on one thread.

    It is handed over as bytes, after its graph was looked at, so that nothing in it could name another file to read.

    Raises:
        UserError: the file cannot be run.
    """
    runtime = needed("onnxruntime", "An ONNX model", "onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # bytes can be two things: what was looked at as protobuf must not be read in the runtime's own format
    options.add_session_config_entry("session.load_model_format", "ONNX")
    path = onnx_file(folder)
    raw = path.read_bytes()
    check_graph(raw, path)
    try:
        return runtime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's own errors have no common class but this
        told = str(error).strip().splitlines()[0][:200]
        raise UserError(f"{path} cannot be run: {told}. Export the model again.") from error
