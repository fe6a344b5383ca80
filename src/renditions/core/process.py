"""The heart: one picture, from what it is now to its outputs, its record and its notice.

A name is processed because something may have happened to it; nothing but a look at the store and
the catalog decides what. Each step leaves a state from which the next call continues, whoever makes
it and whatever died meanwhile:

    look      at the source object and its record
    begin     take the record's lease, and claim every output key that is going to be written
    render    check and make what is missing
    write     the outputs, each on the condition that nobody wrote it since
    finish    the record, with every output
    look      again: if the picture changed meanwhile, begin again
    settle    delete what is no output any more, send the notices, give the lease back

Two invariants carry it. Every object in the output store is claimed by a record from before it is
written until after it is deleted, so nothing is orphaned. And a record's ``outputs`` never names an
object that is about to be overwritten, so what it says is true.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from renditions.core.difference import (
    MAX_ATTEMPTS,
    RECHECK,
    Difference,
    Outcome,
    compare,
    retry_pause,
)
from renditions.core.leases import Leases, find
from renditions.core.notify import Notifier
from renditions.core.ports import Catalog, IfAbsent, IfMatch, Renderer, Store, StoredObject
from renditions.errors import Conflict, Failed, KeyTaken, Rejected
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.pipeline import NoticeEvent, Pipeline
from renditions.model.record import Notice, Original, Output, OwedNotice, Record
from renditions.model.rendering import Rendered

log = logging.getLogger(__name__)

LEASE_MARGIN = timedelta(minutes=5)
"""How much longer than the time limit for rendering a lease lasts: for the stores and the queue."""

MAX_ROUNDS = 8
"""How often one call begins again because the picture or its record changed under it."""


class Process(Protocol):
    """Processes one picture: :meth:`Processor.process`, or what wraps it. Safe to call from many threads."""

    def __call__(self, name: str) -> Outcome:
        """Make the picture's outputs, record and notices what they should be, and return what was done."""
        ...


