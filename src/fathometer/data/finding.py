"""One thing found in the data, and how names of columns are taken apart and written in sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing found.

    code: a short word that never changes.
    severity: "info", "warning", or "action" (something was done about it).
    """

    code: str
    severity: str
    sentence: str
    columns: tuple[str, ...] = ()


def name_words(name: str) -> list[str]:
    """Words and numbers of a name in lower case, humps parted: "customerID_2" -> customer, id, 2."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return re.findall(r"[a-z]+|[0-9]+", parted)


def quoted_names(names: Sequence[str], most: int = 8) -> str:
    """Names in quotes: "'a', 'b' and 7 more"."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")


def as_option(option: str, name: str) -> str:
    """What to type: --keep age, --keep "Lot Area"."""
    return f"{option} {name}" if re.fullmatch(r"[\w.-]+", name) else f'{option} "{name}"'
