"""Count the objects of a source that aren't pictures."""

from __future__ import annotations

from dataclasses import dataclass

from renditions.model.patterns import UNMATCHED, Patterns


@dataclass(slots=True)
class LeftOut:
    """How many objects of the source aren't pictures."""

    unmatched: int = 0
    """How many objects match no pattern."""
    excluded: int = 0
    """How many objects match a pattern of ``exclude``, or have a name that starts with a dot."""

    def passes(self, key: str, patterns: Patterns) -> bool:
        """Return whether an object is a picture; if it isn't, count it.

        Objects that represent folders aren't counted. The consoles of cloud storage create such objects.
        """
        why = patterns.why_not(key)
        if why and not key.endswith("/"):
            self.unmatched += why == UNMATCHED
            self.excluded += why != UNMATCHED
        return why is None
