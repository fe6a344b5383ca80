"""A digest: many notices in one message, grouped by cause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from renditions.model.items import format_time, without_empty

MOST_GROUPS = 20
"""How many causes a digest lists. For each event, it counts the pictures of all other causes together."""

MOST_NAMES = 5
"""How many pictures a digest names for each cause."""

MOST_REASON_LENGTH = 300
"""How many characters of each reason a digest keeps at most."""


@dataclass(frozen=True, slots=True)
class Reported:
    """The part of a picture's notice that a digest keeps, so that memory stays small."""

    event: str
    name: str
    timestamp: datetime
    """See ``Notice.timestamp``."""
    reason: str
    """Why the picture was rejected or failed, in at most ``MOST_REASON_LENGTH`` characters."""
    code: str
    """The code of the reason; empty if there is none."""


@dataclass(slots=True)
class DigestGroup:
    """The pictures with one event and one cause."""

    event: str
    code: str
    """The code of the cause; empty if there is none, or if the group has several causes."""
    reason: str
    """The reason of the first picture; empty if the event has none, or if the group has several causes."""
    count: int
    names: list[str]
    """The names of some pictures of the group, at most ``MOST_NAMES``."""

    def describe(self) -> str:
        """Return a line for people: the count, the event, the reason and some names."""
        more = ", …" if self.count > len(self.names) else ""
        why = f": {self.reason}" if self.reason else ""
        return f"{self.count:,} {self.event}{why.rstrip('.')} ({', '.join(self.names)}{more})"

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form of the group."""
        return without_empty(
            {
                "event": self.event,
                "code": self.code,
                "reason": self.reason,
                "count": self.count,
                "names": self.names,
            }
        )


@dataclass(frozen=True, slots=True)
class Digest:
    """One message to a target in place of notices, each about one picture."""

    pictures: tuple[Reported, ...]
    """The pictures, the one with the earliest notice first."""
    groups: tuple[DigestGroup, ...]
    """The causes, the most frequent first; then one group for all other causes of each event."""

    @classmethod
    def of(cls, pictures: Iterable[Reported]) -> Self:
        """Return the digest of at least one picture."""
        ordered = sorted(pictures, key=lambda each: (each.timestamp, each.name))
        return cls(tuple(ordered), _group(ordered))

    @property
    def since(self) -> datetime:
        """The time of the first notice."""
        return self.pictures[0].timestamp

    @property
    def until(self) -> datetime:
        """The time of the last notice."""
        return self.pictures[-1].timestamp

    @property
    def count(self) -> int:
        """How many pictures the digest is about."""
        return len(self.pictures)

    def describe(self) -> str:
        """Return the headline and all groups as one line for people."""
        groups = "; ".join(group.describe() for group in self.groups)
        return f"{self.headline}. {groups}."

    @property
    def headline(self) -> str:
        """A line that says how many pictures the digest is about, in total and by event."""
        counts: dict[str, int] = {}
        for group in self.groups:
            counts[group.event] = counts.get(group.event, 0) + group.count
        by_event = ", ".join(f"{count:,} {event}" for event, count in counts.items())
        return f"{self.count:,} picture{'' if self.count == 1 else 's'}: {by_event}"

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form of the digest."""
        return {
            "count": self.count,
            "since": format_time(self.since),
            "until": format_time(self.until),
            "groups": [group.to_item() for group in self.groups],
        }


def _group(pictures: Iterable[Reported]) -> tuple[DigestGroup, ...]:
    groups: dict[tuple[str, str], DigestGroup] = {}
    for each in pictures:
        key = each.event, each.code or each.reason
        group = groups.setdefault(key, DigestGroup(each.event, each.code, each.reason, 0, []))
        group.count += 1
        if len(group.names) < MOST_NAMES:
            group.names.append(each.name)
    ordered = sorted(groups.values(), key=lambda group: -group.count)
    shown, others = ordered[:MOST_GROUPS], dict[str, DigestGroup]()
    for group in ordered[MOST_GROUPS:]:
        other = others.setdefault(group.event, DigestGroup(group.event, "", "", 0, []))
        other.count += group.count
        other.names += group.names[: MOST_NAMES - len(other.names)]
    return (*shown, *others.values())
