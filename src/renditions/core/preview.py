"""Show what a sync would do.

The preview includes the removals that the sync would hold back, and the renames that it would find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from renditions.core.ask import Ask, unverified
from renditions.core.difference import Difference
from renditions.core.foreign import Ownership
from renditions.core.guard import Guard
from renditions.core.places import is_in_place
from renditions.core.ports import StoredObject
from renditions.core.twins import why_renamed
from renditions.model.keys import is_known
from renditions.model.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class SyncPreview:
    """The preview of a sync: its plan, with the guard's decisions and the renames."""

    differences: Callable[[Ask], Iterator[Difference]]
    """Makes a fresh plan."""
    ask: Ask
    guard: Guard
    """Decides which removals would be held back."""
    identify: Callable[[StoredObject], str]
    """Returns the SHA-256 of a source object, or an empty text if it can't be read now."""
    rename: Callable[[StoredObject, str], Difference | None]
    """Compares a new picture with the record under its former name, the second argument.

    Returns None if that record is gone or can't be read.
    """

    def show(self) -> Iterator[Difference]:
        """Yield the differences; new, renamed and missing pictures come last.

        A new picture may be a renamed one. Only the end of a plan shows which pictures are missing, so this
        method yields new and missing pictures from another plan.
        """
        census = self.guard.open_census()
        has_new = has_missing = has_lost = False
        for difference in self.differences(self.ask):
            census.see(difference)
            is_new, is_missing = difference.action == "create", _is_missing(difference)
            has_new, has_missing = has_new or is_new, has_missing or is_missing
            has_lost = has_lost or (is_missing and difference.warning is not None)
            if not (is_new or is_missing):
                yield difference
        census.end()
        if not (has_new or has_missing):
            return
        # A run over some renditions recognises no renames.
        is_whole = has_new and has_missing and self.ask.renditions is None
        former = self._find_renames() if is_whole else {}
        renamed = frozenset(former.values())
        if renamed:
            census = self.guard.open_census()
            for difference in self.differences(unverified(self.ask)):
                is_renamed = difference.name in renamed
                census.see(replace(difference, action="rename", record=None) if is_renamed else difference)
            census.end()
        why_held = self.guard.judge_removals(census)
        # Only a plan that verifies outputs again can repeat the warnings about lost ones.
        for difference in self.differences(self.ask if has_lost else unverified(self.ask)):
            if difference.action == "create":
                yield self._show_new(difference, former.get(difference.name))
            elif _is_missing(difference) and difference.name not in renamed:
                yield _judge(difference, why_held)

    def _show_new(self, difference: Difference, former: str | None) -> Difference:
        """Return a new picture's difference; ``former`` is its possible former name."""
        if former is None or difference.found is None:
            return difference
        renamed = self.rename(difference.found, former)
        if renamed is None:
            return difference
        return replace(renamed, action="rename", why=why_renamed(former), renamed_from=former)

    def _find_renames(self) -> Mapping[str, str]:
        """Return the former name of each new picture with a missing picture's content.

        This method reads only new pictures that have the size of a missing one.
        """
        missing: dict[str, list[str]] = {}
        sizes: set[int] = set()
        for difference in self.differences(unverified(self.ask)):
            record = difference.record
            if record and _is_missing(difference) and record.sha256 and record.original:
                missing.setdefault(record.sha256, []).append(difference.name)
                sizes.add(record.original.size_bytes)
        former: dict[str, str] = {}
        for difference in self.differences(unverified(self.ask)) if sizes else ():
            found = difference.found
            is_candidate = difference.action == "create" and found and found.size_bytes in sizes
            if found and is_candidate and (names := missing.get(self.identify(found))):
                former[found.key] = names.pop(0)
        return former


def warn_of_foreign(difference: Difference, pipeline: Pipeline, ownership: Ownership) -> Difference:
    """Return the difference with a warning about the output keys that aren't free.

    The result's ``make`` leaves out the renditions with these keys. In a bucket each key would cost a
    request, so there this function returns the difference unchanged.
    """
    if ownership.output.is_cheaper_to_list or not difference.make:
        return difference
    record, keys = difference.record, difference.keys or {}
    claimed = record.claimed_keys() if record and is_in_place(pipeline, record) else frozenset()
    refused = ownership.find_foreign(
        difference.name,
        {rendition: keys[rendition] for rendition in difference.make if is_known(keys[rendition])},
        claimed,
        overwrite=pipeline.output.overwrite,
    )
    if not refused:
        return difference
    reasons = (f"{rendition}: {refusal}" for rendition, refusal in refused.items())
    return replace(
        difference,
        make=tuple(rendition for rendition in difference.make if rendition not in refused),
        warning="; ".join(filter(None, (difference.warning, *reasons))),
    )


def _is_missing(difference: Difference) -> bool:
    """Return whether a record's picture is gone, perhaps because of a rename."""
    is_gone = difference.found is None and difference.record is not None
    return is_gone and difference.action in ("hold", "settle", "keep")


def _judge(difference: Difference, why_held: str | None) -> Difference:
    """Return the difference of a missing picture after the guard judged all removals."""
    if difference.action != "hold":
        return difference
    return replace(difference, why=why_held) if why_held else replace(difference, action="remove")
