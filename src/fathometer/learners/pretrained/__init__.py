"""Learners that start from a network trained before, on other data."""
