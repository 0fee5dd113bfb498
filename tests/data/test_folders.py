"""Folders and zip archives of pictures and texts: what is taken, what is passed over, what is refused."""

import io
import os
import random
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fathometer.core.attachments import Attachment, UnreadableAttachmentError
from fathometer.data import listing, unpacking
from fathometer.data.folders import layout_of
from fathometer.data.listing import Entry, list_archive, list_folder
from fathometer.data.sources import ReadOptions, read_table
from fathometer.errors import UnknownName, UnreadableData, UserError

DATA = Path(os.environ.get("FATHOMETER_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
FLOWERS = DATA / "images/flowers128.zip"
NAMES = ["daisy/a.jpg", "daisy/b.PNG", "rose/c.jpeg", "rose/deep/er/d.webp", "tulip/e.GIF", "tulip/f.tif"]


def picture(path: Path, shade: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 5, 3), shade, dtype=np.uint8)).save(path)


def folder_of(root: Path, names: list[str]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(f"content of {name}".encode())
    return root


def zip_of(path: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, f"content of {name}")
    return path


def as_pairs(table: object) -> list[tuple[str, str]]:
    return list(zip(table.row_names, table.frame["class"], strict=True))  # type: ignore[attr-defined]


def test_each_folder_is_a_class_and_each_file_a_row(tmp_path: Path) -> None:
    table = read_table(folder_of(tmp_path / "photos", NAMES))
    assert list(table.frame.columns) == ["picture", "class"]
    assert (table.target, table.origin) == ("class", "photos")
    assert as_pairs(table) == [(name, name.split("/")[0]) for name in sorted(NAMES)]
    assert [cell.read() for cell in table.frame["picture"]] == [
        f"content of {name}".encode() for name in table.row_names or ()
    ]


def test_a_folder_and_its_zip_give_the_same_rows(tmp_path: Path) -> None:
    folder = read_table(folder_of(tmp_path / "photos", NAMES))
    archive = read_table(zip_of(tmp_path / "photos.zip", random.Random(0).sample(NAMES, len(NAMES))))
    assert as_pairs(folder) == as_pairs(archive)
    assert [cell.read() for cell in folder.frame["picture"]] == [
        cell.read() for cell in archive.frame["picture"]
    ]


def test_nothing_is_read_before_it_is_needed(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "photos", NAMES)
    table = read_table(root)
    for name in NAMES:
        (root / name).unlink()
    with pytest.raises(UnreadableAttachmentError, match="no such file"):
        table.frame["picture"][0].read()


def test_what_wraps_the_class_folders_is_taken_off(tmp_path: Path) -> None:
    bare = read_table(folder_of(tmp_path / "a", NAMES))
    wrapped = read_table(folder_of(tmp_path / "b", [f"my/photos/{name}" for name in NAMES]))
    assert list(bare.frame["class"]) == list(wrapped.frame["class"])
    assert wrapped.row_names == tuple(f"my/photos/{name}" for name in bare.row_names or ())


def test_what_systems_leave_in_folders_is_no_row_and_no_note(tmp_path: Path) -> None:
    rubbish = [".DS_Store", "daisy/.hidden.jpg", "__MACOSX/daisy/._a.jpg", "rose/Thumbs.db", ".git/x/1.jpg"]
    clean = read_table(folder_of(tmp_path / "a", NAMES))
    for table in (
        read_table(folder_of(tmp_path / "b", NAMES + rubbish)),
        read_table(zip_of(tmp_path / "b.zip", NAMES + rubbish)),
    ):
        assert (as_pairs(table), table.notes) == (as_pairs(clean), clean.notes)


def test_files_that_are_no_pictures_are_counted_and_named(tmp_path: Path) -> None:
    table = read_table(folder_of(tmp_path / "a", [*NAMES, "readme.md", "rose/notes.docx"]))
    assert len(table.frame) == len(NAMES)
    assert any("2 files" in note and "'readme.md'" in note for note in table.notes)


def test_texts_are_decoded_each_in_its_encoding(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "aclImdb", ["pos/2.txt", "neg/3.html"])
    (root / "pos" / "1.txt").write_bytes("déjà vu, très été, œuvre à côté".encode("cp1252"))
    (root / "neg" / "4.txt").write_bytes("naïve \U0001f600".encode("utf-16"))
    (root / "neg" / "5.TXT").write_bytes(b"")
    (root / "neg" / "6.txt").write_bytes(bytes(range(256)) * 40)
    table = read_table(root)
    assert table.target == "class" and list(table.frame.columns) == ["text", "class"]
    texts = dict(zip(table.row_names or (), table.frame["text"], strict=True))
    assert texts["pos/1.txt"] == "déjà vu, très été, œuvre à côté"
    assert texts["neg/4.txt"] == "naïve \U0001f600"
    assert texts["pos/2.txt"] == "content of pos/2.txt" and texts["neg/5.TXT"] == ""
    assert pd.isna(texts["neg/6.txt"])
    assert any("1 text that cannot be read" in note and "6.txt" in note for note in table.notes)


def test_an_unknown_encoding_of_texts_is_said(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "a", ["pos/2.txt", "neg/3.txt"])
    with pytest.raises(UnknownName, match="encoding"):
        read_table(root, ReadOptions(encoding="klingon"))


def test_the_part_to_train_is_read_and_the_part_to_test_left(tmp_path: Path) -> None:
    names = [
        *(f"aclImdb/{part}/{label}/{i}.txt" for part in ("train", "test") for label in ("pos", "neg") for i in (1, 2)),
        *("aclImdb/train/unsup/1.txt", "aclImdb/train/urls_pos.txt", "aclImdb/README", "aclImdb/imdb.vocab"),
    ]  # fmt: skip
    root = folder_of(tmp_path / "data", names)
    table = read_table(root)
    assert as_pairs(table) == [
        (f"aclImdb/train/{label}/{i}.txt", label) for label in ("neg", "pos") for i in (1, 2)
    ]
    assert any("'test' (4 files)" in note and "fathom predict" in note for note in table.notes)
    assert any("says it is no class" in note for note in table.notes)
    held_out = read_table(root / "aclImdb" / "test")
    assert list(held_out.frame["class"]) == ["neg", "neg", "pos", "pos"]


@pytest.mark.parametrize("other", ["val", "Valid", "validation", "TEST", "seg_test", "testing"])
def test_parts_have_many_names(tmp_path: Path, other: str) -> None:
    train = "seg_train" if other.startswith("seg") else "Train"
    table = read_table(folder_of(tmp_path / "a", [f"{part}/{n}" for part in (train, other) for n in NAMES]))
    assert all(name.startswith(train) for name in table.row_names or ())


def test_parts_without_classes_are_no_classes(tmp_path: Path) -> None:
    table = read_table(folder_of(tmp_path, ["train/only/a.png", "train/only/b.png", "test/c.png"]))
    assert table.target is None and "class" not in table.frame
    assert any("parts to train and to test" in note for note in table.notes)


def test_folders_called_train_among_others_are_classes(tmp_path: Path) -> None:
    table = read_table(folder_of(tmp_path / "a", ["train/1.jpg", "car/2.jpg", "bus/3.jpg"]))
    assert set(table.frame["class"]) == {"train", "car", "bus"}


@pytest.mark.parametrize("names", [["a.jpg", "b.png"], ["new/a.jpg", "new/b.png"], ["a.jpg"]])
def test_pictures_without_class_folders_have_no_target(tmp_path: Path, names: list[str]) -> None:
    table = read_table(folder_of(tmp_path / "a", names))
    assert list(table.frame.columns) == ["picture"] and table.target is None
    assert table.row_names == tuple(names)


def test_one_picture_is_a_table_of_one_row(tmp_path: Path) -> None:
    picture(tmp_path / "one.JPEG")
    table = read_table(tmp_path / "one.JPEG")
    assert table.row_names == ("one.JPEG",) and isinstance(table.frame["picture"][0], Attachment)


def test_a_table_with_the_files_it_names_is_read_from_folder_and_zip(tmp_path: Path) -> None:
    names = ["set/images/1.jpg", "set/images/2.jpg", "set/readme.txt"]
    rows = b"file,price\n1.jpg,10\n2.JPG,20\n3.jpg,30\n"
    root = folder_of(tmp_path / "houses", names)
    (root / "set" / "prices.csv").write_bytes(rows)
    with zipfile.ZipFile(zip_of(tmp_path / "houses.zip", names), "a") as archive:
        archive.writestr("set/prices.csv", rows)
    for source in (root, tmp_path / "houses.zip"):
        table = read_table(source)
        assert list(table.frame.columns) == ["file", "price"]
        assert [isinstance(cell, Attachment) for cell in table.frame["file"]] == [True, True, False]
        assert table.frame["file"][1].read() == b"content of set/images/2.jpg"
        assert table.origin == source.name and table.row_names is None and table.target is None
        assert any("'3.jpg'" in note for note in table.notes)


def test_a_table_of_texts_files_holds_the_texts(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "a", ["texts/1.txt", "texts/2.txt"])
    (root / "labels.csv").write_bytes(b"letter,kind\ntexts/1.txt,x\ntexts/2.txt,y\n")
    assert list(read_table(root).frame["letter"]) == ["content of texts/1.txt", "content of texts/2.txt"]


def test_a_zip_of_one_table_is_that_table(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("deep/sales.csv", "a,b\n1,2\n3,4\n")
    table = read_table(tmp_path / "a.zip")
    assert table.frame.shape == (2, 2) and table.origin == "a.zip"


def test_of_several_tables_the_labels_are_taken_or_one_is_asked_for(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "a", ["test.csv", "img/1.jpg"])
    (root / "train.csv").write_bytes(b"file,y\nimg/1.jpg,4\n")
    assert isinstance(read_table(root).frame["file"][0], Attachment)
    (root / "train.csv").rename(root / "more.csv")
    with pytest.raises(UnreadableData, match=r"one table .* 2: 'more\.csv', 'test\.csv'"):
        read_table(root)


def test_a_stray_table_does_not_hide_the_class_folders(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "a", NAMES)
    (root / "sizes.csv").write_bytes(b"class,size\ndaisy,2\nrose,3\n")
    table = read_table(root)
    assert table.target == "class" and len(table.frame) == len(NAMES)
    assert any("'sizes.csv' names none" in note for note in table.notes)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "is empty"),
        (["a/1.mp4"], "1 file of other kinds"),
        (["a/1.mp4", "b/2.mov"], r"2 files of other kinds: 'a/1\.mp4'"),
        (["pos/1.txt", "unsup/2.txt"], "at least two class folders, but the only one with a name is 'pos'"),
    ],
)
def test_what_is_no_data_is_refused_in_a_sentence(tmp_path: Path, names: list[str], words: str) -> None:
    (tmp_path / "a").mkdir()
    for source in (folder_of(tmp_path / "a", names), zip_of(tmp_path / "a.zip", names)):
        with pytest.raises(UnreadableData, match=words):
            read_table(source)


