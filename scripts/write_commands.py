"""Write docs/commands.md from the command line's own help, so that the two cannot differ."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

VERBS = ("compare", "inspect", "report", "predict", "pack", "serve", "export", "judge", "demo")
PAGE = Path(__file__).resolve().parent.parent / "docs" / "commands.md"


def text() -> str:
    """The page."""
    parts = ["# Commands\n\nWritten by `python scripts/write_commands.py` from the program's own help.\n"]
    parts += [f"## fathom {verb}\n\n```text\n{_help(verb)}\n```\n" for verb in VERBS]
    return "\n".join(parts)


def _help(verb: str) -> str:
    environment = os.environ | {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", "TERMINAL_WIDTH": "100"}
    command = [sys.executable, "-m", "fathometer", verb, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
