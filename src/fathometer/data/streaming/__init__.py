"""Tables larger than the memory, read part by part: the same rows as `sources.read_table` gives."""
