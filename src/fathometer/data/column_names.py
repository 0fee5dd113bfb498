"""Column names as everything later needs them: text, not empty, each once."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd


def tidy_names(given: Iterable[object]) -> tuple[list[str], tuple[str, ...]]:
    """Unique non-empty names in the same order, and what was done to get there.

    >>> tidy_names(["a", "", "a"])[0]
    ['a', 'column_2', 'a_2']
    """
    wanted = [" ".join(_as_text(name).split()) for name in given]
    taken = {name for name in wanted if name}
    seen: set[str] = set()
    numbers: dict[str, int] = {}
    names, doubled, made = [], [], []
    for position, name in enumerate(wanted, 1):
        if not name:
            name = _free(f"column_{position}", taken, numbers)
            made.append(name)
        elif name in seen:
            doubled.append(name)
            name = _free_number(name, taken, numbers)
        seen.add(name)
        taken.add(name)
        names.append(name)
    return names, (*_about_doubled(doubled), *_about_made(made))


def listed(names: Iterable[object], most: int = 5) -> str:
    """A few names for a sentence: "a, b, c and 7 more"."""
    items = [str(name) for name in names]
    more = f" and {len(items) - most:,} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more


def _as_text(name: object) -> str:
    if isinstance(name, tuple):  # a column of several levels
        return " ".join(_as_text(part) for part in name)
    if name is None or (not isinstance(name, str) and bool(pd.isna(name))):  # type: ignore[call-overload]
        return ""
    return str(name).replace("\0", "")


def _free(name: str, taken: set[str], numbers: dict[str, int]) -> str:
    return name if name not in taken else _free_number(name, taken, numbers)


def _free_number(name: str, taken: set[str], numbers: dict[str, int]) -> str:
    """The name with the lowest free number; `numbers` keeps a thousand equal names from being slow."""
    number = numbers.get(name, 2)
    while f"{name}_{number}" in taken:
        number += 1
    numbers[name] = number + 1
    return f"{name}_{number}"


def _about_doubled(doubled: list[str]) -> tuple[str, ...]:
    if not doubled:
        return ()
    which = listed(dict.fromkeys(repr(name) for name in doubled))
    return (f"{len(doubled):,} columns were renamed, because another column has the same name: {which}.",)


def _about_made(made: list[str]) -> tuple[str, ...]:
    return (f"{len(made):,} columns have no name and were named: {listed(made)}.",) if made else ()
