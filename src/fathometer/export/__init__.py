"""A bundle in formats of others: ONNX."""
