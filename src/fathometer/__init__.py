"""Measures on your own data whether classical machine learning or deep learning is needed."""
