"""Benchmarks that compare this project with its peers on the same splits, budgets and cores."""
