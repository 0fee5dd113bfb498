"""The command `fathom`: one command per verb, each in its own file; prints what the verb returns."""

from fathometer.cli.app import main

__all__ = ["main"]
