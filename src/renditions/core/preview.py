"""Show what a sync would do, with the removals that it would hold back and the renames that it would find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from renditions.core.difference import Difference
from renditions.core.guard import Guard
from renditions.core.ports import StoredObject


def preview(
    differences: Callable[[], Iterator[Difference]], guard: Guard, identify: Callable[[StoredObject], str]
) -> Iterator[Difference]:
    """Yield the differences that a sync would close; renames, removals and held-back ones come last.

    Args:
        differences: Makes a fresh plan. This function calls it again if pictures are missing.
        guard: Decides which removals would be held back.
        identify: Returns the SHA-256 of a source object, or an empty text if it can't be read now.

    """
    census = guard.open_census()
    for difference in differences():
        census.see(difference)
        if difference.action != "hold":
            yield difference
    census.end()
    if not census.missing:
        return
    renames = _find_renames(differences, identify)
    if renames:
        census = guard.open_census()
        for difference in differences():
            is_renamed = difference.name in renames
            census.see(replace(difference, action="rename", record=None) if is_renamed else difference)
        census.end()
    why_held = guard.judge_removals(census)
    for difference in differences():
        if difference.action != "hold":
            continue
        if name := renames.get(difference.name):
            yield replace(difference, action="rename", why=f"it was renamed to {name}", delete=())
        else:
            yield replace(difference, why=why_held) if why_held else replace(difference, action="remove")


def _find_renames(
    differences: Callable[[], Iterator[Difference]], identify: Callable[[StoredObject], str]
) -> Mapping[str, str]:
    """Return the new name of each missing picture whose content was found under another name.

    This function reads only new pictures that have the size of a missing one.
    """
    missing: dict[str, list[str]] = {}
    sizes: set[int] = set()
    for difference in differences():
        record = difference.record
        if difference.action == "hold" and record and record.sha256 and record.original:
            missing.setdefault(record.sha256, []).append(difference.name)
            sizes.add(record.original.size_bytes)
    renames: dict[str, str] = {}
    for difference in differences() if sizes else ():
        found = difference.found
        is_candidate = difference.action == "create" and found and found.size_bytes in sizes
        if found and is_candidate and (former := missing.get(identify(found))):
            renames[former.pop(0)] = found.key
    return renames
