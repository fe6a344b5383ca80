"""Stand-ins: renditions whose file other widths of their family use, too.

If a picture is too small for two widths of a family, both files would be equal. So Renditions makes only the
file of the narrower width, and the wider one uses it.

The renderer finds the stand-ins, since it knows the picture's dimensions; see ``Rendering.stand_ins``.
"""

from __future__ import annotations

from collections.abc import Sequence

from renditions.core.difference import Difference
from renditions.model.record import Record
from renditions.model.rendering import Rendering

StandIns = tuple[tuple[str, str], ...]
"""Pairs of a rendition and the rendition whose file it uses, as in ``Record.stand_ins``."""


def keep_valid(record: Record, difference: Difference) -> StandIns:
    """Return the stand-ins of the wanted renditions that need no work.

    Any other rendition may need a file of its own, so its key must be claimed. This also applies to
    renditions that the caller didn't ask for, because the content of the file that they use may change.
    """
    valid = (difference.keys or {}).keys() - difference.left - set(difference.make)
    return tuple((rendition, other) for rendition, other in record.stand_ins if rendition in valid)


def merge(record: Record, rendering: Rendering, order: Sequence[str]) -> StandIns:
    """Return the newest stand-in of each rendition, in the pipeline's order.

    A rendition that needs a file of its own keeps its stand-in until that file is made.
    """
    have = {*rendering.made, *(made.rendition for made in record.outputs)}
    found = {each: other for each, other in rendering.stand_ins.items() if each != other or each in have}
    latest = {**dict(record.stand_ins), **found}
    return tuple((each, latest[each]) for each in order if latest.get(each, each) != each)


def keys_of_served(record: Record, difference: Difference) -> list[str]:
    """Return the keys of renditions that need no file, because they have a stand-in."""
    return [key for rendition, key in (difference.keys or {}).items() if rendition in dict(record.stand_ins)]
