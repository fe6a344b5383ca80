"""The source's marker.

The marker distinguishes a catalog's source folder from an empty folder with the same path, such as the mount
point of an unmounted disk. Once Renditions has written the marker, the catalog expects it. While the marker
is missing, the guard holds removals back.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from renditions.core.binding import amend
from renditions.core.catalog import Catalog
from renditions.core.ports import Store
from renditions.errors import StoreFailed

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Marker:
    """The marker of one catalog in its source."""

    source: Store
    catalog: Catalog
    is_read_only: bool
    """Whether Renditions must not write in the source."""
    _has_failed: bool = field(default=False, init=False)

    def is_missing(self) -> bool:
        """Return whether the catalog expects the marker, and the source lacks it."""
        binding = self.catalog.read_binding()
        return bool(binding and binding.is_source_marked and not self.source.is_marked(binding.catalog_id))

    def renew(self) -> None:
        """Write a missing marker, and note in the binding that the source has it.

        The marker is written first. After a crash between the two writes, the source has a marker that the
        binding doesn't mention. That does no harm. A read-only source can't get its marker back, so the
        catalog no longer expects it there. If the source can't be written, this method only logs a warning.
        """
        binding = self.catalog.read_binding()
        if binding is None:
            return
        if self.is_read_only:
            if self.is_missing():
                amend(self.catalog, lambda known: replace(known, is_source_marked=False))
            return
        try:
            if self.source.mark(binding.catalog_id):
                amend(self.catalog, lambda known: replace(known, is_source_marked=True))
        except StoreFailed as error:
            if not self._has_failed:
                log.warning(
                    "%s. So the source gets no marker, and Renditions can't recognise an unmounted disk. If "
                    "Renditions must not write in the source, set [source] read_only = true",
                    error,
                )
            self._has_failed = True
