"""One file per place where work runs."""
