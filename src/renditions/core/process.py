"""Process one picture: from its source object to outputs, record and notices.

A caller names a picture because the picture may have changed. Only the store and the catalog show whether it
did. Each step leaves a state from which the next call continues, in any process and after any crash:

    read      the source object and its record
    begin     take the record's lease, and claim every output key that is going to be written
    render    check and make what is missing
    write     the outputs, each on the condition that no other worker wrote it
    finish    the record, with every output
    check     again: if the picture changed meanwhile, begin again
    settle    delete old outputs, send the notices, give the lease back

Two rules always hold. A record claims every output in the output store from before it is written until after
it is deleted, so no output is orphaned. And a record's ``outputs`` never names an object that is about to be
overwritten, so it stays true until another program changes the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from renditions.core.adopt import Adopter
from renditions.core.ask import PLAIN, Ask
from renditions.core.binding import Standing
from renditions.core.catalog import Catalog
from renditions.core.circuits import Circuits
from renditions.core.comparison import Comparison
from renditions.core.content import Reader
from renditions.core.difference import RECHECK, Difference
from renditions.core.leases import Leases
from renditions.core.neighbours import Neighbours
from renditions.core.notify import Notifier, rejection_pause, resting_notices
from renditions.core.outbox import Outbox
from renditions.core.outcome import MAX_ATTEMPTS, Outcome, retry_pause
from renditions.core.places import is_in_place, leave_place
from renditions.core.ports import Renderer, Stopped, Store, StoredObject
from renditions.core.retire import due_retired
from renditions.core.twins import Twins, why_renamed, with_twin
from renditions.core.update import Updater
from renditions.core.verify import find, find_picture
from renditions.errors import Conflict, Failed, KeyTaken
from renditions.model.notices import Notice, Removal, UnsentNotice
from renditions.model.pipeline import Pipeline
from renditions.model.reason import Reason
from renditions.model.record import OwedNotice, Record
from renditions.model.retired import Retired

LEASE_MARGIN = timedelta(minutes=5)
"""How much longer a lease lasts than the limit for rendering, or on Lambda than the rest of the call."""

MAX_ROUNDS = 8
"""How many rounds one call makes at most. A change of the picture or its record costs another round."""


class Process(Protocol):
    """A function that processes one picture: ``Processor.process``, or a wrapper.

    Safe to call from many threads.
    """

    def __call__(self, name: str, ask: Ask = PLAIN) -> Outcome:
        """Bring the picture's outputs, record and notices up to date.

        Return what was done.

        Raises:
            Superseded: See ``Processor.process``. A wrapper may turn all other errors into outcomes.

        """
        ...


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor of one pipeline's pictures.

    Safe to call from many threads, processes and machines.
    """

    pipeline: Pipeline
    source: Store
    output: Store
    catalog: Catalog
    render: Renderer
    notifiers: Mapping[str, Notifier]
    """The notifiers, by ``Notify.target``."""
    owner: str
    """The owner of the leases."""
    clock: Callable[[], datetime]
    is_gone: Callable[[str], bool] | None = None
    """Returns whether a lease's owner has certainly ended; None if a lease ends only when it expires."""

    standing: Standing | None = None
    """Decides whether this pipeline is in force; None if the catalog has no binding (in tests)."""
    open_place: Callable[[str], Store] | None = None
    """Opens a former output store of the catalog. Its argument is the store's spelling in the file."""
    read_neighbours: Callable[[], Neighbours] | None = None
    """Reads which catalogs use the output store; None if no output can be adopted."""
    circuits: Circuits = field(default_factory=Circuits)
    """The targets of notices that failed a moment ago."""
    left_seconds: Callable[[], float] | None = None
    """Returns how long the caller can still work; None if it can work as long as ``[limits] seconds``."""

    @property
    def _leases(self) -> Leases:
        seconds = self.left_seconds() if self.left_seconds else self.pipeline.limits.seconds
        lasts = timedelta(seconds=seconds) + LEASE_MARGIN
        return Leases(self.catalog, self.output, self.owner, self.clock, lasts, self.standing)

    def _updater(self, reader: Reader) -> Updater:
        return Updater(self.pipeline, self.source, self.output, self.render, self._leases, self.clock, reader)

    @property
    def _outbox(self) -> Outbox:
        return Outbox(self.catalog, self.notifiers, self.clock, self.pipeline.notify, self.circuits)

    @property
    def _twins(self) -> Twins:
        return Twins(self.pipeline, self.source, self.catalog, self.clock, self.is_gone, self.standing)

    def process(self, name: str, ask: Ask = PLAIN) -> Outcome:
        """Bring the picture's outputs, record and notices up to date.

        Raises:
            Superseded: The catalog uses another version of the pipeline file. A process of that version
                continues what this one began.
            Failed: Something other than the picture failed, such as a store, and no record says so.
            Stopped: The renderer was stopped before it began the picture.
        """
        held: Record | None = None
        worked = False
        renamed_from: str | None = None
        reader = Reader(self.source)
        keeps_undeclared = self.standing is not None and self.standing.keeps_undeclared
        ask = replace(ask, keeps_undeclared=ask.keeps_undeclared or keeps_undeclared)
        for _ in range(MAX_ROUNDS):
            try:
                difference = self._look(name, held, ask, reader)
                if renamed_from and not worked:
                    difference = replace(difference, why=why_renamed(renamed_from))
                if difference.action == "create" and difference.found and ask.renditions is None:
                    sha256 = self._twins.identify(difference.found, reader)
                    twins, kept = self._twins.find(name, sha256)
                    renamed_from = self._twins.take_over(difference.found, twins)
                    if renamed_from or self._twins.recall(name, kept):
                        continue  # it has a record now
                    difference = with_twin(difference, twins)
                result = self._act(difference, held, ask, reader, worked=worked)
            except (Conflict, KeyTaken) as refusal:
                # Another worker took the lease, or another picture a former key of this one: compare again.
                held = held if isinstance(refusal, KeyTaken) else None
                continue
            except (Failed, Stopped):
                if held:
                    with suppress(Conflict):  # the lease may be lost too, but the caller needs the failure
                        self._leases.release(held)
                raise
            if isinstance(result, Outcome):
                return replace(result, renamed_from=renamed_from)
            # Check again: the picture may have changed while we worked.
            held, worked = (result if result and result.lease else None), True
            # These requests are done: from now on only a change of the picture counts.
            ask = replace(ask, verify="no", is_forced=False, adopts=False)
        if held:
            with suppress(Conflict):
                self._leases.release(held)
        return Outcome(name, "waiting", "it or its record changes faster than it can be processed", RECHECK)

    def _look(self, name: str, held: Record | None, ask: Ask, reader: Reader) -> Difference:
        """Compare the picture as it is now with its record."""
        # While we hold the lease no other process writes the record: ours is the newest.
        record = replace(held, lease=None) if held else self.catalog.get(name)
        # After the record, so that the outcome is true at this moment. In the other order, a worker that
        # paused between both could report a state that was recorded after the picture had gone.
        is_sought = self.pipeline.source.matches(name) and not ask.ignores_source
        found = find_picture(self.source, name) if is_sought else None
        if self.standing:
            self.standing.check(record)
        comparison = Comparison(
            self.pipeline, self.catalog, self.output, self.is_gone, ask, reader=reader, reads_new=True
        )
        return comparison.compare(name, found, record, self.clock())

    def _act(
        self, difference: Difference, held: Record | None, ask: Ask, reader: Reader, *, worked: bool
    ) -> Outcome | Record | None:
        """Do the work that the difference names, and return the outcome.

        If the picture must be checked again, return its record instead; None if the record was removed.
        """
        record = difference.record
        match difference.action:
            case "create" | "update" if difference.found:
                return self._update(difference, difference.found, held, ask, reader)
            case "remove" if record:
                return self._remove(record, ask)
            case "settle" if record:
                return self._settle(difference, record, held, ask, worked=worked)
            case "wait":
                record = self._leases.release(held) if held else record
                return Outcome(difference.name, "waiting", difference.why, difference.again_after, record)
            case "hold":
                record = self._leases.release(held) if held else record
                return Outcome(difference.name, "held", difference.why, record=record)
            case _:
                record = self._leases.release(held) if held else record
                if record and worked and record.is_decided and difference.found:
                    return replace(Outcome.decided(record), notice_after=difference.notice_after)
                return replace(difference.as_unchanged(), record=record)

    def _update(
        self, difference: Difference, found: StoredObject, held: Record | None, ask: Ask, reader: Reader
    ) -> Outcome | Record:
        """Make missing outputs, and finish the record.

        Return the record, which keeps its lease if work is left. If the picture must be tried again later,
        return an outcome instead.
        """
        updater = self._updater(reader)
        try:
            begun = updater.begin(difference, found, ask, self._prove(difference, found, ask, reader))
        except KeyTaken as taken:  # the owner is gone from the source, but not removed yet
            record = self._leases.release(held) if held else difference.record
            return Outcome(
                difference.name, "waiting", _why_blocked(taken), record=record, blocked_by=taken.owner
            )
        if begun.record.status == "rejected":
            return begun.record
        with self._leases.guard(begun.record):
            try:
                return updater.make(begun)
            except Failed as error:
                failed = updater.fail(begun.record, error)
            except Stopped:
                self._leases.undo(begun.record, difference.record)
                raise
        if failed.attempts < MAX_ATTEMPTS:
            return Outcome.decided(failed, retry_pause(failed.attempts + failed.setbacks))
        return failed

    def _prove(
        self, difference: Difference, found: StoredObject, ask: Ask, reader: Reader
    ) -> Mapping[str, str]:
        """Return the ETags, by key, of outputs to take over: see ``Adopter.prove``."""
        if not ask.adopts or self.read_neighbours is None:
            return {}
        neighbours = self.read_neighbours()
        adopter = Adopter(self.pipeline, reader, self.output, self.catalog, self.render, neighbours)
        return adopter.prove(difference, found)

    def _remove(self, record: Record, ask: Ask) -> Outcome | None:
        """Delete the outputs of a missing picture, then its record.

        If a twin inherits the picture's wishes, this method also processes the twin. Return None if the
        source has the picture again.
        """
        place = self.pipeline.output.store
        if not is_in_place(self.pipeline, record):
            record = replace(leave_place(record, self.clock()), place=place)
        record = self._leases.reclaim(record, place)
        keys = record.sorted_keys()
        leased = self._leases.take(
            replace(record, status="processing", goal="", outputs=(), pending_keys=keys)
        )
        with self._leases.guard(leased):
            try:
                for key in leased.pending_keys:
                    self._leases.delete(leased, key)
                for old in leased.retired:
                    if old.place != place:
                        self._delete_left(leased, old)
            except Failed as error:
                record = self._leases.release(replace(leased, reason=str(error), code=error.code))
                return Outcome.failed(record.name, error, record)
            heir = None if ask.ignores_source else self._twins.keep_wishes(record)
            removal = Removal(record.name, self.clock(), leased.pending_keys)
            notices = self._removal_notices(removal) if record.etag else []
            self.catalog.delete(leased, notices)
        for unsent in notices:
            self._outbox.send_kept(unsent, Notice("removed", removal))
        if heir:
            self.process(heir)
        if find_picture(self.source, record.name) and self.pipeline.source.matches(record.name):
            return None
        return Outcome(record.name, "removed")

    def _removal_notices(self, removal: Removal) -> list[UnsentNotice]:
        """Return the notices about a removal.

        The outbox gets them in the step that deletes the record.
        """
        name, now, deleted = removal.name, removal.timestamp, removal.deleted
        return [
            UnsentNotice("removed", target, name, now, now, deleted=deleted)
            for target in self.pipeline.find_targets("removed", name)
        ]

    def _delete_left(self, leased: Record, old: Retired) -> None:
        """Delete an object that was left in an output store that the catalog used before.

        Another catalog may have used the key meanwhile. So this method deletes the object only if it can
        prove that the object is ours. In a store that is in use again, the record claims the object instead:
        see ``Leases.reclaim``.
        """
        if not (old.place and self.open_place):
            return
        leases = replace(self._leases, output=self.open_place(old.place))
        there = find(leases.output, old.key)
        leased = replace(leased, outputs=())  # they are in another store, so none of them is this object
        if there and (there.etag == old.etag or leases.is_own(old.key)):
            leases.delete(leased, old.key)

    def _settle(
        self, difference: Difference, record: Record, held: Record | None, ask: Ask, *, worked: bool
    ) -> Outcome:
        """Do a decided picture's work that needs no rendering, and update its record.

        This method deletes old outputs, rewrites changed headers and sends owed notices. If a process dies
        after sending a notice and before writing the record, the next call sends the notice again. A notice
        that can't be sent goes to the outbox, so the worker can finish the picture.
        """
        now = self.clock()
        place = self.pipeline.output.store
        missing_since = None if difference.found else (record.missing_since or now)
        current = replace(record, outputs=difference.refresh(record.outputs), missing_since=missing_since)
        if difference.found:
            current = self._leases.reclaim(current, place)
        due = [old for old in due_retired(current, now, ask) if difference.found and old.place != place]
        rewrites = bool(difference.found and record.place and record.headers != self.pipeline.output.headers)
        resting = resting_notices(record, difference.found, ask)
        notice_after = rejection_pause(difference.found) if resting else None
        undeleted = record.undeleted_keys() if is_in_place(self.pipeline, record) else ()
        has_work = len(record.owed) > len(resting) or undeleted or due or rewrites
        if not (record.is_decided and has_work):
            written = self._leases.release(current)
            if worked and record.is_decided:
                return replace(Outcome.decided(written), notice_after=notice_after)
            return Outcome(record.name, "unchanged", difference.why, None, written, notice_after=notice_after)
        # A notice reports what is in the catalog, and so does a claim.
        is_recorded = held is not None and (held.etag, held.retired) == (current.etag, current.retired)
        leased = replace(current, lease=held.lease) if held and is_recorded else self._leases.take(current)
        trouble: Reason | None = None
        pending, retired = list(leased.pending_keys), list(leased.retired)
        with self._leases.guard(leased, rewrites=rewrites):
            try:
                for key in undeleted:
                    self._leases.delete(leased, key)
                    pending.remove(key)
                for old in due:
                    if old.place:
                        self._delete_left(leased, old)
                    else:
                        self._leases.delete(leased, old.key)
                    retired.remove(old)
                if rewrites:
                    outputs = tuple(self._leases.rewrite_headers(leased, made) for made in leased.outputs)
                    leased = replace(leased, outputs=outputs, headers=self.pipeline.output.headers)
            except Failed as error:
                trouble = Reason.of(error)
            self._send_notices(leased, resting)
            settled = replace(leased, pending_keys=tuple(pending), retired=tuple(retired), owed=resting)
            written = self._leases.release(settled)
        if trouble is None:
            is_notified = len(leased.owed) > len(resting)
            return replace(Outcome.decided(written), notice_after=notice_after, is_notified=is_notified)
        described = Outcome.decided(written, retry_pause(1))
        return replace(described, reason=trouble.text, code=trouble.code)

    def _send_notices(self, leased: Record, resting: tuple[OwedNotice, ...]) -> None:
        """Send the owed notices except ``resting``; failed ones go to the outbox."""
        for owed in leased.owed:
            if owed not in resting:
                when = leased.timestamp
                unsent = UnsentNotice(owed.event, owed.target, leased.name, when, self.clock())
                self._outbox.send(unsent, Notice(owed.event, leased))


def _why_blocked(taken: KeyTaken) -> str:
    return (
        f"its output {taken.key} still belongs to {taken.owner}, which is gone from the source. The output "
        f"is made once {taken.owner} is removed. If that removal is held back, run "
        "renditions sync --allow-removals"
    )
