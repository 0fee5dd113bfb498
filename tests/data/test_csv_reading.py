"""Text read as a table: laws first, then the oddities files are known to have."""

import csv
import io
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathometer.data import csv_reading
from fathometer.data.csv_reading import Wanted, read_csv
from fathometer.data.encodings import decode
from fathometer.data.table import Table
from fathometer.errors import UnreadableData, UserError

WORDS = st.sampled_from(
    ["red", "green", "blue", "New York", "a, b", "x; y", 'the "best"', "two\nlines", "Zoë", "NA", ""]
)
NUMBERS = st.integers(-9_999, 9_999).map(lambda number: f"{number / 8}")
DAYS = st.dates().map(str)


def read(text: str | bytes, **wanted: object) -> Table:
    raw = text.encode() if isinstance(text, str) else text
    return read_csv(decode(raw), "file.csv", Wanted(**wanted))  # type: ignore[arg-type]


def cells(table: Table) -> list[list[str | None]]:
    frame = table.frame.astype(object)
    return frame.where(frame.notna(), None).to_numpy().tolist()


def written(rows: list[list[str]], **dialect: object) -> str:
    stream = io.StringIO()
    csv.writer(stream, **dialect).writerows(rows)  # type: ignore[arg-type]
    return stream.getvalue()


@settings(max_examples=120, deadline=None)
@given(
    body=st.lists(st.tuples(NUMBERS, WORDS, DAYS, NUMBERS), min_size=5, max_size=30),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    before=st.sampled_from(["", "Report of the day{end}{end}", "All rows{end}"]),
    has_header=st.booleans(),
)
def test_a_table_written_in_any_dialect_comes_back(
    body: list[tuple[str, str, str, str]],
    delimiter: str,
    quoting: int,
    end: str,
    encoding: str,
    before: str,
    has_header: bool,
) -> None:
    rows = [[number, word.replace("\n", end), day, other] for number, word, day, other in body]
    header = [["amount", "colour", "day", "rate"]] if has_header else []
    text = before.format(end=end) + written(
        header + rows, delimiter=delimiter, quoting=quoting, lineterminator=end
    )
    table = read(text.encode(encoding))
    assert table.dialect is not None
    assert table.dialect.delimiter == delimiter
    assert table.dialect.header_lines == has_header
    assert list(table.frame.columns) == (header or [[f"column_{i}" for i in range(1, 5)]])[0]
    assert cells(table) == [[cell or None for cell in row] for row in rows]


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.lists(st.text('ab,"1 \n', max_size=5), min_size=3, max_size=3), min_size=1, max_size=8),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_the_fast_and_the_slow_reader_agree(rows: list[list[str]], quoting: int) -> None:
    text = "a,b,c\n" + written([["1", "2", "3"], *rows], quoting=quoting, lineterminator="\n")
    fast = read(text, delimiter=",", header=True, skip_lines=0)
    with patch.object(csv_reading, "CELL_BYTES_LIMIT", -1):  # no row is short enough for the fast one
        slow = read(text, delimiter=",", header=True, skip_lines=0)
    pd.testing.assert_frame_equal(fast.frame, slow.frame)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text("ab1,;\"'\n\r\t| \\\0é", max_size=120).map(str.encode)))
def test_any_bytes_are_a_table_or_refused(raw: bytes) -> None:
    try:
        table = read(raw)
    except UserError as error:
        assert str(error).endswith((".", "?"))
        return
    names = list(table.frame.columns)
    assert len(set(names)) == len(names) > 0
    assert all(isinstance(name, str) and name for name in names)
    for name in names:
        assert all(isinstance(cell, str) for cell in table.frame[name].dropna())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b,c\n1,2,3\n", [["1", "2", "3"]]),
        ("a,b,c\r\n1,2,3", [["1", "2", "3"]]),
        ('a,b,c\n1,"",""\n2,3,4\n', [["1", None, None], ["2", "3", "4"]]),
        ('a,b\n1,"ha ""ha"" ha"\n3,4\n', [["1", 'ha "ha" ha'], ["3", "4"]]),
        ('a,b,c\n1,2,3\n"Once upon \na time",5,6\n', [["1", "2", "3"], ["Once upon \na time", "5", "6"]]),
        ('key,val\n1,"{""type"": ""Point"", ""at"": [1, 2]}"\n', [["1", '{"type": "Point", "at": [1, 2]}']]),
        ("id,code\n1,007\n2,010\n", [["1", "007"], ["2", "010"]]),
        ("id,state\n1,NA\n2,null\n3,None\n", [["1", "NA"], ["2", "null"], ["3", "None"]]),
        ("id,gap\n1, \n2,x\n", [["1", " "], ["2", "x"]]),
    ],
)
def test_cells_stay_as_written(text: str, expected: list[list[str | None]]) -> None:
    assert cells(read(text)) == expected


def test_blanks_after_delimiters_are_taken_off() -> None:
    table = read("39, State-gov, 77516\n50, Private, 83311\n38, Private, 215646\n")
    assert cells(table)[0] == ["39", "State-gov", "77516"]
    assert any("Blanks" in note for note in table.notes)


def test_short_rows_are_filled_up_and_said() -> None:
    table = read("a,b,c\n1,2,3\n4,5\n6,7,8\n9,10,11\n")
    assert cells(table)[1] == ["4", "5", None]
    assert "1 row with fewer than 3 cells was filled up (lines 3)." in table.notes


