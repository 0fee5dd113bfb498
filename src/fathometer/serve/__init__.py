"""The running side: a model behind a socket, in the languages that clients already speak."""
