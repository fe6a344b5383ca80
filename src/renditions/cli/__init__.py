"""The command line: data on stdout, messages on stderr.

Exit codes: 0 the command succeeded; 1 a picture failed, was rejected or is still waiting, or the command
failed for another reason; 2 the usage, the pipeline file, the catalog or the system isn't suitable;
3 removals or outputs are held back, or the catalog was lost; 4 ``plan --exit-code`` found differences;
130 Ctrl-C or SIGTERM stopped a run before its end.
"""

import sys

from renditions.model.registry import resolve

INTERRUPTED = 130


def main() -> None:
    """Import and run the command line, and exit with its code.

    The imports take so long that Ctrl-C can come before anything else handles it.
    """
    try:
        resolve("renditions.cli.app:main")()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
