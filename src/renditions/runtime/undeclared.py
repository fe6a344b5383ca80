"""Keep outputs that a changed pipeline file no longer declares, if they are many.

Otherwise a mistake in the file would delete these outputs at once, because watch and serve apply the file
unattended. The binding records this decision, so that every process follows it until a person syncs.
"""

from __future__ import annotations

from collections import deque

from renditions.core.binding import Standing
from renditions.core.catalog import Catalog
from renditions.core.guard import Guard
from renditions.core.ports import Unreadable
from renditions.core.reconcile import count_pictures
from renditions.model.binding import Held
from renditions.runtime.parts import Parts, now

WHY = "[source] max_removals allows fewer"


def hold_undeclared(parts: Parts, guard: Guard, standing: Standing, dropped: frozenset[str]) -> None:
    """Keep the outputs of these renditions if too many pictures have such outputs.

    The guard says how many are too many. This function then stores the held work in the binding, and sends
    due notices. Call it before any picture is processed, because the record of a processed picture no longer
    counts these files as outputs.

    Raises:
        Superseded: The catalog uses another version of the pipeline file.

    """
    count = _count_pictures_with(parts.catalog, dropped)
    if guard.is_too_many(count, count_pictures(parts.catalog)):
        others = [each for each in standing.refresh().held if each.what != "renditions"]
        parts.end_run([*others, Held("renditions", count, WHY, now())], is_end=False)
        standing.refresh()


def _count_pictures_with(catalog: Catalog, renditions: frozenset[str]) -> int:
    """Return how many pictures have outputs of these renditions.

    Unreadable records don't count, because the run removes none of their outputs. The run that follows
    reports them.
    """
    if not renditions:
        return 0
    unreadable: deque[Unreadable] = deque(maxlen=0)
    records = catalog.list(on_unreadable=unreadable.append)
    return sum(any(made.rendition in renditions for made in record.outputs) for record in records)
