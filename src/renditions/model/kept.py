"""The wishes that a catalog keeps for a while after their picture was removed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from renditions.model.items import format_time, parse_time, without_empty
from renditions.model.recipe import Focus
from renditions.model.wishes import Wishes


@dataclass(frozen=True, slots=True)
class KeptWishes:
    """The wishes for a removed picture.

    A later picture with the same name or the same content gets these wishes.
    """

    name: str
    sha256: str
    """The SHA-256 of the picture's content; empty if the record had none."""
    wishes: Wishes
    until: datetime
    """When the catalog forgets the wishes."""

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form of the wishes, as a catalog stores it."""
        focus = self.wishes.focus
        return without_empty(
            {
                "name": self.name,
                "sha256": self.sha256,
                "focus": dataclasses.asdict(focus) if focus else None,
                "demanded": list(self.wishes.demanded),
                "until": format_time(self.until),
            }
        )

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> KeptWishes:
        """Return the wishes that :meth:`to_item` turned into ``item``."""
        wishes = Wishes(Focus(**item["focus"]) if "focus" in item else None, tuple(item.get("demanded", ())))
        return cls(item["name"], item.get("sha256", ""), wishes, parse_time(item["until"]))