@dataclass(frozen=True, slots=True)
class Processor:
    """Processes pictures of one pipeline. Safe to call from many threads, processes and machines."""

    pipeline: Pipeline
    source: Store
    output: Store
    catalog: Catalog
    render: Renderer
    notifiers: Mapping[str, Notifier]
    """By ``Notify.target``."""
    owner: str
    """Who takes the leases."""
    clock: Callable[[], datetime]
    is_gone: Callable[[str], bool] | None = None
    """Tells of a lease's owner that it has ended for certain; None where a lease ends by its time alone."""

    @property
    def _leases(self) -> Leases:
        lasts = timedelta(seconds=self.pipeline.limits.seconds) + LEASE_MARGIN
        return Leases(self.catalog, self.output, self.owner, self.clock, lasts)

    def process(self, name: str) -> Outcome:
        """Make the picture's outputs, record and notices what they should be.

        Raises:
            Failed: a store or the catalog failed so that not even that could be recorded.

        """
        held: Record | None = None
        worked = False
        for _ in range(MAX_ROUNDS):
            try:
                difference = self._look(name, held)
                result = self._act(difference, held, worked=worked)
            except Conflict:
                held = None
                continue
            except Failed:
                if held:
                    with suppress(Conflict):  # the lease may be lost, too; what failed is what counts
                        self._leases.release(held)
                raise
            if isinstance(result, Outcome):
                return result
            # And look again: the picture may have changed while we worked.
            held, worked = (result if result and result.lease else None), True
        if held:
            with suppress(Conflict):
                self._leases.release(held)
        return Outcome(name, "waiting", "it changes faster than it can be processed", RECHECK)

    def _look(self, name: str, held: Record | None) -> Difference:
        """Compare the picture as it is now with its record."""
        found = find(self.source, name) if self.pipeline.source.matches(name) else None
        # While we hold the lease nobody else writes the record: ours is the newest.
        record = replace(held, lease=None) if held else self.catalog.get(name)
        blocker = self.catalog.get(record.blocked_by) if record and record.blocked_by else None
        return compare(
            self.pipeline, name, found, record, now=self.clock(), is_gone=self.is_gone, blocker=blocker
        )

    def _act(self, difference: Difference, held: Record | None, *, worked: bool) -> Outcome | Record | None:
        """Do what is to be done; return the outcome, or else the record (None if removed) to look again."""
        record = difference.record
        match difference.action:
            case "create" | "update" if difference.found:
                return self._update(difference, difference.found)
            case "remove" if record:
                return self._remove(record)
            case "settle" if record:
                return self._settle(held or self._leases.take(record))
            case "wait":
                record = self._leases.release(held) if held else record
                return Outcome(difference.name, "waiting", difference.why, difference.again_after, record)
            case _:
                record = self._leases.release(held) if held else record
                if record and worked:
                    return Outcome(record.name, _result(record), record.reason, record=record)
                return Outcome(difference.name, "unchanged", difference.why, record=record)

    def _update(self, difference: Difference, found: StoredObject) -> Outcome | Record:
        """Make what is missing and finish; the record has a lease if something is left to do."""
        begun = self._begin_update(difference, found)
        if begun.status == "rejected":
            return begun
        with self._leases.guard(begun):
            try:
                return self._make(begun, difference, found)
            except Failed as error:
                failed = self._fail(begun, error)
        if failed.attempts < MAX_ATTEMPTS:
            return Outcome(failed.name, "failed", failed.reason, retry_pause(failed.attempts), failed)
        return failed

    def _begin_update(self, difference: Difference, found: StoredObject) -> Record:
        """Take the lease and claim the keys; if another picture has one of them, reject this one.

        Returns the record with status ``processing``, or ``rejected`` (then leased only to be settled).
        """
        now = self.clock()
        keys = difference.keys or {}
        old = difference.record or Record(difference.name, "processing", now)
        same_picture = old.etag == found.etag
        source_format = old.source_format if same_picture else None
        goal = self.pipeline.goal_of(difference.name, found.etag, old.wishes, source_format)
        kept = tuple(output for output in old.outputs if keys.get(output.rendition) == output.key)
        kept = tuple(output for output in kept if output.rendition not in difference.make)
        wanted = replace(
            old,
            status="processing",
            timestamp=now,
            reason=None,
            etag=found.etag,
            goal=goal,
            rules=old.rules if same_picture else "",
            original=old.original if same_picture and old.original else Original(found.size_bytes),
            outputs=kept,
            errors=(),
            attempts=old.attempts if old.goal == goal else 0,
            blocked_by=None,
        ).with_event(now, "processing", difference.why)
        kept_keys = {output.key for output in kept}
        claimed = frozenset(old.sorted_keys()) | frozenset(keys.values())
        try:
            if len(set(keys.values())) < len(keys):
                raise _own_keys_collide(keys)
            return self._leases.take(replace(wanted, pending_keys=tuple(sorted(claimed - kept_keys))))
        except Rejected as refusal:
            refused = replace(wanted, outputs=(), pending_keys=old.sorted_keys())
            if isinstance(refusal, KeyTaken):
                refused = replace(refused, blocked_by=refusal.owner)
            decided = self._decide(refused, "rejected", str(refusal))
            is_settled = not (decided.owed or decided.pending_keys)
            return self._leases.release(decided) if is_settled else self._leases.take(decided)

    def _make(self, begun: Record, difference: Difference, found: StoredObject) -> Record:
        """Render and write what is missing, and finish.

        Returns the finished record, or ``begun`` if the picture changed before it was read.
        """
        if found.size_bytes > self.pipeline.accept.max_bytes:
            return self._finish(begun, self._refuse(begun, _too_many_bytes(found, self.pipeline)))
        if not difference.make and begun.rules == self.pipeline.rules:
            return self._finish(begun, self._decide(begun, "done"))
        try:
            got = self.source.get(begun.name)
        except Rejected as refusal:
            return self._finish(begun, self._refuse(begun, str(refusal)))
        if got is None or got[0].etag != found.etag:
            return begun
        wanted = self.pipeline.recipes(begun.wishes)
        recipes = {name: wanted[name] for name in difference.make}
        rendering = self.render(got[1], self.pipeline.accept, recipes, self.pipeline.analyze)
        begun = replace(begun, original=rendering.original.completed_from(begun.original))
        # Only now is the format known, and so the revisions that count.
        goal = self.pipeline.goal_of(begun.name, begun.etag, begun.wishes, begun.source_format)
        begun = replace(begun, goal=goal)
        if rendering.rejected is not None:
            return self._finish(begun, self._refuse(begun, rendering.rejected))
        errors = dict(rendering.errors)
        outputs = {output.rendition: output for output in begun.outputs}
        for key in difference.delete:
            if _is_in_the_way(key, (difference.keys or {}).values()):
                self._leases.delete(begun, key)
        for rendition, rendered in rendering.made.items():
            try:
                outputs[rendition] = self._write_output(begun, difference, rendition, rendered)
            except Rejected as refusal:
                errors[rendition] = str(refusal)
        reason = "; ".join(f"{rendition}: {why}" for rendition, why in errors.items()) or None
        made = replace(
            begun,
            rules=self.pipeline.rules,
            outputs=tuple(outputs[name] for name in self.pipeline.renditions if name in outputs),
            errors=tuple(errors.items()),
        )
        return self._finish(begun, self._decide(made, "rejected" if errors else "done", reason))

    def _write_output(
        self, begun: Record, difference: Difference, rendition: str, rendered: Rendered
    ) -> Output:
        """Write one output; see :meth:`Leases.put`."""
        key = (difference.keys or {})[rendition]
        old = difference.record.find_output(rendition) if difference.record else None
        expected = IfMatch(old.etag) if old and old.key == key else IfAbsent()
        claimed_before = difference.record.claimed_keys() if difference.record else frozenset()
        stored, replaced = self._leases.put(
            begun, key, rendered.content, expected, OUTPUT_FORMATS[rendered.format].content_type
        )
        if replaced and key not in claimed_before:
            log.warning("%s: replaced %s, which was there and in no record", begun.name, key)
        return Output(
            rendition=rendition,
            key=key,
            etag=stored.etag,
            source_etag=begun.etag,
            fingerprint=self.pipeline.fingerprints(begun.wishes, begun.source_format)[rendition],
            format=rendered.format,
            size_bytes=stored.size_bytes,
            width=rendered.width,
            height=rendered.height,
        )

    def _refuse(self, begun: Record, reason: str) -> Record:
        """Return the record of a picture that has no outputs because it is rejected."""
        pending = begun.sorted_keys()
        return self._decide(replace(begun, outputs=(), pending_keys=pending), "rejected", reason)

    def _decide(self, record: Record, status: NoticeEvent, reason: str | None = None) -> Record:
        """Return the record with its status, and owing the notices that the status calls for.

        Notices of an earlier status that weren't sent yet are dropped: they would no longer be true.
        """
        now = self.clock()
        return replace(
            record.with_event(now, status, reason or ""),
            status=status,
            reason=reason,
            timestamp=now,
            attempts=record.attempts if status == "failed" else 0,
            owed=tuple(
                OwedNotice(status, notify.target) for notify in self.pipeline.notify if status in notify.on
            ),
        )

    def _finish(self, begun: Record, decided: Record) -> Record:
        """Write the decided record; keep the lease only if something is left to settle.

        The condition is the revision that ``begin`` left. Whoever took the lease over has raised it:

            A  begin → r8     …paused past the lease…      finish(r8) → Conflict: writes nothing
            B                   begin → r9, finish → r10
        """
        kept_keys = {output.key for output in decided.outputs}
        pending = tuple(key for key in replace(decided, outputs=()).sorted_keys() if key not in kept_keys)
        lease = begun.lease if pending or decided.owed else None
        return self.catalog.write(replace(decided, pending_keys=pending, lease=lease))

    def _fail(self, begun: Record, error: Failed) -> Record:
        """Record that something around the picture broke; notices are owed once it is given up."""
        attempts = begun.attempts + 1 if error.retryable else MAX_ATTEMPTS
        failed = self._decide(replace(begun, attempts=attempts), "failed", str(error))
        owed = failed.owed if attempts >= MAX_ATTEMPTS else ()
        return self.catalog.write(replace(failed, owed=owed, lease=None))

    def _remove(self, record: Record) -> Outcome | None:
        """Delete the outputs of a picture that is gone, then its record; None to look again."""
        gone = replace(record, status="processing", goal="", outputs=(), pending_keys=record.sorted_keys())
        leased = self._leases.take(gone)
        with self._leases.guard(leased):
            try:
                for key in leased.pending_keys:
                    self._leases.delete(leased, key)
            except Failed as error:
                record = self._leases.release(replace(leased, reason=str(error)))
                pause = retry_pause(1) if error.retryable else None
                return Outcome(record.name, "failed", str(error), pause, record)
            self.catalog.delete(leased)
        if find(self.source, record.name) and self.pipeline.source.matches(record.name):
            return None
        return Outcome(record.name, "removed")

    def _settle(self, leased: Record) -> Outcome:
        """Delete what is no output any more, send the owed notices, give the lease back.

        A notice is sent at least once: whoever dies between sending and writing has it sent again.
        """
        pending, owed = list(leased.pending_keys), list(leased.owed)
        trouble: str | None = None
        with self._leases.guard(leased):
            try:
                for key in leased.undeleted_keys():
                    self._leases.delete(leased, key)
                    pending.remove(key)
            except Failed as error:
                trouble = str(error)
            for notice in leased.owed:
                try:
                    if notifier := self.notifiers.get(notice.target):
                        notifier.send(Notice(notice.event, leased))
                    owed.remove(notice)
                except Failed as error:
                    trouble = str(error)
            record = self._leases.release(replace(leased, pending_keys=tuple(pending), owed=tuple(owed)))
        pause = retry_pause(1) if trouble else None
        return Outcome(record.name, _result(record), trouble or record.reason, pause, record)


def _result(record: Record) -> NoticeEvent:
    """Return a decided record's status."""
    if record.status == "processing":
        raise AssertionError(f"{record.name!r} is not decided")
    return record.status


def _is_in_the_way(key: str, wanted: Iterable[str]) -> bool:
    """Tell whether a folder can't hold the key beside the wanted ones: one would be above the other."""
    return any(other.startswith(f"{key}/") or key.startswith(f"{other}/") for other in wanted)


def _too_many_bytes(found: StoredObject, pipeline: Pipeline) -> str:
    return f"expected at most {pipeline.accept.max_bytes:,} bytes, found {found.size_bytes:,}"


def _own_keys_collide(keys: Mapping[str, str]) -> Rejected:
    """Return the refusal of a picture of which two renditions would have one key."""
    taken: dict[str, str] = {}
    for rendition, key in keys.items():
        if key in taken:
            return Rejected(f"{taken[key]} and {rendition} would both write {key!r}")
        taken[key] = rendition
    raise AssertionError("no two keys are the same")
