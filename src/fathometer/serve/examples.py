"""Rows that work verbatim: made up from the model's own sketches, no row of anybody's data."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from fathometer.bundle.read import Bundle
from fathometer.bundle.reference import drawn_cells
from fathometer.data.wire import to_wire
from fathometer.serve.settings import KEYS_VARIABLE

DRAWN = 32  # rows of which the fullest is shown
LONGEST_LINE = 1_500  # characters of JSON that a person still copies into a shell
KEY_VARIABLE = "FATHOMETER_API_KEY"
KEY_SHOWN = f"${KEY_VARIABLE}"


def example_row(bundle: Bundle) -> dict[str, Any]:
    """One row as it travels: column -> JSON value, with as few missing cells as are to be had."""
    cells = drawn_cells(bundle.reference, bundle.schema, DRAWN, oddities=False)
    place = int(cells.notna().to_numpy().sum(axis=1).argmax())
    return {str(name): _short(to_wire(cells[name].iloc[place])) for name in cells}


def curl_line(url: str, row: Mapping[str, Any], has_key: bool) -> str:
    """A command that asks for this row, to be typed as it is; rows too long to be typed are fetched from the server."""
    key = f' -H "Authorization: Bearer {KEY_SHOWN}"' if has_key else ""
    body = orjson.dumps({"rows": [row]}).decode()
    if len(body) > LONGEST_LINE:
        fetched = f"curl -s{key} {shlex.quote(url + '/example')}"
        return f"{fetched} | curl -s{key} {shlex.quote(url + '/predict')} --data-binary @-"
    return f"curl -s{key} {shlex.quote(url + '/predict')} --data-binary {shlex.quote(body)}"


def key_line(key_file: Path | None) -> str:
    """A command that sets what `curl_line` sends: the first key of the file, or of the server's environment."""
    if key_file is None:
        return f'export {KEY_VARIABLE}="${{{KEYS_VARIABLE}%%,*}}"'
    file = shlex.quote(str(key_file.absolute()))
    return (
        f"export {KEY_VARIABLE}=$(grep -v -e '^#' -e '^[[:space:]]*$' {file} | head -n 1 | tr -d '[:space:]')"
    )


def _short(value: Any) -> Any:
    """A number in the few digits that a person would type."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
