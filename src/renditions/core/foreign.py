"""Find out which output keys can't be written.

Such a key, or its path, holds a file, link or folder that isn't ours, or an output of another picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from renditions.core.catalog import Catalog
from renditions.core.ports import Obstacle, Store
from renditions.core.verify import find
from renditions.errors import ForeignOutput, KeyRefused, KeyTaken, Rejected


@dataclass(frozen=True, slots=True)
class Ownership:
    """A test that finds the objects in the output store that belong to this catalog."""

    catalog: Catalog
    output: Store
    writer: str
    """The catalog's id, with which its outputs are marked; empty if it isn't known."""

    def is_own(self, key: str) -> bool:
        """Return whether the object under the key carries this catalog's mark."""
        return bool(self.writer) and self.output.writer_of(key) == self.writer

    def find_foreign(
        self, name: str, keys: Mapping[str, str], claimed: frozenset[str], *, overwrite: bool
    ) -> dict[str, Rejected]:
        """Return why renditions can't be written, by rendition.

        ``ForeignOutput`` means that the key, or its path, holds something that isn't ours. ``KeyTaken`` means
        that an output of another picture is in the way.

        Args:
            name: The picture.
            keys: The picture's output keys, by rendition.
            claimed: The keys that the picture may replace, such as those that its record claims.
            overwrite: Whether the pipeline file lets Renditions replace files that aren't ours.

        """
        refused: dict[str, Rejected] = {}
        for rendition, key in keys.items():
            if key in claimed:
                continue
            if obstacle := find_obstacle(self.output, key):
                if not self._is_path_of(claimed, obstacle.key):
                    refused[rendition] = self._refuse(name, key, obstacle)
            elif not overwrite and find(self.output, key) and self._is_foreign(name, key, claimed):
                refused[rendition] = ForeignOutput(key)
        return refused

    def _is_path_of(self, claimed: frozenset[str], path: str) -> bool:
        """Return whether one of these keys is the path, or lies below it.

        The update frees such a path.
        """
        folding = self.output.folding()
        folded = folding(path)
        return any(f"{folding(key)}/".startswith(f"{folded}/") for key in claimed)

    def _refuse(self, name: str, key: str, obstacle: Obstacle) -> Rejected:
        """Return why a blocked key can't be written."""
        blocking = obstacle.key
        if obstacle.kind == "folder":
            below = self.output.list(prefix=f"{obstacle.key}/", on_unreadable=lambda _: None)
            blocking = next((found.key for found in below), blocking)
        owner = self.catalog.owner_of(blocking)
        return KeyTaken(blocking, owner) if owner not in (None, name) else ForeignOutput(key, str(obstacle))

    def _is_foreign(self, name: str, key: str, claimed: frozenset[str]) -> bool:
        """Return whether nothing shows that the object under the key is ours.

        The catalog may name this picture as the key's owner. This proves nothing: after a change of the
        output store, the claim may still refer to the former store.
        """
        if self.is_own(key) or self.catalog.owner_of(key) not in (None, name):
            return False
        return self.output.folding().are_apart([key], claimed)


def find_obstacle(output: Store, key: str) -> Obstacle | None:
    """Return what blocks the key, or None if nothing does.

    The result is also None if the store can't hold such a key.
    """
    try:
        return output.obstacle(key)
    except KeyRefused:
        return None
