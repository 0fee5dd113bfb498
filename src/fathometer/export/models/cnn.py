"""A compact convolutional network."""

from __future__ import annotations

from fathometer.export.raw import PictureConverter


class CnnConverter(PictureConverter):
    """Pixels in, features, outputs; the learner's own encoder is told by what it saved."""
