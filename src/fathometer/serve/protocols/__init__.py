"""Ways to ask over HTTP, one file each."""
