"""`python -m fathometer` is `fathom`."""

from fathometer.cli import main

main()
