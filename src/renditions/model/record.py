"""The catalog's record of one picture.

``renditions show --json`` prints a record's JSON form (:meth:`Record.to_item`). Catalogs store it.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from renditions.model.items import (
    Unknown,
    decode_unknown,
    encode_unknown,
    format_time,
    parse_time,
    split_known,
    without_empty,
)
from renditions.model.lease import Lease
from renditions.model.original import Original
from renditions.model.reason import Reason
from renditions.model.recipe import Focus
from renditions.model.retired import Retired
from renditions.model.warning import PictureWarning
from renditions.model.wishes import NO_WISHES, Wishes

Decided = Literal["done", "rejected", "failed"]
Status = Literal["processing", Decided]
STATUSES: tuple[Status, ...] = get_args(Status)

ATTRIBUTES = frozenset(
    {
        "analysis", "attempts", "blocked_by", "code", "demanded", "error_codes", "errors", "etag",
        "focus", "generation", "goal", "headers", "history", "lease", "original_format",
        "original_frames", "original_height", "original_size_bytes", "original_width", "owed",
        "pending_keys", "place", "processed_height", "processed_size_bytes", "processed_width", "reason",
        "refused_keys", "removable_until", "renditions", "retired", "revision", "rules", "setbacks",
        "sha256", "source_missing_since", "stand_ins", "status", "timestamp", "warnings",
    }
)  # fmt: skip
"""The attributes of a record's JSON form, except the name."""

MIXED = "(mixed)"
"""The value of a record's ``headers`` if its outputs were written with different headers."""


@dataclass(frozen=True, slots=True)
class Output:
    """One object in the output store, made from one source object."""

    rendition: str
    key: str
    etag: str
    """The output object's own ETag."""
    source_etag: str
    """The ETag of the source object from which the output was made."""
    fingerprint: str
    """The fingerprint of the recipe that made this output."""
    format: str
    size_bytes: int
    width: int | None = None
    height: int | None = None
    seconds: float | None = field(default=None, compare=False)
    """How long it took to make the file from the decoded picture.

    None for a format that holds the picture's file.
    """
    sha256: str = ""
    """The SHA-256 of its content, in hexadecimal; empty in records of version 0.1."""
    is_restored: bool = False
    """Whether Renditions made the output again because it was missing or replaced.

    Renditions doesn't do this again unless a person asks for a retry.
    """
    focus: Focus | None = None
    """The picture's focus when the output was made, if the recipe depends on it."""
    unknown: Unknown = ()

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form, without the rendition's name."""
        names = (field.name for field in dataclasses.fields(self))
        item = {name: getattr(self, name) for name in names if name not in ("rendition", "unknown")}
        item["is_restored"] = self.is_restored or None
        item["focus"] = dataclasses.asdict(self.focus) if self.focus else None
        return without_empty(item) | decode_unknown(self.unknown)

    @classmethod
    def from_item(cls, rendition: str, item: Mapping[str, Any]) -> Output:
        """Return the output that :meth:`to_item` turned into ``item``."""
        known, unknown = split_known(item, cls)
        if "focus" in known:
            known["focus"] = Focus(**known["focus"])
        return cls(rendition=rendition, **known, unknown=unknown)


@dataclass(frozen=True, slots=True)
class OwedNotice:
    """A notice that must still be sent."""

    event: str
    target: str
    """See ``Notify.target``."""


MOST_EVENTS = 12
"""How many events a record keeps. Their reasons are shortened too, so a record stays small."""

MOST_REASON_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Event:
    """An event in a picture's history: processing began, or its status was decided."""

    timestamp: datetime
    status: Status
    reason: str = ""
    """Why processing began, or why the picture was rejected or failed."""


