"""The removal of one picture with its outputs, its record and older versions.

People have a right to be forgotten. So the report names what was removed, and what is left. If the removal is
interrupted, run it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from renditions.core.ask import Ask
from renditions.core.bin import Bin, find_binned
from renditions.core.catalog import Catalog
from renditions.core.leases import Leases
from renditions.core.neighbours import Neighbours
from renditions.core.ports import IfMatch, Store
from renditions.core.process import Process
from renditions.core.strays import delete_stray, see_stray
from renditions.core.verify import find, find_picture
from renditions.errors import Conflict, Failed, KeyRefused
from renditions.model.counting import count_of
from renditions.model.items import format_time
from renditions.model.keys import is_known
from renditions.model.pipeline import Pipeline
from renditions.model.record import Record
from renditions.model.wishes import NO_WISHES, Wishes

MAX_ATTEMPTS = 5
"""How often to try again at most, if the picture can't be removed yet."""

FORGOTTEN = Ask(removal="asked", ignores_source=True)


@dataclass(frozen=True, slots=True)
class Trace:
    """An object, a record or another trace of a picture, removed or left."""

    what: str
    """The kind of trace, such as ``picture`` or ``older versions``."""
    where: str
    """Where the trace is or was: a store and a key, the catalog, or the target of a notice, for example."""
    why: str = ""
    """Why the trace is left; empty if it was removed."""


@dataclass(slots=True)
class Report:
    """The traces of one picture: the removed and the remaining ones."""

    name: str
    removed: list[Trace] = field(default_factory=list)
    left: list[Trace] = field(default_factory=list)

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form of the report."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Reach:
    """Every place that may hold a part of a picture, with functions to clear them."""

    pipeline: Pipeline
    source: Store
    catalog: Catalog
    outputs: Mapping[str, Store]
    """The current output store and the former ones, by their spelling in the pipeline file."""
    process: Process
    read_neighbours: Callable[[Store], Neighbours]
    """Reads which catalogs use an output store."""
    leases: Leases
    """Takes leases for the deletion of objects that no record claims."""
    pause: Callable[[float], object] = time.sleep
    bin: Bin | None = None
    """The bin of the source; None if it has none, or if the source is read-only."""
    is_marker_missing: Callable[[], bool] = lambda: False
    """Returns whether the source lacks the marker that the catalog expects."""
    drop_previews: Callable[[str], bool] = lambda _: False
    """Deletes the previews that the page keeps of a picture; returns whether there were any."""


def forget(name: str, reach: Reach) -> Report:
    """Delete a picture, its record, its outputs and its other traces.

    The outputs are deleted in every output store. The other traces are originals in the bin, older versions,
    previews, kept wishes and unsent notices.

    If another process works on the picture, or an output can't be deleted now, this function waits and tries
    again, at most ``MAX_ATTEMPTS`` times.

    Return a report, which also names what is left and stores that failed. After an error, run the function
    again.

    Raises:
        Superseded: The catalog uses another version of the pipeline file.
        Conflict: Another process changed an unreadable record meanwhile.
        Failed: The catalog failed, or the source can't say whether it has a picture without a record.

    """
    report = Report(name)
    record = reach.catalog.repair(name) or reach.catalog.get(name)
    keys = sorted(_find_keys(name, record, reach))
    there = {place: list(_look(place, store, keys, report)) for place, store in reach.outputs.items()}
    _forget_source(name, reach, report)
    if record:
        _forget_record(name, reach, report)
    _forget_kept(name, reach, report)
    for place, store in reach.outputs.items():
        try:
            _sweep((place, store), there[place], reach, report)
            _purge((place, store), [key for key in keys if _is_free(name, key, reach)], report)
        except Failed as error:
            report.left.append(Trace("outputs", place, str(error)))
    return report


def _find_keys(name: str, record: Record | None, reach: Reach) -> set[str]:
    """Return the picture's present and former output keys.

    Keys that another picture claims are left out.
    """
    etag = record.etag if record else ""
    if not etag and (found := find_picture(reach.source, name)):
        etag = found.etag
    focus = record.wishes.focus if record else NO_WISHES.focus
    wishes = Wishes(focus, demanded=tuple(reach.pipeline.renditions))
    sha256 = record.sha256 if record else ""
    keys = set(filter(is_known, reach.pipeline.output_keys(name, etag, wishes, sha256).values()))
    if record:
        keys |= record.claimed_keys() | {old.key for old in record.retired}
    return {key for key in keys if _is_free(name, key, reach)}


def _is_free(name: str, key: str, reach: Reach) -> bool:
    return reach.catalog.owner_of(key) in (None, name)


