"""Scripts that measure other AutoML systems, each in a virtual environment of its own."""
