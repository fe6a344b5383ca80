"""Count the objects of a source that aren't pictures, and say why they aren't."""

from __future__ import annotations

from dataclasses import dataclass

from renditions.core.ports import Obstacle, Store
from renditions.errors import KeyRefused
from renditions.model.patterns import UNMATCHED, Patterns

LINK = (
    "it is a link, and Renditions follows no links in a source. Put the file itself there; for a folder, "
    "use a bind mount, or make it the source"
)
SPECIAL = "it is a special file, such as a pipe or a socket"


@dataclass(slots=True)
class LeftOut:
    """How many objects of the source aren't pictures."""

    unmatched: int = 0
    """How many objects match no pattern of ``match``."""
    excluded: int = 0
    """How many objects, links and special files are excluded.

    They match a pattern of ``exclude``, or have a name that starts with a dot.
    """
    links: int = 0
    """How many links and special files aren't excluded."""

    def set(self, counted: LeftOut) -> None:
        """Replace these numbers by the numbers of another count."""
        self.unmatched, self.excluded, self.links = counted.unmatched, counted.excluded, counted.links

    def passes(self, key: str, patterns: Patterns) -> bool:
        """Return whether an object is a picture; if it isn't, count it.

        Objects that represent folders aren't counted. The consoles of cloud storage create such objects.
        Texts beside pictures aren't counted either.
        """
        why = patterns.why_not(key)
        if why and not key.endswith("/") and not patterns.is_alt_text(key):
            self.unmatched += why == UNMATCHED
            self.excluded += why != UNMATCHED
        return why is None

    def add(self, obstacle: Obstacle, patterns: Patterns) -> None:
        """Count a link or a special file."""
        is_excluded = why_no_file(obstacle, patterns) not in (LINK, SPECIAL)
        self.excluded += is_excluded
        self.links += not is_excluded


def find_no_file(source: Store, name: str) -> Obstacle | None:
    """Return the link or special file with this name or on the path to it, or None."""
    try:
        obstacle = source.obstacle(name)
    except KeyRefused:
        return None
    return obstacle if obstacle and obstacle.kind not in ("file", "folder") else None


def why_no_file(obstacle: Obstacle, patterns: Patterns) -> str:
    """Return why a link or a special file isn't a picture."""
    why = patterns.why_not(obstacle.key)
    if why and why != UNMATCHED:
        return why
    return LINK if obstacle.kind == "link" else SPECIAL
