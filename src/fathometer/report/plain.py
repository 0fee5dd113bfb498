"""Text from people's data made harmless to read (core/plain.py), as the report's own modules ask for it."""

from fathometer.core.plain import NAME_LENGTH, SENTENCE_LENGTH, clean, shortened, visible

__all__ = ["NAME_LENGTH", "SENTENCE_LENGTH", "clean", "shortened", "visible"]
