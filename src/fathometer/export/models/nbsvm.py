"""Naive Bayes features of words, weighed."""

from __future__ import annotations

from typing import ClassVar

from fathometer.export.converter import Refused


class NbsvmConverter(Refused):
    """Not exported."""

    why_not: ClassVar[str] = (
        "it finds, folds and counts runs of words by rules (Unicode folding, 64-bit numbers of terms) "
        "that ONNX's text operators do not have"
    )