def _look(place: str, store: Store, keys: list[str], report: Report) -> Iterator[str]:
    """Yield the keys that hold an object; report a store that can't be read."""
    try:
        for key in keys:
            if find(store, key):
                yield key
    except Failed as error:
        report.left.append(Trace("outputs", place, str(error)))


def _forget_source(name: str, reach: Reach, report: Report) -> None:
    place = reach.pipeline.source.store
    where = _join(place, name)
    try:
        is_there = find_picture(reach.source, name) is not None
        if not is_there and reach.is_marker_missing():
            why = (
                "the source lacks this catalog's marker. If the source's disk is unmounted, mount the disk, "
                "and run forget again"
            )
            report.left.append(Trace("picture", where, why))
            return
        if reach.pipeline.source.read_only:
            if is_there:
                why = "the source is read-only. Delete the picture there, or a sync makes its outputs again"
                report.left.append(Trace("picture", where, why))
            return
        while there := find_picture(reach.source, name):
            try:
                reach.source.delete(name, IfMatch(there.etag))
            except Conflict:
                continue  # another program replaced it meanwhile: delete the new object too
        if is_there:
            report.removed.append(Trace("picture", where))
        _forget_binned(name, reach, report)
        _purge((place, reach.source), [name], report)
    except Failed as error:
        report.left.append(Trace("picture", where, str(error)))


def _forget_binned(name: str, reach: Reach, report: Report) -> None:
    """Delete every deleted original of this picture from the bin."""
    if reach.bin:
        for binned in find_binned(reach.bin, name):
            reach.bin.drop(binned.deletion)
            where = f"the bin of {reach.pipeline.source.store}, deleted {format_time(binned.deleted_at)}"
            report.removed.append(Trace("picture", where))


def _forget_record(name: str, reach: Reach, report: Report) -> None:
    """Delete the outputs that the record names, then the record itself."""
    outcome = reach.process(name, FORGOTTEN)
    for _ in range(MAX_ATTEMPTS):
        if outcome.again_after is None:
            break
        reach.pause(outcome.again_after.total_seconds())
        outcome = reach.process(name, FORGOTTEN)
    trace = Trace("record", reach.pipeline.catalog.store, outcome.reason or outcome.result)
    if reach.catalog.get(name) is None:
        report.removed.append(Trace(trace.what, trace.where))
    else:
        report.left.append(trace)


def _forget_kept(name: str, reach: Reach, report: Report) -> None:
    """Delete the previews, the kept wishes and the unsent notices about a picture.

    Notices contain the picture's name. So this function deletes even an unsent notice about this removal. The
    report then names the target that didn't get the notice.
    """
    where = reach.pipeline.catalog.store
    for unsent in reach.catalog.unsent_notices(name):
        reach.catalog.drop_notice(unsent)
        target = reach.pipeline.spell_target(unsent.target)
        report.removed.append(Trace(f"unsent notice {unsent.event!r}", target))
    try:
        if reach.drop_previews(name):
            report.removed.append(Trace("preview", "the page's previews"))
    except Failed as error:
        report.left.append(Trace("preview", "the page's previews", str(error)))
    if kept := reach.catalog.find_wishes(name):
        reach.catalog.drop_wishes(kept.name)
        report.removed.append(Trace("kept wishes", where))


def _sweep(at: tuple[str, Store], keys: list[str], reach: Reach, report: Report) -> None:
    """Delete unclaimed objects that carry the mark of this catalog or a predecessor.

    Report each key. The picture may be uploaded again meanwhile. So in the current output store, a temporary
    record claims the key during the deletion: see :func:`delete_stray`.
    """
    place, store = at
    leases, neighbours = replace(reach.leases, output=store), reach.read_neighbours(store)
    is_present = place == reach.pipeline.output.store
    for key in keys:
        there = find(store, key)
        why = None
        if there and reach.catalog.owner_of(key):
            why = "a record still claims it"
        elif there:
            stray = see_stray(there, store, neighbours)
            why = delete_stray(stray, leases, leases.clock, place=place, claims=is_present)
        (report.left if why else report.removed).append(Trace("output", _join(place, key), why or ""))


def _purge(at: tuple[str, Store], keys: list[str], report: Report) -> None:
    """Delete older versions, which versioned buckets keep."""
    place, store = at
    for key in keys:
        where = _join(place, key)
        try:
            if count := store.purge(key):
                report.removed.append(Trace(count_of(count, "older version"), where))
        except KeyRefused:
            continue  # the store can't hold an object under such a key
        except Failed as error:
            report.left.append(Trace("older versions", where, str(error)))


def _join(place: str, key: str) -> str:
    return f"{place.rstrip('/')}/{key}"
