"""Checks the invariants that must hold at every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from doubles import MemoryCatalog, MemoryStore
from faults.promise import must, truth
from faults.scheduler import Process, Task
from hashing import output_of
from renditions.core.ask import Ask
from renditions.core.difference import Outcome
from renditions.model.lease import LONGEST_LEASE
from renditions.model.pipeline import MaxRemovals
from renditions.model.record import Notice, Record


@dataclass
class Observer:
    """Sees every change at its moment, and checks the invariants."""

    output: MemoryStore
    catalog: MemoryCatalog
    clock: Callable[[Process], datetime]
    knows_dead: Callable[[str], bool]
    """Returns whether a lease's owner is known to be dead."""
    is_strict: bool = True
    """Whether the clocks agree so well that no worker continues under a lease that another has taken."""
    known: int = 0
    """The largest possible number of pictures."""
    limits: MaxRemovals = field(default_factory=MaxRemovals)
    """The limit of removals because of a listing."""
    generation_of: dict[Process, str] = field(default_factory=dict)
    """The generation that each process uses."""
    newest: dict[str, int] = field(default_factory=dict)
    """The last number of each generation that was in force."""
    asks: dict[Task, Ask] = field(default_factory=dict)
    """The options with which each task was started."""
    sent: list[Notice] = field(default_factory=list)
    syncing: set[Task] = field(default_factory=set)
    """The tasks that process pictures for a sync."""
    hidden: frozenset[str] = frozenset()
    """The existing pictures that the source doesn't show."""
    _removed_wrongly: int = 0
    _step: int = 0
    _decided_at: dict[Record, int] = field(default_factory=dict)
    """When each decided state first appeared in the catalog."""
    _contents: dict[str, bytes] = field(default_factory=dict)
    """The content of pictures, by ETag."""
    _hashes_of: dict[str, set[str]] = field(default_factory=dict)
    """The SHA-256 of each content that a picture had."""
    _current: dict[str, str] = field(default_factory=dict)
    """The present ETag of each picture."""
    _ended_at: dict[tuple[str, str], int] = field(default_factory=dict)
    """When each picture last lost an ETag."""
    _last_written: dict[Task, Record] = field(default_factory=dict)

    def see_source(self, name: str, etag: str | None, content: bytes = b"") -> None:
        """Remember a picture's content from now on."""
        self._step += 1
        if name in self._current:
            self._ended_at[name, self._current.pop(name)] = self._step
        if etag:
            self._current[name] = etag
            self._contents[etag] = content
            self._hashes_of.setdefault(name, set()).add(sha256(content).hexdigest())

    def see_before_write(self, task: Task, record: Record) -> None:
        """Check that a worker takes over a lease only after its end, by the worker's own clock."""
        stored = self.catalog.get(record.name)
        self._check_generation(task, stored, record)
        if not (stored and stored.lease and record.lease and stored.revision == record.revision):
            return
        lease, taker, now = stored.lease, record.lease.owner, self.clock(task.process)
        is_held = lease.until - LONGEST_LEASE <= now < lease.until
        may = lease.owner == taker or self.knows_dead(lease.owner) or not is_held
        must(may, f"{taker} took a lease that held: {stored}")

    def _check_generation(self, task: Task, stored: Record | None, record: Record) -> None:
        """Check that no older generation overwrites the decision of a newer one; it may only reopen it."""
        is_reopening = not record.goal and record.lease is None
        own = self.generation_of.get(task.process)
        if stored and stored.revision == record.revision and own and not is_reopening:
            must(stored.generation <= self.newest.get(own, 0), f"a superseded worker writes over {stored}")

    def see_hidden(self, names: frozenset[str]) -> None:
        """Count the wrong removals from now on: the source hides these pictures."""
        self.hidden = names & self._current.keys()
        self._removed_wrongly = 0

    def see_removal(self, task: Task, record: Record) -> None:
        """Check that a record is removed only with permission, and that listings remove few."""
        ask = self.asks[task]
        must(
            ask.removal != "no" or record.removable_until is not None, f"removed without permission: {record}"
        )
        if ask.removal == "allowed" and record.name in self.hidden:
            self._removed_wrongly += task in self.syncing
            wrong, limits = self._removed_wrongly, self.limits
            is_few = wrong <= limits.pictures or 100 * wrong <= limits.percent * self.known
            must(is_few, f"{wrong} pictures were removed that are there")

    def see_rename(self, task: Task, former: Record, renamed: Record) -> None:
        """Check that a record is taken over only by a picture that has, or had a moment ago, its content."""
        must(former.sha256 in self._hashes_of.get(renamed.name, ()), f"renamed to other content: {former}")
        self._last_written[task] = renamed

    def see_write(self, task: Task, written: Record) -> None:
        """Check that every output of the record exists, made from the recorded source and recipe."""
        self._step += 1
        self._last_written[task] = written
        self._decided_at.setdefault(truth(written), self._step)
        for made in written.outputs:
            self._check_output(written, made.key)

    def see_put(self, task: Task, key: str) -> None:
        """Check that a key is claimed when it is written, and isn't a finished output."""
        held = self._last_written[task]
        owner = self.catalog.owner_of(key)
        record = self.catalog.get(owner) if owner else None
        if record:
            self._check_output(record, key)
        now = self.catalog.get(held.name)
        has_lease = now is not None and now.revision == held.revision
        must(owner == held.name or not has_lease, f"{key} was written and is {owner}'s, not {held.name}'s")

    def see_delete(self, task: Task, key: str) -> None:
        """Check that an old output is deleted only once its replacement was recorded."""
        held = self._last_written[task]
        is_in_the_way = any(
            other.startswith(f"{key}/") or key.startswith(f"{other}/") for other in held.claimed_keys()
        )
        may = held.status != "processing" or not held.goal or is_in_the_way
        must(may, f"{key} was deleted before its time: {held}")
        owner = self.catalog.owner_of(key)
        if owner and (record := self.catalog.get(owner)):
            self._check_output(record, key)

    def see_notice(self, notice: Notice) -> None:
        """Check that a notice's state is or was in the catalog."""
        must(truth(notice.record) in self._decided_at, f"sent before it was recorded: {notice}")
        self.sent.append(notice)

    def see_outcome(self, outcome: Outcome) -> None:
        """Check that an outcome was true at a moment after it was recorded."""
        record = outcome.record
        if record is None or outcome.again_after is not None or outcome.result not in ("done", "rejected"):
            return
        is_current = self._current.get(record.name) == record.etag
        ended_at = self._ended_at.get((record.name, record.etag), 0)
        must(is_current or ended_at > self._decided_at[truth(record)], f"true at no moment: {outcome}")

    def _check_output(self, record: Record, key: str) -> None:
        for made in record.outputs if self.is_strict else ():
            if made.key == key:
                got = self.output.get(key)
                must(got is not None and got[0].etag == made.etag, f"{key} isn't what {record} says")
                right = output_of(self._contents[made.source_etag], made.fingerprint)
                must(got is not None and got[1] == right, f"{key} isn't made of what {record} says")
