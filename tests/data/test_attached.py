"""Columns whose cells name files: which are found, and which files are never opened."""

import zipfile
from pathlib import Path, PureWindowsPath

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fathometer.core.attachments import Attachment
from fathometer.data.attached import ArchiveFiles, Files, FolderFiles, attach
from fathometer.data.listing import list_archive
from fathometer.data.sources import ReadOptions, Table, read_table
from fathometer.errors import UnreadableData

PARTS = ["..", ".", "linked", "images", "s.jpg", "1.jpg", "", "secret", "base-secret", "\\", "~"]
PLACES = ["1.jpg", "two.PNG", "images/3.jpg", "images/sub/4.jpg", "other/5.jpg", "images/sub/5.jpg"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of files, a secret beside it, and links to the secret in it."""
    base = tmp_path / "base"
    for name in PLACES:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_bytes(name.encode())
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "s.jpg").write_bytes(b"secret")
    (tmp_path / "base-secret").mkdir()
    (tmp_path / "base-secret" / "s.jpg").write_bytes(b"secret")
    (base / "link.jpg").symlink_to(tmp_path / "secret" / "s.jpg")
    (base / "linked").symlink_to(tmp_path / "secret")
    (base / "inner.jpg").symlink_to(base / "1.jpg")
    return base


def zipped(folder: Path) -> Path:
    path = folder.parent / "base.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in PLACES:
            archive.write(folder / name, name)
    return path


def content(cell: object) -> str | None:
    return cell.read().decode() if isinstance(cell, Attachment) else None


def table_of(cells: list[object]) -> Table:
    return Table(pd.DataFrame({"photo": pd.Series(cells, dtype=object), "y": range(len(cells))}), (), "t")


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("1.jpg", "1.jpg"),
        (" 1.jpg ", "1.jpg"),
        ("./1.jpg", "1.jpg"),
        ("images/3.jpg", "images/3.jpg"),
        ("images\\3.jpg", "images/3.jpg"),
        ("images/../1.jpg", "1.jpg"),
        ("images/sub/../3.jpg", "images/3.jpg"),
        ("3.jpg", "images/3.jpg"),
        ("sub/4.jpg", "images/sub/4.jpg"),
        ("TWO.png", "two.PNG"),
        ("5.jpg", None),
        ("other/5.jpg", "other/5.jpg"),
        ("ages/3.jpg", None),
        ("../secret/s.jpg", None),
        ("images/../../secret/s.jpg", None),
        ("../base-secret/s.jpg", None),
        ("s.jpg", None),
        ("/etc/passwd.jpg", None),
        ("", None),
        ("nothing.jpg", None),
        ("images", None),
        (".", None),
        ("..", None),
        ("x" * 5000 + ".jpg", None),
        ("a\0b.jpg", None),
        ("\ud800.jpg", None),
        ("https://example.org/1.jpg", None),
        ("file:///1.jpg", None),
        (float("nan"), None),
        (None, None),
        (7, None),
        (True, None),
        (["1.jpg"], None),
    ],
)
def test_a_file_is_found_below_the_folder_and_nowhere_else(
    folder: Path, cell: object, found: str | None
) -> None:
    before = table_of([cell, "images/3.jpg", "1.jpg"])
    for files in (FolderFiles(folder), ArchiveFiles(list_archive(zipped(folder)))):
        table = attach(before, files)
        got = table.frame["photo"][0]
        assert content(got) == found
        if found is None:
            assert repr(got) == repr(cell)
        assert content(table.frame["photo"][1]) == "images/3.jpg"
    assert before.frame["photo"][1] == "images/3.jpg"


@pytest.mark.parametrize("name", ["link.jpg", "linked/s.jpg", "./linked/../linked/s.jpg"])
def test_links_out_of_the_folder_are_never_followed(folder: Path, name: str) -> None:
    table = attach(table_of([name, "inner.jpg", "1.jpg"]), FolderFiles(folder))
    assert table.frame["photo"][0] == name
    assert content(table.frame["photo"][1]) == "1.jpg"
    assert any("1 cell of 'photo' names no file" in note and name in note for note in table.notes)


def test_absolute_paths_are_taken_below_the_folder_only(folder: Path, tmp_path: Path) -> None:
    alias = tmp_path / "alias"
    alias.symlink_to(folder)
    cells = [str(folder / "1.jpg"), str(alias / "images/3.jpg"), str(tmp_path / "secret" / "s.jpg")]
    for base in (folder, alias):
        table = attach(table_of([*cells]), FolderFiles(base))
        assert [content(cell) for cell in table.frame["photo"]] == ["1.jpg", "images/3.jpg", None]


def test_paths_as_objects_are_names_too(folder: Path) -> None:
    cells: list[object] = [Path("1.jpg"), PureWindowsPath("images\\3.jpg")]
    table = attach(table_of(cells), FolderFiles(folder))
    assert [content(cell) for cell in table.frame["photo"]] == ["1.jpg", "images/3.jpg"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.lists(st.sampled_from(PARTS), max_size=6).map("/".join), max_size=8))
def test_no_cell_ever_reaches_what_lies_outside(folder: Path, cells: list[str]) -> None:
    for cell in attach(table_of([*cells, "1.jpg"]), FolderFiles(folder)).frame["photo"]:
        assert content(cell) != "secret"
        if isinstance(cell, Attachment):
            assert cell.path.resolve().is_relative_to(folder.resolve())


def test_a_csv_finds_its_pictures_beside_it(folder: Path) -> None:
    (folder / "homes.csv").write_text("photo,price\n1.jpg,10\nimages/3.jpg,20\n,30\nlost.jpg,40\n")
    table = read_table(folder / "homes.csv")
    assert [content(cell) for cell in table.frame["photo"]] == ["1.jpg", "images/3.jpg", None, None]
    assert pd.isna(table.frame["photo"][2]) and table.frame["photo"][3] == "lost.jpg"
    assert any("1 cell of 'photo' names no file" in note and "'lost.jpg'" in note for note in table.notes)
    assert table.target is None and table.dialect is not None


def test_every_kind_of_table_finds_its_pictures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"photo": ["1.jpg", "images/3.jpg"], "price": [1, 2]})
    frame.to_parquet(folder / "a.parquet")
    frame.to_json(folder / "a.jsonl", orient="records", lines=True)
    monkeypatch.chdir(folder)
    for source in (folder / "a.parquet", folder / "a.jsonl", frame, frame.astype({"photo": "category"})):
        cells = read_table(source).frame["photo"]
        assert [content(cell) for cell in cells] == ["1.jpg", "images/3.jpg"]
    assert list(frame["photo"]) == ["1.jpg", "images/3.jpg"]


def test_the_user_says_where_the_files_are_or_that_there_are_none(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    path = tmp_path / "t" / "homes.csv"
    path.write_text("photo,price\n1.jpg,10\nimages/3.jpg,20\n")
    alone = read_table(path)
    assert list(alone.frame["photo"]) == ["1.jpg", "images/3.jpg"]
    assert any("--files FOLDER" in note for note in alone.notes)
    for where in (folder, zipped(folder)):
        cells = read_table(path, ReadOptions(files=str(where))).frame["photo"]
        assert [content(cell) for cell in cells] == ["1.jpg", "images/3.jpg"]
    (folder / "homes.csv").write_bytes(path.read_bytes())
    cells = read_table(folder / "homes.csv", ReadOptions(files="none")).frame["photo"]
    assert list(cells) == ["1.jpg", "images/3.jpg"]
    with pytest.raises(UnreadableData, match="no file"):
        read_table(path, ReadOptions(files=str(folder / "nowhere")))
    with pytest.raises(UnreadableData, match="folder or a zip"):
        read_table(path, ReadOptions(files=str(path)))


class Never(Files):
    """A place that nobody may look into."""

    title = "nowhere"

    def direct(self, cell: str) -> Attachment | None:
        raise AssertionError(f"{cell!r} was looked up")

    def find_id(self, cell: str) -> Attachment | None:
        return None

    @property
    def entries(self) -> tuple[()]:  # type: ignore[override]
        raise AssertionError("all files were looked through")


def test_columns_that_name_no_pictures_are_not_looked_up() -> None:
    frame = pd.DataFrame(
        {
            "words": ["see 1.jpg", "a cat", "a dog"],
            "number": [1.0, 2.0, np.nan],
            "address": ["https://a.org/1.jpg", "https://a.org/2.jpg", "https://a.org/3.jpg"],
            "few": ["1.jpg", "none", "none"],
            "pixels": [np.zeros((2, 2)), b"raw", {"bytes": b"raw"}],
        }
    )
    table = Table(frame, ("before",), "t")
    assert attach(table, Never()) == table or attach(table, Never()).frame is frame


def test_pictures_as_objects_pass_through_a_frame_unchanged() -> None:
    cells = [np.zeros((2, 2), dtype=np.uint8), b"raw", {"bytes": b"raw", "path": "1.jpg"}]
    table = read_table(pd.DataFrame({"picture": pd.Series(cells, dtype=object), "y": [1, 2, 3]}))
    assert all(one is other for one, other in zip(table.frame["picture"], cells, strict=True))


@pytest.mark.parametrize("ids", [[11, 12, 13, 14], ["11", "12", "13", "99"]])
def test_ids_stand_for_the_pictures_of_one_folder(tmp_path: Path, ids: list[object]) -> None:
    (tmp_path / "train_images").mkdir()
    for name in ("11", "12", "13", "14"):
        (tmp_path / "train_images" / f"{name}.jpg").write_bytes(name.encode())
    pd.DataFrame({"id": ids, "stars": [1, 2, 1, 2]}).to_csv(tmp_path / "a.csv", index=False)
    pd.DataFrame({"id": ids, "stars": [1, 2, 1, 2]}).to_parquet(tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet"):
        table = read_table(tmp_path / name)
        assert [content(cell) for cell in table.frame["id"]][:3] == ["11", "12", "13"]
        assert not isinstance(table.frame["stars"][0], Attachment)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "11.jpg").write_bytes(b"which?")
    assert not isinstance(read_table(tmp_path / "a.csv").frame["id"][0], Attachment)


def test_numbers_that_repeat_are_no_ids_of_pictures(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in "12345":
        (tmp_path / "images" / f"{name}.jpg").write_bytes(b"x")
    pd.DataFrame({"stars": [1, 2, 3, 4, 5] * 9}).to_parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").frame["stars"].tolist() == [1, 2, 3, 4, 5] * 9


def test_texts_are_put_in_place_of_their_names_only_where_most_are_there(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "index.html"):
        (tmp_path / name).write_text(f"words of {name}")
    (tmp_path / "letters.csv").write_text("letter,y\na.txt,1\nb.txt,2\nlost.txt,3\n")
    cells = read_table(tmp_path / "letters.csv").frame["letter"]
    assert list(cells[:2]) == ["words of a.txt", "words of b.txt"] and pd.isna(cells[2])
    (tmp_path / "clicks.csv").write_text("page,y\nindex.html,1\nabout.html,2\nhelp.html,3\n")
    assert list(read_table(tmp_path / "clicks.csv").frame["page"]) == [
        "index.html",
        "about.html",
        "help.html",
    ]
