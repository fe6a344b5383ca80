"""Notices in the program's log."""

from __future__ import annotations

import logging

from renditions.model.binding import HeldNotice
from renditions.model.record import Notice
from renditions.model.registry import Shared

log = logging.getLogger("renditions.notices")


class LogNotifier:
    """Writes each notice as a line of the program's log: the target ``log:``."""

    def send(self, notice: Notice | HeldNotice) -> None:
        """Log the picture, its outcome, and its renditions or the reason; or the held removals or outputs."""
        if isinstance(notice, HeldNotice):
            log.warning("%s", notice.held.describe())
            return
        record = notice.record
        if notice.event == "done":
            detail = ", ".join(output.key for output in record.outputs)
        else:
            detail = record.reason or "no reason given"
        level = logging.INFO if notice.event == "done" else logging.WARNING
        log.log(level, "%s is %s: %s", record.name, notice.event, detail)


def open_notifier(_target: str, _shared: Shared) -> LogNotifier:
    """Return the notifier of ``log:``."""
    return LogNotifier()
