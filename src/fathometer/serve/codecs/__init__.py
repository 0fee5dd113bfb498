"""Rows as bytes and answers as bytes, in the forms that protocols share."""
