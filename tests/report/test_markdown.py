"""Markdown: tables of equal columns, and text that stays text."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from samples import PROBES, classification, hostile, nothing_measured, regression

from fathometer.report import as_markdown
from fathometer.report.markdown import as_line, escaped, fenced


def tables(text: str) -> Iterator[list[str]]:
    """Runs of lines that begin with a bar."""
    run: list[str] = []
    for line in [*text.split("\n"), ""]:
        if line.startswith("|"):
            run.append(line)
        elif run:
            yield run
            run = []


def columns(line: str) -> int:
    return len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) - 1


@pytest.mark.parametrize("sample", [classification, regression, nothing_measured, dict])
def test_tables_have_equal_columns(sample: type[dict[str, object]]) -> None:
    text = as_markdown(sample())
    for table in tables(text):
        assert len({columns(line) for line in table}) == 1, table[0]
        assert re.fullmatch(r"\|( (---:?) \|)+", table[1])


@pytest.mark.parametrize("probe", PROBES, ids=[f"probe{k}" for k in range(len(PROBES))])
def test_hostile_text_breaks_no_table_and_makes_no_markup(probe: str) -> None:
    text = as_markdown(hostile(probe))
    text.encode("utf-8")
    for table in tables(text):
        assert len({columns(line) for line in table}) == 1
    code = re.compile(r"(`+) ?.*?[^`] ?\1(?!`)")
    for line in text.split("\n"):
        if line.startswith("    "):
            continue  # an indented block is shown as it is
        bare = code.sub("", line.replace("\\`", ""))
        assert not re.search(r"(?<!\\)<", bare), line[:200]
        assert not re.search(r"(?<!\\)\]\(", bare), line[:200]
        assert not re.search(r"(?i)https?://|www\.", bare), line[:200]
    for character in "\x00\x1b\u202e\u2066\u200b":
        assert character not in text


def test_headings_are_ours_alone() -> None:
    plain = [line for line in as_markdown(classification()).split("\n") if line.startswith("#")]
    probed = [line for line in as_markdown(hostile("# heading")).split("\n") if line.startswith("#")]
    assert plain == probed


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a\\|b"),
        ("<b>", "\\<b\\>"),
        ("- no list", "\\- no list"),
        ("1. no list", "1\\. no list"),
        ("80.8 %", "80.8 %"),
        ("*no* _stress_", "\\*no\\* \\_stress\\_"),
        ("[no](link)", "\\[no\\](link)"),
        ("see https://x.example", "see https\\://x.example"),
    ],
)
def test_marks_are_escaped(text: str, shown: str) -> None:
    assert as_line(escaped(text)) == shown


def test_code_is_fenced_by_more_backticks_than_it_holds() -> None:
    assert fenced("plain") == "`plain`"
    assert fenced("a`b``c") == "```a`b``c```"
    assert fenced("`a") == "`` `a ``"


def test_figures_are_told_by_their_tables() -> None:
    text = as_markdown(classification())
    assert "**Score against rows, measured and forecast**" in text
    assert "| 590 | measured |" in text
