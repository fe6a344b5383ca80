"""The output store of a record, which may differ from the pipeline's."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from renditions.model.pipeline import Pipeline
from renditions.model.record import Record
from renditions.model.retired import Retired


def is_in_place(pipeline: Pipeline, record: Record) -> bool:
    """Return whether the record's outputs are in the pipeline's output store.

    A record of version 0.1 names no store. Its outputs are in the pipeline's output store.
    """
    return record.place in ("", pipeline.output.store)


def leave_place(record: Record, until: datetime | None) -> Record:
    """Return the record without outputs, for use with another output store.

    The worker deletes the objects in the former store after ``until``. If ``until`` is None, the objects
    stay, and the record forgets them.
    """
    behind = [*record.retired]
    if until:
        behind += [Retired(made.key, made.etag, until, record.place) for made in record.outputs]
        behind += [Retired(key, "", until, record.place) for key in record.pending_keys]
    retired = tuple(replace(old, place=old.place or record.place) for old in behind)
    return replace(record, outputs=(), pending_keys=(), retired=retired)
