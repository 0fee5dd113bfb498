"""Write the table of docs/export.md from the export's own register, so that the two cannot differ."""

from __future__ import annotations

from pathlib import Path

from fathometer.export import exportable
from fathometer.learner import LEARNERS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "export.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->"
FAMILIES = ("baseline", "classical", "deep", "pretrained")


def table() -> str:
    """The table: what can be exported, by family."""
    lines = ["| family | learner | exported | why not, or when not |", "|---|---|---|---|"]
    known = {one.learner: one for one in exportable()}
    for family in FAMILIES:
        for name in LEARNERS.names():
            learner = LEARNERS.get(name)
            if learner.family == family:
                one = known[name]
                lines.append(f"| {family} | {learner.title} (`{name}`) | {one.can} | {one.why} |")
    return "\n".join(lines) + "\n"


def text(page: str) -> str:
    """The page with its table as it should be."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(text(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
