"""Compare one picture with its record and its outputs, and read all that this needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from renditions.core.ask import PLAIN, Ask
from renditions.core.content import Reader
from renditions.core.difference import Difference, Seen, compare
from renditions.core.places import is_in_place
from renditions.core.ports import Catalog, Store, StoredObject
from renditions.core.reuse import relabel
from renditions.core.verify import UNVERIFIED, Look, find, verify
from renditions.model.folding import EXACT
from renditions.model.pipeline import Pipeline
from renditions.model.record import Record


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares pictures of one pipeline with their records and outputs; changes nothing."""

    pipeline: Pipeline
    catalog: Catalog
    output: Store
    is_gone: Callable[[str], bool] | None = None
    """Returns whether a lease's owner has certainly ended; None if a lease ends only by its time."""
    ask: Ask = PLAIN
    look_up: Look | None = None
    """Finds outputs in an earlier listing; without it, each is looked up in the store."""
    reader: Reader | None = None
    """Reads source objects whose ETag changed. Without it, each such object counts as another picture."""

    def compare(
        self, name: str, found: StoredObject | None, record: Record | None, now: datetime
    ) -> Difference:
        """Return the difference of the picture ``name``."""
        pipeline = self.pipeline
        touched = self._recognise(found, record, now) if found and record else None
        record = touched or record
        record = relabel(pipeline, record) if record else None
        blocker = self.catalog.get(record.blocked_by) if record and record.blocked_by else None
        refused = record.refused_keys if record else ()
        is_key_free = any(self._may_be_free(name, key) for key in refused)
        verification = UNVERIFIED
        if record and found and record.status != "processing" and is_in_place(pipeline, record):
            verification = verify(record, self.output, self.ask.verify, self.look_up)
        folding = self.output.folding() if blocker else EXACT
        seen = Seen(
            name, found, record, folding, blocker, verification, is_key_free, is_touched=touched is not None
        )
        return compare(pipeline, seen, now=now, is_gone=self.is_gone, ask=self.ask)

    def _recognise(self, found: StoredObject, record: Record, now: datetime) -> Record | None:
        """Return the record with the object's ETag, if only the ETag changed and the content didn't.

        A record with a lease stays unchanged: the worker that holds the lease reads the picture itself.
        """
        is_new = found.complete and found.etag != record.etag and not record.leased_at(now)
        if not (is_new and self.reader and self.reader.is_same(record, found)):
            return None
        goal_of, wishes, source_format = self.pipeline.goal_of, record.wishes, record.source_format
        touched = record.under(found.etag)
        if record.goal == goal_of(record.name, record.etag, wishes, source_format):
            keys = self.pipeline.output_keys(record.name, record.etag, wishes)
            is_in_key = keys != self.pipeline.output_keys(record.name, found.etag, wishes)
            goal = "" if is_in_key else goal_of(record.name, found.etag, wishes, source_format)
            touched = replace(touched, goal=goal)
        return touched

    def _may_be_free(self, name: str, key: str) -> bool:
        """Return whether a key that held a foreign file can now be claimed, or belongs to another picture."""
        if self.ask.adopts or self.pipeline.output.overwrite or find(self.output, key) is None:
            return True
        return self.catalog.owner_of(key) not in (None, name)
