"""Workbooks: sheets, types, damage."""

import io
import json
import zipfile
from datetime import date, datetime, time, timedelta
from xml.sax.saxutils import escape

import pandas as pd
import pytest

from fathometer.data import spreadsheets, workbook_cells
from fathometer.data.spreadsheets import SheetWanted, read_workbook
from fathometer.errors import UnknownName, UnreadableData, UserError

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
BOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
Cell = str | float | bool | None


def sheet_xml(rows: list[list[Cell]]) -> str:
    lines = []
    for number, row in enumerate(rows, 1):
        cells = "".join(cell_xml(f"{chr(65 + i)}{number}", cell) for i, cell in enumerate(row))
        lines.append(f'<row r="{number}">{cells}</row>')
    return f"<worksheet {MAIN}><sheetData>{''.join(lines)}</sheetData></worksheet>"


def cell_xml(place: str, cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return f'<c r="{place}" t="b"><v>{int(cell)}</v></c>'
    if isinstance(cell, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
    return f'<c r="{place}"><v>{cell}</v></c>'


def workbook(sheets: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    parts = range(1, len(sheets) + 1)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        types = "".join(
            f'<Override PartName="/xl/worksheets/sheet{i}.xml" ContentType="{SHEET_TYPE}"/>' for i in parts
        )
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
            f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{BOOK_TYPE}"/>{types}</Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
            f'Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        listed = "".join(f'<sheet name="{n}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(sheets, 1))
        archive.writestr(
            "xl/workbook.xml", f'<workbook {MAIN} xmlns:r="{RELATIONS}"><sheets>{listed}</sheets></workbook>'
        )
        links = "".join(
            f'<Relationship Id="r{i}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{i}.xml"/>'
            for i in parts
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships">{links}</Relationships>',
        )
        for i, xml in enumerate(sheets.values(), 1):
            archive.writestr(f"xl/worksheets/sheet{i}.xml", xml)
    return stream.getvalue()


PEOPLE: list[list[Cell]] = [
    ["name", "age", "rate", "member", "code"],
    ["Ann", 31, 0.5, True, "A1"],
    ["Bob", 44, 1.25, False, 7],
    ["Cid", 28, None, True, "A3"],
]


def test_columns_have_the_one_type_of_their_cells() -> None:
    frame = read_workbook(workbook({"people": sheet_xml(PEOPLE)}), "a.xlsx").frame
    assert list(frame.columns) == ["name", "age", "rate", "member", "code"]
    assert frame["age"].dtype == "int64"
    assert frame["rate"].dtype == "float64"
    assert frame["member"].dtype == "bool"
    assert frame["code"].tolist() == ["A1", "7", "A3"]


def test_the_first_sheet_that_holds_anything_is_read_and_said() -> None:
    raw = workbook({"cover": sheet_xml([]), "people": sheet_xml(PEOPLE), "more": sheet_xml(PEOPLE)})
    table = read_workbook(raw, "a.xlsx")
    assert len(table.frame) == 3
    assert "Sheet 'people' was read. Others: cover, more." in table.notes


def test_a_wanted_sheet_is_read_and_an_unknown_one_named() -> None:
    raw = workbook({"one": sheet_xml([["a"], [1]]), "two": sheet_xml(PEOPLE)})
    assert len(read_workbook(raw, "a.xlsx", SheetWanted("two")).frame) == 3
    with pytest.raises(UnknownName, match="'two'"):
        read_workbook(raw, "a.xlsx", SheetWanted("twoo"))


def test_rows_before_the_header_are_left_out() -> None:
    raw = workbook({"s": sheet_xml([["Report 2024"], [], *PEOPLE])})
    table = read_workbook(raw, "a.xlsx")
    assert table.frame.columns[0] == "name"
    assert len(table.frame) == 3


def test_a_sheet_without_header_is_read() -> None:
    table = read_workbook(workbook({"s": sheet_xml([[1, 2], [3, 4], [5, 6]])}), "a.xlsx")
    assert table.frame.to_dict("list") == {"column_1": [1, 3, 5], "column_2": [2, 4, 6]}


def test_an_empty_workbook_is_refused() -> None:
    with pytest.raises(UnreadableData, match="filled cell"):
        read_workbook(workbook({"s": sheet_xml([])}), "a.xlsx")


def test_cells_a_million_rows_apart_are_refused() -> None:
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    xml = f'<worksheet {MAIN}><sheetData><row r="1"><c r="A1"><v>1</v></c></row>{far}</sheetData></worksheet>'
    with pytest.raises(UnreadableData, match="huge"):
        read_workbook(workbook({"s": xml}), "a.xlsx")


def ods(cells: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        names = "".join(
            f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
            for name in ("office", "table", "text")
        )
        archive.writestr(
            "content.xml",
            f'<office:document-content{names}><office:body><office:spreadsheet><table:table table:name="s">{cells}'
            "</table:table></office:spreadsheet></office:body></office:document-content>",
        )
    return stream.getvalue()


def ods_cell(number: int, repeated: int = 1) -> str:
    times = f' table:number-columns-repeated="{repeated}"' if repeated > 1 else ""
    return f'<table:table-cell office:value-type="float" office:value="{number}"{times}/>'


def test_an_open_document_sheet_is_read_for_all_its_empty_rows_below() -> None:
    empty = '<table:table-row table:number-rows-repeated="1048570"><table:table-cell/></table:table-row>'
    rows = "".join(f"<table:table-row>{ods_cell(i)}{ods_cell(i + 5, 2)}</table:table-row>" for i in range(3))
    assert read_workbook(ods(rows + empty), "a.ods").frame.shape == (3, 3)


def test_a_cell_repeated_over_a_whole_sheet_is_refused() -> None:
    row = f'<table:table-row table:number-rows-repeated="1000000">{ods_cell(1, 16000)}</table:table-row>'
    with pytest.raises(UnreadableData, match="huge"):
        read_workbook(ods(row), "a.ods")


@pytest.mark.parametrize("kept", [10, 200, 700, 1_200])
def test_a_cut_workbook_is_refused(kept: int) -> None:
    with pytest.raises(UnreadableData):
        read_workbook(workbook({"people": sheet_xml(PEOPLE)})[:kept], "a.xlsx")


def test_a_workbook_with_a_flipped_byte_is_read_or_refused() -> None:
    raw = workbook({"people": sheet_xml(PEOPLE * 30)})
    for place in range(0, len(raw), 150):
        damaged = raw[:place] + bytes([raw[place] ^ 0x55]) + raw[place + 1 :]
        try:
            read_workbook(damaged, "a.xlsx")
        except UserError as error:
            assert str(error)


def test_a_workbook_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "SECONDS", -1.0)  # over before it begins, however fast the reader is
    with pytest.raises(UnreadableData, match="damaged"):
        read_workbook(workbook({"people": sheet_xml(PEOPLE)}), "a.xlsx")


def test_dates_and_times_come_through_as_they_are() -> None:
    cells = [
        None,
        "a",
        True,
        1,
        2.5,
        date(2024, 5, 1),
        datetime(2024, 5, 1, 10),
        time(10, 30),
        timedelta(hours=30),
    ]
    answer = {"names": ["s"], "name": "s", "rows": [[workbook_cells._encoded(cell) for cell in cells]]}
    assert workbook_cells.decoded(json.dumps(answer).encode()) == (["s"], "s", [cells])


def test_a_damaged_sheet_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnreadableData):
        read_workbook(workbook({"s": "<worksheet><sheetData><row r='1'><c"}), "a.xlsx")
    assert capfd.readouterr().err == ""


def test_an_old_workbook_that_makes_its_reader_panic_is_refused_quietly(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(UnreadableData):
        read_workbook(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(100) * 6, "a.xls")
    assert capfd.readouterr().err == ""


def test_whole_numbers_with_gaps_stay_numbers() -> None:
    frame = read_workbook(workbook({"s": sheet_xml([["n", "m"], [1, 2], [None, 3]])}), "a.xlsx").frame
    assert pd.isna(frame["n"][1])
    assert frame["n"].dtype == "float64"
