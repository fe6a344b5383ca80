"""The source's marker: it tells the folder that a catalog knows from an empty one in its place.

When a disk is unmounted, its folder stays behind, empty. A catalog that once wrote a marker expects it. While
it is missing, the guard holds removals back, unless at least half of the known pictures are there.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from renditions.core.binding import amend
from renditions.core.ports import Catalog, Store
from renditions.errors import StoreFailed

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Marker:
    """The marker of one catalog in its source."""

    source: Store
    catalog: Catalog
    is_read_only: bool
    """Whether nothing may be written in the source."""
    _has_failed: bool = field(default=False, init=False)

    def is_missing(self) -> bool:
        """Return whether the catalog expects the marker, and the source lacks it."""
        binding = self.catalog.read_binding()
        return bool(binding and binding.is_source_marked and not self.source.is_marked(binding.catalog_id))

    def renew(self) -> None:
        """Write the marker if it isn't there, and have the catalog expect it from now on.

        The marker comes first: a crash between the two leaves one that isn't expected yet. That does no harm.
        """
        binding = None if self.is_read_only else self.catalog.read_binding()
        if binding is None:
            return
        try:
            if self.source.mark(binding.catalog_id):
                amend(self.catalog, lambda known: replace(known, is_source_marked=True))
        except StoreFailed as error:
            if not self._has_failed:
                log.warning(
                    "%s. So the source gets no marker, by which an unmounted disk is recognised. If nothing "
                    "may be written there, set [source] read_only = true",
                    error,
                )
            self._has_failed = True
