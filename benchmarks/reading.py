"""How well are files read that nobody has described? Run as `python -m benchmarks.reading`.

Four measurements on the development data (`FATHOMETER_DATA`, see benchmarks/tables.py), written to
benchmarks/results/reading.md:

1. 36 files from open-data portals whose true dialect people wrote down: delimiter, encoding, header lines
   and lines before the table must be as they say, and the table as large as in the file they repaired by
   hand. Whether every cell is as there is counted apart.
2. Every messy file: read, or refused with which sentence.
3. Well-known tables: rows and columns as published.
4. Pieces of these, rewritten in dialects drawn by lot: every cell must come back. No rule was made looking at this
   draw.
"""

from __future__ import annotations

import csv
import io
import json
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.tables import data_folder
from fathometer.data.sources import Table, read_table
from fathometer.errors import UserError

RESULT = Path(__file__).parent / "results" / "reading.md"

REWRITTEN = 300
KNOWN_SHAPES = {
    "tabular/telco_churn.csv": (7_043, 21),
    "tabular/adult_with_header.csv": (48_842, 15),
    "tabular/adult_train.csv": (32_561, 15),
    "tabular/adult_test.csv": (16_281, 15),
    "tabular/california_housing.csv": (20_640, 10),
    "tabular/ames_housing.csv": (2_930, 82),
    "tabular/bike_sharing_hourly.csv": (10_886, 12),
    "tabular/german_credit.csv": (1_000, 21),
    "tabular/credit_scoring.csv": (4_454, 15),
    "tabular/creditcard_fraud_sample.csv": (9_425, 31),
    "tabular/mammography.csv": (11_183, 7),
    "tabular/wage.csv": (3_000, 12),
    "tabular/cps1988_wages.csv": (28_155, 8),
    "tabular/wage1.csv": (526, 25),
    "tabular/titanic.csv": (891, 12),
    "text/SMSSpamCollection.tsv": (5_574, 2),
    "text/airline_tweets.csv": (14_640, 15),
    "text/imdb/imdb_train_10k.csv.gz": (10_000, 3),
    "text/imdb/imdb_test_5k.csv.gz": (5_000, 3),
    "text/ag_news/test.csv": (7_600, 3),
    "timeseries/airline_passengers.csv": (144, 2),
    "timeseries/daily_min_temperatures.csv": (3_650, 2),
    "timeseries/beijing_pm25_hourly.csv": (43_824, 13),
    "timeseries/ETTh1.csv": (17_420, 8),
    "timeseries/series_classification/GunPoint_train.csv": (50, 151),
    "timeseries/series_classification/GunPoint_test.csv": (150, 151),
    "timeseries/series_classification/ItalyPowerDemand_train.csv": (67, 25),
    "timeseries/series_classification/ItalyPowerDemand_test.csv": (1_029, 25),
    "ratings/movielens100k/u.data": (100_000, 4),
    "ratings/movielens100k/u.user": (943, 5),
}
HEADERLESS = {
    "tabular/adult_train.csv",
    "tabular/adult_test.csv",
    "tabular/german_credit.csv",
    "tabular/mammography.csv",
    "text/SMSSpamCollection.tsv",
    "text/ag_news/test.csv",
    "ratings/movielens100k/u.data",
    "ratings/movielens100k/u.user",
}

WHY = {
    "Sustainability_-_Water_consumption_P_56.csv": "The file is UTF-8: as Latin-1 its pound sign becomes two "
    "characters. Its first line, one title over three columns, is taken as a line before the table.",
    "mos-oct-dec-2014.csv": "Four tables with a header each stand below each other; the first header's names come "
    "again among the rows, which speaks against their being names.",
    "vissim_data_conf2473_i7_v1987.csv": "The description is wrong: the file has semicolons, as its sister file.",
    "2004-2016.csv": "The repair emptied cells that say 'missing'; here that is left to the kind of column.",
}
"""What was found on looking into the files that differ."""


@dataclass(frozen=True)
class Reading:
    """One file read or refused."""

    path: Path
    table: Table | None
    refusal: str
    seconds: float


def read(path: Path) -> Reading:
    """Read a file without being told anything about it."""
    begin = time.perf_counter()
    try:
        table, refusal = read_table(path), ""
    except UserError as error:
        table, refusal = None, str(error)
    return Reading(path, table, refusal, time.perf_counter() - begin)


def survey(folder: Path) -> list[tuple[str, list[str]]]:
    """(file, what differs from the people's description; nothing: fully right) for the described files."""
    results = []
    for described in sorted((folder / "parameters").iterdir()):
        name = described.name.removesuffix("_parameters.json")
        truth = json.loads(described.read_text(encoding="utf-8"))
        reading = read(folder / "csv" / name)
        results.append((name, differences(reading, truth, folder / "clean" / name)))
    return results


