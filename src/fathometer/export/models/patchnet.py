"""A network on fixed patches of the training pictures."""

from __future__ import annotations

from fathometer.export.raw import PictureConverter


class PatchnetConverter(PictureConverter):
    """Pixels in, features, outputs; the learner's own encoder is told by what it saved."""
