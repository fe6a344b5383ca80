"""The outbox: the notices in a catalog that their targets haven't received yet.

A record owes the notice of its own status until Renditions has tried once to send it, see ``process``. The
outbox has all other notices: notices that a target refused, notices of removed pictures, and notices about
held work. So a worker can finish a picture, and delete its message, even if it can't reach a target.

Every run tries to send the notices that are due. It tries a notice again after growing pauses. After
``MOST_SENDINGS`` attempts, Renditions only lists the notice until a person sends it again. A target may
receive a notice twice: two runs may try it at the same time, and a process may end between sending it and
dropping it.

A target with a ``digest`` gets no single notices, but for held work. Its notices wait in the outbox, with
their causes, until one message reports them all. A digest reports what happened, so its notices stay although
their pictures change. It has the newest one of each picture.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from renditions.core.binding import amend, hold
from renditions.core.notify import Notifier
from renditions.core.ports import Catalog
from renditions.errors import Failed, RecordUnreadable
from renditions.model.binding import Binding, Held
from renditions.model.digest import Digest
from renditions.model.items import format_time, parse_time
from renditions.model.notices import Notice, Removal, UnsentNotice
from renditions.model.pipeline import Notify
from renditions.model.record import Record

log = logging.getLogger(__name__)

KEPT_AT_ONCE = 1_000

MOST_COLLECTED = 50_000
"""How many notices one digest contains, so that memory stays bounded. The next digest has the others."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """Sends the notices of one catalog.

    Safe to call from many threads, processes and machines.
    """

    catalog: Catalog
    notifiers: Mapping[str, Notifier]
    """The notifiers, by ``Notify.target``."""
    clock: Callable[[], datetime]
    declared: Sequence[Notify] = ()
    """The ``[[notify]]`` entries, which say which notices wait for a digest."""

    def send(self, unsent: UnsentNotice, notice: Notice) -> bool:
        """Send a new notice, and return whether it was sent.

        If the sending fails, or if the notice waits for a digest, put it into the outbox.
        """
        notifier = self.notifiers.get(unsent.target)
        if notifier is None:
            return True  # the pipeline file has no such target any more
        if seconds := self._digest_seconds(unsent):
            self.catalog.keep_notice(unsent.collected(notice, seconds))
            return False
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

    def send_due(self, seconds: float = math.inf, *, is_end: bool = False) -> None:
        """Send the due notices and digests, for at most ``seconds``.

        If a notice fails, the other due notices of its target would fail, too. So Renditions doesn't try them
        now: they wait as long as the failed one.

        With ``is_end``, no later run follows by itself. So digests are sent early if their target got none
        for a whole period.
        """
        collected = self._send_single(seconds)
        last = self._read_last_digests() if collected and is_end else None
        for target, notices in collected.items():
            if self._is_due(target, notices, last):
                self._send_digest(target, notices)

    def _send_single(self, seconds: float) -> dict[str, list[UnsentNotice]]:
        """Send the due notices that wait for no digest; return the others by target."""
        deadline = time.monotonic() + seconds
        paused: dict[str, datetime] = {}  # until when, by target
        collected: dict[str, list[UnsentNotice]] = {}
        for unsent in self.catalog.unsent_notices():
            if time.monotonic() > deadline:
                break
            if unsent.target not in self.notifiers:
                self.catalog.drop_notice(unsent)  # the pipeline file has no such target any more
            elif unsent.again_at is None:
                continue
            elif unsent.is_collected:
                if len(some := collected.setdefault(unsent.target, [])) < MOST_COLLECTED:
                    some.append(unsent)
            elif unsent.again_at <= self.clock():
                self._send_one(unsent, paused)
        return collected

    def _send_one(self, unsent: UnsentNotice, paused: dict[str, datetime]) -> None:
        """Send a due notice if it is still true and its target isn't paused.

        If the sending fails, pause the target.
        """
        now = self.clock()
        if unsent.target in paused:
            self.catalog.keep_notice(replace(unsent, again_at=paused[unsent.target]))
            return
        try:
            record = self.catalog.get(unsent.name) if unsent.name else None
        except RecordUnreadable:
            return  # only its repair shows whether the notice is still true
        if record and not (record.is_decided or record.missing_since):
            return  # it is being processed, so its next status isn't known yet
        notice = self._make(unsent, record)
        if notice is None:
            self.catalog.drop_notice(unsent)
        elif not self.send_kept(unsent, notice) and self._digest_seconds(unsent) is None:
            paused[unsent.target] = now + unsent.next_pause

    def _digest_seconds(self, unsent: UnsentNotice) -> float | None:
        """Return how long a notice may wait for a digest; None if it is sent alone."""
        entries = (entry for entry in self.declared if entry.target == unsent.target)
        return next((entry.digest for entry in entries if entry.collects(unsent.event)), None)

    def _read_last_digests(self) -> Mapping[str, str]:
        binding = self.catalog.read_binding()
        return binding.digests if binding else {}

    def _is_due(self, target: str, notices: Sequence[UnsentNotice], last: Mapping[str, str] | None) -> bool:
        """Return whether a target's digest is due.

        ``last`` says when each target got its last digest; None: a digest isn't sent early.
        """
        now = self.clock()
        waits = [each.again_at for each in notices if each.again_at and each.again_at > now]
        if any(each.attempts and each.again_at in waits for each in notices):
            return False  # the target failed, and its pause isn't over
        if len(waits) < len(notices):
            return True
        seconds = self._digest_seconds(notices[0]) or 0
        return last is not None and (
            target not in last or parse_time(last[target]) + timedelta(seconds=seconds) <= now
        )

    def _send_digest(self, target: str, notices: Sequence[UnsentNotice]) -> None:
        """Send these notices in one message; then drop them.

        If a process ends in between, the next digest contains them again.
        """
        try:
            self.notifiers[target].send(Notice("digest", Digest.of(notices)))
        except Failed as error:
            log.info("Can't send a digest of %d notices: %s. A later run tries again", len(notices), error)
            worst = max(notices, key=lambda each: each.attempts).failed(str(error), self.clock())
            self.catalog.keep_notice(*(each.failed_like(worst) for each in notices))
            return
        self.catalog.drop_notice(*notices)
        sent_at = format_time(self.clock())

        def note(known: Binding) -> Binding:
            digests = {name: at for name, at in known.digests.items() if name in self.notifiers}
            return replace(known, digests=digests | {target: sent_at})

        amend(self.catalog, note)

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
    remaining = iter(notices)
    while some := list(islice(remaining, KEPT_AT_ONCE)):
        catalog.keep_notice(*(replace(unsent, again_at=now, attempts=0) for unsent in some))


def _spell(unsent: UnsentNotice) -> str:
    return f"the notice {unsent.event!r}" + (f" of {unsent.name}" if unsent.name else "")
