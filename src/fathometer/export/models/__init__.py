"""One file per learner: its saved models as nodes of a graph."""
