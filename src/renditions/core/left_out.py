"""The objects of a source that are no pictures, counted."""

from __future__ import annotations

from dataclasses import dataclass

from renditions.model.patterns import UNMATCHED, Patterns


@dataclass(slots=True)
class LeftOut:
    """How many objects of the source are no pictures."""

    unmatched: int = 0
    """They match no pattern."""
    excluded: int = 0
    """A pattern excludes them, or their names start with a dot."""

    def passes(self, key: str, patterns: Patterns) -> bool:
        """Return whether an object is a picture; count it if not.

        Objects that stand for folders, which consoles of buckets make, don't count.
        """
        why = patterns.why_not(key)
        if why and not key.endswith("/"):
            self.unmatched += why == UNMATCHED
            self.excluded += why != UNMATCHED
        return why is None
