"""Turn names and prefixes that a caller gives into the order of a run.

This module refuses names, prefixes and renditions that match nothing.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from renditions.core.ask import PLAIN, Ask
from renditions.core.left_out import find_no_file, why_no_file
from renditions.core.ports import Store, Unreadable
from renditions.core.reconcile import Order
from renditions.core.selection import Selection
from renditions.core.verify import find
from renditions.errors import KeyRefused, RecordUnreadable, StoreFailed, UsageError
from renditions.model.families import find_members
from renditions.model.pipeline import Pipeline
from renditions.model.places import FolderPlace, parse_store
from renditions.model.record import Record, Status
from renditions.runtime.parts import Parts


def make_order(
    parts: Parts,
    names: Iterable[str] | None,
    ask: Ask = PLAIN,
    renditions: Iterable[str] | None = None,
    status: Status | None = None,
) -> Order:
    """Return the order that a caller's names describe.

    Raises:
        UsageError: No picture has a given name, a prefix matches nothing, or a rendition doesn't exist.

    """
    selection = select_pictures(parts, names, status)
    return Order(replace(ask, renditions=find_renditions(parts.pipeline, renditions)), selection)


def find_renditions(pipeline: Pipeline, names: Iterable[str] | None) -> frozenset[str] | None:
    """Return the renditions of these names; None without names.

    A family's name stands for all of its renditions.

    Raises:
        UsageError: The pipeline declares no rendition and no family of such a name.

    """
    wanted = tuple(names or ())
    return find_members(pipeline.renditions, wanted) if wanted else None


def select_pictures(parts: Parts, names: Iterable[str] | None, status: Status | None = None) -> Selection:
    """Return a selection of pictures in the source or in the catalog.

    Raises:
        UsageError: No picture has a given name, or a prefix matches nothing.

    """
    selection = Selection.of(names or (), status)
    for name in selection.names:
        why_not = parts.pipeline.source.patterns.why_not(name)
        is_there = _is_there(parts.source, name)
        if (why_not or not is_there) and not has_record(parts, name):
            if why_not and is_there:
                raise UsageError(f"{name!r} isn't a picture: {why_not}")
            _refuse_link(parts, name)
            advice = suggest(parts, name) or (
                "Check the name with renditions list; a trailing slash selects all pictures below a folder"
            )
            raise UsageError(f"there is no picture {name!r}, and no record of one. {advice}")
    check_prefixes(parts, selection)
    return selection


def is_known(parts: Parts, name: str) -> bool:
    """Return whether the source has the object, or the catalog has a record of it.

    Return True too if the object can't be looked up in the source.
    """
    return has_record(parts, name) or _is_there(parts.source, name)


def _is_there(source: Store, name: str) -> bool:
    """Return whether the source has the object.

    Return True too if the object can't be looked up: the plan then reports it.
    """
    try:
        return find(source, name) is not None
    except StoreFailed:
        return True


def select_files(parts: Parts, names: list[str] | None) -> Selection:
    """Return a selection of files in the source, whether they are pictures or not.

    Raises:
        UsageError: No file has a given name, or a prefix matches nothing.

    """
    selection = Selection.of(names or ())
    for name in selection.names:
        if find(parts.source, name) is None and find_no_file(parts.source, name) is None:
            raise UsageError(f"there is no file {name!r} in the source. Check the name")
    check_prefixes(parts, selection)
    return selection


def find_record(parts: Parts, name: str) -> Record:
    """Return the picture's record.

    Raises:
        UsageError: There is no record of this name.
        RecordUnreadable: The record is damaged, or a newer version of Renditions wrote it.

    """
    record = parts.catalog.get(name)
    if record is None:
        advice = suggest(parts, name) or "To see the names, run renditions list"
        raise UsageError(f"there is no record of {name!r}. {advice}")
    return record


def suggest(parts: Parts, name: str) -> str:
    """Return advice with the known name or prefix that the caller may mean.

    Return an empty text if there is none.

    People type the path of a file, as the shell completes it, another Unicode form of a name, or a folder
    without its slash.
    """
    for form in ("NFC", "NFD"):
        same = unicodedata.normalize(form, name)
        if same != name and _leads_somewhere(parts, same):
            return f"Did you mean {same!a}? It looks the same, but has other Unicode characters"
    for key in _find_keys(parts, name):
        if key != name and _leads_somewhere(parts, key):
            return f"Did you mean {key!r}? Names are relative to the source"
    for key in (name, *_find_keys(parts, name)):
        if key and not key.endswith("/") and _leads_somewhere(parts, f"{key}/"):
            return f"{key!r} is a folder. Where several names are allowed, {key + '/'!r} selects its pictures"
    return ""


def _find_keys(parts: Parts, path: str) -> Iterator[str]:
    """Yield the keys of a path that leads into the source's folder."""
    place = parse_store(parts.pipeline.source.store, parts.directory)
    if not isinstance(place, FolderPlace):
        return
    root = os.path.abspath(place.path)  # noqa: PTH100 - it doesn't follow links
    for start in (Path(), Path("/"), parts.directory, place.path):  # a prefix has no slash at its start
        full = os.path.abspath(start / path)  # noqa: PTH100
        if full.startswith(f"{root}/"):
            yield full.removeprefix(f"{root}/") + ("/" if path.endswith("/") else "")


def _leads_somewhere(parts: Parts, name: str) -> bool:
    """Return whether a name or a prefix matches something."""
    try:
        if name.endswith("/"):
            return _is_in(parts.source, name)
        return has_record(parts, name) or find(parts.source, name) is not None
    except StoreFailed:
        return False


def has_record(parts: Parts, name: str) -> bool:
    """Return whether the catalog has a record of this name, even an unreadable one."""
    try:
        return parts.catalog.get(name) is not None
    except RecordUnreadable:
        return True


def check_prefixes(parts: Parts, selection: Selection) -> None:
    """Raise UsageError if a prefix matches nothing.

    A prefix matches if it is a folder of the source, or if a file or a record begins with it. It also matches
    if a part of the source below it can't be read.
    """
    for prefix in filter(None, selection.prefixes):
        unreadable: list[Unreadable] = []
        record = next(parts.catalog.list(prefix=prefix, on_unreadable=unreadable.append), None)
        if not (record or unreadable or _is_in(parts.source, prefix)):
            _refuse_link(parts, prefix.rstrip("/"))
            advice = suggest(parts, prefix) or "Check the spelling; prefixes are relative to the source"
            raise UsageError(
                f"nothing matches {prefix!r}: the source has no such folder, and no record begins with it. "
                f"{advice}"
            )


def _refuse_link(parts: Parts, name: str) -> None:
    """Raise UsageError if the name is a link or a special file in the source.

    A name that lies behind a link or a special file is refused, too.
    """
    if obstacle := find_no_file(parts.source, name):
        why_not = why_no_file(obstacle, parts.pipeline.source.patterns)
        raise UsageError(f"{obstacle.key!r} isn't a picture: {why_not}")


def _is_in(source: Store, prefix: str) -> bool:
    """Return whether the source has an object or a folder of this prefix.

    Return True too if a part of the source below the prefix can't be read.
    """
    unreadable: list[Unreadable] = []
    if next(source.list(prefix=prefix, on_unreadable=unreadable.append), None) or unreadable:
        return True
    try:
        return source.has_folder(prefix)
    except KeyRefused:  # such as ../
        return False
