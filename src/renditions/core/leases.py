"""The writes of a worker that holds a picture's lease, and the loss of a lease.

A worker takes a lease by a conditional write of the record. If another worker takes the lease over, it raises
the record's revision. But the first worker may pause past the end of its lease without noticing, and continue
in the middle of its writes. Four rules keep the first worker from undoing the work of the lease's next
holder:

- It checks its clock before it writes.
- It writes and deletes outputs on conditions.
- It reads the objects for these conditions before it confirms the lease.
- If it finds that the lease is lost, it reopens the record, so that every key that it may have touched is
  checked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from renditions.core.binding import Standing
from renditions.core.catalog import Catalog
from renditions.core.foreign import Ownership
from renditions.core.ports import Condition, IfAbsent, IfMatch, Store, StoredObject
from renditions.core.readable import get_readable
from renditions.core.verify import find
from renditions.errors import Conflict, ForeignOutput, KeyTaken
from renditions.model.lease import Lease
from renditions.model.record import MIXED, Output, Record
from renditions.model.retired import Retired
from renditions.model.wishes import Wishes

CLOCKS_DIFFER_AT_MOST = timedelta(minutes=1)
"""The largest expected difference between the clocks of two machines."""

PERMISSION_LASTS = timedelta(days=1)
"""How long a person's permission to remove missing pictures is valid."""

ANSWER_LASTS = timedelta(seconds=5)
"""How long the catalog's answer about a lease is valid, counted from the request."""


