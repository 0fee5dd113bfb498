"""Imported by the engine's server before the first trial: every learner and kind, so that trials start at once.

Never imported by the main program, which stays light.
"""

from __future__ import annotations

from fathometer.kind import KINDS
from fathometer.learner import LEARNERS

READY = (LEARNERS.usable(), KINDS.usable())
