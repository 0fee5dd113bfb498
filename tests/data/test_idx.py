"""idx files: whole, packed, parted and lying."""

import gzip
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathometer.data.idx import Pair, idx_table, pair_to_train, partner
from fathometer.data.sources import read_table
from fathometer.errors import UnreadableData

DATA = Path(os.environ.get("FATHOMETER_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
FASHION = DATA / "images/fashion_mnist"
PIXELS = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
CODES = np.array([7, 0, 9], dtype=np.uint8)


def idx(values: npt.NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def write(folder: Path, part: str, count: int = 3, packed: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    for name, values in (("images-idx3", PIXELS[:count]), ("labels-idx1", CODES[:count])):
        path = folder / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(idx(values), mtime=0) if packed else idx(values))
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_either_file_and_the_folder_give_the_same_table(tmp_path: Path, packed: bool) -> None:
    folder = write(tmp_path / "mnist", "train", packed=packed)
    for source in (*sorted(folder.iterdir()), folder):
        table = read_table(source)
        assert list(table.frame.columns) == ["picture", "label"] and table.target == "label"
        assert np.array_equal(np.stack(list(table.frame["picture"])), PIXELS)
        assert table.frame["picture"][0].dtype == np.uint8
        assert list(table.frame["label"]) == ["7", "0", "9"] and table.origin == source.name


def test_a_zip_of_idx_files_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "mnist", "train", packed=True)
    with zipfile.ZipFile(tmp_path / "mnist.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"deep/{path.name}")
    assert list(read_table(tmp_path / "mnist.zip").frame["label"]) == ["7", "0", "9"]


def test_of_train_and_test_the_first_is_read_and_the_other_told(tmp_path: Path) -> None:
    write(tmp_path / "mnist", "t10k", 2)
    table = read_table(write(tmp_path / "mnist", "train"))
    assert len(table.frame) == 3
    assert any("t10k-images-idx3-ubyte" in note and "fathom predict" in note for note in table.notes)


def test_pictures_without_labels_have_no_target(tmp_path: Path) -> None:
    folder = write(tmp_path / "mnist", "train")
    (folder / "train-labels-idx1-ubyte").unlink()
    for source in (folder, folder / "train-images-idx3-ubyte"):
        table = read_table(source)
        assert list(table.frame.columns) == ["picture"] and table.target is None
        assert "no file of labels" in table.notes[-1]


def test_labels_without_pictures_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "mnist", "train")
    (folder / "train-images-idx3-ubyte").unlink()
    with pytest.raises(UnreadableData, match="beside train-labels-idx1-ubyte"):
        read_table(folder / "train-labels-idx1-ubyte")


def test_a_partner_that_is_a_link_out_of_the_folder_is_not_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "mnist", "train")
    (tmp_path / "labels").write_bytes(idx(CODES))
    (folder / "train-labels-idx1-ubyte").unlink()
    (folder / "train-labels-idx1-ubyte").symlink_to(tmp_path / "labels")
    assert read_table(folder / "train-images-idx3-ubyte").target is None
    assert read_table(folder).target is None


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (idx(PIXELS)[:-1], idx(CODES), "says that it holds 3 x 4 x 5 bytes, but there are 59"),
        (idx(PIXELS) + b"x", idx(CODES), "there are 61"),
        (idx(PIXELS), idx(CODES)[:-1], "says that it holds 3 bytes, but there are 2"),
        (idx(PIXELS), idx(CODES[:2]), "3 pictures .* 2 labels"),
        (idx(CODES), idx(CODES), "does not begin as one"),
        (b"\0\0\x08\x03\0\0", idx(CODES), "does not begin as one"),
        (b"\0\0\x08\x03" + b"\xff" * 12, idx(CODES), "says that it holds 4,294,967,295"),
        (idx(PIXELS[:0]), idx(CODES[:0]), "says that it holds 0 x"),
        (b"", b"", "does not begin as one"),
    ],
)
def test_lies_are_refused_in_a_sentence(images: bytes, labels: bytes, words: str) -> None:
    with pytest.raises(UnreadableData, match=words):
        idx_table(images, labels, Pair("images", "labels"), "test")


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(tail: bytes) -> None:
    try:
        table = idx_table(b"\0\0\x08\x03" + tail, None, Pair("a", None), "test")
    except UnreadableData as error:
        assert str(error)
    else:
        assert sum(picture.size for picture in table.frame["picture"]) == len(tail) - 12


@pytest.mark.parametrize(
    "name", ["train-images-idx3-ubyte", "emnist-letters-test-labels-idx1-ubyte.gz", "a/b/images.idx3-ubyte"]
)
def test_the_partner_of_the_partner_is_the_file(name: str) -> None:
    other = name.translate(str.maketrans("", ""))
    other = (
        other.replace("images", "labels").replace("idx3", "idx1")
        if "images" in name
        else other.replace("labels", "images").replace("idx1", "idx3")
    )
    names = [name, other, "readme"]
    assert partner(name, names) == other and partner(other, names) == name
    assert partner(name, [name]) is None


def test_where_several_parts_may_be_meant_one_is_asked_for() -> None:
    names = [f"emnist-{part}-train-images-idx3-ubyte" for part in ("letters", "digits")]
    with pytest.raises(UnreadableData, match="Name one"):
        pair_to_train(names)


@pytest.mark.skipif(not FASHION.exists(), reason="the development data is not here")
def test_real_clothes() -> None:
    table = read_table(FASHION / "t10k-images-idx3-ubyte.gz")
    assert table.frame.shape == (10_000, 2) and table.frame["picture"][0].shape == (28, 28)
    assert set(table.frame["label"].value_counts()) == {1000}
