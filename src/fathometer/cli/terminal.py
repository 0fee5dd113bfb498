"""Text that is safe to print: what comes from files may hold anything."""

from __future__ import annotations

import unicodedata


def clean(text: str, most: int = 2_000) -> str:
    """Text without control and direction characters, which could rewrite the screen; cut when very long."""
    kept = "".join(
        character
        if character == "\n" or unicodedata.category(character) not in ("Cc", "Cf", "Cs")
        else "\N{REPLACEMENT CHARACTER}"
        for character in text[:most]
    )
    return kept + ("..." if len(text) > most else "")