def test_links_out_of_the_folder_and_to_folders_are_passed_over(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "a", NAMES)
    folder_of(tmp_path / "secret", ["s.jpg"])
    (root / "rose" / "out.jpg").symlink_to(tmp_path / "secret" / "s.jpg")
    (root / "rose" / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    (root / "secret").symlink_to(tmp_path / "secret")
    (root / "loop").symlink_to(root)
    (root / "rose" / "same.jpg").symlink_to(root / "rose" / "c.jpeg")
    table = read_table(root)
    assert set(table.row_names or ()) == {*NAMES, "rose/same.jpg"}
    assert any("4 links" in note for note in table.notes)


def test_a_pipe_in_the_folder_is_no_file(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "a", NAMES)
    os.mkfifo(root / "rose" / "pipe.jpg")
    assert len(read_table(root).frame) == len(NAMES)


def test_names_that_are_not_utf8_become_text(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "a", NAMES)
    strange = os.fsencode(root) + b"/caf\xe9"
    os.mkdir(strange)  # noqa: PTH102
    with open(strange + b"/\xff.jpg", "wb") as stream:  # noqa: PTH123
        stream.write(b"here")
    table = read_table(root)
    place = list(table.frame["class"]).index("café")
    assert (table.row_names or ())[place] == "café/ÿ.jpg"
    assert table.frame["picture"][place].read() == b"here"
    table.frame["class"].str.encode("utf-8")


def member(name: str, **what: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    for attribute, value in what.items():
        setattr(info, attribute, value)
    return info


def test_a_zips_odd_members_are_passed_over_with_a_note(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", NAMES)
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("../out.jpg", "/etc/abs.jpg", "rose/../../x.jpg", "C:\\x.jpg"):
            archive.writestr(member(name), b"x")
        archive.writestr(member("rose/link.jpg", external_attr=0o120777 << 16), b"/etc/passwd")
    before = sorted(tmp_path.rglob("*"))
    table = read_table(path)
    assert set(table.row_names or ()) == set(NAMES)
    assert any("5 members" in note and "'../out.jpg'" in note for note in table.notes)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_members_with_one_name_the_last_counts(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", NAMES)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("rose/c.jpeg", b"later")
    table = read_table(path)
    assert len(table.frame) == len(NAMES)
    assert table.frame["picture"][(table.row_names or ()).index("rose/c.jpeg")].read() == b"later"
    assert any("1 member" in note for note in table.notes)


def test_backslashes_and_unmarked_utf8_in_a_zips_names_are_understood(tmp_path: Path) -> None:
    raw = {"photos\\rose\\": b"", "photos\\rose\\1.jpg": b"1", "photos\\gäns\\2.jpg": b"2"}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in raw.items():
            archive.writestr(name.encode().decode("cp437"), content)
    # say that the names are not UTF-8, as many programs do that write UTF-8 all the same
    packed = (tmp_path / "a.zip").read_bytes()
    twice = "gäns".encode().decode("cp437").encode()
    longer = packed.replace(twice, "gäns".encode().ljust(len(twice), b"_"))
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        parts = longer.split(magic)
        longer = magic.join([parts[0], *(p[: place - 4] + b"\0\0" + p[place - 2 :] for p in parts[1:])])
    (tmp_path / "a.zip").write_bytes(longer)
    table = read_table(tmp_path / "a.zip")
    assert sorted(label.rstrip("_") for label in table.frame["class"]) == ["gäns", "rose"]
    assert sorted(cell.read() for cell in table.frame["picture"]) == [b"1", b"2"]


def test_an_archive_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    for content in (b"one", b"another"):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("1.jpg", content)
        assert read_table(tmp_path / "a.zip").frame["picture"][0].read() == content


def encrypted(path: Path, names: set[str]) -> Path:
    """Mark members as encrypted, in both places where a zip says so."""
    raw = bytearray(path.read_bytes())
    for magic, flags, length, start in ((b"PK\x03\x04", 6, 26, 30), (b"PK\x01\x02", 8, 28, 46)):
        place = raw.find(magic)
        while place >= 0:
            size = struct.unpack_from("<H", raw, place + length)[0]
            if raw[place + start : place + start + size].decode() in names:
                raw[place + flags] |= 1
            place = raw.find(magic, place + 4)
    path.write_bytes(raw)
    return path


def test_a_zip_with_a_password_is_refused_and_single_members_left_out(tmp_path: Path) -> None:
    some = read_table(encrypted(zip_of(tmp_path / "a.zip", NAMES), {"rose/c.jpeg"}))
    assert len(some.frame) == len(NAMES) - 1
    assert any("password" in note for note in some.notes)
    with pytest.raises(UnreadableData, match="password"):
        read_table(encrypted(zip_of(tmp_path / "b.zip", NAMES), set(NAMES)))


def test_a_bomb_is_refused_by_the_size_it_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "RATIO_MATTERS_ABOVE", 1 << 20)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in NAMES:
            archive.writestr(name, b"\0" * (1 << 20))
    with pytest.raises(UnreadableData, match="bomb"):
        read_table(tmp_path / "a.zip")


def test_a_bomb_that_lies_about_its_size_gives_no_more_than_it_claims(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("rose/1.jpg", "tulip/2.jpg"):
            archive.writestr(name, b"\0" * (8 << 20))
    raw = path.read_bytes()
    path.write_bytes(raw.replace(struct.pack("<L", 8 << 20), struct.pack("<L", 100)))
    table = read_table(path)
    with pytest.raises(UnreadableAttachmentError, match="damaged"):
        table.frame["picture"][0].read()


def test_a_member_larger_than_allowed_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.jpg", b"\0" * (8 << 20))
    with pytest.raises(UnreadableAttachmentError, match="larger than 1 MB"):
        read_table(path).frame["picture"][0].read(1_000_000)


def test_many_large_photos_are_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "INFLATED_LIMIT", 10)
    assert len(read_table(zip_of(tmp_path / "a.zip", NAMES)).frame) == len(NAMES)


def test_absurdly_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "FILE_LIMIT", 5)
    for source in (folder_of(tmp_path / "a", NAMES), zip_of(tmp_path / "a.zip", NAMES)):
        with pytest.raises(UnreadableData, match="at most 5 files"):
            read_table(source)


def test_a_huge_list_of_members_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zip_of(tmp_path / "a.zip", NAMES)
    monkeypatch.setattr(listing, "MEMORY_PER_DIRECTORY_BYTE", 1 << 60)
    with pytest.raises(UnreadableData, match="memory"):
        list_archive(path)


def archive_bytes() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("rose/1.jpg", "tulip/2.jpg", "tulip/3.txt"):
            archive.writestr(zipfile.ZipInfo(name), b"content " * 9)
    return stream.getvalue()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6), st.integers(0, 9)), max_size=5))
