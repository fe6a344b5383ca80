"""The command line: data on stdout, messages on stderr.

Exit codes: 0 the command succeeded; 1 a picture failed, was rejected or is still waiting, or the command
failed for another reason; 2 the usage, the pipeline file or the catalog's binding is wrong; 3 removals or
outputs are held back; 4 ``plan --exit-code`` found differences; 130 Ctrl-C stopped the command.
"""

from renditions.cli.app import main

__all__ = ["main"]
