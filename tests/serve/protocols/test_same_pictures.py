"""The law of every way to ask holds for pictures too, which are bytes in some and base64 or pixels in others."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd
import PIL.Image
import pytest
from loopback import Loopback
from small_models import make_model

from fathometer.kinds.image import Image
from fathometer.tasks.classification import Classification

SIDE = 12
ROWS = 8

Floats = npt.NDArray[np.float64]


def pixels(count: int, seed: int) -> npt.NDArray[np.uint8]:
    """(count, side, side) grey pictures, bright on the left or on the right."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 120, (count, SIDE, SIDE))
    noise[::2, :, : SIDE // 2] += 120
    noise[1::2, :, SIDE // 2 :] += 120
    return noise.astype(np.uint8)


def png(picture: npt.NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


ASKED = pixels(ROWS, 1)
PICTURES = [png(picture) for picture in ASKED]
CODED = [base64.b64encode(picture).decode() for picture in PICTURES]
WISH = {"output": "probabilities"}


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Loopback:
    """A server of a model of one column of pictures."""
    frame = pd.DataFrame({"picture": pd.Series([png(one) for one in pixels(60, 0)], dtype=object)})
    target = np.arange(60) % 2
    task = Classification("side", "log_loss", 0.01, ("left", "right"))
    folder = tmp_path_factory.mktemp("gallery") / "gallery"
    return Loopback(make_model(folder, frame, target, task, {"picture": "image"}, ("linear",)))


@pytest.fixture(scope="module")
def wanted(gallery: Loopback) -> Floats:
    told = gallery.desk.bundle.predict(pd.DataFrame({"picture": pd.Series(PICTURES, dtype=object)}))
    numbers = told[["probability_left", "probability_right"]].to_numpy(dtype=np.float64)
    assert (numbers[::2, 0] > 0.5).all() and (numbers[1::2, 1] > 0.5).all()
    return numbers


def native(gallery: Loopback) -> Any:
    answer = gallery.post("/predict", {"rows": [{"picture": {"b64": code}} for code in CODED]})
    return [[row["probabilities"][side] for side in ("left", "right")] for row in answer.json["rows"]]


def kserve(gallery: Loopback, instances: list[Any]) -> Any:
    body = {"instances": instances, "parameters": WISH}
    return gallery.post("/v1/models/gallery:predict", body).json["predictions"]


def mlflow(gallery: Loopback, body: Any, kind: str = "application/json") -> Any:
    return gallery.post("/invocations?output=probabilities", body, content_type=kind).json["predictions"]


def parquet() -> bytes:
    stream = io.BytesIO()
    pd.DataFrame({"picture": PICTURES}).to_parquet(stream)
    return stream.getvalue()


def infer(gallery: Loopback, told: dict[str, Any], tail: bytes | None = None) -> Any:
    head = orjson.dumps({"inputs": [{"name": "picture"} | told]})
    headers = {} if tail is None else {"inference-header-content-length": str(len(head))}
    answer = gallery.ask("POST", "/v2/models/gallery/infer", head + (tail or b""), headers)
    assert answer.status == 200, answer.body
    return np.array(answer.json["outputs"][1]["data"]).reshape(-1, 2)


def in_bytes(cells: list[bytes], **parameters: Any) -> tuple[dict[str, Any], bytes]:
    tail = b"".join(len(cell).to_bytes(4, "little") + cell for cell in cells)
    told = {"datatype": "BYTES", "shape": [len(cells)]}
    return told | {"parameters": {"binary_data_size": len(tail)} | parameters}, tail


def in_pixels(gallery: Loopback) -> Any:
    told = {"datatype": "UINT8", "shape": [ROWS, SIDE, SIDE]}
    return infer(gallery, told | {"parameters": {"binary_data_size": ASKED.size}}, ASKED.tobytes())


def one_by_one(gallery: Loopback) -> Any:
    headers = {"inference-header-content-length": "0"}
    answers = [gallery.ask("POST", "/v2/models/gallery/infer", one, headers) for one in PICTURES]
    return [answer.json["outputs"][1]["data"] for answer in answers]


WAYS: Mapping[str, Callable[[Loopback], Any]] = {
    "native": native,
    "kserve v1, objects": lambda gallery: kserve(gallery, [{"picture": {"b64": code}} for code in CODED]),
    "kserve v1, lists": lambda gallery: kserve(gallery, [[{"b64": code}] for code in CODED]),
    "kserve v1, alone": lambda gallery: kserve(gallery, [{"b64": code} for code in CODED]),
    "mlflow": lambda gallery: mlflow(gallery, {"inputs": {"picture": CODED}}),
    "csv": lambda gallery: mlflow(gallery, "\n".join(["picture", *CODED]).encode(), "text/csv"),
    "parquet": lambda gallery: mlflow(gallery, parquet(), "application/x-parquet"),
    "tensors in JSON": lambda gallery: infer(gallery, {"datatype": "BYTES", "shape": [ROWS], "data": CODED}),
    "tensors in bytes": lambda gallery: infer(gallery, *in_bytes(PICTURES)),
    "tensors of base64": lambda gallery: infer(
        gallery, *in_bytes([code.encode() for code in CODED], content_type="base64")
    ),
    "pixels": in_pixels,
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_pictures_get_bit_equal_answers(way: str, gallery: Loopback, wanted: Floats) -> None:
    assert np.array(WAYS[way](gallery), dtype=np.float64).tobytes() == wanted.tobytes()


def test_a_picture_may_be_the_whole_body(gallery: Loopback, wanted: Floats) -> None:
    np.testing.assert_allclose(one_by_one(gallery), wanted, rtol=0, atol=1e-6)


def test_pictures_of_too_many_pixels_together_are_refused_before_one_is_decoded(
    gallery: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    monkeypatch.setattr(Image, "read", lambda *_: decoded.append(1))
    blank = io.BytesIO()
    PIL.Image.new("P", (5_000, 5_000)).save(blank, "PNG")
    row = {"picture": {"b64": base64.b64encode(blank.getvalue()).decode()}}
    for path, body in (
        ("/predict", {"rows": [row] * 9}),
        ("/explain", {"rows": [row] * 9, "permutations": 2}),
        ("/v1/models/gallery:predict", {"instances": [row] * 9}),
        ("/v1/models/gallery:predict", {"instances": [{" picture ": row["picture"]}] * 9}),
    ):
        answer = gallery.post(path, body)
        assert answer.status == 413 and b"megapixels" in answer.body, answer.body
    assert decoded == []