def test_rows_with_surplus_cells_are_left_out_and_said() -> None:
    lines = [f"{i},{i * 2},{i * 3}" for i in range(30)]
    lines[7] = "7,14,oops,21"
    table = read("a,b,c\n" + "\n".join(lines) + "\n")
    assert len(table.frame) == 29
    assert any("unclear which cell belongs where (lines 9)" in note for note in table.notes)


def test_surplus_cells_that_are_empty_do_no_harm() -> None:
    table = read("a,b\n1,2\n3,4,,\n5,6\n")
    assert cells(table) == [["1", "2"], ["3", "4"], ["5", "6"]]


def test_many_rows_wider_than_the_header_add_columns() -> None:
    table = read("a,b\n" + "1,2,3\n" * 5 + "1,2\n" * 6)
    assert list(table.frame.columns) == ["a", "b", "column_3"]


def test_row_names_without_a_name_as_r_writes_them() -> None:
    table = read("mpg cyl disp\nMazda 21.0 6 160\nDatsun 22.8 4 108\nHornet 21.4 6 258\n")
    assert list(table.frame.columns) == ["row_name", "mpg", "cyl", "disp"]


def test_columns_without_name_or_cell_are_left_out() -> None:
    table = read("a;b;;\n1;2;;\n3;4;;\n;;;\n")
    assert table.frame.shape == (2, 2)
    assert "2 columns without a name or a cell were left out: column_3, column_4." in table.notes
    assert "1 row without any cell was left out." in table.notes


def test_an_empty_column_with_a_name_stays() -> None:
    assert list(read("a,b,c\n1,,3\n4,,6\n").frame.columns) == ["a", "b", "c"]


def test_repeated_headers_are_left_out() -> None:
    table = read("name,age\nAnn,31\nname,age\nBob,44\n")
    assert cells(table) == [["Ann", "31"], ["Bob", "44"]]


def test_remarks_below_the_table_are_left_out() -> None:
    body = "".join(f"wood,{i},{i + 1}\n" for i in range(10))
    table = read("sector,tonnes,share\n" + body + "\nSource: Office for National Statistics\n")
    assert len(table.frame) == 10
    assert any("Office for National Statistics" in note for note in table.notes)


def test_a_total_below_the_table_stays() -> None:
    body = "".join(f"wood,{i},{i + 1}\n" for i in range(10))
    assert len(read("sector,tonnes,share\n" + body + "Total,45,55\n").frame) == 11


def test_lines_before_the_table_are_left_out_and_counted() -> None:
    table = read("Station 3\nmeasured 2016\n\nday,min,max\n1,2,3\n4,5,6\n7,8,9\n")
    assert table.dialect is not None
    assert (table.dialect.preamble_lines, list(table.frame.columns)) == (3, ["day", "min", "max"])


def test_the_separator_line_of_spreadsheet_programs_is_obeyed() -> None:
    table = read("sep=;\r\na;b\r\n1,5;2\r\n")
    assert cells(table) == [["1,5", "2"]]
    assert table.dialect is not None
    assert table.dialect.preamble_lines == 1


def test_a_quote_never_closed_costs_its_own_line_only() -> None:
    lines = [f'{i},"text, number {i}",{i * 2}' for i in range(50)]
    lines[20] = '20,"never closed,40'
    table = read("id,text,twice\n" + "\n".join(lines) + "\n")
    assert len(table.frame) == 50
    assert cells(table)[20] == ["20", '"never closed', "40"]
    assert cells(table)[21] == ["21", "text, number 21", "42"]
    assert any("never closed" in note and "22" in note for note in table.notes)


def test_line_numbers_count_lines_inside_cells() -> None:
    table = read('a,b,c\n1,"two\nlines",3\n4,5\n6,7,8\n9,9,9\n')
    assert "1 row with fewer than 3 cells was filled up (lines 4)." in table.notes


def test_only_a_header_is_a_table_without_rows() -> None:
    table = read("name,age,town\n")
    assert table.frame.shape == (0, 3)
    assert "There are no rows." in table.notes


def test_a_control_z_at_the_end_is_no_row() -> None:
    assert len(read(b"a,b\n1,2\n\x1a").frame) == 1


@pytest.mark.parametrize("text", ["", "\n\n", "  \n\t\n", "\ufeff", "\0"])
def test_an_empty_file_is_refused(text: str) -> None:
    with pytest.raises(UnreadableData, match="empty"):
        read(text)


def test_markup_is_refused() -> None:
    with pytest.raises(UnreadableData, match="markup"):
        read("<!DOCTYPE html><html><body>1,2,3</body></html>")


def test_a_giant_cell_is_refused() -> None:
    with pytest.raises(UnreadableData, match="10 MB"):
        read("a,b\n1," + "x" * 10_000_001 + "\n")


def test_too_many_columns_are_refused() -> None:
    with pytest.raises(UnreadableData, match="20,000 columns"):
        read(",".join(map(str, range(20_001))) + "\n")


def test_what_the_user_says_is_obeyed() -> None:
    assert read("a,b\nc,d\n", header=False).frame.shape == (2, 2)
    assert list(read("1,2\n3,4\n", header=True).frame.columns) == ["1", "2"]
    assert list(read("x\ny\na,b\n1,2\n", skip_lines=2).frame.columns) == ["a", "b"]
    assert read("a,b;c\n1,2;3\n", delimiter=";").frame.shape == (1, 2)


def test_skipping_everything_is_refused() -> None:
    with pytest.raises(UnreadableData, match="nothing is left"):
        read("a,b\n1,2\n", skip_lines=9)


def test_reading_changes_no_global_limit(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    read("a,b\n1,2\n3\n")
    assert csv.field_size_limit() == before
