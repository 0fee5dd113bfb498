"""From a file to typed rows: sources, schema, profile, splits, metrics."""
