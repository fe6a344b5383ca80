"""A store that refuses writes and deletions.

The source is such a store with ``[source] read_only = true``.
"""

from __future__ import annotations

from typing import NoReturn

from renditions.core.ports import Condition, IfMatch
from renditions.core.read_through import ReadThrough
from renditions.errors import StoreRefused
from renditions.model.folding import EXACT, Folding


class ReadOnlyStore(ReadThrough):
    """A store that reads another store, and refuses writes and deletions.

    Raises:
        StoreRefused: A call would change the store.

    """

    def folding(self) -> Folding:
        """Return ``EXACT``: this store writes nothing, so keys can't collide."""
        return EXACT

    def put(
        self,
        key: str,
        content: bytes,  # noqa: ARG002
        condition: Condition,  # noqa: ARG002
        content_type: str,  # noqa: ARG002
        writer: str = "",  # noqa: ARG002
    ) -> NoReturn:
        """Raise ``StoreRefused``."""
        _refuse(f"{key} was not written")

    def rewrite_headers(self, key: str, condition: IfMatch) -> NoReturn:  # noqa: ARG002
        """Raise ``StoreRefused``."""
        _refuse(f"the headers of {key} were not changed")

    def delete(self, key: str, condition: IfMatch) -> NoReturn:  # noqa: ARG002
        """Raise ``StoreRefused``."""
        _refuse(f"{key} was not deleted")

    def purge(self, key: str) -> NoReturn:
        """Raise ``StoreRefused``."""
        _refuse(f"the older versions of {key} were not deleted")

    def register(self, catalog_id: str, text: str) -> NoReturn:  # noqa: ARG002
        """Raise ``StoreRefused``."""
        _refuse("nothing was registered there")

    def mark(self, catalog_id: str) -> NoReturn:  # noqa: ARG002
        """Raise ``StoreRefused``."""
        _refuse("no marker was written")


def _refuse(what: str) -> NoReturn:
    raise StoreRefused(
        f"The source is read-only ([source] read_only = true), so {what}. Change the source with "
        "another program, or remove that setting"
    )
