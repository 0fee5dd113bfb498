"""The report: a result as a page, as Markdown and as data, each complete in one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fathometer.core.files import write_json, write_text, writing_to
from fathometer.report.compose import compose
from fathometer.report.markdown import as_lines
from fathometer.report.page import as_page
from fathometer.report.twin import as_data

__all__ = ["as_html", "as_markdown", "write_report"]


def as_html(result: Mapping[str, Any]) -> str:
    """The report as one HTML file that needs no network and no script.

    Args:
        result: what result.json holds; whatever of it is missing is told as not measured, or left out.
    """
    return as_page(compose(result))


def as_markdown(result: Mapping[str, Any]) -> str:
    """The report as Markdown, with tables in place of figures."""
    return as_lines(compose(result))


def write_report(result: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write report.html, report.md and report.json into a folder, each whole or not at all.

    Returns:
        The files written.

    Raises:
        UserError: the folder cannot be written.
    """
    document = compose(result)
    page, lines, data = folder / "report.html", folder / "report.md", folder / "report.json"
    with writing_to(folder, "Name another folder, or make room."):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(page, as_page(document))
        write_text(lines, as_lines(document))
        write_json(data, as_data(document, result))
    return [page, lines, data]
