"""The running side: a fitted model as a folder, or as one file, that holds data only."""

from fathometer.bundle.format import Limits
from fathometer.bundle.read import Bundle, is_bundle, open_bundle
from fathometer.bundle.write import Member, pack, pack_archive

__all__ = ["Bundle", "Limits", "Member", "is_bundle", "open_bundle", "pack", "pack_archive"]
