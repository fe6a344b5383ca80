"""The command line: data on stdout, messages on stderr.

Exit codes: 0 the command succeeded; 1 a picture failed, was rejected or is still waiting, or the command
failed for another reason; 2 the usage, the pipeline file, the catalog or the system isn't suitable;
3 removals or outputs are held back, or the catalog was lost; 4 ``plan --exit-code`` found differences;
130 Ctrl-C or SIGTERM stopped a run before its end.
"""

from renditions.cli.app import main

__all__ = ["main"]