def differences(reading: Reading, truth: dict[str, Any], clean: Path) -> list[str]:
    """What differs between what was read and what people wrote down."""
    if reading.table is None:
        return [] if truth["n_columns"] == 0 else [f"refused: {reading.refusal}"]
    dialect = reading.table.dialect
    if dialect is None:
        return ["not read as csv"]
    found = []
    for what, ours, theirs in (
        ("delimiter", dialect.delimiter, truth["delimiter"]),
        ("header lines", dialect.header_lines, int(truth["header_lines"])),
        ("lines before", dialect.preamble_lines, int(truth["preamble_lines"])),
    ):
        if ours != theirs:
            found.append(f"{what} {ours!r}, described as {theirs!r}")
    if not same_text(reading.path.read_bytes(), dialect.encoding, truth["encoding"]):
        found.append(f"encoding {dialect.encoding}, described as {truth['encoding']}")
    if clean.exists():
        rows, columns = clean_rows(clean)
        got = reading.table.frame.shape
        if got != (len(rows), columns):
            found.append(f"{got[0]} x {got[1]}, repaired file {len(rows)} x {columns}")
    return found


def cells_section(folder: Path) -> list[str]:
    """Files whose cells are not all as in the repaired file."""
    compared, lines = 0, []
    for path in sorted((folder / "csv").iterdir()):
        reading, clean = read(path), folder / "clean" / path.name
        if reading.table is None or not clean.exists():
            continue
        rows, columns = clean_rows(clean)
        if reading.table.frame.shape == (len(rows), columns):
            compared += 1
            count = differing_cells(reading.table, rows)
            if count:
                lines.append(f"- {path.name}: {count} cells differ. {WHY.get(path.name, '')}")
    same = compared - len(lines)
    return [
        f"Of {compared} files as large as the repaired ones, {same} have the same cells throughout.",
        "",
        *lines,
        "",
    ]


def same_text(raw: bytes, ours: str, theirs: str) -> bool:
    """Whether both encodings give the same text."""
    try:
        return raw.decode(ours) == raw.decode("utf-8" if theirs == "ascii" else theirs)
    except UnicodeError:
        return False


def clean_rows(path: Path) -> tuple[list[list[str]], int]:
    """(rows, columns) of a repaired file, without empty rows and nameless empty columns, as we leave them out."""
    with path.open(newline="", encoding="utf-8", errors="replace") as stream:
        names, *rows = csv.reader(stream)
    body = [row for row in rows if any(row)]
    width = max(len(row) for row in (names, *body))
    named = [*map(str.strip, names), *[""] * (width - len(names))]
    used = [j for j in range(width) if named[j] or any(len(row) > j and row[j].strip() for row in body)]
    return [[row[j].strip() if len(row) > j else "" for j in used] for row in body], len(used)


def differing_cells(table: Table, clean: list[list[str]]) -> int:
    """How many cells are not as in the repaired file, blanks around them apart."""
    frame = table.frame.astype(object).where(table.frame.notna(), "")
    pairs = zip(frame.itertuples(index=False), clean, strict=True)
    return sum(
        str(ours).strip() != theirs for row, other in pairs for ours, theirs in zip(row, other, strict=True)
    )


def table_of(header: list[str], rows: list[list[object]]) -> list[str]:
    """Markdown lines of a table."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for row in rows:
        cells = [" ".join(str(cell).split()).replace("|", "\\|") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def survey_section(folder: Path) -> list[str]:
    """The described files."""
    results = survey(folder)
    misses = [(name, found) for name, found in results if found]
    right = len(results) - len(misses)
    lines = [f"## Described files: {right} of {len(results)} fully right", ""]
    for what in ("delimiter", "encoding", "header lines", "lines before", " x "):
        wrong = sum(any(what in item for item in found) for _, found in misses)
        shown = "rows and columns" if what == " x " else what
        lines.append(f"- {shown}: {len(results) - wrong} of {len(results)}")
    rows: list[list[object]] = [[name, "; ".join(found), WHY.get(name, "")] for name, found in misses]
    return [*lines, "", *table_of(["file", "what differs", "why"], rows), "", *cells_section(folder)]


def messy_section(folder: Path) -> list[str]:
    """Every messy file."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.parent.name != "parameters")
    parameters = sorted((folder / "survey_files" / "parameters").iterdir())
    readings = [read(path) for path in (*paths, *parameters)]
    refused = [reading for reading in readings if reading.table is None]
    lines = [
        f"## Messy files: {len(readings)} tried, {len(readings) - len(refused)} read, {len(refused)} refused",
        "",
        f"Longest reading: {max(reading.seconds for reading in readings):.2f} s.",
        "",
    ]
    rows: list[list[object]] = []
    for reading in readings:
        name = reading.path.relative_to(folder).as_posix()
        if reading.table is None:
            rows.append([name, "refused", reading.refusal])
        else:
            size = " x ".join(f"{count:,}" for count in reading.table.frame.shape)
            rows.append([name, size, " ".join(reading.table.notes)])
    return [*lines, *table_of(["file", "rows x columns", "notes or refusal"], rows), ""]


