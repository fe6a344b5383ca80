"""Keeps outputs of renditions that a changed pipeline file no longer declares, if there are many.

Otherwise a mistake in the file would delete these outputs at once, because watch and serve apply the file
unattended.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from renditions.core.ask import PLAIN, Ask
from renditions.core.guard import Guard
from renditions.core.outcome import Outcome
from renditions.core.ports import Catalog, Unreadable
from renditions.core.process import Process
from renditions.core.reconcile import count_pictures
from renditions.model.binding import Held
from renditions.runtime.parts import Parts, now


def hold_undeclared(parts: Parts, guard: Guard, dropped: frozenset[str]) -> None:
    """Keep the outputs of these renditions if more pictures have such outputs than the guard allows.

    The catalog stores this decision. Later versions of the file keep the outputs too, until a person syncs.
    Call this function before any picture is processed, because the record of a processed picture no longer
    counts these files as outputs.
    """
    count = _count_pictures_with(parts.catalog, dropped)
    if guard.is_too_many(count, count_pictures(parts.catalog)):
        binding = parts.catalog.read_binding()
        others = [each for each in (binding.held if binding else ()) if each.what != "renditions"]
        parts.end_run([*others, Held("renditions", count, "this is more than [source] max_removals", now())])


def find_undeclared(catalog: Catalog) -> tuple[Held, ...]:
    """Return the held deletions of undeclared outputs: one or none."""
    binding = catalog.read_binding()
    return tuple(each for each in (binding.held if binding else ()) if each.what == "renditions")


def keep_undeclared(process: Process) -> Process:
    """Return a process that keeps the outputs of undeclared renditions."""

    def keep_and_process(name: str, ask: Ask = PLAIN) -> Outcome:
        return process(name, replace(ask, keeps_undeclared=True))

    return keep_and_process


def _count_pictures_with(catalog: Catalog, renditions: frozenset[str]) -> int:
    """Return how many pictures have outputs of these renditions.

    Unreadable records don't count, because nothing of theirs is removed. The run that follows reports them.
    """
    if not renditions:
        return 0
    unreadable: deque[Unreadable] = deque(maxlen=0)
    records = catalog.list(on_unreadable=unreadable.append)
    return sum(any(made.rendition in renditions for made in record.outputs) for record in records)
