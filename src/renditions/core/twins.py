"""Find records of pictures with the same content, so that renames keep records.

A picture was renamed if its name is gone and a new name has its content. The new picture takes the record
over, with its outputs, its claims and the wishes of people. Only equal content proves a rename: an ETag may
be equal by chance, or differ for equal content.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from renditions.core.binding import Standing
from renditions.core.catalog import Catalog
from renditions.core.content import Reader
from renditions.core.decide import owe
from renditions.core.difference import Difference
from renditions.core.leases import wish
from renditions.core.ports import Store, StoredObject
from renditions.core.readable import get_readable
from renditions.core.verify import find_picture
from renditions.errors import Failed
from renditions.model.kept import KeptWishes
from renditions.model.pipeline import Pipeline
from renditions.model.record import Record
from renditions.model.wishes import NO_WISHES


@dataclass(frozen=True, slots=True)
class Twins:
    """The search for pictures with the same content. Safe to call from many threads."""

    pipeline: Pipeline
    source: Store
    catalog: Catalog
    clock: Callable[[], datetime]
    is_gone: Callable[[str], bool] | None
    """Returns whether a lease's owner has certainly ended; None if a lease ends only when it expires."""
    standing: Standing | None = None
    """Decides whether the pipeline is in force; None if the catalog has no binding (in tests)."""

    def identify(self, found: StoredObject, reader: Reader) -> str:
        """Return the SHA-256 of a new picture.

        The result is empty if the picture is too large to be read, or can't be read now.
        """
        return reader.identify(found) if found.size_bytes <= self.pipeline.accept.max_bytes else ""

    def find(self, name: str, sha256: str) -> tuple[list[Record], tuple[KeptWishes, ...]]:
        """Return the records of other pictures with this content, and its kept wishes.

        Records with wishes come first. In both groups, names that end with this file name come first.
        """
        if not sha256:
            return [], ()
        alike = self.catalog.find_content(sha256)
        records = (get_readable(self.catalog, each) for each in alike.names if each != name)
        twins = [record for record in records if record and record.sha256 == sha256]
        base = name.rpartition("/")[2]
        twins.sort(key=lambda twin: (twin.wishes == NO_WISHES, not twin.name.endswith(base), twin.name))
        return twins, alike.kept

    def take_over(self, found: StoredObject, twins: list[Record]) -> str | None:
        """Give a new picture the record of a picture that is gone.

        Return the name of the picture that is gone; None if no twin's record can be taken over.

        Two workers may want the same record. The first rename raises its revision:

            A  get r7          rename(r7) → the record of A's picture
            B       get r7                  rename(r7) → Conflict: B's picture finds another twin, or is new

        Raises:
            Superseded: The catalog uses another version of the pipeline file. That version decides which
                notices the record owes under the new name.
            Conflict: Another process changed the twin's record, or gave the new picture a record.
        """
        for twin in twins:
            if self._is_free(twin) and not self._is_there(twin.name):
                if self.standing:
                    self.standing.check(twin)
                is_decided = twin.is_decided
                owed = owe(self.pipeline, replace(twin, name=found.key)) if is_decided else ()
                former = replace(hand_over(twin, found), owed=owed)
                former = former.with_event(self.clock(), "processing", why_renamed(twin.name))
                if self.catalog.rename(former, found.key):
                    return twin.name
        return None

    def recall(self, name: str, of_content: tuple[KeptWishes, ...]) -> bool:
        """Write a new picture's first record if wishes are kept for its name or content.

        Return whether it was written. The catalog then forgets the kept wishes. Raises ``Conflict`` if the
        picture has a record by now.
        """
        if not self.pipeline.catalog.keep_wishes:
            return False
        now = self.clock()
        of_name_first = (self.catalog.find_wishes(name), *of_content)
        kept = next((each for each in of_name_first if each and each.until > now), None)
        if kept is None:
            return False
        record = Record(name, "processing", now, wishes=kept.wishes)
        self.catalog.write(record.with_event(now, "processing", f"it got the wishes kept for {kept.name}"))
        self.catalog.drop_wishes(kept.name)
        return True

    def keep_wishes(self, removed: Record) -> str | None:
        """Save the wishes of a picture before its removal.

        A copy of the picture (a twin) without wishes of its own gets these wishes, and this method returns
        its name. If there is no such twin, the catalog keeps the wishes for the declared time, and this
        method returns None.

        Raises:
            Superseded: The catalog uses another version of the pipeline file.
        """
        if removed.wishes == NO_WISHES:
            return None
        for name in self.catalog.find_content(removed.sha256).names if removed.sha256 else ():
            twin = get_readable(self.catalog, name) if name != removed.name else None
            is_heir = twin and twin.sha256 == removed.sha256 and twin.wishes == NO_WISHES
            if twin and is_heir and self._is_free(twin):
                if self.standing:
                    self.standing.check(twin)
                if wish(self.catalog, twin, removed.wishes):
                    return twin.name
        if seconds := self.pipeline.catalog.keep_wishes:
            until = self.clock() + timedelta(seconds=seconds)
            self.catalog.keep_wishes(KeptWishes(removed.name, removed.sha256, removed.wishes, until))
        return None

    def _is_free(self, record: Record) -> bool:
        """Return whether no running worker holds a lease on the record."""
        held = record.lease is not None and record.leased_at(self.clock())
        return not held or bool(record.lease and self.is_gone and self.is_gone(record.lease.owner))

    def _is_there(self, name: str) -> bool:
        """Return whether the source has the picture.

        A source that can't be read may have it.
        """
        try:
            return self.pipeline.source.matches(name) and find_picture(self.source, name) is not None
        except Failed:
            return True


def hand_over(former: Record, found: StoredObject) -> Record:
    """Return the record of a missing picture, for a new picture with its content."""
    return replace(
        former.under(found.etag),
        goal="",
        attempts=0,
        setbacks=0,
        lease=None,
        missing_since=None,
        removable_until=None,
    )


def why_renamed(former: str) -> str:
    """Return why a renamed picture needs work, with its former name."""
    return f"it was renamed from {former}"


def with_twin(difference: Difference, twins: list[Record]) -> Difference:
    """Return a new picture's difference with the first twin that has outputs."""
    return replace(difference, twin=next((twin for twin in twins if twin.outputs), None))
