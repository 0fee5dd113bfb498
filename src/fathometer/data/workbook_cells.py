"""Take the cells out of a workbook, in a process of its own.

The reader of workbooks is written in Rust. A damaged file can make it panic (which is no Python exception), run for
hours, or ask for more memory than there is, which ends the whole process. So `spreadsheets` starts this file as a
script, under limits, and hands the bytes over. It imports nothing of ours, to start fast.
"""

from __future__ import annotations

import datetime
import io
import json
import resource
import sys
from collections.abc import Callable
from typing import Any

from python_calamine import CalamineWorkbook

Rows = list[list[Any]]
"""A cell is None, text, a truth value, a number, a date, a moment, a time of day or a length of time."""


def decoded(answer: bytes) -> tuple[list[str], str | None, Rows]:
    """What the script has written: (names of the sheets, name of the one read or None, its rows)."""
    parts = json.loads(answer)
    return parts["names"], parts["name"], [[_decoded(cell) for cell in row] for row in parts["rows"]]


def _take_out(raw: bytes, wanted: str | None) -> dict[str, Any]:
    """The first sheet that holds anything, or the wanted one; without name where there is none such."""
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(raw))
    names = list(workbook.sheet_names)
    for name in names if wanted is None else [wanted]:
        if name not in names:
            break
        rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=True)
        if any(str(cell).strip() for row in rows for cell in row):
            return {"names": names, "name": name, "rows": [[_encoded(cell) for cell in row] for row in rows]}
    return {"names": names, "name": None, "rows": []}


def _encoded(cell: Any) -> Any:
    """A cell as JSON; what JSON has no word for is a pair of its kind and its spelling."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, str | bool | int | float):
        return cell
    if isinstance(cell, datetime.timedelta):
        return ["seconds", cell.total_seconds()]
    return [type(cell).__name__, cell.isoformat()]


def _decoded(cell: Any) -> Any:
    if not isinstance(cell, list):
        return cell
    kind, spelling = cell
    return _READERS[kind](spelling)


_READERS: dict[str, Callable[[Any], Any]] = {
    "date": datetime.date.fromisoformat,
    "datetime": datetime.datetime.fromisoformat,
    "time": datetime.time.fromisoformat,
    "seconds": lambda seconds: datetime.timedelta(seconds=seconds),
}


def _main() -> None:
    wanted, memory = json.loads(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    json.dump(_take_out(sys.stdin.buffer.read(), wanted), sys.stdout)


if __name__ == "__main__":
    _main()
