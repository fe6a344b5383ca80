"""Read the records of other pictures, which may be damaged."""

from __future__ import annotations

from renditions.core.catalog import Catalog
from renditions.errors import RecordUnreadable
from renditions.model.record import Record


def get_readable(catalog: Catalog, name: str) -> Record | None:
    """Return the record of this name; None if there is none, or if it can't be read."""
    try:
        return catalog.get(name)
    except RecordUnreadable:
        return None
