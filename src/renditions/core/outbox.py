"""The outbox: the notices in a catalog that their targets haven't received yet.

A record owes the notice of its own status until Renditions has tried once to send it, see ``process``. The
outbox has all other notices: notices that a target refused, notices of removed pictures, and notices about
held work. So a worker can finish a picture, and delete its message, even if it can't reach a target.

Every run tries to send the notices that are due. It tries a notice again after growing pauses. After
``MOST_SENDINGS`` attempts, Renditions only lists the notice until a person sends it again. A target may
receive a notice twice: two runs may try it at the same time, and a process may end between sending it and
dropping it.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from renditions.core.binding import hold
from renditions.core.notify import Notifier
from renditions.core.ports import Catalog
from renditions.errors import Failed, RecordUnreadable
from renditions.model.binding import Held
from renditions.model.notices import Notice, Removal, UnsentNotice
from renditions.model.record import Record

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outbox:
    """Sends the notices of one catalog.

    Safe to call from many threads, processes and machines.
    """

    catalog: Catalog
    notifiers: Mapping[str, Notifier]
    """The notifiers, by ``Notify.target``."""
    clock: Callable[[], datetime]

    def send(self, unsent: UnsentNotice, notice: Notice) -> bool:
        """Send a new notice, and return whether it was sent.

        If the sending fails, put the notice into the outbox.
        """
        notifier = self.notifiers.get(unsent.target)
        if notifier is None:
            return True  # the pipeline file has no such target any more
        try:
            notifier.send(notice)
        except Failed as error:
            log.info("Can't send %s now: %s. A later run tries again", _spell(unsent), error)
            self.catalog.keep_notice(unsent.failed(str(error), self.clock()))
            return False
        return True

    def send_kept(self, unsent: UnsentNotice, notice: Notice) -> bool:
        """Send a notice from the outbox, and return whether it was sent.

        Drop a sent notice from the outbox.
        """
        is_sent = self.send(unsent, notice)
        if is_sent:
            self.catalog.drop_notice(unsent)
        return is_sent

    def hold(self, held: Sequence[Held], *, is_attended: bool) -> None:
        """Store the work that a full run held back; send notices of newly held work.

        This method sends no notice if a person attends the run and reads its result.
        """
        targets = () if is_attended else self.notifiers.keys()
        for unsent in hold(self.catalog, held, targets, is_attended=is_attended):
            if notice := self._make(unsent, None):
                self.send_kept(unsent, notice)

    def send_due(self, seconds: float = math.inf) -> None:
        """Send the due notices, for at most ``seconds``.

        If a notice fails, the other due notices of its target would fail, too. So Renditions doesn't try them
        now: they wait as long as the failed one.
        """
        deadline = time.monotonic() + seconds
        paused: dict[str, datetime] = {}  # until when, by target
        for unsent in self.catalog.unsent_notices():
            if time.monotonic() > deadline:
                break
            if unsent.target not in self.notifiers:
                self.catalog.drop_notice(unsent)  # the pipeline file has no such target any more
                continue
            now = self.clock()
            if unsent.again_at is None or unsent.again_at > now:
                continue
            if unsent.target in paused:
                self.catalog.keep_notice(replace(unsent, again_at=paused[unsent.target]))
                continue
            try:
                record = self.catalog.get(unsent.name) if unsent.name else None
            except RecordUnreadable:
                continue  # only its repair shows whether the notice is still true
            if record and not (record.is_decided or record.missing_since):
                continue  # it is being processed, so its next status isn't known yet
            notice = self._make(unsent, record)
            if notice is None:
                self.catalog.drop_notice(unsent)
            elif not self.send_kept(unsent, notice):
                paused[unsent.target] = now + unsent.next_pause

    def _make(self, unsent: UnsentNotice, record: Record | None) -> Notice | None:
        """Return the notice with its present content; None if it is no longer true."""
        if unsent.event == "removed":
            removal = Removal(unsent.name, unsent.timestamp, unsent.deleted)
            return None if record else Notice(unsent.event, removal)
        if unsent.name:
            return Notice(unsent.event, record) if record and record.status == unsent.event else None
        binding = self.catalog.read_binding()
        for held in binding.held if binding else ():
            if (held.event, held.since) == (unsent.event, unsent.timestamp):
                return Notice(unsent.event, held)
        return None


def send_again(catalog: Catalog, notices: Iterable[UnsentNotice], now: datetime) -> None:
    """Make these notices due now, and count their attempts from 0."""
    for unsent in notices:
        catalog.keep_notice(replace(unsent, again_at=now, attempts=0))


def _spell(unsent: UnsentNotice) -> str:
    return f"the notice {unsent.event!r}" + (f" of {unsent.name}" if unsent.name else "")
