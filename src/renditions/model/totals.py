"""Totals of records: their number, bytes and processing time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta

from renditions.model.record import Record, Status


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over some records.

    All sums are whole numbers, so that a later subtraction is exact.
    """

    pictures: int = 0
    original_bytes: int = 0
    renditions: int = 0
    rendition_bytes: int = 0
    replaced_bytes: int = 0
    """How many bytes visitors would receive if they got the original in place of each rendition."""
    processing_microseconds: int = 0
    """How long processing took, counted from the events that the records still keep."""

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.pictures + other.pictures,
            self.original_bytes + other.original_bytes,
            self.renditions + other.renditions,
            self.rendition_bytes + other.rendition_bytes,
            self.replaced_bytes + other.replaced_bytes,
            self.processing_microseconds + other.processing_microseconds,
        )

    def __neg__(self) -> Totals:
        return Totals(*(-number for number in astuple(self)))

    @classmethod
    def of(cls, record: Record) -> Totals:
        """Return the totals of one record."""
        size_bytes = record.original.size_bytes if record.original else 0
        return cls(
            pictures=1,
            original_bytes=size_bytes,
            renditions=len(record.outputs),
            rendition_bytes=sum(output.size_bytes for output in record.outputs),
            replaced_bytes=size_bytes * len(record.outputs),
            processing_microseconds=_processing_time(record) // timedelta(microseconds=1),
        )


@dataclass(frozen=True, slots=True)
class Counted:
    """The totals of each status."""

    by_status: Mapping[Status, Totals]
    at: datetime | None = None
    """When they were counted; None if they were counted just now."""


def _processing_time(record: Record) -> timedelta:
    time, begun = timedelta(), None
    for event in record.history:
        if event.status == "processing":
            begun = event.timestamp
        elif begun:
            time += event.timestamp - begun
            begun = None
    return time
