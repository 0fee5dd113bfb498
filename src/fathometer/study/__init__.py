"""The making side, first half: plan trials, run them, keep the record."""
