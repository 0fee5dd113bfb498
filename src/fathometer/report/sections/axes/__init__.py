"""The axes of the table of differences: each gives the rows that were measured."""
