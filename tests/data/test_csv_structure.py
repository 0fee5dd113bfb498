"""Rows and fields counted without parsing, compared with Python's csv module."""

import csv
import io
import itertools
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from fathometer.data import csv_structure
from fathometer.data.csv_structure import Walk, structure

CELLS = st.text(alphabet='ab1,;"\n\r é', max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=8),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    chunk=st.sampled_from([3, 7, 1 << 20]),
)
def test_widths_agree_with_the_csv_module(rows: list[list[str]], end: str, chunk: int) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    before, csv_structure.CHUNK_BYTES = csv_structure.CHUNK_BYTES, chunk
    try:
        found = structure(stream.getvalue().encode(), ",", '"')
    finally:
        csv_structure.CHUNK_BYTES = before
    assert found.widths == Counter(len(row) for row in rows)
    assert found.malformed == 0
    assert not found.is_open


def test_blank_lines_are_no_rows() -> None:
    found = structure(b"a,b\n\n1,2\r\n\r\n3\n", ",")
    assert found.widths == {2: 2, 1: 1}
    assert found.blank_lines == 2


def test_an_open_quote_is_noticed() -> None:
    assert structure(b'a,b\n1,"2\n3,4\n', ",", '"').is_open


def test_quotes_inside_a_cell_are_malformed() -> None:
    assert structure(b'a,5" b\n1,6" c\n', ",", '"').malformed > 0


def test_doubled_quotes_are_well_formed() -> None:
    found = structure(b'a,"say ""hi"""\n1,""\n', ",", '"')
    assert (found.malformed, found.is_open) == (0, False)


def test_an_escaped_quote_does_not_count() -> None:
    found = structure(b'1,"a \\" , b"\n', ",", '"', "\\")
    assert found.widths == {2: 1}
    assert found.malformed == 0


def test_a_text_without_line_end_has_its_last_row() -> None:
    assert structure(b"1,2\n3,4", ",").widths == {2: 2}


def test_nothing_has_no_rows() -> None:
    found = structure(b"", ",")
    assert (sum(found.widths.values()), found.usual_width, found.usual_share) == (0, 0, 0.0)


@settings(max_examples=200, deadline=None)
@given(
    lines=st.lists(st.text(alphabet='a,"\\\r ', max_size=8), min_size=1, max_size=8),
    cuts=st.sets(st.integers(1, 7)),
    escape=st.sampled_from(["", "\\"]),
    blank_before=st.booleans(),
)
def test_it_does_not_matter_where_a_text_was_cut(
    lines: list[str], cuts: set[int], escape: str, blank_before: bool
) -> None:
    ended = [f"{line}\n".encode() for line in lines]
    borders = [0, *sorted(cut for cut in cuts if cut < len(ended)), len(ended)]
    pieces = [b"".join(ended[start:end]) for start, end in itertools.pairwise(borders)]
    whole = structure(b"".join(ended), ",", '"', escape, blank_before)
    assert structure(pieces, ",", '"', escape, blank_before) == whole


@given(st.lists(st.lists(CELLS, min_size=1, max_size=3), min_size=1, max_size=5), st.integers(1, 4))
def test_rows_end_where_the_csv_module_ends_them(rows: list[list[str]], lines_each: int) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    lines = stream.getvalue().encode().split(b"\n")
    walk, at, ends = Walk(",", '"'), 0, []
    for start in range(0, len(lines) - 1, lines_each):
        piece = b"".join(line + b"\n" for line in lines[start : min(start + lines_each, len(lines) - 1)])
        ends += [at + end for end in walk.take(piece).ends.tolist()]
        at += len(piece)
    text = stream.getvalue().encode()
    assert [
        next(csv.reader(io.StringIO(text[a:b].decode(), newline="")))
        for a, b in itertools.pairwise([0, *ends])
    ] == rows
