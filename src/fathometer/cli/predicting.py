"""The command that answers the rows of a table, however large."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer
from rich.console import Console

from fathometer.cli.app import Data, Delimiter, Encoding, Files, Header, Query, Quiet, Sheet, app
from fathometer.cli.terminal import clean

if TYPE_CHECKING:
    from fathometer.api import Answered, Answering


INTERRUPTED = 130  # as shells say it of a command that Ctrl-C ended


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A run folder, or a model folder or file.")],
    data: Data,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="csv, parquet, json or jsonl, by ending; whole or not at all. [csv, printed]"
        ),
    ] = None,
    family: Annotated[
        str | None, typer.Option(help="classical, deep, pretrained or together. [the verdict's choice]")
    ] = None,
    on_bad: Annotated[
        str,
        typer.Option(
            help="A cell that does not read as learned: missing (counts so), stop (nothing is answered), skip (its row "
            "is left out), null (its row has no answer)."
        ),
    ] = "missing",
    bad: Annotated[
        Path | None,
        typer.Option(help="List of all such cells: row, column, value, reason. [OUT.bad.csv]"),
    ] = None,
    id: Annotated[
        list[str],
        typer.Option(
            "--id",
            help="A column to put before the answers; none: no column. [those that the comparison found to be "
            "identifiers; else the row's number]",
        ),
    ] = [],  # noqa: B006
    fill_missing: Annotated[
        bool, typer.Option("--fill-missing", help="Columns that are not there count as missing.")
    ] = False,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Leave csv texts as they are that a spreadsheet could run as formulas."),
    ] = False,
    trust_native: Annotated[
        bool, typer.Option("--trust-native", help="Open members that only their own library can read.")
    ] = False,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    header: Header = None,
    sheet: Sheet = None,
    query: Query = None,
    files: Files = None,
    quiet: Quiet = False,
) -> None:
    """Answer the rows of a table with a model, in their order; the table may be larger than the memory."""
    import fathometer.api as api

    options = api.ReadOptions(
        delimiter=delimiter, encoding=encoding, header=header, sheet=sheet, query=query, files=files
    )
    try:
        # answers that are printed on the same terminal would run through the line
        with _Counter(quiet=quiet or (out is None and sys.stdout.isatty())) as counter:
            done = api.predict(
                model,
                data,
                family=family,
                out=sys.stdout if out is None else out,
                read=options,
                on_bad=on_bad,
                fill_missing=fill_missing,
                ids=id or None,
                bad_out=bad,
                raw=raw,
                trust_native=trust_native,
                watcher=counter.watch,
            )
    except KeyboardInterrupt:
        kept = "Nothing was written." if out is not None else "What was printed is not all."
        typer.echo(f"fathom: interrupted. {kept}", err=True)
        raise SystemExit(INTERRUPTED) from None
    for line in _lines(done):
        typer.echo(clean(line), err=True)


class _Counter:
    """Rows so far and how fast, on a terminal at most once a second; silent elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True)
        self._is_on = self._console.is_terminal and not quiet
        self._shown_at = time.monotonic()

    def __enter__(self) -> Self:
        self._show("looking through the data")
        return self

    def __exit__(self, *_: object) -> None:
        self._show("")

    def watch(self, progress: Answering) -> None:
        """Called after every part."""
        now = time.monotonic()
        if now - self._shown_at < 1:
            return
        self._shown_at = now
        of = f" of {progress.rows:,}" if progress.rows else ""
        rate = progress.done / max(progress.seconds, 1e-9)
        self._show(f"{progress.done:,}{of} rows answered, {rate:,.0f} a second")

    def _show(self, words: str) -> None:
        if self._is_on:
            self._console.file.write(f"\r\x1b[2K{words}")
            self._console.file.flush()


def _lines(done: Answered) -> list[str]:
    """What to say when all is answered."""
    lines = list(done.notes)
    counts = [f"{done.answered:,} of {done.rows:,} rows answered by the {done.family} model"]
    if done.skipped:
        counts.append(f"{done.skipped:,} left out")
    if done.empty:
        counts.append(f"{done.empty:,} without an answer")
    lines.append(", ".join(counts) + (f": {done.out}" if done.out is not None else "."))
    if done.bad_out is not None and done.bad_cells:
        cells = "1 cell" if done.bad_cells == 1 else f"{done.bad_cells:,} cells"
        rows = "1 row" if done.bad_rows == 1 else f"{done.bad_rows:,} rows"
        verb = "does" if done.bad_cells == 1 else "do"
        lines.append(f"{cells} in {rows} {verb} not read as learned: {done.bad_out}")
    return lines
