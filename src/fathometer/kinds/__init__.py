"""One file per kind of column; a file's name is the kind's name."""
