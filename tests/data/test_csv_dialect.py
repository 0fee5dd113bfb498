"""Delimiters and quotes found out."""

import csv
import io
import itertools
import random

import pytest

from fathometer.data.csv_dialect import BLANKS, Quoting, find_quoting, prepare

PEOPLE = [
    ["name", "born", "town", "income"],
    ["Doe, Jane", "1980-05-01", "Paris", "31.5"],
    ["Roe; Jim", "1975-12-24", "New York", "28.25"],
    ['Ann "Red" Lee', "1990-01-31", "Oslo", "44"],
    ["O'Neil | Sons", "2001-07-07", "Rome", "12.75"],
    ["Plain Name", "1968-03-15", "", "9"],
]


def written(rows: list[list[str]], **dialect: object) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, **dialect).writerows(rows)  # type: ignore[arg-type]
    return stream.getvalue().encode()


@pytest.mark.parametrize(
    ("delimiter", "quoting", "end"),
    list(itertools.product(",;\t|", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL], ["\n", "\r\n", "\r"])),
)
def test_what_the_csv_module_writes_is_recognised(delimiter: str, quoting: int, end: str) -> None:
    data = written(PEOPLE * 3, delimiter=delimiter, quoting=quoting, lineterminator=end)
    assert find_quoting(data) == Quoting(delimiter, '"')


def test_decimal_commas_do_not_delimit() -> None:
    data = b"a;b;c\n1,5;2,25;3,1\n4,5;5,75;6,2\n"
    assert find_quoting(data).delimiter == ";"


def test_thousands_commas_inside_quotes_do_not_delimit_more() -> None:
    data = b'town,people\nOslo,"709,037"\nRome,"2,755,309"\nBern,"134,794"\n'
    assert find_quoting(data) == Quoting(",", '"')


def test_runs_of_blanks_delimit_numbers() -> None:
    data = b"A11   6 A34 1169\nA12  48 A32 5951\nA14 12 A34  2096\n"
    found = find_quoting(data)
    assert found.delimiter == BLANKS
    assert prepare(data, found).splitlines()[1] == b"A12\t48\tA32\t5951"


def test_blanks_do_not_delimit_words() -> None:
    assert find_quoting(b"the first line here\nand then one more\nof words and so on\n").delimiter == ""


def test_blanks_inside_cells_between_tabs_do_not_delimit() -> None:
    data = b"# made by hand\n2016-07-01 00:00:00\t5.8\n2016-07-01 01:00:00\t5.6\n2016-07-01 02:00:00\t5.1\n"
    assert find_quoting(data).delimiter == "\t"


def test_blanks_in_quoted_cells_stay() -> None:
    data = b'1 2.5 "New  York"\n2 3.5 "Rome"\n3 4.5 "San Jose"\n'
    found = find_quoting(data)
    assert prepare(data, found).splitlines()[0] == b'1\t2.5\t"New  York"'


def test_a_million_blanks_are_read_in_no_time() -> None:
    data = b"1 2 3\n4" + b" " * 1_000_000 + b"5 6\n7 8 9 \r\n"
    assert prepare(data, Quoting(BLANKS)) == b"1\t2\t3\n4\t5\t6\n7\t8\t9\r\n"


def test_one_column_has_no_delimiter() -> None:
    assert find_quoting(b"5\n7\n12\n9\n") == Quoting("")


def test_stray_quotes_late_in_a_long_file_switch_quoting_off() -> None:
    lines = [f"ham\tmessage number {i} with some words" for i in range(20_000)]
    lines[15_000] = 'ham\t"hello he said and never closed it'
    lines[17_000] = 'spam\t"WIN" a prize'
    assert find_quoting("\n".join(lines).encode()) == Quoting("\t", "")


def test_backslash_takes_the_meaning_from_a_quote() -> None:
    data = b'id,text\n1,"a \\"b\\", c"\n2,"d"\n3,"e \\"f\\""\n4,"g, h"\n'
    found = find_quoting(data)
    assert (found.delimiter, found.quote, found.escape) == (",", '"', "\\")


def test_backslash_takes_the_meaning_from_a_delimiter() -> None:
    data = b"id,title,year\n1,The Good\\, the Bad,1966\n2,Heat,1995\n3,Alien,1979\n4,Up,2009\n"
    found = find_quoting(data)
    assert (found.delimiter, found.quote, found.escape) == (",", "", "\\")


def test_backslashes_of_paths_mean_nothing() -> None:
    data = b"file,size\nC:\\temp\\a,12\nC:\\temp\\b,15\nC:\\x\\,16\n" * 3
    assert find_quoting(data).escape == ""


def test_single_quotes_around_labels_are_quotes() -> None:
    assert find_quoting(b"0.23,5.07,'-1'\n0.15,4.2,'1'\n0.77,3.1,'-1'\n") == Quoting(",", "'")


def test_apostrophes_are_no_quotes() -> None:
    assert find_quoting(b"word,count\n'tis,5\nit's,7\ndon't,9\n").quote == ""


def test_inch_signs_are_no_quotes() -> None:
    assert find_quoting(b'part,size\nbolt,5"\nnut,3"\nscrew,2"\n').quote == ""


def test_blanks_after_delimiters_are_noticed() -> None:
    assert find_quoting(b'a, b, c\n1, "x, y", 3\n4, "z", 6\n').blank_after


def test_a_given_delimiter_is_taken() -> None:
    assert find_quoting(b"a,b:c\n1,2:3\n", ":").delimiter == ":"


def test_random_numbers_are_recognised_under_every_delimiter() -> None:
    rng = random.Random(0)
    for delimiter in (",", ";", "\t", "|", " "):
        rows = [[f"{rng.uniform(-9, 9):.3f}" for _ in range(5)] for _ in range(30)]
        data = "\n".join(delimiter.join(row) for row in rows).encode()
        assert find_quoting(data).delimiter == delimiter
