"""Tables written whole or not at all, and safe to open in a spreadsheet program."""

import json
from pathlib import Path

import pandas as pd
import pytest

from fathometer.data.sources import read_table, write_table
from fathometer.errors import UnknownName, UserError

FRAME = pd.DataFrame({"id": ["001", "x,y", 'say "é"'], "amount": [-1.5, 2.0, 0.1], "count": [1, -2, 3]})


@pytest.mark.parametrize("ending", ["csv", "parquet", "json", "jsonl"])
def test_what_is_written_is_read_back(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out.{ending}"
    write_table(FRAME, path)
    back = read_table(path).frame
    assert back["id"].tolist() == FRAME["id"].tolist()
    assert back["amount"].astype(float).tolist() == FRAME["amount"].tolist()
    assert back["count"].astype(int).tolist() == FRAME["count"].tolist()
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_begins_like_a_formula_is_defused_in_csv(tmp_path: Path, start: str) -> None:
    path = tmp_path / "out.csv"
    write_table(pd.DataFrame({f"{start}name": [f"{start}cmd()"], "number": [-5]}), path)
    table = read_table(path).frame
    assert table.iloc[0].tolist() == [f"'{start}cmd()", "-5"]
    assert path.read_text().startswith(("'", "\"'"))


def test_other_formats_keep_text_as_it_is(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"a": ["=1+1"]}), tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {"a": "=1+1"}


def test_a_carriage_return_inside_text_comes_back(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["1", "2"], "text": ["one\rline", "two"]})
    write_table(frame, tmp_path / "out.csv")
    assert read_table(tmp_path / "out.csv").frame["text"].tolist() == ["one\rline", "two"]


def test_categories_are_defused_as_well(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"a": pd.Categorical(["=1", "b"])}), tmp_path / "out.csv")
    assert "'=1" in (tmp_path / "out.csv").read_text()


def test_the_frame_is_not_changed(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": ["=1"]})
    write_table(frame, tmp_path / "out.csv")
    assert frame["a"].tolist() == ["=1"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    write_table(FRAME, path)
    before = path.read_bytes()
    with pytest.raises(UserError):
        write_table(pd.DataFrame({"a": [object()]}), path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_unknown_endings_and_unusable_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"\.xls"):
        write_table(FRAME, tmp_path / "out.xls")
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match="cannot be written"):
        write_table(FRAME, tmp_path / "file" / "out.csv")


def test_labels_that_are_signed_numbers_are_no_formulas(tmp_path: Path) -> None:
    frame = pd.DataFrame({"prediction": ["-1", "+1", "-", "=1+1", "-1+cmd"]})
    write_table(frame, tmp_path / "answers.csv")
    read = pd.read_csv(tmp_path / "answers.csv", dtype=str)["prediction"].tolist()
    assert read == ["-1", "+1", "-", "'=1+1", "'-1+cmd"]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"prediction": [1.0]}), tmp_path / "a" / "b" / "answers.csv")
    assert (tmp_path / "a" / "b" / "answers.csv").exists()
