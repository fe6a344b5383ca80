"""The command line: data on stdout, messages on stderr.

Exit codes: 0 every rendition is up to date; 1 some pictures were rejected, failed or still wait; 2 wrong
usage or an invalid pipeline file; 130 stopped by Ctrl-C.
"""

from renditions.cli import deployment, packaging, services
from renditions.cli.commands import main

__all__ = ["deployment", "main", "packaging", "services"]
