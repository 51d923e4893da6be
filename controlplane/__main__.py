"""`python -m controlplane` is the command `isthmus`."""

from controlplane.cli import main

main()
