"""Pictures: photos, scans, drawings, whatever a camera or a program left as a grid of pixels."""

from __future__ import annotations

from fathometer.kinds.image.column import Image
from fathometer.kinds.image.grids import reduced

__all__ = ["Image", "reduced"]
