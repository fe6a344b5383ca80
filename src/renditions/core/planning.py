"""The plan of a whole source: what each picture needs, compared with its record.

The plan reads the source and the catalog side by side, both in the order of their keys, and yields one
:class:`~renditions.core.difference.Difference` per picture: pure data, in memory that doesn't grow with the
number of pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from renditions.core.ask import allow_removal
from renditions.core.comparison import Comparison
from renditions.core.difference import Difference
from renditions.core.left_out import LeftOut
from renditions.core.ports import Store, StoredObject, Unreadable
from renditions.core.selection import EVERYTHING, Selection
from renditions.core.verify import find_picture
from renditions.errors import RecordUnreadable, StoreFailed
from renditions.model.record import Record


def plan(
    comparison: Comparison,
    source: Store,
    *,
    clock: Callable[[], datetime],
    after: str = "",
    selection: Selection = EVERYTHING,
    left_out: LeftOut | None = None,
    is_marker_missing: Callable[[], bool] = lambda: False,
) -> Iterator[Difference]:
    """Yield the difference of each selected picture and record.

    The differences below one prefix come in the order of their names, and begin after the name ``after``. The
    selected single names come last. A picture that needs no work has the action ``keep``; see
    :data:`~renditions.core.difference.Action` for the others. A part of the source that can't be read also
    yields a difference, with the action ``unreadable``. The plan changes nothing. When the plan ends,
    ``left_out`` gets the numbers of objects that aren't pictures.

    Raises:
        StoreFailed: A whole store can't be read.
        CatalogFailed: The catalog can't be read.

    """
    counted = LeftOut()
    prefixes = ("",) if selection.is_all else selection.prefixes
    for prefix in prefixes:
        yield from _plan_below(prefix, after, comparison, source, clock, selection, counted)
    # A person who names a missing picture intends its removal. But if the source's disk is unmounted, every
    # picture is missing, and the person only wants the picture's renditions.
    intends_removal = bool(selection.names) and not is_marker_missing()
    named = replace(comparison, ask=allow_removal(comparison.ask)) if intends_removal else comparison
    for name in selection.names:
        try:
            record = comparison.catalog.get(name)
            found = find_picture(source, name) if comparison.pipeline.source.matches(name) else None
        except RecordUnreadable as error:
            yield Difference(name, "unreadable", str(error))
        except StoreFailed as error:
            yield Difference(name, "unreadable", str(error), record=record)
        else:
            if selection.has(record):
                yield _compare(named, name, found, record, clock())
    if left_out is not None:
        left_out.set(counted)


def _plan_below(
    prefix: str,
    after: str,
    comparison: Comparison,
    source: Store,
    clock: Callable[[], datetime],
    selection: Selection,
    counted: LeftOut,
) -> Iterator[Difference]:
    reported: list[Unreadable] = []  # a listing reports a part before it yields any key after that part
    unreadable: list[Unreadable] = []
    patterns = comparison.pipeline.source.patterns
    listed = source.list(after, prefix, reported.append, lambda obstacle: counted.add(obstacle, patterns))
    pictures = (found for found in listed if counted.passes(found.key, patterns))
    for name, found, record in _join(pictures, comparison.catalog.list(after, prefix, reported.append)):
        yield from _report(reported, unreadable)
        unreadable = [part for part in unreadable if name <= part.prefix or _is_within(name, part)]
        if selection.has(record) and not any(_is_within(name, part) for part in unreadable):
            yield _compare(comparison, name, found, record, clock())
    yield from _report(reported, unreadable)


def _compare(
    comparison: Comparison, name: str, found: StoredObject | None, record: Record | None, now: datetime
) -> Difference:
    """Return what the picture needs; ``unreadable`` if its outputs can't be checked.

    In a folder, one subfolder may be unreadable although the others can be read. But if a bucket fails, no
    picture can be checked. So for a bucket this function raises ``StoreFailed``.
    """
    try:
        return comparison.compare(name, found, record, now)
    except StoreFailed as error:
        if comparison.output.is_cheaper_to_list:
            raise
        return Difference(name, "unreadable", str(error), found=found, record=record)


def _report(reported: list[Unreadable], unreadable: list[Unreadable]) -> Iterator[Difference]:
    """Yield the parts that were just reported as unreadable, and remember them."""
    for part in reported:
        yield Difference(part.prefix, "unreadable", part.reason)
    unreadable += reported
    reported.clear()


def _is_within(name: str, part: Unreadable) -> bool:
    return name == part.prefix or (part.prefix.endswith("/") and name.startswith(part.prefix))


def _join(
    pictures: Iterator[StoredObject], records: Iterator[Record]
) -> Iterator[tuple[str, StoredObject | None, Record | None]]:
    """Merge two sequences that are each in the order of their UTF-8 names."""
    found, record = next(pictures, None), next(records, None)
    while found or record:
        # Python orders texts by code points, which gives the order of their UTF-8 bytes.
        if record is None or (found and found.key < record.name):
            assert found  # noqa: S101 - one of the two is there
            yield found.key, found, None
            found = next(pictures, None)
        elif found is None or record.name < found.key:
            yield record.name, None, record
            record = next(records, None)
        else:
            yield record.name, found, record
            found, record = next(pictures, None), next(records, None)
