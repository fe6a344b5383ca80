"""Say in words why a picture with a record needs work."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from renditions.core.ask import Ask
from renditions.core.notify import resting_notices
from renditions.core.outcome import MAX_ATTEMPTS
from renditions.core.places import is_in_place
from renditions.core.ports import StoredObject
from renditions.core.retire import due_retired
from renditions.errors import Archived
from renditions.model.families import family_of
from renditions.model.pipeline import Pipeline
from renditions.model.record import Record


def is_restored(record: Record, found: StoredObject | None) -> bool:
    """Return whether a picture that was rejected as archived can be read now."""
    return record.code == Archived.code and found is not None and found.is_archived is False


def is_owing(pipeline: Pipeline, record: Record) -> bool:
    """Return whether a record owes notices or has old outputs to delete.

    Outputs in a former store don't count.
    """
    return bool(record.owed or (is_in_place(pipeline, record) and record.undeleted_keys()))


def why_settle(
    pipeline: Pipeline, record: Record, found: StoredObject, now: datetime, ask: Ask
) -> str | None:
    """Return why a decided picture needs work other than rendering, or None."""
    resting = resting_notices(record, found, ask)
    has_other_headers = record.place and record.headers != pipeline.output.headers
    reasons = (
        (record.undeleted_keys(), "old outputs must be deleted"),
        (due_retired(record, now, ask), "its former outputs are no longer kept"),
        (record.outputs and has_other_headers, "[output] cache_control changed"),
        (len(record.owed) > len(resting), "a notice must be sent"),
        (record.missing_since, "it is back in the source"),
    )
    return next((text for holds, text in reasons if holds), None)


def _why_again(record: Record) -> str:
    """Return why a failed picture is processed again.

    A setback doesn't count as an attempt.
    """
    attempt = f" (attempt {record.attempts + 1} of {MAX_ATTEMPTS} is next)" if record.attempts else ""
    return f"it failed: {record.reason}{attempt}"


def why_relabelled(pipeline: Pipeline, renamed: Mapping[str, str]) -> dict[str, str]:
    """Return the reason for each renamed rendition, or one for a whole family.

    ``renamed`` has the former names of the renditions.
    """
    reasons: dict[str, str] = {}
    for rendition, former in renamed.items():
        family = family_of(rendition, pipeline.renditions[rendition])
        suffix = rendition.removeprefix(family)
        if former.endswith(suffix):
            reasons[family] = f"was renamed from {former.removesuffix(suffix)}"
        else:
            reasons[rendition] = f"was renamed from {former}"
    return reasons


def why_update(
    pipeline: Pipeline, record: Record, found: StoredObject, stale: Mapping[str, str], ask: Ask
) -> str:
    """Return why the picture needs work: the first reason that applies.

    ``stale`` has the reason for each rendition that must be made or was renamed.
    """
    only_refused = record.refused_keys and not stale.keys() - {name for name, _ in record.errors}
    reasons = (
        (not record.etag, "it is new"),
        (record.etag != found.etag, "the picture changed"),
        (is_restored(record, found), "it was restored from its archive"),
        (record.status == "processing", "it was interrupted"),
        (
            record.status == "failed" and record.goal,
            _why_again(record),
        ),
        (record.status in ("failed", "rejected") and not record.goal, "it is tried again"),
        (record.blocked_by or only_refused, "its key may be free now"),
        (record.rules != pipeline.rules, "[accept], [analyze] or [limits] changed"),
        (stale, ", ".join(f"{rendition} {why}" for rendition, why in stale.items())),
        (
            any(made.rendition not in pipeline.renditions for made in record.outputs),
            "a rendition is no longer declared",
        ),
    )
    kept = "the pipeline file changed, but the outputs are still valid"
    if not record.goal:
        kept = "all its outputs are compared again"
        if ask.renditions is not None:
            kept = "its record must be updated after a run for only some renditions"
    return next((text for holds, text in reasons if holds), kept)
