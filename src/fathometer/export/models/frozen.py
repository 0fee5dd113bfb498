"""A head on a pre-trained encoder."""

from __future__ import annotations

from typing import ClassVar

from fathometer.export.converter import Refused


class FrozenConverter(Refused):
    """Not exported."""

    why_not: ClassVar[str] = (
        "its encoder reads words or pictures by a tokenizer or processor of its own that ONNX has no "
        "operators for"
    )
