"""The outbox: the notices in a catalog that their targets haven't received yet.

A record owes the notice of its own status until a worker sends it or puts it into the outbox, see
``process``. The outbox has notices whose sending failed or was postponed, notices of removed pictures,
notices about held work, and notices that wait for a digest. So a worker can finish a picture, and delete its
message, even if it can't reach a target.

At its end, a run tries to send the notices that are due. A failed notice is tried again after growing
pauses. After ``MOST_SENDINGS`` attempts, Renditions only lists the notice until a person sends it again. A
target may receive a notice twice: two runs may try it at the same time, and a process may end between sending
it and dropping it.

A kept notice about a record has no content. It is sent with the record as it is then, alone or in a digest.
If the record has another result by then, the notice is dropped, because it is no longer true.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from renditions.core.binding import amend, hold
from renditions.core.catalog import Catalog
from renditions.core.circuits import Circuits
from renditions.core.notify import Notifier
from renditions.core.ports import Unreadable
from renditions.errors import Failed
from renditions.model.binding import Binding, Held
from renditions.model.digest import Digest, Reported
from renditions.model.items import format_time, parse_time
from renditions.model.notices import LONGEST_PAUSE, MOST_SENDINGS, Notice, Removal, UnsentNotice
from renditions.model.notify import Notify
from renditions.model.record import Record

log = logging.getLogger(__name__)

KEPT_AT_ONCE = 1_000

READ_AT_ONCE = 100
"""How many notices are compared with their records at once."""

MOST_COLLECTED = 50_000
"""The most notices of one target that a call of ``send_due`` sends alone, and the most in its digest.

