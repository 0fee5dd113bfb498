"""Column names as everything later needs them: text, not empty, each once."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from fathometer.data.sentences import listed, told


def tidy_names(given: Iterable[object]) -> tuple[list[str], tuple[str, ...]]:
    """Unique non-empty names in the same order, and what was done to get there.

    >>> tidy_names(["a", "", "a"])[0]
    ['a', 'column_2', 'a_2']
    """
    wanted = [" ".join(_as_text(name).split()) for name in given]
    names = _unique(wanted)
    return names, about_names(wanted, names)


def about_names(given: Iterable[str], left: Iterable[str]) -> tuple[str, ...]:
    """What tidying did to given names, as far as the columns are still there."""
    wanted = [" ".join(name.split()) for name in given]
    there = set(left)
    pairs = [
        (old, new) for old, new in zip(wanted, _unique(wanted), strict=True) if old != new and new in there
    ]
    made = [new for old, new in pairs if not old]
    doubled = [old for old, new in pairs if old]
    notes: tuple[str, ...] = ()
    if doubled:
        which = listed(dict.fromkeys(repr(name) for name in doubled))
        notes += (told(len(doubled), "column", "with the name of another", f"renamed: {which}"),)
    if made:
        notes += (told(len(made), "column", "without a name", f"named: {listed(made)}"),)
    return notes


def _unique(wanted: list[str]) -> list[str]:
    taken = {name for name in wanted if name}
    seen: set[str] = set()
    numbers: dict[str, int] = {}
    names = []
    for position, name in enumerate(wanted, 1):
        new = name or _free(f"column_{position}", taken, numbers)
        if new in seen:
            new = _free_number(new, taken, numbers)
        seen.add(new)
        taken.add(new)
        names.append(new)
    return names


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
