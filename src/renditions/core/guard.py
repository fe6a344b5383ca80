"""The removal guard: it keeps a run from removing too many pictures.

If a bucket's event or a person names a deleted picture, its removal is intended. If pictures are only
missing from a listing, the cause may also be an unmounted disk, or a typo in a prefix. So the guard counts a
whole run before it allows the removal of these pictures. It holds the removals back if they exceed both
limits of ``[source] max_removals``, if the source or a folder that still exists has lost all of its pictures
(``MANY`` or more), or if the source's marker is missing. In unattended runs it also decides whether to
restore outputs.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from renditions.core.difference import Difference
from renditions.model.source import MaxRemovals

MANY = 20
"""The loss of all pictures, or of all outputs, is suspicious if there were at least this many."""

WINDOW_SECONDS = 3600.0
"""The guard adds up the removals of one process within this period."""


COUNTED = ("known", "found", "known_found", "missing", "left_out", "outputs", "outputs_lost", "restores")
"""The fields of a census that are numbers."""


@dataclass(slots=True)
class Folder:
    """How many pictures below a source folder have a record, and how many exist."""

    prefix: str
    known: int = 0
    found: int = 0


@dataclass(slots=True)
class Census:
    """The counts of one run, from which the guard decides.

    ``see`` must get the differences in the order of their names.
    """

    has_folder: Callable[[str], bool]
    """Returns whether the source has a folder, even an empty one."""
    known: int = 0
    """How many pictures have a record."""
    found: int = 0
    """How many pictures the source has."""
    known_found: int = 0
    """How many pictures are in the source and have a record."""
    missing: int = 0
    """How many records have no picture any more, and must not be removed yet."""
    left_out: int = 0
    """How many of ``missing`` have a name that the patterns of ``[source]`` no longer match."""
    outputs: int = 0
    """How many outputs the records name."""
    outputs_lost: int = 0
    """How many outputs must be made again, because the output store lost or changed them."""
    restores: int = 0
    """How many pictures need outputs restored, see ``Difference.is_restore``."""
    emptied: str | None = None
    """The first folder that still exists, but lost all of its known pictures (``MANY`` or more); or None."""
    _trail: list[Folder] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the numbers, for another process that continues the count.

        The counts of folders aren't among them, so only the census of a source without folders can be
        continued.
        """
        return {name: getattr(self, name) for name in COUNTED}

    def see(self, difference: Difference) -> None:
        """Add one picture and its outputs to the counts."""
        record, found = difference.record, difference.found is not None
        self.found += found
        self.known += record is not None
        self.known_found += record is not None and found
        self.missing += difference.action == "hold"
        self.left_out += difference.action == "hold" and difference.is_left_out
        if record:
            self.outputs += len(record.outputs)
            self.outputs_lost += len(difference.drift)
        self.restores += difference.is_restore
        self._enter(difference.name)
        for folder in self._trail[-1:]:
            folder.known += record is not None
            folder.found += found or difference.is_left_out  # a left-out picture isn't suspicious

    def end(self) -> None:
        """End the count: close the folders that are still open."""
        while self._trail:
            self._leave()

    def _enter(self, name: str) -> None:
        parent = name[: name.rfind("/") + 1]
        while self._trail and not parent.startswith(self._trail[-1].prefix):
            self._leave()
        at = len(self._trail[-1].prefix) if self._trail else 0
        while (end := parent.find("/", at)) >= 0:
            at = end + 1
            self._trail.append(Folder(parent[:at]))

    def _leave(self) -> None:
        folder = self._trail.pop()
        if self._trail:
            self._trail[-1].known += folder.known
            self._trail[-1].found += folder.found
        is_empty = folder.known >= MANY and not folder.found
        if is_empty and self.emptied is None and self.has_folder(folder.prefix):
            self.emptied = folder.prefix


@dataclass(slots=True)
class RemovalWindow:
    """The missing pictures that this process removed within the last hour."""

    monotonic_seconds: Callable[[], float] = time.monotonic
    _removed_at: deque[float] = field(default_factory=deque)

    def note(self) -> None:
        """Count a picture that this process removes now."""
        self._removed_at.append(self.monotonic_seconds())

    def count(self) -> int:
        """Return how many removals were noted within the last hour."""
        begins = self.monotonic_seconds() - WINDOW_SECONDS
        while self._removed_at and self._removed_at[0] <= begins:
            self._removed_at.popleft()
        return len(self._removed_at)


