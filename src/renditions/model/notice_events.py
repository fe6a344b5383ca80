"""The table of events that notices report.

The field ``on`` of a pipeline file, its schema, its documentation and the notices read this table. A new
event is one entry here, and the code that makes its notices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NoticeEvent:
    """One kind of event."""

    title: str
    """The kind of event, for people and as the detail type on a bus."""
    meaning: str
    """When Renditions sends notices of this event: a sentence for people."""
    is_trouble: bool = False
    """Whether a person may have to do something."""
    is_for_all: bool = False
    """Whether every target gets its notices, even if its ``on`` doesn't name the event.

    A digest never contains such notices.
    """
    is_declared: bool = True
    """Whether ``on`` may name the event."""


NOTICE_EVENTS: Mapping[str, NoticeEvent] = {
    "done": NoticeEvent("Picture done", "The renditions of a picture exist."),
    "rejected": NoticeEvent("Picture rejected", "A rendition can't be made from a picture.", is_trouble=True),
    "failed": NoticeEvent(
        "Picture failed",
        "Processing a picture failed, and Renditions doesn't try again by itself.",
        is_trouble=True,
    ),
    "removed": NoticeEvent("Picture removed", "A picture is gone: its outputs and its record were deleted."),
    "removals_held": NoticeEvent(
        "Removals held",
        "An unattended run held back the removal of missing pictures or undeclared outputs until a person "
        "permits it.",
        is_trouble=True,
        is_for_all=True,
    ),
    "output_held": NoticeEvent(
        "Output held",
        "An unattended run held back work until a person permits it: making missing outputs again, or "
        "everything, because the catalog was probably lost.",
        is_trouble=True,
        is_for_all=True,
    ),
    "digest": NoticeEvent("Digest", "Several notices in one message.", is_declared=False),
}
