"""Adopt the outputs that a catalog wrote before its records were lost.

Renditions overwrites the object under a claimed key, and deletes the object with its picture. So it claims
the key of an existing object only if it can prove that this catalog, or an earlier catalog of these pictures,
wrote the object, or if ``[output] overwrite`` is set. The proof is this catalog's mark, or the mark of an
earlier catalog with the same URL and source. An object without a mark (an old version wrote it, or the file
system has no extended attributes) must equal a fresh rendering, and no other catalog may use the output
store.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from renditions.core.catalog import Catalog
from renditions.core.content import Reader
from renditions.core.difference import Difference
from renditions.core.neighbours import Neighbours
from renditions.core.ports import Renderer, Store, StoredObject, Unreadable
from renditions.core.verify import find
from renditions.errors import CatalogLost, Rejected
from renditions.model.families import among
from renditions.model.pipeline import Pipeline
from renditions.model.wishes import NO_WISHES

SAMPLE = 1_000
"""How many pictures, or wanted keys, the search for a lost catalog checks before it stops."""

SAMPLE_OF_TICK = 100
"""``SAMPLE`` for a schedule's tick, which has little time: the search costs requests."""

FEW = 100
"""A catalog with fewer records than this may have been lost.

Its few records may come from events after the loss.
"""


def check_not_lost(
    catalog: Catalog, output: Store, catalog_id: str, differences: Callable[[], Iterator[Difference]]
) -> None:
    """Raise CatalogLost if the catalog is empty but most wanted keys hold files.

    This function checks only the first keys, see ``SAMPLE``. Files that this catalog wrote don't count. An
    unreadable record also counts as a record.
    """
    if _count_records(catalog, 1) or next(iter(output.list()), None) is None:
        return
    _, foreign, checked = _find_foreign(differences(), output, catalog_id, SAMPLE)
    if 2 * foreign > checked:
        raise CatalogLost(0, foreign, checked)


def yield_unless_lost(
    catalog: Catalog, output: Store, catalog_id: str, differences: Iterator[Difference]
) -> Iterator[Difference]:
    """Yield the differences; raise CatalogLost first if the catalog was lost.

    A tick can't require an empty catalog: an upload's event may add a record before the next tick comes.
    So outputs of pictures with a record count as written by this catalog, and a catalog with ``FEW`` records
    or more isn't lost.
    """
    seen, foreign, checked = _find_foreign(differences, output, catalog_id, SAMPLE_OF_TICK)
    if 2 * foreign > checked and (records := _count_records(catalog, FEW)) < FEW:
        raise CatalogLost(records, foreign, checked)
    yield from seen
    yield from differences


def _count_records(catalog: Catalog, most: int) -> int:
    """Count the records, also unreadable ones, up to about ``most``."""
    unreadable: list[Unreadable] = []
    readable = sum(1 for _ in itertools.islice(catalog.list(on_unreadable=unreadable.append), most))
    return readable + len(unreadable)


def _find_foreign(
    differences: Iterator[Difference], output: Store, catalog_id: str, most: int
) -> tuple[list[Difference], int, int]:
    """Take the first differences, and count their wanted keys.

    Stop at ``most`` differences, or at ``most`` wanted keys. Return the differences, how many of their keys
    hold a file that this catalog didn't write, and how many keys they have. Keys of pictures with a record
    count as written by this catalog.
    """
    seen: list[Difference] = []
    checked = foreign = 0
    for difference in differences:
        seen.append(difference)
        keys = (difference.keys or {}).values()
        checked += len(keys)
        if difference.record is None:
            foreign += sum(
                find(output, key) is not None and output.writer_of(key) != catalog_id for key in keys
            )
        if checked >= most or len(seen) >= most:
            break
    return seen, foreign, checked


@dataclass(frozen=True, slots=True)
class Adopter:
    """The search for outputs that this catalog or a predecessor wrote."""

    pipeline: Pipeline
    reader: Reader
    output: Store
    catalog: Catalog
    render: Renderer
    neighbours: Neighbours

    def prove(self, difference: Difference, found: StoredObject) -> dict[str, str]:
        """Return the ETags, by key, of objects without a claim that may be replaced.

        This method reads the ETag before the mark, because the later write is conditional on the ETag. So an
        object that another program puts there in between isn't proven.

        Raises:
            Failed: A store or the catalog failed, or a rendering failed for a reason outside the picture.
            Stopped: The renderer was stopped before it began the picture.

        """
        record = difference.record
        claimed = record.claimed_keys() if record else frozenset()
        proven: dict[str, str] = {}
        unmarked: dict[str, StoredObject] = {}
        for rendition, key in (difference.keys or {}).items():
            there = None if key in claimed else find(self.output, key)
            if there is None or self.catalog.owner_of(key):
                continue
            writer = self.output.writer_of(key)
            if writer in self.neighbours.own:
                proven[key] = there.etag
            elif writer is None and not self.neighbours.others:
                unmarked[rendition] = there
        return proven | self._prove_equal(difference, found, unmarked)

    def _prove_equal(
        self, difference: Difference, found: StoredObject, unmarked: Mapping[str, StoredObject]
    ) -> dict[str, str]:
        """Return the ETags, by key, of the objects that equal a fresh rendering."""
        if not unmarked or found.size_bytes > self.pipeline.accept.max_bytes:
            return {}
        try:
            content = self.reader.read(found)
        except Rejected:
            return {}  # the update that follows rejects the picture with the reason
        if content is None:
            return {}
        recipes = self.pipeline.recipes(difference.record.wishes if difference.record else NO_WISHES)
        wanted = {rendition: among(rendition, recipes[rendition], recipes) for rendition in unmarked}
        made = self.render(content.bytes, self.pipeline.accept, wanted, self.pipeline.analyze).made
        proven: dict[str, str] = {}
        for rendition, there in unmarked.items():
            written = self._read(there.key) if rendition in made else None
            if written and written[0].etag == there.etag and written[1] == made[rendition].content:
                proven[there.key] = there.etag
        return proven

    def _read(self, key: str) -> tuple[StoredObject, bytes] | None:
        """Return the object under the key; None if it is gone or can't be read."""
        try:
            return self.output.get(key)
        except Rejected:
            return None
