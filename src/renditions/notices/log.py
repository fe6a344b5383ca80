"""Notices in the program's log."""

from __future__ import annotations

import logging

from renditions.model.notices import Notice
from renditions.model.notify import Notify
from renditions.model.record import Record
from renditions.model.registry import Shared
from renditions.model.wording import make_text

log = logging.getLogger("renditions.notices")


class LogNotifier:
    """A notifier that writes to the program's log: the target ``log:``."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify

    def send(self, notice: Notice) -> None:
        """Log the declared text, or else a sentence about the event.

        For a record without a reason, the sentence has the keys of the record's outputs.
        """
        text = notice.describe()
        if self._notify.text:
            text = " ".join(make_text(notice, self._notify).split())
        elif isinstance(notice.subject, Record) and not notice.subject.reason:
            text = f"{text[:-1]}: {', '.join(output.key for output in notice.subject.outputs)}"
        log.log(logging.WARNING if notice.is_trouble else logging.INFO, "%s", text)


def open_notifier(notify: Notify, _shared: Shared) -> LogNotifier:
    """Return the notifier of ``log:``."""
    return LogNotifier(notify)
