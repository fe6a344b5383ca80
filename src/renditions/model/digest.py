"""A digest: many notices in one message, grouped by cause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self

from renditions.model.items import format_time, without_empty

MOST_GROUPS = 20
"""How many causes a digest has. It adds the further ones of an event up."""

MOST_NAMES = 5
"""How many pictures a digest names for each cause."""


class Collected(Protocol):
    """What a digest reads of each notice: see ``UnsentNotice``."""

    @property
    def event(self) -> str: ...  # noqa: D102 - see UnsentNotice
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def timestamp(self) -> datetime: ...  # noqa: D102
    @property
    def cause(self) -> str: ...  # noqa: D102
    @property
    def code(self) -> str: ...  # noqa: D102


@dataclass(slots=True)
class DigestGroup:
    """The pictures with one event and one cause."""

    event: str
    code: str
    """The code of the cause; empty if the event has none, or if the group has several causes."""
    reason: str
    """The reason of the first picture; empty if the event has none, or if the group has several causes."""
    count: int
    names: list[str]
    """The first pictures of the group."""

    def describe(self) -> str:
        """Return a line for people."""
        more = ", …" if self.count > len(self.names) else ""
        why = f": {self.reason}" if self.reason else ""
        return f"{self.count:,} {self.event}{why.rstrip('.')} ({', '.join(self.names)}{more})"

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form."""
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
    """Notices of one target in one message: the newest one of each picture."""

    notices: tuple[Collected, ...]
    groups: tuple[DigestGroup, ...]
    """The causes, the most frequent first."""
    since: datetime
    until: datetime

    @classmethod
    def of(cls, notices: Iterable[Collected]) -> Self:
        """Return the digest of at least one notice."""
        newest: dict[str, Collected] = {}
        for each in sorted(notices, key=lambda notice: (notice.timestamp, notice.name)):
            newest[each.name] = each
        times = [each.timestamp for each in newest.values()]
        return cls(tuple(newest.values()), _group(newest.values()), min(times), max(times))

    @property
    def count(self) -> int:
        """How many pictures the digest is about."""
        return len(self.notices)

    def describe(self) -> str:
        """Return a sentence for people."""
        groups = "; ".join(group.describe() for group in self.groups)
        return f"{self.headline}. {groups}."

    @property
    def headline(self) -> str:
        """How many pictures the digest is about, by event."""
        counts: dict[str, int] = {}
        for group in self.groups:
            counts[group.event] = counts.get(group.event, 0) + group.count
        by_event = ", ".join(f"{count:,} {event}" for event, count in counts.items())
        return f"{self.count:,} picture{'' if self.count == 1 else 's'}: {by_event}"

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "count": self.count,
            "since": format_time(self.since),
            "until": format_time(self.until),
            "groups": [group.to_item() for group in self.groups],
        }


def _group(notices: Iterable[Collected]) -> tuple[DigestGroup, ...]:
    groups: dict[tuple[str, str], DigestGroup] = {}
    for each in notices:
        key = each.event, each.code or each.cause
        group = groups.setdefault(key, DigestGroup(each.event, each.code, each.cause, 0, []))
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
