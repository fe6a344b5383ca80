"""Messages for people, and the log, on stderr."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from renditions.cli.advice import Console
from renditions.cli.markup import escape_lines
from renditions.model.hidden import reveal_in_json

messages = Console(stderr=True, highlight=False, soft_wrap=True)
"""Progress, warnings and advice. It is silent after ``--quiet``."""

errors = Console(stderr=True, highlight=False, soft_wrap=True)
"""The error that ended a command and, after ``--quiet``, the log: errors and the notices for it."""


class MessageHandler(logging.Handler):
    """Prints the program's log above the progress bar, among the other messages."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line, with its traceback if it has one."""
        style = "red" if record.levelno >= logging.ERROR else "yellow"
        level = f"[{style}]{record.levelname.lower()}:[/] " if record.levelno >= logging.WARNING else ""
        (errors if messages.quiet else messages).print(f"{level}{escape_lines(self.format(record))}")


class JsonHandler(logging.Handler):
    """Prints the program's log with a JSON object per line, for log collectors.

    A record's ``fields`` are in the object, too.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Print one object, with the traceback in its message if there is one."""
        item = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.format(record),
            **getattr(record, "fields", {}),
        }
        sys.stderr.write(reveal_in_json(json.dumps(item, ensure_ascii=False)) + "\n")
