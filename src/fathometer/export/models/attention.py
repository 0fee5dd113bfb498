"""Attention over the words of a text."""

from __future__ import annotations

from typing import ClassVar

from fathometer.export.converter import Refused


class AttentionConverter(Refused):
    """Not exported."""

    why_not: ClassVar[str] = (
        "it reads words, and ONNX has no operators that find and number words as it does; its network "
        "alone would answer other tokens than the model"
    )
