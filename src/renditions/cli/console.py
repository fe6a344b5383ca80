"""Messages for people, on stderr."""

from __future__ import annotations

import logging

from renditions.cli.advice import Console
from renditions.cli.markup import escape_lines

messages = Console(stderr=True, highlight=False, soft_wrap=True)


class MessageHandler(logging.Handler):
    """Prints the program's log above the progress bar, among the other messages."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line, with its traceback if it has one."""
        style = "red" if record.levelno >= logging.ERROR else "yellow"
        level = f"[{style}]{record.levelname.lower()}:[/] " if record.levelno >= logging.WARNING else ""
        messages.print(f"{level}{escape_lines(self.format(record))}")