This bounds the memory.
"""


@dataclass(frozen=True, slots=True)
class Outbox:
    """The notices of one catalog, and their delivery to the targets.

    Safe to call from many threads, processes and machines.
    """

    catalog: Catalog
    notifiers: Mapping[str, Notifier]
    """The notifiers, by ``Notify.target``."""
    clock: Callable[[], datetime]
    declared: Sequence[Notify] = ()
    """The ``[[notify]]`` entries, which say which notices wait for a digest."""
    circuits: Circuits = field(default_factory=Circuits)
    """The targets that failed a moment ago."""

    def send(self, unsent: UnsentNotice, notice: Notice) -> bool:
        """Send a notice, and return whether it was sent.

        If the sending fails, if the target is paused, or if the notice waits for a digest, put it into the
        outbox. A notice whose target is no longer declared counts as sent.
        """
        if unsent.target not in self.notifiers:
            return True  # the pipeline file has no such target any more
        if seconds := self._digest_seconds(unsent):
            self.catalog.keep_notice(unsent.collected(self.clock() + timedelta(seconds=seconds)))
            return False
        now = self.clock()
        if pause := self.circuits.find_pause(unsent.target, now):
            self.catalog.keep_notice(replace(unsent, again_at=pause.until, reason=pause.reason))
            return False
        failure = self._deliver(unsent.target, notice)
        if failure is not None:
            self._keep_failed(unsent.failed(failure, now))
        return failure is None

    def _deliver(self, target: str, notice: Notice) -> str | None:
        """Send a notice or a digest, and return why it failed; None if it was sent."""
        failure = None
        try:
            self.notifiers[target].send(notice)
        except Failed as error:
            failure = str(error)
        self.circuits.note(target, self.clock(), failure)
        return failure

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
        """Send the due notices and digests.

        Drop notices that are no longer true, or whose target is no longer declared.

        After ``seconds``, this method reads no more notices from the catalog, and sends no more single
        notices. It still sends the digests of the notices that it has read.

        If a notice fails, the other due notices of its target would fail, too. So Renditions doesn't try them
        now: they wait as long as the failed notice.

        With ``is_end``, no later run follows by itself. So digests are sent early if their target got none
        for a whole period.
        """
        deadline = time.monotonic() + seconds
        due: dict[str, list[UnsentNotice]] = {}
        collected: dict[str, list[UnsentNotice]] = {}
        for unsent in self.catalog.unsent_notices():
            if time.monotonic() > deadline:
                break
            if unsent.target not in self.notifiers:
                self.catalog.drop_notice(unsent)  # the pipeline file has no such target any more
            elif unsent.again_at is None:
                continue  # given up
            elif unsent.is_collected or self._digest_seconds(unsent):
                _add(collected, unsent)
            elif unsent.is_due(self.clock()):
                _add(due, unsent)
        for target, notices in due.items():
            self._send_single(target, notices, deadline)
        last = self._read_last_digests() if collected and is_end else None
        for target, notices in collected.items():
            self._send_digest(target, notices, last)

    def _send_single(self, target: str, notices: Sequence[UnsentNotice], deadline: float) -> None:
        """Send a target's due notices until one fails; then postpone the others.

        They wait as long as the failed notice. A target may refuse one notice always and accept the others.
        So the notices with the fewest attempts come first.
        """
        notices = sorted(notices, key=lambda each: each.attempts)
        for number, unsent in enumerate(notices):
            if time.monotonic() > deadline:
                return
            for _, notice in self._compare([unsent]):
                now = self.clock()
                # Only before an attempt: after a pause, the first caller that asks must try.
                if notice and (pause := self.circuits.find_pause(target, now)):
                    self._postpone(notices[number:], pause.until)
                    return
                failure = self._deliver(target, notice) if notice else None
                if failure is None:
                    self.catalog.drop_notice(unsent)
                    continue
                self._keep_failed(unsent.failed(failure, now))
                self._postpone(notices[number + 1 :], now + unsent.next_pause)
                return

    def _send_digest(
        self, target: str, notices: Sequence[UnsentNotice], last: Mapping[str, str] | None
    ) -> None:
        """Send a target's collected notices in one message if the digest is due.

        Drop the sent notices, and those that are no longer true.

        Each record is read again, and each notice has its own id. So if a picture changes meanwhile, its new
        notice stays for the next digest. If the process ends before the notices are dropped, the next digest
        contains them again.
        """
        if not self._is_due(notices, last):
            return
        reported: dict[str, Reported] = {}
        current, outdated = list[UnsentNotice](), list[UnsentNotice]()
        for unsent, notice in self._compare(notices):
            (current if notice else outdated).append(unsent)
            if notice:
                reported[unsent.name] = notice.to_reported()
        self._drop(outdated)
        if not self._is_due(current, last) or self.circuits.find_pause(target, self.clock()):
            return
        failure = self._deliver(target, Notice("digest", Digest.of(reported.values())))
        if failure is not None:
            now = self.clock()
            again_at = now + max(each.next_pause for each in current)
            failed = [each.failed(failure, now) for each in current]
            given_up = [each for each in failed if each.again_at is None]
            what_next = _foretell(len(given_up))
            log.info("Can't send a digest of %d notices now: %s. %s", len(failed), failure, what_next)
            self._postpone([each for each in failed if each.again_at], again_at)
            self._keep(given_up)
            return
        self._drop(current)
        sent_at = format_time(self.clock())

        def note(known: Binding) -> Binding:
            digests = {name: at for name, at in known.digests.items() if name in self.notifiers}
            return replace(known, digests=digests | {target: sent_at})

        amend(self.catalog, note)

    def _is_due(self, notices: Sequence[UnsentNotice], last: Mapping[str, str] | None) -> bool:
        """Return whether a target's digest is due.

        It is due if one of its notices is due. With ``last``, which says when each target got its last
        digest, it is also due if the target got none for a whole period. After a failed attempt, it isn't due
        before the pause ends.
        """
        if not notices:
            return False
        now, seconds = self.clock(), self._digest_seconds(notices[0]) or 0
        longest = max(LONGEST_PAUSE, timedelta(seconds=seconds))
        waiting = [each for each in notices if each.again_at and not each.is_due(now, longest)]
        if any(each.attempts for each in waiting):
            return False  # the target failed, and its pause isn't over
        if last is None or len(waiting) < len(notices):
            return len(waiting) < len(notices)
        sent_at = last.get(notices[0].target)
        return sent_at is None or parse_time(sent_at) + timedelta(seconds=seconds) <= now

    def _digest_seconds(self, unsent: UnsentNotice) -> float | None:
        """Return how long a notice may wait for a digest; None if it is sent alone."""
        entry = next((entry for entry in self.declared if entry.target == unsent.target), None)
        return entry.digest if entry and entry.collects(unsent.event) else None

    def _read_last_digests(self) -> Mapping[str, str]:
        binding = self.catalog.read_binding()
        return binding.digests if binding else {}

    def _keep_failed(self, failed: UnsentNotice) -> None:
        """Keep a notice after a failed attempt, and log the failure."""
        what_next = _foretell(1 if failed.again_at is None else 0)
        log.info("Can't send %s now: %s. %s", _spell(failed), failed.reason, what_next)
        self.catalog.keep_notice(failed)

    def _keep(self, notices: Sequence[UnsentNotice]) -> None:
        for start in range(0, len(notices), KEPT_AT_ONCE):
            self.catalog.keep_notice(*notices[start : start + KEPT_AT_ONCE])

    def _postpone(self, notices: Sequence[UnsentNotice], again_at: datetime) -> None:
        self._keep([replace(each, again_at=again_at) for each in notices])

    def _drop(self, notices: Sequence[UnsentNotice]) -> None:
        for start in range(0, len(notices), KEPT_AT_ONCE):
            self.catalog.drop_notice(*notices[start : start + KEPT_AT_ONCE])

    def _compare(self, notices: Sequence[UnsentNotice]) -> Iterator[tuple[UnsentNotice, Notice | None]]:
        """Yield notices with their present content; None if a notice is no longer true.

        Leave out a notice whose record is in progress or can't be read, because the notice may still be true.
        """
        for start in range(0, len(notices), READ_AT_ONCE):
            some = notices[start : start + READ_AT_ONCE]
            unreadable: list[Unreadable] = []
            names = sorted({each.name for each in some if each.name})
            records = self.catalog.get_all(names, unreadable.append) if names else {}
            hidden = {each.prefix for each in unreadable}  # only a repair shows whether a notice is true
            for unsent in some:
                record = records.get(unsent.name)
                is_in_progress = record and not (record.is_decided or record.missing_since)
                if not (is_in_progress or unsent.name in hidden):
                    yield unsent, self._make(unsent, record)

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


def _add(by_target: dict[str, list[UnsentNotice]], unsent: UnsentNotice) -> None:
    some = by_target.setdefault(unsent.target, [])
    if len(some) < MOST_COLLECTED:
        some.append(unsent)


def _foretell(given_up: int) -> str:
    """Return what happens to notices after a failed attempt, for people.

    ``given_up`` is the number of notices that no later run tries again.
    """
    if not given_up:
        return "A later run tries again"
    what = "this notice" if given_up == 1 else f"{given_up:,} notices"
    return f"{MOST_SENDINGS} attempts failed, so Renditions gave up {what}. Run renditions notices --resend"


def _spell(unsent: UnsentNotice) -> str:
    return f"the notice {unsent.event!r}" + (f" of {unsent.name}" if unsent.name else "")
