"""Patches of pictures, counted."""

from __future__ import annotations

from typing import ClassVar

from fathometer.export.converter import Refused


class PatchesConverter(Refused):
    """Not exported."""

    why_not: ClassVar[str] = (
        "its features of pictures are patches made uncorrelated, compared and counted over regions by "
        "code of its own, for which there is no converter yet"
    )