def test_a_damaged_zip_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[float, bytes, int]]
) -> None:
    raw = archive_bytes()
    for share, part, removed in places:
        at = int(share * len(raw))
        raw = raw[:at] + part + raw[at + removed :]
    path = tmp_path_factory.mktemp("damaged") / "a.zip"
    path.write_bytes(raw)
    try:
        cells = [cell for cell in read_table(path).frame.iloc[:, 0] if isinstance(cell, Attachment)]
    except UserError as error:
        assert str(error)
        return
    for cell in cells:
        try:
            cell.read()
        except UnreadableAttachmentError as error:
            assert str(error)


FOLDERS = st.lists(
    st.lists(st.sampled_from(["train", "test", "daisy", "rose", "x"]), max_size=3).map("/".join),
    min_size=1,
    max_size=12,
)


@given(FOLDERS)
def test_the_layout_takes_each_file_once_and_a_class_is_a_folder_on_its_way(folders: list[str]) -> None:
    names = sorted(f"{folder}/{i}.jpg" if folder else f"{i}.jpg" for i, folder in enumerate(folders))
    layout = layout_of([Entry(name, Attachment(Path(name))) for name in names])
    taken = [entry.name for entry in layout.entries]
    assert taken == sorted(set(taken)) and set(taken) <= set(names)
    if layout.classes is None:
        assert layout.entries
    else:
        assert len(set(layout.classes)) >= 2
        assert all(label in name.split("/")[:-1] for name, label in zip(taken, layout.classes, strict=True))


def test_a_listing_is_sorted_and_holds_each_file(tmp_path: Path) -> None:
    found = [entry.name for entry in list_folder(folder_of(tmp_path, NAMES)).entries]
    assert found == sorted(NAMES)


def test_reading_files_needs_no_heavy_package(tmp_path: Path) -> None:
    folder_of(tmp_path / "a", NAMES)
    script = (
        "import sys; from fathometer.data.sources import read_table; read_table(sys.argv[1]); "
        "assert not {'torch', 'sklearn', 'PIL'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "a")], check=True)


@pytest.mark.skipif(not FLOWERS.exists(), reason="the development data is not here")
def test_real_photos_in_a_zip() -> None:
    table = read_table(FLOWERS)
    assert table.frame["class"].value_counts().to_dict() == {
        "daisy": 764, "dandelion": 1052, "rose": 784, "sunflower": 733, "tulip": 984
    }  # fmt: skip
    assert table.frame["picture"][0].read().startswith(b"\xff\xd8\xff")
