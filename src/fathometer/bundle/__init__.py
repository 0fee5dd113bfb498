"""The running side: a fitted model as a folder that holds data only."""

from fathometer.bundle.read import Bundle, open_bundle
from fathometer.bundle.write import Member, pack

__all__ = ["Bundle", "Member", "open_bundle", "pack"]