@dataclass(frozen=True, slots=True)
class Guard:
    """The limits on removals and restorations; a run holds back what exceeds them."""

    max_removals: MaxRemovals
    has_folder: Callable[[str], bool] = lambda _: False
    is_marker_missing: Callable[[], bool] = lambda: False
    """Returns whether the source lacks the marker that the catalog expects."""
    renew_marker: Callable[[], None] = lambda: None
    """Writes the marker if the source lacks it."""
    is_attended: bool = True
    """Whether a person started the run. If so, the run may make any number of outputs again."""
    is_output_bound: bool = True
    """Whether the output store is the one that a person applied last."""
    catalog_size: Callable[[], int] | None = None
    """Counts the catalog's records; None for a run that compares all pictures."""
    window: RemovalWindow = field(default_factory=RemovalWindow)
    """The removals of the last hour. The removals of this run count together with them."""

    def open_census(self, counts: Mapping[str, int] = MappingProxyType({})) -> Census:
        """Return a census that continues from these numbers, see ``Census.counts``."""
        census = Census(self.has_folder)
        for name in COUNTED:
            setattr(census, name, counts.get(name, 0))
        return census

    def trust(self, census: Census) -> None:
        """Write the source's marker if a full run found at least half the known pictures.

        The run must have found at least one picture. Version 0.1 wrote no marker, and a clone or a restored
        backup of the source may lack it. A source that lost its marker gets it again only if no picture waits
        for its removal. Otherwise another disk would get the marker as soon as half of the known pictures
        are new pictures on that disk.
        """
        is_whole = self.catalog_size is None
        is_found = census.found and 2 * census.known_found >= census.known
        if is_whole and is_found and not (census.missing and self.is_marker_missing()):
            self.renew_marker()

    def judge_removals(self, census: Census) -> str | None:
        """Return why the run must not remove the missing pictures; None if it may."""
        known = self.catalog_size() if self.catalog_size else census.known
        missing = census.missing
        if not missing:
            return None
        if not census.found and known >= MANY and not self.catalog_size:
            return f"the source has no matching picture, but the catalog has {known:,} records"
        if census.emptied is not None:
            return f"the folder {census.emptied} exists, but all of its pictures are gone"
        if self.is_marker_missing():
            return "the source lacks this catalog's marker: it may be another folder, or an unmounted disk"
        lately = self.window.count()
        if self.is_too_many(missing + lately, known + lately):
            gone = (
                f"gone (the patterns of [source] leave out {census.left_out:,})"
                if census.left_out
                else "gone"
            )
            gone = f"{gone}, including {lately:,} that were removed within the last hour" if lately else gone
            verb = "is" if missing + lately == 1 else "are"
            return (
                f"{missing + lately:,} of {known + lately:,} pictures {verb} {gone}: more than "
                f"{self.max_removals.pictures}, and more than {self.max_removals.percent:g} % (the limits of "
                "[source] max_removals)"
            )
        return None

    def allows_one_more(self, known: int, in_progress: int) -> bool:
        """Return whether one more picture may be removed because of a file event.

        The event implies that the picture was deleted.

        Args:
            known: How many records the catalog has now.
            in_progress: How many allowed removals aren't done yet. The catalog still counts these pictures.

        """
        removed = self.window.count()
        is_too_many = self.is_too_many(removed + in_progress + 1, known + removed)
        return not (is_too_many or self.is_marker_missing())

    def judge_restores(self, census: Census) -> str | None:
        """Return why the run must not make outputs again; None if it may."""
        if self.is_attended or not census.restores:
            return None
        if not self.is_output_bound:
            return "[output] store names another store, and no person has applied that change yet"
        return self.describe_loss(census)

    def describe_loss(self, census: Census) -> str | None:
        """Return a clause that says that the output store lost or changed all outputs.

        Return None unless the run counted ``MANY`` outputs or more, and all of them must be made again.
        """
        if census.outputs_lost == census.outputs and census.outputs >= MANY:
            return f"all {census.outputs:,} known outputs are missing from the output store, or were changed"
        return None

    def is_too_many(self, missing: int, known: int) -> bool:
        """Return whether a run needs permission to remove so many missing pictures."""
        limit = self.max_removals
        return missing > limit.pictures and 100 * missing > limit.percent * known
