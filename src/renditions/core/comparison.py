"""Compare one picture with its record and its outputs.

This module also reads everything that the comparison needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from renditions.core.ask import PLAIN, Ask
from renditions.core.catalog import Catalog
from renditions.core.content import Reader
from renditions.core.difference import Difference, Seen, compare
from renditions.core.foreign import find_obstacle
from renditions.core.places import is_in_place
from renditions.core.ports import Store, StoredObject
from renditions.core.reuse import find_renamed, relabel
from renditions.core.verify import UNVERIFIED, Look, find, verify
from renditions.errors import RecordUnreadable
from renditions.model.pipeline import Pipeline
from renditions.model.record import Record


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of pictures with their records and outputs, for one pipeline.

    A comparison changes nothing.
    """

    pipeline: Pipeline
    catalog: Catalog
    output: Store
    is_gone: Callable[[str], bool] | None = None
    """Returns whether a lease's owner has certainly ended; None if a lease ends only when it expires."""
    ask: Ask = PLAIN
    look_up: Look | None = None
    """Finds outputs in an earlier listing. Without it, the comparison asks the store for each one."""
    reader: Reader | None = None
    """Reads source objects to compare their content. Without it, another ETag means another picture."""

    reads_new: bool = False
    """Whether to read a new or changed picture if its keys depend on its content.

    Otherwise, as in a plan, a part of such a key isn't known.
    """

    def compare(
        self, name: str, found: StoredObject | None, record: Record | None, now: datetime
    ) -> Difference:
        """Return the difference between the picture's wanted and actual state.

        ``found`` is the source object, and ``record`` the picture's record. Either can be None.

        Raises:
            StoreFailed: An output can't be checked.
            CatalogFailed: The catalog can't be read.

        """
        pipeline = self.pipeline
        touched = self._recognise(found, record, now) if found and record else None
        record = touched or record
        renamed = find_renamed(pipeline, record) if record else {}
        record = relabel(pipeline, record, renamed) if record else None
        refused = record.refused_keys if record else ()
        is_key_free = any(self._may_be_free(name, key) for key in refused)
        verification = UNVERIFIED
        is_kept = found is not None or pipeline.source.on_delete == "keep"
        if record and is_kept and record.status != "processing" and is_in_place(pipeline, record):
            verification = verify(record, self.output, self.ask.verify, self.look_up)
        sha256 = self._identify(found, record) if found else ""
        is_blocked = self._is_blocked(record, found, sha256) if record and found else False
        seen = Seen(
            name,
            found,
            record,
            is_blocked,
            verification,
            is_key_free,
            sha256,
            touched is not None,
            renamed,
        )
        difference = compare(pipeline, seen, now=now, is_gone=self.is_gone, ask=self.ask)
        return replace(difference, sha256=sha256) if sha256 else difference

    def _is_blocked(self, record: Record, found: StoredObject, sha256: str) -> bool:
        """Return whether ``record.blocked_by`` still claims a key of this picture."""
        if record.blocked_by is None:
            return False
        try:
            blocker = self.catalog.get(record.blocked_by)
        except RecordUnreadable:
            return True  # it keeps its claims until it is repaired
        keys = self.pipeline.output_keys(record.name, found.etag, record.wishes, sha256)
        folding = self.output.folding()
        return blocker is not None and not folding.are_apart(blocker.claimed_keys(), keys.values())

    def _identify(self, found: StoredObject, record: Record | None) -> str:
        """Return the SHA-256 of the object's content; empty if it isn't known.

        This method reads the object only with ``reads_new``, if an output key needs the SHA-256 and the
        record doesn't have it.
        """
        if record and record.etag == found.etag and record.sha256:
            return record.sha256
        is_read = self.reads_new and self.pipeline.needs_content and found.complete
        if not (is_read and self.reader) or found.size_bytes > self.pipeline.accept.max_bytes:
            return ""
        return self.reader.identify(found)

    def _recognise(self, found: StoredObject, record: Record, now: datetime) -> Record | None:
        """Return the record with the object's ETag if only the ETag changed.

        Otherwise return None. A record with a lease stays unchanged: the worker that holds the lease reads
        the picture itself.
        """
        is_new = found.complete and found.etag != record.etag and not record.leased_at(now)
        if not (is_new and self.reader and self.reader.is_same(record, found)):
            return None
        touched = record.under(found.etag)
        if record.goal == self._goal_of(record):
            is_in_key = self._keys_of(record) != self._keys_of(touched)
            touched = replace(touched, goal="" if is_in_key else self._goal_of(touched))
        return touched

    def _goal_of(self, record: Record) -> str:
        return self.pipeline.goal_of(
            record.name, record.etag, record.wishes, record.source_format, record.sha256
        )

    def _keys_of(self, record: Record) -> Mapping[str, str]:
        return self.pipeline.output_keys(record.name, record.etag, record.wishes, record.sha256)

    def _may_be_free(self, name: str, key: str) -> bool:
        """Return whether to try a refused key again, see ``Seen.is_key_free``."""
        if find_obstacle(self.output, key):
            return False
        if self.ask.adopts or self.pipeline.output.overwrite or find(self.output, key) is None:
            return True
        return self.catalog.owner_of(key) not in (None, name)