@dataclass(frozen=True, slots=True)
class Leases:
    """The leases of one owner, and its writes under them.

    The methods that write raise Conflict if they find that another process wrote the record meanwhile. For
    example, another worker may have taken the lease over.
    """

    catalog: Catalog
    output: Store
    owner: str
    clock: Callable[[], datetime]
    lasts: timedelta
    standing: Standing | None = None
    """Decides whether this process's pipeline is in force; None if the catalog has no binding (in tests)."""

    @property
    def writer(self) -> str:
        """The mark that the worker writes with each output; empty without a binding."""
        return self.standing.catalog_id if self.standing else ""

    @property
    def ownership(self) -> Ownership:
        """The test that finds the output store's objects that belong to this catalog."""
        return Ownership(self.catalog, self.output, self.writer)

    def is_own(self, key: str) -> bool:
        """Return whether the object under the key carries this catalog's mark."""
        return self.ownership.is_own(key)

    def reclaim(self, record: Record, place: str) -> Record:
        """Return the record with claims on objects that it left in a reused store.

        ``place`` is that store, the current output store. This method writes nothing.

        Without a claim, another picture could write there while the object is deleted:

            A  no record claims k                                    delete k if e2 → deletes B's output
            B                      claim k, put k → e2, finish

        The record forgets an object that is no longer ours, that another picture claims here, or whose key a
        missing picture claims. If the other picture claims the key only for another store, it gives the key
        up as soon as it is processed. Until then the record keeps the object without a claim.
        """
        if all(old.place != place for old in record.retired):
            return record
        retired = (self._reclaim(record.name, old, place) for old in record.retired)
        return replace(record, retired=tuple(old for old in retired if old))

    def _reclaim(self, name: str, old: Retired, place: str) -> Retired | None:
        """Return how a record names an object that it left; None if it forgets it."""
        if old.place != place:
            return old
        there = find(self.output, old.key)
        if there is None or not (there.etag == old.etag or self.is_own(old.key)):
            return None
        owner = self.catalog.owner_of(old.key)
        if owner in (None, name):
            return replace(old, place="")
        other, folding = get_readable(self.catalog, owner), self.output.folding()
        if other is None:
            return old
        is_theirs = other.place in ("", place) and folding(old.key) in map(folding, other.claimed_keys())
        return None if is_theirs or other.missing_since else old

    def take(self, record: Record) -> Record:
        """Take the record's lease; return the record as it is stored now.

        Two workers that read at the same time get the same revision. The first write raises the revision. So
        the catalog refuses the second write, and that worker reads again:

            A  get r7            write(r7) → r8, leased
            B       get r7                              write(r7) → Conflict

        Raises:
            Conflict: Another process wrote the record meanwhile.
            KeyTaken: Another picture claims one of the record's keys.

        """
        until = self.clock() + self.lasts
        generation = self.standing.number if self.standing else record.generation
        return self.catalog.write(
            replace(record, lease=Lease(self.owner, until), generation=max(generation, record.generation))
        )

    def release(self, held: Record) -> Record:
        """Write the record and give its lease back; return the record as stored."""
        return self.catalog.write(replace(held, lease=None))

    def undo(self, leased: Record, before: Record | None) -> None:
        """Store the record as it was before this lease; delete it if there was none.

        Call this only if the worker wrote and deleted no output under the lease.

        Raises:
            Conflict: Another process wrote the record meanwhile.

        """
        if before is None:
            self.catalog.delete(leased)
        else:
            self.release(replace(before, generation=leased.generation, revision=leased.revision))

    def put(
        self,
        leased: Record,
        key: str,
        content: bytes,
        condition: Condition,
        content_type: str,
        *,
        may_replace: bool,
    ) -> StoredObject:
        """Write an output.

        If the key holds an unexpected file that this catalog wrote, this method replaces it: a crash left
        the file there, or our own request wrote it and the answer got lost. It replaces any other file only
        with ``may_replace``.

        Raises:
            ForeignOutput: The key holds a file that this catalog didn't write, or something blocks the key.
            Conflict: Another process changed or deleted the record, so the lease is lost.

        If our lease ran out while we worked, its next holder may have written already, and our write must not
        undo that:

            A  take (object e1)      …paused…                   put if e1 → Conflict
            B               take, put if e1 → e2, finish

        The condition alone can't distinguish an object from an identical one, so a lease that may have run
        out is confirmed first:

            A  take (object e1)      …paused…                             put if e1 → undoes C's
            B                 put if e1 → e2         C  put if e2 → e1
        """
        while True:
            self._confirm_if_late(leased)
            try:
                return self.output.put(key, content, condition, content_type, self.writer)
            except Conflict:
                there = self.output.head(key)
                self.confirm(leased)
                if there and not may_replace and not self.is_own(key):
                    raise ForeignOutput(key) from None
                condition = IfMatch(there.etag) if there else IfAbsent()

    def rewrite_headers(self, leased: Record, made: Output) -> Output:
        """Rewrite an output's headers, and return the output with its new ETag.

        If another program replaced or deleted the output, write nothing and return ``made`` unchanged. The
        next verification finds the difference.

        Raises:
            Conflict: Another process changed or deleted the record. The headers stay unchanged.

        """
        self._confirm_if_late(leased)
        try:
            stored = self.output.rewrite_headers(made.key, IfMatch(made.etag))
        except Conflict:
            return made
        return replace(made, etag=stored.etag) if stored else made

    def delete(self, leased: Record, key: str) -> None:
        """Delete a former output.

        In a folder that ignores case, the key may name the same file as a current output. Then this method
        keeps the file.

        Raises:
            Conflict: Another process changed or deleted the record. The output is kept.

        """
        folding = self.output.folding()
        if any(made.key != key and folding(made.key) == folding(key) for made in leased.outputs):
            return
        while there := find(self.output, key):
            self.confirm(leased)
            try:
                self.output.delete(key, IfMatch(there.etag))
            except Conflict:
                continue
            return

    @contextmanager
    def guard(self, leased: Record, *, rewrites: bool = False) -> Iterator[None]:
        """Reopen the record if the lease was lost while we worked under it.

        A condition can't distinguish a key that never had an object from a key whose object was deleted:

            A  begin (no object)      …paused past the lease…            put if absent → an orphan
            B               begin, put, finish; picture gone: delete all

        So a worker that finds its lease lost reopens the record: every key that the worker may have touched
        is checked again, unless another picture claims it. An ETag says nothing about headers. So if the
        worker ``rewrites`` headers, the headers of all outputs are written again.

        Raises:
            Conflict: The lease was lost. This is the error that the ``with`` block raised.

        """
        try:
            yield
        except Conflict:
            if leased.pending_keys or rewrites:
                self._reopen(leased, rewrites=rewrites)
            raise

    def _reopen(self, leased: Record, *, rewrites: bool) -> None:
        touched = set(leased.pending_keys)
        while True:
            now = self.clock()
            current = self.catalog.get(leased.name)
            if current is None and not touched:
                return  # the picture was removed, with all outputs
            current = current or Record(leased.name, "processing", now, place=leased.place)
            if current.place == leased.place:
                reopened = self._claim_touched(current, touched)
                reopened = replace(reopened, headers=MIXED) if rewrites else reopened
            else:  # the outputs are in another store by now: delete only the keys that we may have written
                left = tuple(Retired(key, "", now, leased.place) for key in sorted(touched))
                reopened = replace(current, goal="", retired=(*current.retired, *left), lease=None)
            try:
                self.catalog.write(reopened)
            except KeyTaken as taken:
                touched.discard(taken.key)  # another picture owns the key and writes it conditionally
            except Conflict:
                continue
            else:
                return

    def _claim_touched(self, current: Record, touched: set[str]) -> Record:
        """Return the record with claims on these keys; their outputs will be made again."""
        kept = tuple(output for output in current.outputs if output.key not in touched)
        retired = tuple(old for old in current.retired if old.place or old.key not in touched)
        stays = {output.key for output in kept} | {old.key for old in retired if not old.place}
        pending = tuple(sorted((current.claimed_keys() | touched) - stays))
        return replace(
            current,
            goal="",
            outputs=kept,
            pending_keys=pending,
            retired=retired,
            lease=None,
        )

    def _confirm_if_late(self, leased: Record) -> None:
        """Confirm the lease if it may have run out; see :meth:`confirm`."""
        if leased.lease and self.clock() + CLOCKS_DIFFER_AT_MOST > leased.lease.until:
            self.confirm(leased)

    def confirm(self, held: Record) -> None:
        """Raise Conflict if another process changed or deleted the held record.

        The lease is lost then. Call this after reading an output and before the write that depends on it. A
        worker that takes the lease later also writes later; if it then writes before us, our condition fails.
        If the catalog took long to answer, this method asks again.
        """
        is_outdated = True
        while is_outdated:
            asked_at = self.clock()
            current = self.catalog.get(held.name)
            if current is None or current.revision != held.revision:
                raise Conflict(f"another process changed or deleted the record of {held.name!r}. Try again")
            is_outdated = self.clock() - asked_at > ANSWER_LASTS


def reopen(catalog: Catalog, record: Record) -> bool:
    """Let the next sync try a picture again.

    A worker that holds the record's lease loses it. Return False if the record changed meanwhile.
    """
    return _change(catalog, replace(record, goal="", attempts=0, setbacks=0))


def wish(catalog: Catalog, record: Record, wishes: Wishes) -> bool:
    """Store a person's wishes for a picture.

    A worker that holds the record's lease loses it. Return False if the record changed meanwhile.
    """
    return _change(catalog, replace(record, wishes=wishes))


def permit_removal(catalog: Catalog, record: Record, until: datetime) -> bool:
    """Store a person's permission to remove a missing picture.

    A worker that holds the record's lease loses it. Return False if the record changed meanwhile.
    """
    return _change(catalog, replace(record, removable_until=until))


def _change(catalog: Catalog, record: Record) -> bool:
    try:
        # A worker that holds the lease loses it by this write, and reads the record again.
        catalog.write(replace(record, lease=None))
    except Conflict:
        return False
    return True
