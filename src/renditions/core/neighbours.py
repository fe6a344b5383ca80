"""The catalogs that use one output store, and their registrations in it.

When a person starts a run with a catalog, the run registers the catalog. The catalog's outputs carry its id
as a mark. So strays, adoption and removal can distinguish this catalog's outputs from another's, and from
other files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from renditions.core.ports import Store


@dataclass(frozen=True, slots=True)
class Registration:
    """A catalog's description of itself in an output store that it uses."""

    catalog: str
    """The catalog's resolved URL. For a file, it has the absolute path and the machine's name."""
    pipeline_file: str
    source: str
    """The source store, resolved in the same way."""

    def to_text(self) -> str:
        """Return the JSON form of the registration, as stored in an output store."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Registration | None:
        """Return the registration that :meth:`to_text` wrote; None for any other text."""
        try:
            item = json.loads(text)
            return cls(**{field.name: str(item[field.name]) for field in fields(cls)})
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The catalogs that use one output store: this catalog and the others."""

    own: frozenset[str]
    """This catalog's id, and the ids of its predecessors, whose records are lost.

    Two catalogs can't have the same URL. So a registration with this catalog's URL and source, but another
    id, belongs to a predecessor that no longer exists.
    """
    others: Mapping[str, Registration | None]
    """The registrations of other catalogs, by id; None for one that can't be read."""

    @classmethod
    def read(cls, store: Store, catalog_id: str, us: Registration) -> Neighbours:
        """Read which catalogs use the store.

        ``catalog_id`` is this catalog's id; empty if it has none yet. A registration with the catalog and the
        source of ``us`` counts as this catalog's, too.
        """
        found = {each: Registration.from_text(text) for each, text in store.registered().items()}
        own = {
            each
            for each, other in found.items()
            if other and (other.catalog, other.source) == (us.catalog, us.source)
        }
        if catalog_id:
            own.add(catalog_id)
        return cls(frozenset(own), {each: other for each, other in found.items() if each not in own})
