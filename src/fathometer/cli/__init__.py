"""The command `fathom`: one command per verb; prints what the verb returns."""

import fathometer.cli.predicting
import fathometer.cli.shipping  # noqa: F401  (its commands are added to the others)
from fathometer.cli.app import main

__all__ = ["main"]
