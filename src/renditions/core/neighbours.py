"""The catalogs that use one output store, and what each of them is.

Each registers when a person starts a run with it. Their outputs carry their ids as marks, so that strays,
adoption and removal can tell this catalog's outputs from another's and from files that are no outputs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from renditions.core.ports import Store


@dataclass(frozen=True, slots=True)
class Registration:
    """What a catalog says of itself in an output store that it uses."""

    catalog: str
    """Its URL, resolved: a file's is absolute and has the machine's name."""
    pipeline_file: str
    source: str
    """The source store, resolved likewise."""

    def to_text(self) -> str:
        """Return the JSON form."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Registration | None:
        """Return what :meth:`to_text` turned into a text; None for any other text."""
        try:
            item = json.loads(text)
            return cls(**{field.name: str(item[field.name]) for field in fields(cls)})
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The catalogs of one output store, seen from one of them."""

    own: frozenset[str]
    """The ids that are this catalog's: its own, and those of predecessors, whose records are lost.

    Two catalogs can't be in one place, so an earlier one of the same URL and source is no more.
    """
    others: Mapping[str, Registration | None]
    """The other catalogs; None for one whose registration can't be read."""

    @classmethod
    def read(cls, store: Store, catalog_id: str, us: Registration) -> Neighbours:
        """Read who uses the store; ``catalog_id`` is this catalog's id, empty where it has none yet."""
        found = {each: Registration.from_text(text) for each, text in store.registered().items()}
        own = {
            each
            for each, other in found.items()
            if other and (other.catalog, other.source) == (us.catalog, us.source)
        }
        if catalog_id:
            own.add(catalog_id)
        return cls(frozenset(own), {each: other for each, other in found.items() if each not in own})
