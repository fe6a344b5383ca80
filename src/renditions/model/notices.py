"""Notices, and the form in which a catalog keeps unsent ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from renditions.model.binding import Held
from renditions.model.digest import MOST_REASON_LENGTH, Digest, Reported
from renditions.model.items import format_time, parse_time, without_empty
from renditions.model.notice_events import NOTICE_EVENTS
from renditions.model.pipeline import Pipeline
from renditions.model.record import Record

MOST_SENDINGS = 10
"""How often Renditions tries to send a notice. After that, it lists the notice until a person resends it."""

FIRST_PAUSE = timedelta(minutes=5)
"""The pause after the first failure. Each further failure doubles it, up to ``LONGEST_PAUSE``."""

LONGEST_PAUSE = timedelta(hours=6)

MOST_PART_LENGTH = 1_000
"""The short form of a notice leaves out lists and objects that are longer in JSON."""

_INTERNAL = frozenset(
    {"attempts", "goal", "history", "lease", "owed", "pending_keys", "revision", "rules", "setbacks"}
)


@dataclass(frozen=True, slots=True)
class Removal:
    """A picture whose record was removed."""

    name: str
    timestamp: datetime
    deleted: tuple[str, ...] = ()
    """The keys of the outputs that the picture had."""

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form, with the picture's name as ``image_name``."""
        item = {"image_name": self.name, "timestamp": format_time(self.timestamp)}
        return without_empty(item | {"deleted": list(self.deleted)})


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to a target about one event."""

    event: str
    """A name in :data:`NOTICE_EVENTS <renditions.model.notice_events.NOTICE_EVENTS>`."""
    subject: Record | Removal | Held | Digest
    """The picture, the held work, or the collected notices."""
    source: str = ""
    """The URL or path of the source object, even if the object is gone.

    If the notice isn't about one picture, this is the source itself, with a slash at the end.
    """

    @property
    def name(self) -> str:
        """The picture's name; empty if the notice isn't about one picture."""
        return "" if isinstance(self.subject, Held | Digest) else self.subject.name

    @property
    def title(self) -> str:
        """The kind of event, for people and as the detail type on a bus."""
        return NOTICE_EVENTS[self.event].title

    @property
    def is_trouble(self) -> bool:
        """Whether a person may have to do something."""
        if isinstance(self.subject, Digest):
            return any(NOTICE_EVENTS[group.event].is_trouble for group in self.subject.groups)
        return NOTICE_EVENTS[self.event].is_trouble

    @property
    def timestamp(self) -> datetime:
        """When the status was decided, the record removed, or the work first held back.

        For a digest, this is the latest time of its notices.
        """
        match self.subject:
            case Held(since=since):
                return since
            case Digest(until=until):
                return until
            case Record(timestamp=timestamp) | Removal(timestamp=timestamp):
                return timestamp

    def to_reported(self) -> Reported:
        """Return the part of a picture's notice that a digest needs."""
        reason, code = "", ""
        if isinstance(self.subject, Record):
            reason, code = (self.subject.reason or "")[:MOST_REASON_LENGTH], self.subject.code
        return Reported(self.event, self.name, self.timestamp, reason, code)

    def describe(self) -> str:
        """Return a sentence for people."""
        match self.subject:
            case Held() | Digest():
                return self.subject.describe()
            case Record(reason=str(reason), name=name):
                return f"{name} is {self.event}: {reason}"
            case Record(name=name) | Removal(name=name):
                return f"{name} is {self.event}."

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form, without internal attributes of the subject."""
        item = self.subject.to_item()
        named = {"source": self.source} if self.source else {}
        return {"event": self.event} | named | {name: item[name] for name in item if name not in _INTERNAL}

    def to_short_item(self) -> dict[str, Any]:
        """Return a JSON form of only a few kilobytes.

        It is for a target that refuses the whole notice because of its size. ``left_out`` names the
        attributes that are missing or shortened.
        """
        whole = self.to_item()
        short = {
            name: value[:MOST_REASON_LENGTH] if name == "reason" else value
            for name, value in whole.items()
            if isinstance(value, str) or len(json.dumps(value)) <= MOST_PART_LENGTH
        }
        left_out = [name for name, value in whole.items() if short.get(name) != value]
        return short | without_empty({"left_out": left_out})


@dataclass(frozen=True, slots=True)
class UnsentNotice:
    """A notice that its target hasn't received yet.

    The catalog keeps the notice until Renditions has sent it. Renditions drops it earlier if it is no longer
    true, or if its target is no longer declared.
    """

    event: str
    target: str
    """See ``Notify.target``."""
    name: str
    """The picture's name; empty if the notice is about held work."""
    timestamp: datetime
    """See :attr:`Notice.timestamp`."""
    again_at: datetime | None
    """When Renditions tries to send the notice again; None if it has given the notice up."""
    attempts: int = 0
    """How many attempts have failed; 0 again after a person resent the notice."""
    reason: str = ""
    """Why the last attempt failed, or why Renditions postponed the notice."""
    deleted: tuple[str, ...] = ()
    """See :attr:`Removal.deleted`."""
    is_collected: bool = False
    """Whether the notice waits for a digest."""

    @property
    def id(self) -> tuple[str, str, str, str]:
        """The notice's id, which is unique in the catalog."""
        return self.name, self.event, self.target, format_time(self.timestamp)

    def reason_at(self, target: str) -> str:
        """Return ``reason`` without the target's name, with which it may begin."""
        return self.reason.removeprefix(f"{target}: ")

    @property
    def next_pause(self) -> timedelta:
        """How long Renditions waits after the next attempt, if it fails."""
        pause: timedelta = FIRST_PAUSE * 2**self.attempts
        return min(pause, LONGEST_PAUSE)

    def is_due(self, now: datetime, longest: timedelta = LONGEST_PAUSE) -> bool:
        """Return whether to send the notice now.

        If ``again_at`` is later than ``longest`` from now, a clock that was ahead set this time. Then the
        notice is due, too.
        """
        return self.again_at is not None and not now < self.again_at <= now + longest

    def collected(self, again_at: datetime) -> UnsentNotice:
        """Return the notice, marked as waiting for a digest that is due at ``again_at``."""
        return replace(self, is_collected=True, again_at=again_at)

    def failed(self, reason: str, now: datetime) -> UnsentNotice:
        """Return the notice after a failed attempt.

        After ``MOST_SENDINGS`` attempts, the notice is given up.
        """
        attempts = self.attempts + 1
        again_at = now + self.next_pause if attempts < MOST_SENDINGS else None
        return replace(self, attempts=attempts, reason=reason, again_at=again_at)

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form of the notice, as a catalog stores it."""
        return without_empty(
            {
                "event": self.event,
                "target": self.target,
                "name": self.name,
                "timestamp": format_time(self.timestamp),
                "again_at": format_time(self.again_at) if self.again_at else None,
                "attempts": self.attempts,
                "reason": self.reason,
                "deleted": list(self.deleted),
                "collected": self.is_collected,
            }
        )

    def to_shown(self, pipeline: Pipeline) -> dict[str, Any]:
        """Return the JSON form for people, which the command line and the API show.

        Its target is a URL without the parts that may be secret; :meth:`to_item` has a hash there. This form
        also says whether the notice is given up.
        """
        target = pipeline.spell_target(self.target)
        item = self.to_item() | {"target": target, "given_up": self.again_at is None}
        return item | without_empty({"reason": self.reason_at(target)})

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> UnsentNotice:
        """Return the notice that :meth:`to_item` turned into ``item``."""
        return cls(
            event=item["event"],
            target=item["target"],
            name=item.get("name", ""),
            timestamp=parse_time(item["timestamp"]),
            again_at=parse_time(item["again_at"]) if "again_at" in item else None,
            attempts=item["attempts"],
            reason=item.get("reason", ""),
            deleted=tuple(item.get("deleted", ())),
            is_collected=item.get("collected", False),
        )
