"""Tables written whole or not at all, and safe to open in a spreadsheet program."""

import csv
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathometer.data.outputs import FORMULA_STARTS, Writer, as_csv
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


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
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


ROWS = pd.DataFrame(
    {
        "id": ["=1", "a\rb", "c,d", "-1", "plain", None],
        "prediction": [0.1, -1.5, np.nan, 1 / 3, 1e-300, 2.0],
        "label": pd.Series([None, None, None, "yes", "+no", "x"], dtype=object),
        "day": pd.to_datetime(["2024-01-01"] * 5 + [None]),
    }
)


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "parquet"])
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_written_in_parts_is_written_whole(tmp_path: Path, ending: str, rows: int) -> None:
    whole, parts = tmp_path / f"whole.{ending}", tmp_path / f"parts.{ending}"
    write_table(ROWS, whole)
    with Writer(parts) as writer:
        for start in range(0, len(ROWS), rows):
            writer.write(ROWS.iloc[start : start + rows])
    if ending == "parquet":
        assert pd.read_parquet(parts).equals(pd.read_parquet(whole))
    else:
        assert parts.read_bytes() == whole.read_bytes()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5),
    st.sampled_from(["csv", "json", "jsonl", "parquet"]),
)
def test_numbers_come_back_to_the_last_bit(numbers: list[float], ending: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"out.{ending}"
        write_table(pd.DataFrame({"a": ["x"] * len(numbers), "prediction": numbers}), path)
        back = [float(cell) for cell in read_table(path).frame["prediction"]]
    assert back == numbers


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.text(alphabet="=+-@\t\r\n\uff1d\uff0b\uff0d\uff20\x00\",;'a1 é", max_size=6),
        min_size=1,
        max_size=5,
    )
)
def test_no_text_of_a_csv_begins_like_a_formula(texts: list[str]) -> None:
    text = as_csv(pd.DataFrame({"name": texts, "other": 1}))
    rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert len(rows) == len(texts)
    for (cell, _), given_text in zip(rows, texts, strict=True):
        assert cell in (given_text, f"'{given_text}")
        if cell.startswith(FORMULA_STARTS) and len(cell) > 1:
            float(cell)


def test_formulas_may_be_asked_for(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"=a": ["=1+1"]}), tmp_path / "out.csv", raw=True)
    assert (tmp_path / "out.csv").read_text() == "=a\n=1+1\n"


def test_what_goes_wrong_while_writing_leaves_nothing(tmp_path: Path) -> None:
    for ending in ("csv", "json", "jsonl", "parquet"):
        with pytest.raises(ZeroDivisionError), Writer(tmp_path / f"out.{ending}") as writer:
            writer.write(ROWS)
            raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_nothing_is_there_before_all_of_it_is(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("as before")
    with Writer(path) as writer:
        writer.write(ROWS)
        assert path.read_text() == "as before"
    assert path.read_text().startswith("id,prediction")


def test_a_folder_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(UserError, match="directory"), Writer(tmp_path / "out.csv"):
        pytest.fail("it was opened")


def test_a_table_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    for ending, text in (("csv", "a,b\n"), ("json", "[]\n"), ("jsonl", "")):
        write_table(pd.DataFrame({"a": [], "b": []}), tmp_path / f"out.{ending}")
        assert (tmp_path / f"out.{ending}").read_text() == text
    write_table(pd.DataFrame({"a": pd.Series([], dtype="str")}), tmp_path / "out.parquet")
    assert list(pd.read_parquet(tmp_path / "out.parquet").columns) == ["a"]


def test_half_of_a_surrogate_pair_is_written_as_a_question_mark(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"a": pd.Series(["x\ud800y"], dtype=object)}), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "a\nx?y\n"
    write_table(pd.DataFrame({"a": pd.Series(["x\ud800y"], dtype=object)}), tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8")) == {"a": "x?y"}


def test_two_columns_of_one_name_are_refused_in_json(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="two columns have the same name"):
        write_table(pd.DataFrame([[1, 2]], columns=["a", "a"]), tmp_path / "out.jsonl")


def test_a_disk_that_is_full_is_one_sentence(tmp_path: Path) -> None:
    """Writing is stopped by a limit that the system sets, in a process of its own."""
    code = (
        "import resource, signal, sys\n"
        "import pandas as pd\n"
        "from fathometer.data.outputs import Writer\n"
        "from fathometer.errors import UserError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try:\n"
        "    with Writer(sys.argv[1]) as writer:\n"
        "        for _ in range(100):\n"
        "            writer.write(pd.DataFrame({'a': [str(n) * 9 for n in range(1_000)]}))\n"
        "except UserError as error:\n"
        "    print(error)\n"
    )
    for ending in ("csv", "jsonl", "parquet"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / f"out.{ending}")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "cannot be written: File too large." in done.stdout, done.stderr
        assert done.stdout.count("\n") == 1
    assert not list(tmp_path.iterdir())
