"""Runs of words and letters, weighed."""

from __future__ import annotations

from typing import ClassVar

from fathometer.export.converter import Refused


class WordsConverter(Refused):
    """Not exported."""

    why_not: ClassVar[str] = (
        "it finds, folds and counts runs of words and letters by rules (Unicode folding, stop signs, "
        "64-bit numbers of terms) that ONNX's text operators do not have"
    )
