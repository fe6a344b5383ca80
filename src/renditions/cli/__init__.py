"""The entry on a terminal: data on stdout, messages on stderr.

Exit codes: 0 everything is as declared; 1 some pictures were rejected or failed, or still wait;
2 wrong usage, or the pipeline file is wrong; 130 stopped by Ctrl-C.
"""

from renditions.cli import deployment, packaging, services
from renditions.cli.commands import main

__all__ = ["deployment", "main", "packaging", "services"]
