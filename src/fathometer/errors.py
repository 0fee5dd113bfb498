"""Every error raised on purpose.

FathometerError
├── UserError              what the user can put right; shown as one sentence, never as a traceback
│   ├── UnreadableData     a file or source cannot be read as a table
│   ├── UnknownColumn      a column is named that the table does not have
│   ├── UnsuitableData     the table is read, but cannot answer the question asked
│   ├── UnknownName        a plug-in, metric or option value that does not exist
│   ├── MissingExtra       an optional package is needed and not installed
│   ├── BadRun             a run folder is missing, locked, damaged or of another version
│   └── BadBundle          a model folder is incomplete, altered or of another version
└── OutOfBudget            a fit has used up its time; raised inside a trial, never shown

A message has three parts: what was expected, what came, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FathometerError(Exception):
    """The root of every error raised on purpose."""


class UserError(FathometerError):
    """Something the user can put right; its text is one clear sentence or two."""


class UnreadableData(UserError):
    """A file or source cannot be read as a table."""


class UnknownColumn(UserError):
    """A column is named that the table does not have.

    >>> str(UnknownColumn("lft", ["age", "left", "plan"]))
    "There is no column 'lft'. Columns: age, left, plan. Did you mean 'left'?"
    """

    def __init__(self, name: str, columns: Iterable[str], where: str = "") -> None:
        """`where`: in what it was looked for, and why, as a clause."""
        listed = list(columns)
        shown = ", ".join(listed[:20]) + (f" and {len(listed) - 20} more" if len(listed) > 20 else "")
        sought = f" {where}" if where else ""
        super().__init__(
            f"There is no column {name!r}{sought}. Columns: {shown}.{did_you_mean(name, listed)}"
        )


class UnsuitableData(UserError):
    """The table is read, but cannot answer the question asked."""


class UnknownName(UserError):
    """A plug-in, metric or option value that does not exist."""

    def __init__(self, what: str, name: str, names: Iterable[str]) -> None:
        listed = sorted(names)
        super().__init__(
            f"There is no {what} {name!r}. Known: {', '.join(listed)}.{did_you_mean(name, listed)}"
        )


class MissingExtra(UserError):
    """An optional package is needed and not installed."""

    def __init__(self, wanted_for: str, package: str, command: str) -> None:
        super().__init__(
            f"{wanted_for} needs the package {package!r}, which is not installed. Type: {command}"
        )


class BadRun(UserError):
    """A run folder is missing, locked, damaged or of another version."""


class BadBundle(UserError):
    """A model folder is incomplete, altered or of another version."""


class OutOfBudget(FathometerError):
    """A fit has used up its time."""


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A question naming the closest of the names, with a leading blank, or nothing."""
    by_lower = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f" Did you mean {by_lower[close[0]]!r}?" if close else ""
