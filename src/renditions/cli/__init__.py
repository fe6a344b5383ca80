"""The command line: data on stdout, messages on stderr.

Exit codes: 0 all well in this run; 1 a picture failed, was rejected or still waits; 2 wrong usage, pipeline
file or binding; 3 work is held back; 4 ``plan --exit-code`` found work to do; 130 stopped by Ctrl-C.
"""

from renditions.cli import deployment, ownership, packaging, services, status, syncing
from renditions.cli.commands import main

__all__ = ["deployment", "main", "ownership", "packaging", "services", "status", "syncing"]
