"""Text from people's data in Markdown: shown as it is, whatever signs it holds."""

from __future__ import annotations

import re

from fathometer.core.plain import clean

SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~&$@#!])")
LINE_START = re.compile(r"^(\s*)([-+=]|\d{1,9}(?=[.)](?:\s|$)))")
ADDRESS = re.compile(r"(?i)(https?|ftp|mailto|xmpp):")
WORLD_WIDE = re.compile(r"(?i)\bwww\.")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is: no emphasis, table, markup or link can come of it."""
    kept = SPECIAL.sub(r"\\\1", clean(text))
    # GitHub makes links of bare addresses, which a backslash between their letters prevents
    return WORLD_WIDE.sub(lambda found: f"{found[0][:-1]}\\.", ADDRESS.sub(r"\1\\:", kept))


def as_line(text: str) -> str:
    """A whole line of escaped text, whose beginning makes no list and no heading."""
    return LINE_START.sub(_shield, text)


def fenced(text: str) -> str:
    """Code in more backticks than it holds."""
    kept = clean(text)
    longest = max((len(run) for run in re.findall(r"`+", kept)), default=0)
    fence = "`" * (longest + 1)
    room = " " if kept.startswith("`") or kept.endswith("`") or not kept else ""
    return f"{fence}{room}{kept}{room}{fence}"


def _shield(found: re.Match[str]) -> str:
    """A list or heading mark at the start of a line, made plain: "1." needs its point escaped, "-" itself."""
    return f"{found[1]}{found[2]}\\" if found[2].isdigit() else f"{found[1]}\\{found[2]}"
