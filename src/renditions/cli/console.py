"""Messages for people, and the log, on stderr."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from renditions.cli.advice import Console
from renditions.cli.markup import escape_lines
from renditions.model.hidden import reveal_in_json

messages = Console(stderr=True, highlight=False, soft_wrap=True)
"""Prints progress, warnings, advice and questions; with ``--quiet``, only questions."""

errors = Console(stderr=True, highlight=False, soft_wrap=True)
"""Prints the error that ended a command; with ``--quiet``, also the log's errors and notices."""


class MessageHandler(logging.Handler):
    """A log handler that prints above the progress bar, among other messages."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line, with its traceback if it has one."""
        style = "red" if record.levelno >= logging.ERROR else "yellow"
        level = f"[{style}]{record.levelname.lower()}:[/] " if record.levelno >= logging.WARNING else ""
        (errors if messages.quiet else messages).print(f"{level}{escape_lines(self.format(record))}")


class JsonHandler(logging.Handler):
    """A log handler that prints a JSON object per line, for log collectors.

    A record's ``fields`` are in the object, too.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Print one object, with the traceback in its message if there is one."""
        _write_item(
            datetime.fromtimestamp(record.created, UTC),
            record.levelname.lower(),
            record.name,
            self.format(record),
            getattr(record, "fields", {}),
        )


class JsonLines(io.StringIO):
    """A console's file that writes each printed line as a JSON object."""

    def __init__(self, level: str) -> None:
        super().__init__()
        self._level = level

    def flush(self) -> None:
        """Write the lines that were printed since the last call."""
        for line in filter(None, self.getvalue().split("\n")):
            level, words = _split_level(line, self._level)
            _write_item(datetime.now(UTC), level, "renditions.cli", words, {})
        self.seek(0)
        self.truncate()


def _split_level(line: str, otherwise: str) -> tuple[str, str]:
    """Return a line's level and its words without it."""
    for level in ("error", "warning"):
        if line.startswith(f"{level}: "):
            return level, line.removeprefix(f"{level}: ")
    return otherwise, line


def _write_item(time: datetime, level: str, logger: str, message: str, fields: Mapping[str, object]) -> None:
    item = {
        "time": time.isoformat(timespec="milliseconds"),
        "level": level,
        "logger": logger,
        "message": message,
        **fields,
    }
    sys.stderr.write(reveal_in_json(json.dumps(item, ensure_ascii=False)) + "\n")