@dataclass(frozen=True, slots=True)
class Record:
    """The catalog's row for one source object.

    The first write sets ``revision`` to a random number, and each later write raises it by 1. A catalog
    replaces a stored record only if its revision is still the one that this process read. Then no other
    process has written the record meanwhile. 0 means that no record is stored yet.
    """

    name: str
    """The source object's key, relative to the source's prefix."""
    status: Status
    timestamp: datetime
    """When the status was decided, or when processing began."""
    reason: str | None = None
    """Why the picture was rejected, or why processing or removing it failed."""
    code: str = ""
    """The reason's code: see ``Reason``."""
    etag: str = ""
    """The ETag of the source object for which the status was decided."""
    sha256: str = ""
    """The SHA-256 of the source object's content, in hexadecimal.

    It is empty until the object was read, and in records of version 0.1.
    """
    goal: str = ""
    """A fingerprint over everything that must be made from the source object: see ``Pipeline.goal_of``."""
    rules: str = ""
    """The fingerprint of the rules that the object with this ETag passed: see ``Pipeline.rules``."""
    original: Original | None = None
    wishes: Wishes = NO_WISHES
    """The wishes of clients. A new version of the picture keeps them."""
    outputs: tuple[Output, ...] = ()
    """The outputs, in the order in which the pipeline declares them."""
    stand_ins: tuple[tuple[str, str], ...] = ()
    """Pairs (rendition, other): the rendition has the other's file, because the picture is small.

    Both renditions would have the same pixels, so only the narrower one has an output.
    """
    errors: tuple[tuple[str, Reason], ...] = ()
    """(rendition, reason) of each rendition that couldn't be made.

    Empty if the picture was rejected as a whole.
    """
    warnings: tuple[PictureWarning, ...] = ()
    """The warnings: parts that the outputs lack, and assumptions about the picture."""
    pending_keys: tuple[str, ...] = ()
    """Output keys that may hold an object which isn't in ``outputs`` yet, or is no longer in it."""
    attempts: int = 0
    """How many attempts for this goal have failed in a row, see ``RenditionsError.is_try``.

    After an error that a retry can't mend, this is the highest number of attempts.
    """
    setbacks: int = 0
    """How often in a row processing has failed for a reason that doesn't count as an attempt.

    Examples are a full disk and a lost connection. The pause before the next attempt grows with this number.
    """
    blocked_by: str | None = None
    """The other picture that claims an output key which this picture needs."""
    owed: tuple[OwedNotice, ...] = ()
    lease: Lease | None = None
    history: tuple[Event, ...] = ()
    """The newest events, oldest first."""
    place: str = ""
    """The output store that holds the outputs, spelled as in ``Binding``; empty in version 0.1."""
    headers: str = ""
    """The headers with which the outputs were written: see ``OutputPlace.headers``; or ``MIXED``."""
    generation: int = 0
    """The number of the pipeline's generation that decided the status.

    A process with a lower number must not write the record.
    """
    retired: tuple[Retired, ...] = ()
    missing_since: datetime | None = None
    """When the picture was first found to be gone from the source, with ``on_delete = "keep"``."""
    refused_keys: tuple[str, ...] = ()
    """Output keys that the picture needs, but that hold a file which Renditions didn't write."""
    removable_until: datetime | None = None
    """The end of a person's permission to remove the picture if it is still gone."""
    unknown: Unknown = ()
    revision: int = 0

    @property
    def is_decided(self) -> bool:
        """Whether the status is a result. If not, processing goes on or was interrupted."""
        return self.status != "processing"

    @property
    def source_format(self) -> str | None:
        """The picture's format; None if it isn't known."""
        return self.original.format if self.original else None

    def under(self, etag: str) -> Record:
        """Return the record for a source object with a new ETag, but the same content.

        Outputs of older content lose their source's ETag, because the new ETag could equal it by chance.
        """
        outputs = tuple(
            dataclasses.replace(made, source_etag=etag if made.source_etag == self.etag else "")
            for made in self.outputs
        )
        return dataclasses.replace(self, etag=etag, outputs=outputs)

    def with_event(self, timestamp: datetime, status: Status, reason: str) -> Record:
        """Return the record with one more event, unless that event repeats the last one.

        The event's reason is shortened, and the record keeps only its newest ``MOST_EVENTS`` events.
        """
        event = Event(timestamp, status, reason[:MOST_REASON_LENGTH])
        if (
            self.history
            and dataclasses.replace(event, timestamp=self.history[-1].timestamp) == self.history[-1]
        ):
            return self
        return dataclasses.replace(self, history=(*self.history, event)[-MOST_EVENTS:])

    def claimed_keys(self) -> frozenset[str]:
        """Return the output keys that no other record may have.

        They are the keys of outputs, of pending objects, and of retired objects in the current store.
        """
        retired = (old.key for old in self.retired if not old.place)
        return frozenset((*(output.key for output in self.outputs), *self.pending_keys, *retired))

    def sorted_keys(self) -> tuple[str, ...]:
        """Return the claimed keys in order."""
        return tuple(sorted(self.claimed_keys()))

    def undeleted_keys(self) -> tuple[str, ...]:
        """Return the output keys that must still be deleted.

        A picture that failed or isn't decided keeps its old outputs until Renditions can make new ones.
        """
        return () if self.status in ("failed", "processing") else self.pending_keys

    def find_output(self, rendition: str) -> Output | None:
        """Return the rendition's own output; None if it has none."""
        return next((output for output in self.outputs if output.rendition == rendition), None)

    def serving_output(self, rendition: str) -> Output | None:
        """Return the output with the rendition's file: its own, or its stand-in's.

        Return None if there is no such output.
        """
        return self.find_output(dict(self.stand_ins).get(rendition, rendition))

    def raised(self) -> Record:
        """Return the record with its next revision, for a catalog to store.

        A new record begins with a random revision. If each began with 1, a worker could mistake another
        worker's record for its own:

            A  begin → r1      …paused past the lease…                            finish(r1) → done
            B                    begin → r2, picture gone: delete      begin → r1
        """
        revision = self.revision + 1 if self.revision else 1 + int.from_bytes(os.urandom(6), "big")
        return dataclasses.replace(self, revision=revision)

    def leased_at(self, now: datetime) -> bool:
        """Return whether a worker's lease is still valid at ``now``."""
        return self.lease is not None and self.lease.holds_at(now)

    def to_item(self, key_name: str = "image_name") -> dict[str, Any]:
        """Return the JSON form; ``key_name`` is the attribute that holds the name.

        The ``processed_*`` fields describe the first output, and ``renditions`` has all outputs.
        Empty attributes are left out.
        """
        first = self.outputs[0] if self.outputs else None
        item: dict[str, Any] = {
            key_name: self.name,
            "status": self.status,
            "timestamp": format_time(self.timestamp),
            "reason": self.reason,
            "code": self.code,
            **(self.original.to_item() if self.original else {}),
            "focus": dataclasses.asdict(self.wishes.focus) if self.wishes.focus else None,
            "demanded": list(self.wishes.demanded),
            "processed_width": first.width if first else None,
            "processed_height": first.height if first else None,
            "processed_size_bytes": first.size_bytes if first else None,
            "renditions": {output.rendition: output.to_item() for output in self.outputs},
            "stand_ins": dict(self.stand_ins),
            "errors": {rendition: reason.text for rendition, reason in self.errors},
            "error_codes": {rendition: reason.code for rendition, reason in self.errors if reason.code},
            "warnings": [warning.to_item() for warning in self.warnings],
            "etag": self.etag,
            "sha256": self.sha256,
            "goal": self.goal,
            "rules": self.rules,
            "attempts": self.attempts,
            "setbacks": self.setbacks or None,
            "blocked_by": self.blocked_by,
            "pending_keys": list(self.pending_keys),
            "owed": [dataclasses.asdict(owed) for owed in self.owed],
            "lease": {"owner": self.lease.owner, "until": format_time(self.lease.until)}
            if self.lease
            else None,
            "history": [
                {"timestamp": format_time(event.timestamp), "status": event.status, "reason": event.reason}
                for event in self.history
            ],
            "place": self.place,
            "headers": self.headers,
            "generation": self.generation or None,
            "retired": [old.to_item() for old in self.retired],
            "refused_keys": list(self.refused_keys),
            "source_missing_since": format_time(self.missing_since) if self.missing_since else None,
            "removable_until": format_time(self.removable_until) if self.removable_until else None,
            "revision": self.revision,
        }
        return without_empty(item) | decode_unknown(self.unknown)

    @classmethod
    def from_item(cls, item: dict[str, Any], key_name: str = "image_name") -> Record:
        """Return the record that :meth:`to_item` turned into ``item``.

        Raises:
            ValueError, LookupError, TypeError, AttributeError: The item isn't a record's.

        """
        lease = item.get("lease")
        codes = item.get("error_codes", {})
        return cls(
            name=item[key_name],
            status=_parse_status(item["status"]),
            timestamp=parse_time(item["timestamp"]),
            reason=item.get("reason"),
            code=item.get("code", ""),
            etag=item.get("etag", ""),
            sha256=item.get("sha256", ""),
            goal=item.get("goal", ""),
            rules=item.get("rules", ""),
            original=Original.from_item(item),
            wishes=Wishes(
                focus=Focus(**item["focus"]) if "focus" in item else None,
                demanded=tuple(item.get("demanded", ())),
            ),
            outputs=tuple(
                Output.from_item(name, fields) for name, fields in item.get("renditions", {}).items()
            ),
            stand_ins=tuple(item.get("stand_ins", {}).items()),
            errors=tuple(
                (rendition, Reason(text, codes.get(rendition, "")))
                for rendition, text in item.get("errors", {}).items()
            ),
            warnings=tuple(map(PictureWarning.from_item, item.get("warnings", ()))),
            pending_keys=tuple(item.get("pending_keys", ())),
            attempts=item.get("attempts", 0),
            setbacks=item.get("setbacks", 0),
            blocked_by=item.get("blocked_by"),
            owed=tuple(OwedNotice(**owed) for owed in item.get("owed", ())),
            lease=Lease(lease["owner"], parse_time(lease["until"])) if lease else None,
            history=tuple(
                Event(parse_time(event["timestamp"]), event["status"], event["reason"])
                for event in item.get("history", ())
            ),
            place=item.get("place", ""),
            headers=item.get("headers", ""),
            generation=item.get("generation", 0),
            refused_keys=tuple(item.get("refused_keys", ())),
            retired=tuple(map(Retired.from_item, item.get("retired", ()))),
            missing_since=parse_time(item["source_missing_since"])
            if "source_missing_since" in item
            else None,
            removable_until=parse_time(item["removable_until"]) if "removable_until" in item else None,
            unknown=encode_unknown(item, ATTRIBUTES | {key_name}),
            revision=item.get("revision", 0),
        )


def _parse_status(text: str) -> Status:
    return STATUSES[STATUSES.index(text)]
