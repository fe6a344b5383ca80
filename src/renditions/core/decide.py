"""Decide a picture's status, and which notices its record owes for this status."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from renditions.model.pipeline import Pipeline
from renditions.model.reason import Reason
from renditions.model.record import Decided, OwedNotice, Record


def decide(
    pipeline: Pipeline,
    now: datetime,
    before: Record | None,
    record: Record,
    status: Decided,
    reason: Reason | None = None,
) -> Record:
    """Return the record with its status and the notices that it owes for the status.

    If nothing changed for the picture since its record ``before``, the new record owes the same notices as
    ``before``. Otherwise the new record drops unsent notices of an earlier status, because they are no longer
    true.
    """
    decided = replace(
        record.with_event(now, status, reason.text if reason else ""),
        status=status,
        reason=reason.text if reason else None,
        code=reason.code if reason else "",
        timestamp=now,
        attempts=record.attempts if status == "failed" else 0,
        setbacks=record.setbacks if status == "failed" else 0,
    )
    if before and not _is_changed(before, decided):
        return replace(decided, owed=before.owed)
    return replace(decided, owed=owe(pipeline, decided))


def owe(pipeline: Pipeline, record: Record) -> tuple[OwedNotice, ...]:
    """Return the notices that a record owes to the targets for its status."""
    targets = pipeline.find_targets(record.status, record.name, _affected_by(record))
    return tuple(OwedNotice(record.status, target) for target in targets)


def _affected_by(record: Record) -> Collection[str] | None:
    """Return the renditions that the record's status concerns; None means all."""
    if record.status == "done":
        return {made.rendition for made in record.outputs} | dict(record.stand_ins).keys()
    return dict(record.errors).keys() or None


def _is_changed(before: Record, decided: Record) -> bool:
    """Return whether the picture, its status, its reason or its outputs changed.

    Only such a change needs a new notice.
    """
    is_same_picture = before.etag == decided.etag or (before.sha256 and before.sha256 == decided.sha256)
    return not is_same_picture or _reported(before) != _reported(decided)


def _reported(record: Record) -> tuple[object, ...]:
    outputs = {(made.key, made.sha256 or made.etag) for made in record.outputs}
    return record.status, record.reason, outputs
