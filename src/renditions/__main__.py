"""Run the command line: ``python -m renditions``."""

from renditions.cli import main

main()
