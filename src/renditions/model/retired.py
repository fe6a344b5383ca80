"""Former outputs that a record still knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from renditions.model.items import format_time, parse_time, without_empty


@dataclass(frozen=True, slots=True)
class Retired:
    """An object in an output store that is no longer an output, but still exists."""

    key: str
    etag: str
    delete_after: datetime | None = None
    """The time after which Renditions deletes the object; None while the deletion is held back."""
    place: str = ""
    """The store that holds the object, spelled as in ``Binding``; empty for the current store."""

    def describe(self) -> str:
        """Return a text for people: the object's key, its store and its deletion time."""
        place = f" in {self.place}" if self.place else ""
        return f"{self.key}{place}" + (
            f" until {format_time(self.delete_after)}" if self.delete_after else ""
        )

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form of the object, as a record stores it."""
        after = format_time(self.delete_after) if self.delete_after else None
        return without_empty({"key": self.key, "etag": self.etag, "delete_after": after, "place": self.place})

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Retired:
        """Return the object that :meth:`to_item` turned into ``item``."""
        after = item.get("delete_after")
        time = parse_time(after) if after else None
        return cls(item["key"], item.get("etag", ""), time, item.get("place", ""))