def known_section(folder: Path) -> list[str]:
    """The well-known tables."""
    rows: list[list[object]] = []
    right = 0
    for name, shape in KNOWN_SHAPES.items():
        reading = read(folder / name)
        got = reading.table.frame.shape if reading.table else (0, 0)
        dialect = reading.table.dialect if reading.table else None
        has_header = bool(dialect and dialect.header_lines)
        good = got == shape and has_header == (name not in HEADERLESS)
        right += good
        verdict = "right" if good else f"WRONG: {shape[0]} x {shape[1]} expected {reading.refusal}"
        rows.append([name, f"{got[0]:,} x {got[1]:,}", "yes" if has_header else "no", verdict])
    title = f"## Well-known tables: {right} of {len(KNOWN_SHAPES)} right"
    return [title, "", *table_of(["file", "rows x columns", "header", "as published"], rows), ""]


def rewritten_section(folder: Path) -> list[str]:
    """Pieces of the well-known tables, written in dialects drawn by lot and read back."""
    draw = random.Random(1)
    names = [name for name in KNOWN_SHAPES if name not in HEADERLESS and not name.endswith(".gz")]
    frames = {name: read_table(folder / name).frame for name in names}
    wrong: list[list[object]] = []
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "rewritten.csv"
        for _ in range(REWRITTEN):
            name = draw.choice(names)
            frame = piece(frames[name], draw)
            spelling = Spelling.drawn(draw)
            path.write_bytes(spelling.write(frame))
            found = spelling.mistakes(read(path), frame)
            if found:
                wrong.append([name, len(frame), spelling, found])
    title = f"## Rewritten tables: {REWRITTEN - len(wrong)} of {REWRITTEN} come back cell by cell"
    about = "Dialects drawn by lot (seed 1): delimiter, quoting, line ends, encoding, header or none, title, remark."
    return [title, "", about, "", *table_of(["table", "rows", "written as", "what differs"], wrong), ""]


def piece(frame: pd.DataFrame, draw: random.Random) -> pd.DataFrame:
    """Some consecutive rows, without columns that are empty in them."""
    rows = draw.choice([5, 20, 100, 1_000])
    start = draw.randrange(max(1, len(frame) - rows))
    return frame.iloc[start : start + rows].dropna(axis=1, how="all").reset_index(drop=True)


@dataclass(frozen=True)
class Spelling:
    """One way of writing a table as text."""

    delimiter: str
    quote_all: bool
    end: str
    encoding: str
    has_header: bool
    before: tuple[str, ...]
    after: tuple[str, ...]

    @classmethod
    def drawn(cls, draw: random.Random) -> Spelling:
        """A spelling by lot."""
        return cls(
            delimiter=draw.choice(",;\t|"),
            quote_all=draw.random() < 0.5,
            end=draw.choice(["\n", "\r\n"]),
            encoding=draw.choice(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
            has_header=draw.random() < 0.7,
            before=draw.choice(
                [(), (), ("Exported 2024-05-01",), ("Report", "by the office", ""), ("# made by hand",)]
            ),
            after=draw.choice([(), (), ("", "Source: the statistical office of the country")]),
        )

    def write(self, frame: pd.DataFrame) -> bytes:
        """The table spelled so; characters the encoding lacks become question marks."""
        stream = io.StringIO()
        quoting = csv.QUOTE_ALL if self.quote_all else csv.QUOTE_MINIMAL
        writer = csv.writer(stream, delimiter=self.delimiter, quoting=quoting, lineterminator=self.end)
        if self.has_header:
            writer.writerow(frame.columns)
        writer.writerows(self.rows(frame))
        after = self.after if len(frame.columns) > 2 else ()
        lines = ["".join(line + self.end for line in part) for part in (self.before, after)]
        return (lines[0] + stream.getvalue() + lines[1]).encode(self.encoding, "replace")

    def rows(self, frame: pd.DataFrame) -> list[list[str]]:
        """The cells, as the encoding can spell them."""
        cells = frame.astype(object).where(frame.notna(), "").to_numpy().tolist()
        codec = self.encoding
        return [[str(cell).encode(codec, "replace").decode(codec) for cell in row] for row in cells]

    def mistakes(self, reading: Reading, frame: pd.DataFrame) -> str:
        """What of it was not read back."""
        if reading.table is None or reading.table.dialect is None:
            return reading.refusal
        found = []
        if reading.table.dialect.delimiter != self.delimiter:
            found.append(f"delimiter {reading.table.dialect.delimiter!r}")
        if bool(reading.table.dialect.header_lines) != self.has_header:
            found.append(f"{reading.table.dialect.header_lines} header lines")
        got = reading.table.frame.astype(object).where(reading.table.frame.notna(), "").to_numpy().tolist()
        if got != self.rows(frame):
            found.append(f"cells, {reading.table.frame.shape[0]} x {reading.table.frame.shape[1]}")
        return ", ".join(found)


def main() -> None:
    """Measure, print the headings and write the result."""
    folder = data_folder()
    lines = [
        "# Reading files nobody has described",
        "",
        "`python -m benchmarks.reading`",
        "",
        *survey_section(folder / "messy_csv" / "survey_files"),
        *known_section(folder),
        *rewritten_section(folder),
        *messy_section(folder / "messy_csv"),
    ]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(line for line in lines if line.startswith(("#", "- "))))
    print(f"Written to {RESULT}.")


if __name__ == "__main__":
    main()
