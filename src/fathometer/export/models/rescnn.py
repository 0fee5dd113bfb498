"""A small residual network for pictures."""

from __future__ import annotations

from fathometer.export.raw import PictureConverter


class RescnnConverter(PictureConverter):
    """Pixels in, features, outputs; the learner's own encoder is told by what it saved."""
